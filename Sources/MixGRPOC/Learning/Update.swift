import CMixGRPO
import MixBasics
import MixFlowModel
import MixGRPO
import MixLearning
import MixNumerics
import MixSampling

final class UpdateObject: HandleObject, @unchecked Sendable {
  override class var kind: String { "update" }
  let update: Update
  let undo: Undo
  let context: ContextObject

  init(_ update: Update, _ undo: Undo, _ context: ContextObject) {
    (self.update, self.undo, self.context) = (update, undo, context)
  }
}

@_cdecl("mixgrpo_update_create") @implementation
public func mixgrpo_update_create(
  _ rollout: OpaquePointer?, _ config: UnsafePointer<mixgrpo_learning_config>?, _ advantages: UnsafePointer<Double>?,
  _ included: UnsafePointer<UInt8>?, _ count: Int, _ max_batch: Int32,
  _ out_update: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_update, "out_update") {
    let object = try resolve(rollout, "rollout", as: RolloutObject.self)
    let trajectory = try object.rollout.trajectory()
    let learning = try LearningConfiguration(read(config, "config"), groupSize: trajectory.plan.groupSize)
    let advantages = try input(advantages, count: count, expected: trajectory.samples, "advantages")
    try requireFinite(advantages, "advantages")
    try Memory.require(trajectory.samples, of: 16)  // flags and advantages
    let included = try includedSamples(included, count: trajectory.samples)
    try requireRange(max_batch, 0...Int32.max, "max_batch")
    let update = try Update(
      trajectory: trajectory, advantages: Array(advantages), isIncluded: included, configuration: learning.policy,
      maxBatch: Int(max_batch), workers: Workers(threads: object.context.run.threads))
    return UpdateObject(update, learning.undo, object.context)
  }
}

/// NULL: all are included.
private func includedSamples(_ included: UnsafePointer<UInt8>?, count: Int) throws(MixGRPOError) -> [Bool] {
  guard let included else { return Array(repeating: true, count: count) }
  let flags = try input(included, count: count, "included")
  if let index = flags.firstIndex(where: { $0 > 1 }) {
    throw .invalid("included[\(index)]", expected: "0 or 1", got: flags[index])
  }
  return flags.map { $0 == 1 }
}

@_cdecl("mixgrpo_update_destroy") @implementation
public func mixgrpo_update_destroy(_ update: OpaquePointer?) {
  HandleTable.live.remove(update, UpdateObject.self)
}

@_cdecl("mixgrpo_update_next") @implementation
public func mixgrpo_update_next(
  _ update: OpaquePointer?, _ out_request: UnsafeMutablePointer<mixgrpo_velocity_request>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(update, "update", as: UpdateObject.self)
    let result = try HostStruct(out_request, "out_request")
    try object.context.run.checkCancelled()
    result.write(mixgrpo_velocity_request(object.update.next()))
  }
}

@_cdecl("mixgrpo_update_submit") @implementation
public func mixgrpo_update_submit(
  _ update: OpaquePointer?, _ velocity: UnsafePointer<Float>?, _ reference_velocity: UnsafePointer<Float>?,
  _ count: Int, _ out_d_velocity: UnsafeMutablePointer<Float>?, _ d_velocity_capacity: Int
) -> mixgrpo_status {
  withStatus {
    let update = try resolve(update, "update", as: UpdateObject.self).update
    let answer = try VelocityAnswer(velocity, reference_velocity, count: count)
    let target = try output(out_d_velocity, capacity: d_velocity_capacity, needed: count, "out_d_velocity")
    let dVelocity = try update.submit(velocity: answer.velocity, reference: answer.reference, count: count)
    target.fill(from: dVelocity)
  }
}

@_cdecl("mixgrpo_update_run") @implementation
public func mixgrpo_update_run(
  _ update: OpaquePointer?, _ evaluator: OpaquePointer?, _ prompts: OpaquePointer?, _ optimizer: OpaquePointer?,
  _ reference: OpaquePointer?, _ out_report: UnsafeMutablePointer<mixgrpo_optimizer_report>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(update, "update", as: UpdateObject.self)
    let evaluator = try resolve(evaluator, "evaluator", as: EvaluatorObject.self)
    let prompts = try resolve(prompts, "prompts", as: PromptsObject.self)
    let optimizer = try resolve(optimizer, "optimizer", as: OptimizerObject.self)
    let reference = try resolveOptional(reference, "reference", as: EvaluatorObject.self)
    let result = try HostStruct.optional(out_report, "out_report")
    let learner = try Learner(evaluator: evaluator.evaluator, optimizer: optimizer.optimizer, undo: object.undo)
    let total = object.update.plannedEvaluations
    let report = try object.update.run(
      learner, reference: reference?.evaluator, prompts: prompts.embeddings, context: object.context.run
    ) { object.context.report(MIXGRPO_STAGE_UPDATE, done: $0, total: total) }
    result?.write(mixgrpo_optimizer_report(report))
  }
}

@_cdecl("mixgrpo_update_get_statistics") @implementation
public func mixgrpo_update_get_statistics(
  _ update: OpaquePointer?, _ out_statistics: UnsafeMutablePointer<mixgrpo_update_statistics>?
) -> mixgrpo_status {
  withStatus {
    let update = try resolve(update, "update", as: UpdateObject.self).update
    try HostStruct(out_statistics, "out_statistics").write(mixgrpo_update_statistics(update.metrics))
  }
}

extension mixgrpo_update_statistics {
  init(_ metrics: UpdateMetrics) {
    self.init()
    optimizer_steps = Int32(truncatingIfNeeded: metrics.optimizerSteps)
    loss = metrics.loss
    (first_ratio_min, first_ratio_max) = (metrics.firstRatioMin, metrics.firstRatioMax)
    (ratio_min, ratio_max) = (metrics.ratioMin, metrics.ratioMax)
    clip_fraction = metrics.clippedFraction
    max_log_ratio_nats = metrics.logRatioNatsMax
    kl_old_nats = metrics.oldPolicyNats
    kl_reference_nats = metrics.referenceNats
    model_calls = Int64(metrics.evaluations)
  }
}
