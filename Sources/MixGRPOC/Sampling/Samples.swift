import CMixGRPO
import MixBasics
import MixFlowModel
import MixGRPO
import MixSampling
import MixSettings
import MixStorage

extension mixgrpo_sample_config {
  /// The host's own time grid, or that of the settings.
  func schedule() throws(MixGRPOError) -> TimeGrid.Schedule {
    if let own = try ownSigmas(sigmas, count: sigma_count, atLeast: 2) { return .sigmas(own) }
    return image_tokens == 0
      ? .shifted(steps: Int(steps), shift: shift)
      : .resolutionShifted(steps: Int(steps), imageTokens: Int(image_tokens))
  }

  func plan() throws(MixGRPOError) -> SamplingPlan {
    try check()
    return try .deterministic(
      schedule(), solver: try choice(solver, "solver"), samplesPerPrompt: Int(samples_per_prompt),
      trainedModelShare: trained_model_share, sigmaRounding: try choice(sigma_rounding, "sigma_rounding"), seed: seed)
  }
}

/// The checked arguments that all functions for deterministic samples share.
struct SampleRequest {
  let plan: SamplingPlan
  let chosen: [Int32]
  let noise: UnsafeBufferPointer<Float>?
  /// The number of values, P·S·D.
  private let values: Int

  init(
    _ config: UnsafePointer<mixgrpo_sample_config>?, _ prompts: UnsafePointer<Int32>?, _ promptCount: Int,
    _ noise: UnsafePointer<Float>?, _ noiseCount: Int, latentSize: Int
  ) throws(MixGRPOError) {
    plan = try read(config, "config").plan()
    try requireRange(promptCount, 1...1_000_000, "prompt_count")
    chosen = try copy(prompts, count: promptCount, "prompt_indices")
    values = try checkedProduct(promptCount, plan.groupSize, latentSize, field: "samples")
    self.noise = try optionalInput(noise, count: noiseCount, expected: values, "initial_noise")
  }

  /// The output buffer, cut to the size of the samples.
  func target(
    _ samples: UnsafeMutablePointer<Float>?, _ capacity: Int
  ) throws(MixGRPOError) -> UnsafeMutableBufferPointer<Float> {
    try output(samples, capacity: capacity, needed: values, "out_samples")
  }
}

@_cdecl("mixgrpo_sample_config_init") @implementation
public func mixgrpo_sample_config_init(
  _ out_config: UnsafeMutablePointer<mixgrpo_sample_config>?, _ struct_size: Int
) -> mixgrpo_status {
  withStatus { try writeDefaults(.standard, to: out_config, size: struct_size, "out_config") }
}

@_cdecl("mixgrpo_evaluator_sample") @implementation
public func mixgrpo_evaluator_sample(
  _ evaluator: OpaquePointer?, _ base: OpaquePointer?, _ prompts: OpaquePointer?,
  _ config: UnsafePointer<mixgrpo_sample_config>?, _ prompt_indices: UnsafePointer<Int32>?, _ prompt_count: Int,
  _ initial_noise: UnsafePointer<Float>?, _ noise_count: Int, _ out_samples: UnsafeMutablePointer<Float>?,
  _ capacity: Int
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(evaluator, "evaluator", as: EvaluatorObject.self)
    let base = try resolveOptional(base, "base", as: EvaluatorObject.self)
    let prompts = try resolve(prompts, "prompts", as: PromptsObject.self)
    let request = try SampleRequest(
      config, prompt_indices, prompt_count, initial_noise, noise_count, latentSize: object.evaluator.latentSize)
    let target = try request.target(out_samples, capacity)
    let samples = try object.evaluator.sample(
      request.plan, base: base?.evaluator, prompts: prompts.embeddings, chosen: request.chosen,
      initialNoise: request.noise, context: object.context.run
    ) { object.context.report(MIXGRPO_STAGE_SAMPLE, done: $0, total: $1) }
    target.copy(samples)
  }
}

@_cdecl("mixgrpo_trainer_sample") @implementation
public func mixgrpo_trainer_sample(
  _ trainer: OpaquePointer?, _ weights: mixgrpo_weights, _ config: UnsafePointer<mixgrpo_sample_config>?,
  _ prompt_indices: UnsafePointer<Int32>?, _ prompt_count: Int, _ initial_noise: UnsafePointer<Float>?,
  _ noise_count: Int, _ out_samples: UnsafeMutablePointer<Float>?, _ capacity: Int
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(trainer, "trainer", as: TrainerObject.self)
    let trainer = try object.trainer(for: "sample")
    let weights: TrainerWeights = try choice(weights, "weights")
    let request = try SampleRequest(
      config, prompt_indices, prompt_count, initial_noise, noise_count, latentSize: trainer.evaluator.latentSize)
    let target = try request.target(out_samples, capacity)
    let samples = try trainer.sample(
      request.plan, weights: weights, chosen: request.chosen, initialNoise: request.noise
    ) { object.context.report(MIXGRPO_STAGE_SAMPLE, done: $0, total: $1) }
    target.copy(samples)
  }
}

@_cdecl("mixgrpo_trainer_save_model") @implementation
public func mixgrpo_trainer_save_model(
  _ trainer: OpaquePointer?, _ weights: mixgrpo_weights, _ folder: UnsafePointer<CChar>?, _ storage: mixgrpo_storage
) -> mixgrpo_status {
  withStatus {
    let trainer = try resolve(trainer, "trainer", as: TrainerObject.self).trainer(for: "save_model")
    let weights: TrainerWeights = try choice(weights, "weights")
    let precision = try StoredPrecision(storage)
    try trainer.model(weights).save(folder: path(folder, "folder"), precision: precision)
  }
}
