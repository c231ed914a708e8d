import CMixGRPO
import MixBasics
import MixGRPO
import MixLearning
import MixStorage

final class TrainerObject: HandleObject, @unchecked Sendable {
  override class var kind: String { "trainer" }
  /// The iteration itself.
  let machine: ModelFreeTrainer
  /// The trainer with the built-in model; nil when the host owns the model.
  private let builtIn: (trainer: Trainer, evaluator: EvaluatorObject)?
  let context: ContextObject
  let names: [CText]

  init(_ trainer: Trainer, _ evaluator: EvaluatorObject) throws(MixGRPOError) {
    (machine, builtIn, context) = (trainer.machine, (trainer, evaluator), evaluator.context)
    names = try Self.names(trainer.machine)
  }

  init(_ machine: ModelFreeTrainer, _ context: ContextObject) throws(MixGRPOError) {
    (self.machine, builtIn, self.context) = (machine, nil, context)
    names = try Self.names(machine)
  }

  private static func names(_ machine: ModelFreeTrainer) throws(MixGRPOError) -> [CText] {
    var names: [CText] = []
    for name in machine.rewardNames { names.append(try CText(name)) }
    return names
  }

  /// - Throws: `invalidState` when the host owns the model.
  func trainer(for call: String) throws(MixGRPOError) -> Trainer { try withEvaluator(for: call).trainer }

  /// The trainer with the built-in model and its evaluator.
  /// - Throws: `invalidState` when the host owns the model.
  func withEvaluator(for call: String) throws(MixGRPOError) -> (trainer: Trainer, evaluator: EvaluatorObject) {
    guard let builtIn else {
      throw MixGRPOError(
        .invalidState, "\(call): expected a trainer with the built-in model, got one for a model of the host's")
    }
    return builtIn
  }

  /// - Throws: `invalidState` when the model is built in.
  func hostMachine(for call: String) throws(MixGRPOError) -> ModelFreeTrainer {
    guard builtIn == nil else {
      throw MixGRPOError(
        .invalidState, "\(call): expected a trainer for a model of the host's, got one with the built-in model")
    }
    return machine
  }

  func metrics() throws(MixGRPOError) -> IterationMetrics {
    guard let metrics = machine.metrics else {
      throw MixGRPOError(.invalidState, "metrics: expected an update before, got none")
    }
    return metrics
  }

  /// The chosen prompts, and the output buffer for their samples.
  func rolloutArguments(
    _ prompts: UnsafePointer<Int32>?, _ count: Int, _ samples: UnsafeMutablePointer<Float>?, _ capacity: Int
  ) throws(MixGRPOError) -> (prompts: [Int32], samples: UnsafeMutableBufferPointer<Float>) {
    try requireRange(count, 1...1_000_000, "prompt_count")
    let chosen = try copy(prompts, count: count, "prompt_indices")
    let all = try checkedProduct(count, machine.sampling.groupSize, machine.model.latentSize, field: "samples")
    let values = all / count * machine.rank.share(ofPrompts: count).count
    return (chosen, try output(samples, capacity: capacity, needed: values, "out_samples"))
  }

  /// The rewards (K, P·G) of the pending rollout, or of a rank's share of it, and the weights; nil: those of the configuration.
  func updateArguments(
    _ rewards: UnsafePointer<Double>?, _ count: Int, _ weights: UnsafePointer<Double>?, _ weightCount: Int
  ) throws(MixGRPOError) -> (rewards: [[Double]], weights: [Double]?) {
    let names = machine.rewardNames.count
    let samples = try machine.pendingSamples()
    let values = try input(rewards, count: count, expected: names * samples, "rewards")
    try requireRoom(forRewards: count)
    let weights = try rewardWeights(weights, count: weightCount, rewards: names)
    return (rewardColumns(values, rewards: names), weights.isEmpty ? nil : weights)
  }

  func log(_ lines: [String]) { for line in lines { context.log(MIXGRPO_LOG_LEVEL_WARNING, line) } }
}

// MARK: - Life

@_cdecl("mixgrpo_trainer_create") @implementation
public func mixgrpo_trainer_create(
  _ evaluator: OpaquePointer?, _ prompts: OpaquePointer?, _ plan: OpaquePointer?,
  _ learning: UnsafePointer<mixgrpo_learning_config>?, _ reward_names: UnsafePointer<UnsafePointer<CChar>?>?,
  _ reward_count: Int, _ keep_base: Int32, _ out_trainer: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_trainer, "out_trainer") {
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
    return try TrainerObject(trainer, evaluator)
  }
}

@_cdecl("mixgrpo_trainer_destroy") @implementation
public func mixgrpo_trainer_destroy(_ trainer: OpaquePointer?) {
  HandleTable.live.remove(trainer, TrainerObject.self)
}

// MARK: - One iteration

@_cdecl("mixgrpo_trainer_iteration") @implementation
public func mixgrpo_trainer_iteration(_ trainer: OpaquePointer?) -> Int64 {
  Int64(live(trainer, as: TrainerObject.self)?.machine.iteration ?? -1)
}

@_cdecl("mixgrpo_trainer_rollout") @implementation
public func mixgrpo_trainer_rollout(
  _ trainer: OpaquePointer?, _ prompt_indices: UnsafePointer<Int32>?, _ prompt_count: Int,
  _ out_samples: UnsafeMutablePointer<Float>?, _ capacity: Int
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(trainer, "trainer", as: TrainerObject.self)
    let trainer = try object.trainer(for: "rollout")
    let (chosen, target) = try trainer.withdrawing { () throws(MixGRPOError) in
      try object.rolloutArguments(prompt_indices, prompt_count, out_samples, capacity)
    }
    let samples = try trainer.rollout(prompts: chosen) {
      object.context.report(MIXGRPO_STAGE_ROLLOUT, done: $0, total: $1)
    }
    if let base = samples.baseAddress { target.fill(from: base) }
  }
}

@_cdecl("mixgrpo_trainer_set_window") @implementation
public func mixgrpo_trainer_set_window(_ trainer: OpaquePointer?, _ window_start: Int32) -> mixgrpo_status {
  withStatus {
    let object = try resolve(trainer, "trainer", as: TrainerObject.self)
    let machine = object.machine
    let window = try machine.sampling.window(window_start)
    if let window { try machine.sampling.windowSchedule().check(window) }
    machine.window = window
  }
}

@_cdecl("mixgrpo_trainer_update") @implementation
public func mixgrpo_trainer_update(
  _ trainer: OpaquePointer?, _ rewards: UnsafePointer<Double>?, _ count: Int, _ weights: UnsafePointer<Double>?,
  _ weight_count: Int, _ out_metrics: UnsafeMutablePointer<mixgrpo_metrics>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(trainer, "trainer", as: TrainerObject.self)
    let trainer = try object.trainer(for: "update")
    let (result, rewards, weights) = try trainer.withdrawing { () throws(MixGRPOError) in
      let result = try HostStruct.optional(out_metrics, "out_metrics")
      let (rewards, weights) = try object.updateArguments(rewards, count, weights, weight_count)
      return (result, rewards, weights)
    }
    let metrics = try trainer.update(rewards: rewards, weights: weights) {
      object.context.report(MIXGRPO_STAGE_UPDATE, done: $0, total: $1)
    }
    result?.write(mixgrpo_metrics(metrics))
    object.log(metrics.warningLines)
  }
}
