import CMixGRPO

extension mixgrpo_sampling_config: SettingsRecord {
  package static let settings: [Setting<mixgrpo_sampling_config>] = [
    .integer("steps", \.steps, 2...10_000, default: 25, "T, number of steps from noise (sigma = 1) to image (sigma = 0)"),
    .number("shift", \.shift, .above(0, upTo: 1_000), default: 3, "shift of the noise levels towards noise; 1 for none"),
    .integer(
      "image_tokens", \.image_tokens, 0...1_000_000, default: 0, unit: "tokens",
      "when above 0, the shift is computed from this number of image tokens and the setting shift is ignored"),
    .choice("dynamics", \.dynamics, Choices.dynamics, default: "flow", "form of the stochastic step"),
    .number(
      "noise_level", \.noise_level, .above(0, upTo: 10), default: 0.7,
      "eta, noise of the stochastic step; at most 1 with dynamics cps"),
    .choice(
      "window_mode", \.window_mode, Choices.windowMode, default: "progressive",
      "how the window of stochastic, trained steps moves"),
    .integer(
      "window_length", \.window_length, 1...9_999, default: 4, unit: "steps",
      "w, stochastic steps, at most steps - 1; ignored with window_mode all"),
    .integer(
      "window_start", \.window_start, 0...9_998, default: 0, unit: "steps",
      "first step of a frozen window, at most steps - 1 - window_length"),
    .integer(
      "window_stride", \.window_stride, 1...1_000_000, default: 1, unit: "steps", "steps by which the window moves at a time"),
    .integer(
      "window_interval", \.window_interval, 1...1_000_000, default: 25, unit: "iterations",
      "iterations between moves: the first interval of a decay, the longest of adaptive"),
    .integer(
      "window_minimum_interval", \.window_minimum_interval, 1...1_000_000, default: 1, unit: "iterations",
      "the last interval of linear_decay, the shortest of adaptive; at most window_interval"),
    .choice(
      "window_at_end", \.window_at_end, Choices.windowEnd, default: "roll_back", "what the window does after its last position"),
    .integer(
      "window_decay_threshold", \.window_decay_threshold, 0...1_000_000, default: 13, unit: "steps",
      "window start from which exponential_decay shortens the interval"),
    .number(
      "window_decay_rate", \.window_decay_rate, .closed(0, 100), default: 0.1, unit: "per step",
      "decay rate of exponential_decay"),
    .integer(
      "window_trend", \.window_trend, 2...1_000_000, default: 10, unit: "iterations",
      "iterations over which adaptive measures the gain of the reward"),
    .number(
      "window_minimum_gain", \.window_minimum_gain, .closed(-1_000, 1_000), default: 0.01,
      unit: "standard deviations per iteration", "adaptive moves the window when the reward gains less than this"),
    .number(
      "trained_fraction", \.trained_fraction, .above(0, upTo: 1), default: 1,
      "share of the stochastic steps that is trained, with window_mode all"),
    .choice(
      "trained_subset", \.trained_subset, Choices.trainedSubset, default: "first",
      "which of the stochastic steps are trained, with window_mode all"),
    .choice("solver", \.solver, Choices.solver, default: "euler", "ODE solver of the steps outside the window"),
    .number(
      "flash_ratio", \.flash_ratio, .closed(0, 1), default: 0,
      "MixGRPO-Flash: the steps after the window are reduced to this share; 0 to disable"),
    .choice(
      "flash_solver", \.flash_solver, Choices.solver, default: "dpm_2_midpoint",
      "ODE solver of the steps reduced by flash_ratio"),
    .integer(
      "group_size", \.group_size, 2...4_096, default: 12, unit: "images per prompt",
      "G, members of a group: samples of one prompt that are compared with each other"),
    .choice(
      "initial_noise", \.initial_noise, Choices.initialNoise, default: "shared", "initial noise of the members of a group"),
    .flag("exact_sharing", \.exact_sharing, default: true, "evaluate equal latents only once; results do not change")
      .withoutEffect,
    .choice(
      "log_probability", \.log_probability, Choices.logProbability, default: "mean", "form of the log-probability in the ratio"),
    .choice(
      "sigma_rounding", \.sigma_rounding, Choices.sigmaRounding, default: "exact",
      "how sigma is rounded before it is passed to the model"),
    .seed("seed", \.seed, "seed of all random numbers of the run"),
  ]
}
