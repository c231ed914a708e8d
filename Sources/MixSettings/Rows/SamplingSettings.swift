import CMixGRPO

extension mixgrpo_sampling_config: SettingsRecord {
  package static let settings = gridSettings + windowSettings + windowMotionSettings + solverSettings + groupSettings

  private static let gridSettings: [Setting<mixgrpo_sampling_config>] = [
    .integer(
      "steps", \.steps, 2...10_000, default: 25, "T, steps of the time grid from noise (sigma = 1) to image (sigma = 0)"),
    .number(
      "shift", \.shift, .above(0, upTo: 1_000), default: 3,
      "s of the time grid sigma = s*t/(1 + (s - 1)*t), t = 1 - i/T; 1 for none"),
    .integer(
      "image_tokens", \.image_tokens, 0...1_000_000, default: 0, unit: "tokens",
      "above 0, the shift that belongs to this number of image tokens is used in place of shift"),
    .choice("dynamics", \.dynamics, Choices.dynamics, default: "flow", "stochastic step inside the window"),
    .number(
      "noise_level", \.noise_level, .above(0, upTo: 10), default: 0.7,
      "eta, amount of noise in a stochastic step; with dynamics cps the angle is eta*pi/2 and eta at most 1"),
  ]

  private static let windowSettings: [Setting<mixgrpo_sampling_config>] = [
    .choice(
      "window_mode", \.window_mode, Choices.windowMode, default: "progressive",
      "how the window of stochastic, trained steps moves over the iterations"),
    .integer(
      "window_length", \.window_length, 1...9_999, default: 4, unit: "steps",
      "w, steps in the window, at most T - 1; not used with window_mode all"),
    .integer(
      "window_start", \.window_start, 0...9_998, default: 0, unit: "steps",
      "l, first step of the window with window_mode frozen, at most T - 1 - w"),
    .integer(
      "window_stride", \.window_stride, 1...1_000_000, default: 1, unit: "steps", "distance by which the window moves each time"
    ),
    .integer(
      "window_interval", \.window_interval, 1...1_000_000, default: 25, unit: "iterations",
      "tau, iterations between two moves of the window; with a decay the first interval, with adaptive the longest"),
    .integer(
      "window_minimum_interval", \.window_minimum_interval, 1...1_000_000, default: 1, unit: "iterations",
      "the last interval of linear_decay, the shortest of adaptive; at most window_interval"),
  ]

  private static let windowMotionSettings: [Setting<mixgrpo_sampling_config>] = [
    .choice(
      "window_at_end", \.window_at_end, Choices.windowEnd, default: "roll_back",
      "what a moving window does after its last position"),
    .integer(
      "window_decay_threshold", \.window_decay_threshold, 0...1_000_000, default: 13, unit: "steps",
      "l0, window start from which exponential_decay shortens the interval"),
    .number(
      "window_decay_rate", \.window_decay_rate, .closed(0, 100), default: 0.1, unit: "per step",
      "k, rate at which exponential_decay shortens the interval"),
    .integer(
      "window_trend", \.window_trend, 2...1_000_000, default: 10, unit: "iterations",
      "k, iterations over which adaptive judges the gain of the reward"),
    .number(
      "window_minimum_gain", \.window_minimum_gain, .closed(-1_000, 1_000), default: 0.01,
      unit: "standard deviations of the reward per iteration", "adaptive moves the window when the reward gains less than this"),
    .number(
      "trained_fraction", \.trained_fraction, .above(0, upTo: 1), default: 1,
      "with window_mode all, the share of the stochastic steps that is trained"),
    .choice(
      "trained_subset", \.trained_subset, Choices.trainedSubset, default: "first",
      "with window_mode all, which of the stochastic steps are trained"),
  ]

  private static let solverSettings: [Setting<mixgrpo_sampling_config>] = [
    .choice("solver", \.solver, Choices.solver, default: "euler", "solver of the steps outside the window"),
    .number(
      "flash_ratio", \.flash_ratio, .closed(0, 1), default: 0,
      "r of MixGRPO-Flash, which replaces the R steps after the window by max(1, floor(r*R)); 0 for all R, not with window_mode all"
    ),
    .choice(
      "flash_solver", \.flash_solver, Choices.solver, default: "dpm_2_midpoint", "solver of the steps that flash_ratio shortens"
    ),
  ]

  private static let groupSettings: [Setting<mixgrpo_sampling_config>] = [
    .integer(
      "group_size", \.group_size, 2...4_096, default: 12, unit: "samples per prompt",
      "G, samples of one prompt that are compared with each other"),
    .choice(
      "initial_noise", \.initial_noise, Choices.initialNoise, default: "shared",
      "whether the members of a group start from the same noise"),
    .flag("exact_sharing", \.exact_sharing, default: true, "evaluate equal latents once; changes no result").withoutEffect,
    .choice(
      "log_probability", \.log_probability, Choices.logProbability, default: "mean", "log-probability that the ratio is made of"
    ),
    .choice(
      "sigma_rounding", \.sigma_rounding, Choices.sigmaRounding, default: "exact",
      "how sigma is rounded before it is passed to the model"),
    .seed("seed", \.seed, "seed of all random numbers of the run"),
  ]
}
