import CMixGRPO

extension mixgrpo_rollout_config: SettingsRecord {
  package static let settings: [Setting<mixgrpo_rollout_config>] = [
    .integer(
      "window_start", \.window_start, -1...9_998, default: -1, "l; -1 for the window that the plan gives the iteration"),
    .integer("iteration", \.iteration, 0...Int64.max, default: 0, "selects the window and keys the random numbers"),
    .integer(
      "latent_size", \.latent_size, 0...1_000_000_000, default: 0, unit: "values",
      "D, values in one latent; the default must be replaced"),
    .integer(
      "max_batch", \.max_batch, 0...Int64(Int32.max), default: 0, unit: "latents", "per request at most; 0 for no limit"
    ).withoutEffect,
  ]
}

extension mixgrpo_sample_config: SettingsRecord {
  package static let settings: [Setting<mixgrpo_sample_config>] = [
    .integer("steps", \.steps, 1...10_000, default: 25, "T, steps from noise to picture"),
    .choice("solver", \.solver, Choices.solver, default: "euler", "how all steps follow the flow"),
    .integer("samples_per_prompt", \.samples_per_prompt, 1...4_096, default: 1, unit: "images", "S, of each prompt"),
    .number("shift", \.shift, .above(0, upTo: 1_000), default: 3, "of the noise levels towards noise; 1 for none"),
    .integer(
      "image_tokens", \.image_tokens, 0...1_000_000, default: 0, unit: "tokens",
      "above 0: the shift that goes with so many tokens, in place of shift"),
    .choice(
      "sigma_rounding", \.sigma_rounding, Choices.sigmaRounding, default: "exact", "how the model is given the noise level"),
    .number(
      "trained_model_share", \.trained_model_share, .closed(0, 1), default: 1,
      "share of the steps, from sigma = 1 on, that the given model takes; the base takes the rest"),
    .seed("seed", \.seed, "of the initial noise"),
  ]
}

extension mixgrpo_evaluation_config: SettingsRecord {
  package static let settings: [Setting<mixgrpo_evaluation_config>] = [
    .integer(
      "every", \.every, 1...1_000_000, default: 10, unit: "iterations", "between evaluations: 0, k, 2k, … are due"),
    .choice(
      "weights", \.weights, Choices.weights, default: "trained", "which weights are evaluated; not base"),
    .flag("keep_best", \.keep_best, default: true, "keep a copy of the best weights"),
    .choice("watchdog", \.watchdog, Choices.watchdog, default: "off", "when trained rewards rise while held-out ones fall"),
    .integer(
      "watchdog_patience", \.watchdog_patience, 1...1_000_000, default: 3, unit: "evaluations",
      "suspicious ones in a row before the watchdog acts"),
    .number(
      "watchdog_minimum_delta", \.watchdog_minimum_delta, .closed(0, 1_000), default: 0,
      unit: "standard deviations of the first evaluation", "the change that counts"),
  ]
}
