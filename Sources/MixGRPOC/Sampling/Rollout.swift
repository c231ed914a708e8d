import CMixGRPO
import MixBasics
import MixGRPO
import MixSampling
import MixSettings

final class RolloutObject: HandleObject, @unchecked Sendable {
  override class var kind: String { "rollout" }
  let rollout: Rollout
  let context: ContextObject

  init(_ rollout: Rollout, _ context: ContextObject) { (self.rollout, self.context) = (rollout, context) }
}

@_cdecl("mixgrpo_rollout_config_init") @implementation
public func mixgrpo_rollout_config_init(
  _ out_config: UnsafeMutablePointer<mixgrpo_rollout_config>?, _ struct_size: Int
) -> mixgrpo_status {
  withStatus {
    try writeDefaults(.standard, to: out_config, size: struct_size, "out_config")
  }
}

@_cdecl("mixgrpo_rollout_create") @implementation
public func mixgrpo_rollout_create(
  _ context: OpaquePointer?, _ plan: OpaquePointer?, _ config: UnsafePointer<mixgrpo_rollout_config>?,
  _ prompt_ids: UnsafePointer<Int32>?, _ prompt_count: Int, _ initial_noise: UnsafePointer<Float>?,
  _ noise_count: Int, _ out_rollout: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_rollout, "out_rollout") {
    let context = try resolve(context, "context", as: ContextObject.self)
    let object = try resolve(plan, "plan", as: PlanObject.self)
    let config = try read(config, "config")
    try config.check()
    try requireReserved(config.reserved)
    try requireRange(prompt_count, 1...1_000_000, "prompt_count")
    let noise = initial_noise == nil && noise_count == 0 ? nil : try input(initial_noise, count: noise_count, "initial_noise")
    let rollout = try Rollout(
      plan: try object.plan(iteration: config.iteration, windowStart: config.window_start),
      prompts: try copy(prompt_ids, count: prompt_count, "prompt_ids"),
      latentSize: config.latent_size, initialNoise: noise, maxBatch: Int(config.max_batch), context: context.run)
    return RolloutObject(rollout, context)
  }
}

@_cdecl("mixgrpo_rollout_destroy") @implementation
public func mixgrpo_rollout_destroy(_ rollout: OpaquePointer?) {
  HandleTable.live.remove(rollout, RolloutObject.self)
}

@_cdecl("mixgrpo_rollout_next") @implementation
public func mixgrpo_rollout_next(
  _ rollout: OpaquePointer?, _ out_request: UnsafeMutablePointer<mixgrpo_velocity_request>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(rollout, "rollout", as: RolloutObject.self)
    let result = try HostStruct(out_request, "out_request")
    guard let request = try object.rollout.next() else { return result.write(.finished) }
    try object.context.run.checkCancelled()
    result.write(mixgrpo_velocity_request(request, weights: .trained))
  }
}

@_cdecl("mixgrpo_rollout_submit") @implementation
public func mixgrpo_rollout_submit(
  _ rollout: OpaquePointer?, _ velocity: UnsafePointer<Float>?, _ count: Int
) -> mixgrpo_status {
  withStatus {
    let rollout = try resolve(rollout, "rollout", as: RolloutObject.self).rollout
    try rollout.submit(velocity: VelocityAnswer(velocity, nil, count: count).velocity, count: count)
  }
}

@_cdecl("mixgrpo_rollout_run") @implementation
public func mixgrpo_rollout_run(
  _ rollout: OpaquePointer?, _ evaluator: OpaquePointer?, _ prompts: OpaquePointer?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(rollout, "rollout", as: RolloutObject.self)
    let evaluator = try resolve(evaluator, "evaluator", as: EvaluatorObject.self)
    let prompts = try resolve(prompts, "prompts", as: PromptsObject.self)
    let rollout = object.rollout
    let (done, total) = (rollout.modelCalls, rollout.plan.modelCalls(prompts: rollout.prompts))
    try rollout.run(evaluator.evaluator, prompts: prompts.embeddings, context: object.context.run) { calls in
      object.context.report(MIXGRPO_STAGE_ROLLOUT, done: calls - done, total: max(total, calls) - done)
    }
  }
}

// MARK: - Results

@_cdecl("mixgrpo_rollout_get_samples") @implementation
public func mixgrpo_rollout_get_samples(
  _ rollout: OpaquePointer?, _ out_samples: UnsafeMutablePointer<Float>?, _ capacity: Int
) -> mixgrpo_status {
  withStatus {
    let samples = try resolve(rollout, "rollout", as: RolloutObject.self).rollout.samples()
    let target = try output(out_samples, capacity: capacity, needed: samples.count, "out_samples")
    if let base = samples.baseAddress { target.fill(from: base) }
  }
}

@_cdecl("mixgrpo_rollout_get_step") @implementation
public func mixgrpo_rollout_get_step(
  _ rollout: OpaquePointer?, _ index: Int32, _ out_latents: UnsafeMutablePointer<Float>?, _ latents_capacity: Int,
  _ out_next_latents: UnsafeMutablePointer<Float>?, _ next_latents_capacity: Int,
  _ out_log_probabilities: UnsafeMutablePointer<Double>?, _ log_probabilities_capacity: Int
) -> mixgrpo_status {
  withStatus {
    let trajectory = try resolve(rollout, "rollout", as: RolloutObject.self).rollout.trajectory()
    let steps = trajectory.plan.trainedSteps.indices
    try require(steps.contains(Int(index)), "index", expected: "0…\(steps.count - 1)", got: index)
    let values = trajectory.samples * trajectory.latentSize
    let latents = try optionalOutput(out_latents, capacity: latents_capacity, needed: values, "out_latents")
    let next = try optionalOutput(
      out_next_latents, capacity: next_latents_capacity, needed: values, "out_next_latents")
    let logProbabilities = try optionalOutput(
      out_log_probabilities, capacity: log_probabilities_capacity, needed: trajectory.samples, "out_log_probabilities")
    for sample in 0..<trajectory.samples {
      guard let row = trajectory.row(Int(index), sample: sample) else { continue }
      let first = sample * row.count
      latents?.baseAddress.map { ($0 + first).update(from: row.latent, count: row.count) }
      next?.baseAddress.map { ($0 + first).update(from: row.next, count: row.count) }
      logProbabilities?[sample] = trajectory.oldLogProbability(Int(index), sample: sample)
    }
  }
}

@_cdecl("mixgrpo_rollout_model_calls") @implementation
public func mixgrpo_rollout_model_calls(_ rollout: OpaquePointer?) -> Int64 {
  Int64(live(rollout, as: RolloutObject.self)?.rollout.modelCalls ?? 0)
}
