import CMixGRPO
import MixBasics
import MixGRPO
import MixLearning
import MixStorage

final class TrainerObject: HandleObject, @unchecked Sendable {
  override class var kind: String { "trainer" }
  let trainer: Trainer
  let evaluator: EvaluatorObject
  let plan: PlanObject
  let names: [OwnedText]

  var context: ContextObject { evaluator.context }

  init(_ trainer: Trainer, _ evaluator: EvaluatorObject, _ plan: PlanObject) throws(MixGRPOError) {
    (self.trainer, self.evaluator, self.plan) = (trainer, evaluator, plan)
    var names: [OwnedText] = []
    for name in trainer.rewardNames { names.append(try OwnedText(name)) }
    self.names = names
  }

  func metrics() throws(MixGRPOError) -> IterationMetrics {
    guard let metrics = trainer.metrics else {
      throw MixGRPOError(.invalidState, "metrics: expected an update before, got none")
    }
    return metrics
  }

  /// The chosen prompts, and room for exactly their samples.
  func rolloutArguments(
    _ prompts: UnsafePointer<Int32>?, _ count: Int, _ samples: UnsafeMutablePointer<Float>?, _ capacity: Int
  ) throws(MixGRPOError) -> (prompts: [Int32], samples: UnsafeMutableBufferPointer<Float>) {
    try requireRange(count, 1...1_000_000, "prompt_count")
    let chosen = try copy(prompts, count: count, "prompt_indices")
    let values = try checkedProduct(count, trainer.sampling.groupSize, trainer.evaluator.latentSize, field: "samples")
    return (chosen, try output(samples, capacity: capacity, needed: values, "out_samples"))
  }

  /// Left-out rewards and groups without differences are easily missed: a line each.
  func warn(_ metrics: IterationMetrics) {
    if metrics.failedRewards > 0 {
      context.log(
        MIXGRPO_LOG_LEVEL_WARNING, "iteration \(metrics.iteration): \(metrics.failedRewards) rewards failed and were left out")
    }
    if metrics.skippedSteps > 0 {
      context.log(
        MIXGRPO_LOG_LEVEL_WARNING,
        "iteration \(metrics.iteration): \(metrics.skippedSteps) optimizer steps were not finite and left out")
    }
    if metrics.isRolledBack {
      context.log(MIXGRPO_LOG_LEVEL_WARNING, "iteration \(metrics.iteration): the update was not sound and was undone")
    }
    if metrics.degenerateGroups > 0 {
      context.log(
        MIXGRPO_LOG_LEVEL_WARNING, "iteration \(metrics.iteration): \(metrics.degenerateGroups) groups had equal rewards")
    }
  }
}

// MARK: - Life

@_cdecl("mixgrpo_trainer_create") @implementation
public func mixgrpo_trainer_create(
  _ evaluator: OpaquePointer?, _ prompts: OpaquePointer?, _ plan: OpaquePointer?,
  _ learning: UnsafePointer<mixgrpo_learning_config>?, _ reward_names: UnsafePointer<UnsafePointer<CChar>?>?,
  _ reward_count: Int, _ keep_base: Int32, _ out_trainer: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  withStatus {
    try handOut(out_trainer, "out_trainer") {
      let evaluator = try resolve(evaluator, "evaluator", as: EvaluatorObject.self)
      let prompts = try resolve(prompts, "prompts", as: PromptsObject.self)
      let plan = try resolve(plan, "plan", as: PlanObject.self)
      let learning = try LearningConfiguration(
        read(learning, "learning"), groupSize: plan.configuration.groupSize)
      try requireRange(reward_count, 1...1_024, "reward_count")
      let trainer = try Trainer(
        evaluator: evaluator.evaluator, prompts: prompts.embeddings, sampling: plan.configuration, learning: learning,
        rewardNames: try texts(reward_names, count: reward_count, "reward_names"),
        keepBase: try flag(keep_base, "keep_base"), context: evaluator.context.run)
      return try TrainerObject(trainer, evaluator, plan)
    }
  }
}

@_cdecl("mixgrpo_trainer_destroy") @implementation
public func mixgrpo_trainer_destroy(_ trainer: OpaquePointer?) {
  HandleTable.live.remove(trainer, TrainerObject.self)
}

// MARK: - One iteration

@_cdecl("mixgrpo_trainer_iteration") @implementation
public func mixgrpo_trainer_iteration(_ trainer: OpaquePointer?) -> Int64 {
  Int64((try? resolve(trainer, "trainer", as: TrainerObject.self))?.trainer.iteration ?? -1)
}

@_cdecl("mixgrpo_trainer_rollout") @implementation
public func mixgrpo_trainer_rollout(
  _ trainer: OpaquePointer?, _ prompt_indices: UnsafePointer<Int32>?, _ prompt_count: Int,
  _ out_samples: UnsafeMutablePointer<Float>?, _ capacity: Int
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(trainer, "trainer", as: TrainerObject.self)
    let (chosen, target) = try object.rolloutArguments(prompt_indices, prompt_count, out_samples, capacity)
    let samples = try object.trainer.rollout(prompts: chosen) {
      object.context.report(MIXGRPO_STAGE_ROLLOUT, done: $0, total: $1)
    }
    if let base = samples.baseAddress { target.fill(from: base) }
  }
}

@_cdecl("mixgrpo_trainer_set_window") @implementation
public func mixgrpo_trainer_set_window(_ trainer: OpaquePointer?, _ window_start: Int32) -> mixgrpo_status {
  withStatus {
    let object = try resolve(trainer, "trainer", as: TrainerObject.self)
    let window = try object.plan.window(window_start)
    if let window { try object.plan.configuration.windowSchedule().check(window) }
    object.trainer.window = window
  }
}

@_cdecl("mixgrpo_trainer_update") @implementation
public func mixgrpo_trainer_update(
  _ trainer: OpaquePointer?, _ rewards: UnsafePointer<Double>?, _ count: Int, _ weights: UnsafePointer<Double>?,
  _ weight_count: Int, _ out_metrics: UnsafeMutablePointer<mixgrpo_metrics>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(trainer, "trainer", as: TrainerObject.self)
    let names = object.trainer.rewardNames.count
    let result = try HostStruct.optional(out_metrics, "out_metrics")
    let samples = try object.trainer.pendingSamples()
    let values = try input(rewards, count: count, expected: names * samples, "rewards")
    try requireRoom(forRewards: count)
    let weights = try rewardWeights(weights, count: weight_count, rewards: names)
    let metrics = try object.trainer.update(
      rewards: rewardColumns(values, rewards: names), weights: weights.isEmpty ? nil : weights
    ) { object.context.report(MIXGRPO_STAGE_UPDATE, done: $0, total: $1) }
    result?.write(mixgrpo_metrics(metrics))
    object.warn(metrics)
  }
}
