import CMixGRPO

extension mixgrpo_rollout_config: SettingsRecord {
  package static let settings: [Setting<mixgrpo_rollout_config>] = [
    .integer(
      "window_start", \.window_start, -1...9_998, default: -1,
      "l, first stochastic step; -1 for the window that the plan schedules for the iteration"),
    .integer(
      "iteration", \.iteration, 0...Int64.max, default: 0, "index of the iteration; selects the window and the random numbers"),
    .integer(
      "latent_size", \.latent_size, 0...1_000_000_000, default: 0, unit: "values",
      "D, values in one latent; must be set, the default 0 is invalid"),
    .integer(
      "max_batch", \.max_batch, 0...Int64(Int32.max), default: 0, unit: "latents",
      "maximum number of latents per request; 0 for no limit"
    ).withoutEffect,
  ]
}

extension mixgrpo_sample_config: SettingsRecord {
  package static let settings: [Setting<mixgrpo_sample_config>] = [
    .integer("steps", \.steps, 1...10_000, default: 25, "T, number of steps from noise to image"),
    .choice("solver", \.solver, Choices.solver, default: "euler", "ODE solver of all steps"),
    .integer("samples_per_prompt", \.samples_per_prompt, 1...4_096, default: 1, unit: "images", "S, samples of each prompt"),
    .number("shift", \.shift, .above(0, upTo: 1_000), default: 3, "shift of the noise levels towards noise; 1 for none"),
    .integer(
      "image_tokens", \.image_tokens, 0...1_000_000, default: 0, unit: "tokens",
      "when above 0, the shift is computed from this number of image tokens and the setting shift is ignored"),
    .choice(
      "sigma_rounding", \.sigma_rounding, Choices.sigmaRounding, default: "exact",
      "how sigma is rounded before it is passed to the model"),
    .number(
      "trained_model_share", \.trained_model_share, .closed(0, 1), default: 1,
      "share of the steps, from sigma = 1 on, that the given model evaluates; the base model evaluates the rest"),
    .seed("seed", \.seed, "seed of the initial noise"),
  ]
}

extension mixgrpo_evaluation_config: SettingsRecord {
  package static let settings: [Setting<mixgrpo_evaluation_config>] = [
    .integer(
      "every", \.every, 1...1_000_000, default: 10, unit: "iterations",
      "iterations between evaluations; iterations 0, k, 2k, … are evaluated"),
    .choice(
      "weights", \.weights, Choices.weights, default: "trained", "weights that are evaluated; base is not allowed"),
    .flag("keep_best", \.keep_best, default: true, "whether a copy of the best weights is kept"),
    .choice(
      "watchdog", \.watchdog, Choices.watchdog, default: "off",
      "reaction when training rewards rise while held-out rewards fall"),
    .integer(
      "watchdog_patience", \.watchdog_patience, 1...1_000_000, default: 3, unit: "evaluations",
      "consecutive suspicious evaluations before the watchdog triggers"),
    .number(
      "watchdog_minimum_delta", \.watchdog_minimum_delta, .closed(0, 1_000), default: 0,
      unit: "standard deviations of the first evaluation",
      "smallest change of a score that the watchdog counts as a rise or a fall"),
  ]
}
