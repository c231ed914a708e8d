import CMixGRPO

extension mixgrpo_sampling_config: SettingsRecord {
  package static let settings: [Setting<mixgrpo_sampling_config>] = [
    .integer("steps", \.steps, 2...10_000, default: 25, "T, steps from noise (sigma = 1) to picture (0)"),
    .number("shift", \.shift, .above(0, upTo: 1_000), default: 3, "of the noise levels towards noise; 1 for none"),
    .integer(
      "image_tokens", \.image_tokens, 0...1_000_000, default: 0, unit: "tokens",
      "above 0: the shift that goes with so many tokens, in place of shift"),
    .choice("dynamics", \.dynamics, Choices.dynamics, default: "flow", "the stochastic step"),
    .number(
      "noise_level", \.noise_level, .above(0, upTo: 10), default: 0.7, "eta of the stochastic step; with cps at most 1"),
    .choice(
      "window_mode", \.window_mode, Choices.windowMode, default: "progressive",
      "how the window of stochastic, trained steps moves"),
    .integer(
      "window_length", \.window_length, 1...9_999, default: 4, unit: "steps",
      "w, stochastic steps, at most steps - 1; not used by all"),
    .integer(
      "window_start", \.window_start, 0...9_998, default: 0, unit: "steps",
      "of a frozen window, at most steps - 1 - window_length"),
    .integer("window_stride", \.window_stride, 1...1_000_000, default: 1, unit: "steps", "by which the window moves at a time"),
    .integer(
      "window_interval", \.window_interval, 1...1_000_000, default: 25, unit: "iterations",
      "between moves; with a decay the first, with adaptive the most"),
    .integer(
      "window_minimum_interval", \.window_minimum_interval, 1...1_000_000, default: 1, unit: "iterations",
      "the last interval of linear_decay, the least of adaptive; at most window_interval"),
    .choice(
      "window_at_end", \.window_at_end, Choices.windowEnd, default: "roll_back", "what the window does after its last place"),
    .integer(
      "window_decay_threshold", \.window_decay_threshold, 0...1_000_000, default: 13, unit: "steps",
      "the window's start from which exponential_decay shortens the interval"),
    .number("window_decay_rate", \.window_decay_rate, .closed(0, 100), default: 0.1, unit: "per step", "of exponential_decay"),
    .integer(
      "window_trend", \.window_trend, 2...1_000_000, default: 10, unit: "iterations",
      "that adaptive judges the reward's gain over"),
    .number(
      "window_minimum_gain", \.window_minimum_gain, .closed(-1_000, 1_000), default: 0.01,
      unit: "standard deviations per iteration", "adaptive moves when the reward gains less"),
    .number(
      "trained_fraction", \.trained_fraction, .above(0, upTo: 1), default: 1,
      "with all: the trained share of the stochastic steps"),
    .choice("trained_subset", \.trained_subset, Choices.trainedSubset, default: "first", "with all: which of them"),
    .choice("solver", \.solver, Choices.solver, default: "euler", "of the steps outside the window"),
    .number(
      "flash_ratio", \.flash_ratio, .closed(0, 1), default: 0,
      "MixGRPO-Flash: the steps after the window shrink to this share; 0 for off"),
    .choice("flash_solver", \.flash_solver, Choices.solver, default: "dpm_2_midpoint", "of these steps"),
    .integer(
      "group_size", \.group_size, 2...4_096, default: 12, unit: "images per prompt",
      "G, images of one prompt that are compared with each other"),
    .choice("initial_noise", \.initial_noise, Choices.initialNoise, default: "shared", "of the members of a group"),
    .flag("exact_sharing", \.exact_sharing, default: true, "evaluate equal latents once; changes no result").withoutEffect,
    .choice(
      "log_probability", \.log_probability, Choices.logProbability, default: "mean", "what the ratio is made of"),
    .choice(
      "sigma_rounding", \.sigma_rounding, Choices.sigmaRounding, default: "exact", "how the model is given the noise level"),
    .seed("seed", \.seed, "of all random numbers of the run"),
  ]
}
