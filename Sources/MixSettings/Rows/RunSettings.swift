import CMixGRPO

extension mixgrpo_rollout_config: SettingsRecord {
  package static let settings: [Setting<mixgrpo_rollout_config>] = [
    .integer(
      "window_start", \.window_start, -1...9_998, default: -1,
      "l, first step of the window; -1 for the window that the plan schedules"),
    .integer("iteration", \.iteration, 0...Int64.max, default: 0, "selects the window and keys the random numbers"),
    .integer(
      "latent_size", \.latent_size, 0...1_000_000_000, default: 0, unit: "values",
      "D, values in one latent; the default must be replaced"),
    .integer(
      "max_batch", \.max_batch, 0...Int64(Int32.max), default: 0, unit: "latents",
      "most latents in one request; 0 for no limit; changes no result"
    ).withoutEffect,
  ]
}

extension mixgrpo_host_config: SettingsRecord {
  package static let settings: [Setting<mixgrpo_host_config>] = [
    .integer(
      "max_batch", \.max_batch, 0...Int64(Int32.max), default: 0, unit: "latents",
      "most latents in one request; 0 for no limit; changes no result"
    ).withoutEffect,
    .integer(
      "prompt_count", \.prompt_count, 0...Int64(Int32.max), default: 0, unit: "prompts",
      "prompts that a rollout may name: 0...prompt_count - 1; the default must be replaced"),
    .integer(
      "latent_size", \.latent_size, 0...1_000_000_000, default: 0, unit: "values",
      "D, values in one latent; the default must be replaced"),
  ]
}

extension mixgrpo_sample_config: SettingsRecord {
  package static let settings: [Setting<mixgrpo_sample_config>] = [
    .integer(
      "steps", \.steps, 1...10_000, default: 25, "T, steps of the time grid from noise (sigma = 1) to image (sigma = 0)"),
    .choice("solver", \.solver, Choices.solver, default: "euler", "solver of all steps"),
    .integer(
      "samples_per_prompt", \.samples_per_prompt, 1...4_096, default: 1, unit: "samples per prompt", "S, samples of each prompt"
    ),
    .number(
      "shift", \.shift, .above(0, upTo: 1_000), default: 3,
      "s of the time grid sigma = s*t/(1 + (s - 1)*t), t = 1 - i/T; 1 for none"),
    .integer(
      "image_tokens", \.image_tokens, 0...1_000_000, default: 0, unit: "tokens",
      "above 0, the shift that belongs to this number of image tokens is used in place of shift"),
    .choice(
      "sigma_rounding", \.sigma_rounding, Choices.sigmaRounding, default: "exact",
      "how sigma is rounded before it is passed to the model"),
    .number(
      "trained_model_share", \.trained_model_share, .closed(0, 1), default: 1,
      "p_mix of hybrid inference (MixGRPO §5): share of the steps, counted from sigma = 1, that uses the given model; the rest uses the base"
    ),
    .seed("seed", \.seed, "seed of the initial noise"),
  ]
}

extension mixgrpo_evaluation_config: SettingsRecord {
  package static let settings: [Setting<mixgrpo_evaluation_config>] = [
    .integer(
      "every", \.every, 1...1_000_000, default: 10, unit: "iterations",
      "k, time between evaluations: iterations 0, k, 2k, … are due"),
    .choice(
      "weights", \.weights, Choices.weights, default: "trained", "which of the trainer's weights are evaluated; not base"),
    .flag("keep_best", \.keep_best, default: true, "keep a copy of the best weights in memory"),
    .choice(
      "watchdog", \.watchdog, Choices.watchdog, default: "off",
      "what happens when trained rewards rise while held-out rewards fall; needs both kinds unless off"),
    .integer(
      "watchdog_patience", \.watchdog_patience, 1...1_000_000, default: 3, unit: "evaluations",
      "consecutive suspicious evaluations before the watchdog triggers"),
    .number(
      "watchdog_minimum_delta", \.watchdog_minimum_delta, .closed(0, 1_000), default: 0,
      unit: "standard deviations of the first evaluation", "smallest change of a level that counts"),
  ]
}
