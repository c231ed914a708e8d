import CMixGRPO
import MixBasics
import MixGRPO
import MixLearning
import MixSampling
import MixSettings

final class EvaluationObject: HandleObject, @unchecked Sendable {
  override class var kind: String { "evaluation" }
  let evaluation: Evaluation

  init(_ evaluation: Evaluation) { self.evaluation = evaluation }

  func result(_ result: EvaluationResult) -> mixgrpo_evaluation_result {
    var made = mixgrpo_evaluation_result()
    made.is_best = result.isBest ? 1 : 0
    made.verdict = result.verdict.rawValue
    made.failed = Int32(truncatingIfNeeded: result.failures)
    made.worsening = Int32(truncatingIfNeeded: result.worsening)
    (made.iteration, made.best_iteration) = (Int64(result.iteration), Int64(result.bestIteration))
    (made.score, made.best_score) = (result.score, result.bestScore)
    made.message = UnsafePointer(evaluation.message.pointer)
    return made
  }
}

/// The rewards, from three arrays of the host.
private func evaluationRewards(
  _ names: [String], _ weights: UnsafePointer<Double>?, _ heldOut: UnsafePointer<UInt8>?
) throws(MixGRPOError) -> [EvaluationReward] {
  let weights = try weights.map { (pointer) throws(MixGRPOError) in
    Array(try input(pointer, count: names.count, "weights"))
  }
  let flags = try heldOut.map { (pointer) throws(MixGRPOError) in
    Array(try input(pointer, count: names.count, "held_out"))
  }
  var rewards: [EvaluationReward] = []
  for (index, name) in names.enumerated() {
    let isHeldOut = try flag(Int32(flags?[index] ?? 0), "held_out[\(index)]")
    rewards.append(EvaluationReward(name, weight: weights?[index] ?? 1, isHeldOut: isHeldOut))
  }
  return rewards
}

// MARK: - Life

@_cdecl("mixgrpo_evaluation_config_init") @implementation
public func mixgrpo_evaluation_config_init(
  _ out_config: UnsafeMutablePointer<mixgrpo_evaluation_config>?, _ struct_size: Int
) -> mixgrpo_status {
  withStatus { try writeDefaults(.standard, to: out_config, size: struct_size, "out_config") }
}

@_cdecl("mixgrpo_evaluation_create") @implementation
public func mixgrpo_evaluation_create(
  _ config: UnsafePointer<mixgrpo_evaluation_config>?, _ sample: UnsafePointer<mixgrpo_sample_config>?,
  _ prompt_indices: UnsafePointer<Int32>?, _ prompt_count: Int,
  _ reward_names: UnsafePointer<UnsafePointer<CChar>?>?, _ weights: UnsafePointer<Double>?,
  _ held_out: UnsafePointer<UInt8>?, _ reward_count: Int, _ out_evaluation: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_evaluation, "out_evaluation") {
    let configuration = try EvaluationConfiguration(read(config, "config"))
    let plan = try read(sample, "sample").plan()
    try requireRange(prompt_count, 1...1_000_000, "prompt_count")
    try requireRange(reward_count, 1...1_024, "reward_count")
    let names = try texts(reward_names, count: reward_count, "reward_names")
    return EvaluationObject(
      try Evaluation(
        prompts: Array(input(prompt_indices, count: prompt_count, "prompt_indices")), plan: plan,
        rewards: evaluationRewards(names, weights, held_out), configuration: configuration))
  }
}

@_cdecl("mixgrpo_evaluation_destroy") @implementation
public func mixgrpo_evaluation_destroy(_ evaluation: OpaquePointer?) {
  HandleTable.live.remove(evaluation, EvaluationObject.self)
}

// MARK: - One evaluation

@_cdecl("mixgrpo_evaluation_is_due") @implementation
public func mixgrpo_evaluation_is_due(_ evaluation: OpaquePointer?, _ iteration: Int64) -> Int32 {
  let object = live(evaluation, as: EvaluationObject.self)
  return object?.evaluation.isDue(Int(iteration)) == true ? 1 : 0
}

@_cdecl("mixgrpo_evaluation_sample") @implementation
public func mixgrpo_evaluation_sample(
  _ evaluation: OpaquePointer?, _ trainer: OpaquePointer?, _ out_samples: UnsafeMutablePointer<Float>?, _ capacity: Int
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(trainer, "trainer", as: TrainerObject.self)
    let trainer = try object.trainer(for: "sample")
    let (own, target) = try trainer.withdrawing { () throws(MixGRPOError) in
      let own = try resolve(evaluation, "evaluation", as: EvaluationObject.self).evaluation
      let values = try checkedProduct(own.sampleCount, trainer.evaluator.latentSize, field: "samples")
      return (own, try output(out_samples, capacity: capacity, needed: values, "out_samples"))
    }
    let samples = try own.sample(trainer) {
      object.context.report(MIXGRPO_STAGE_SAMPLE, done: $0, total: $1)
    }
    target.copy(samples)
  }
}

@_cdecl("mixgrpo_evaluation_begin_sample") @implementation
public func mixgrpo_evaluation_begin_sample(_ evaluation: OpaquePointer?, _ trainer: OpaquePointer?) -> mixgrpo_status {
  withStatus {
    let evaluation = try resolve(evaluation, "evaluation", as: EvaluationObject.self).evaluation
    let object = try resolve(trainer, "trainer", as: TrainerObject.self)
    try evaluation.beginSample(object.hostMachine(for: "begin_sample"))
  }
}

@_cdecl("mixgrpo_evaluation_submit") @implementation
public func mixgrpo_evaluation_submit(
  _ evaluation: OpaquePointer?, _ iteration: Int64, _ scores: UnsafePointer<Double>?, _ count: Int,
  _ out_result: UnsafeMutablePointer<mixgrpo_evaluation_result>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(evaluation, "evaluation", as: EvaluationObject.self)
    let evaluation = object.evaluation
    let place = try HostStruct(out_result, "out_result")
    let rewards = evaluation.record.rewards.count
    let expected = try checkedProduct(rewards, evaluation.sampleCount, field: "scores")
    let values = try input(scores, count: count, expected: expected, "scores")
    try require(iteration >= 0, "iteration", expected: "0 or more", got: iteration)
    let result = try evaluation.submit(iteration: Int(iteration), scores: rewardColumns(values, rewards: rewards))
    place.write(object.result(result))
  }
}

@_cdecl("mixgrpo_evaluation_get_means") @implementation
public func mixgrpo_evaluation_get_means(
  _ evaluation: OpaquePointer?, _ out_means: UnsafeMutablePointer<Double>?, _ capacity: Int
) -> mixgrpo_status {
  withStatus {
    let evaluation = try resolve(evaluation, "evaluation", as: EvaluationObject.self).evaluation
    guard let latest = evaluation.latest else {
      throw MixGRPOError(.invalidState, "means: expected an evaluation before, got none")
    }
    try output(out_means, capacity: capacity, needed: latest.means.count, "out_means").copy(latest.means)
  }
}

@_cdecl("mixgrpo_evaluation_get_verdict") @implementation
public func mixgrpo_evaluation_get_verdict(
  _ evaluation: OpaquePointer?, _ out_iteration: UnsafeMutablePointer<Int64>?,
  _ out_verdict: UnsafeMutablePointer<mixgrpo_verdict>?
) -> mixgrpo_status {
  withStatus {
    let evaluation = try resolve(evaluation, "evaluation", as: EvaluationObject.self).evaluation
    let iteration = try out_iteration.map { try place($0, "out_iteration") }
    let verdict = try out_verdict.map { try place($0, "out_verdict") }
    iteration?.pointee = Int64(evaluation.latestIteration)
    verdict?.pointee = evaluation.verdict.rawValue
  }
}

// MARK: - The best weights

@_cdecl("mixgrpo_evaluation_get_best") @implementation
public func mixgrpo_evaluation_get_best(_ evaluation: OpaquePointer?, _ model: OpaquePointer?) -> mixgrpo_status {
  withStatus {
    let object = try resolve(evaluation, "evaluation", as: EvaluationObject.self)
    try object.evaluation.restoreBest(into: resolve(model, "model", as: ModelObject.self).model)
  }
}

@_cdecl("mixgrpo_evaluation_save_best") @implementation
public func mixgrpo_evaluation_save_best(
  _ evaluation: OpaquePointer?, _ folder: UnsafePointer<CChar>?, _ storage: mixgrpo_storage
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(evaluation, "evaluation", as: EvaluationObject.self)
    let precision = try StoredPrecision(storage)
    try object.evaluation.bestModel().save(folder: path(folder, "folder"), precision: precision)
  }
}

// MARK: - Checkpoints

@_cdecl("mixgrpo_evaluation_save") @implementation
public func mixgrpo_evaluation_save(_ evaluation: OpaquePointer?, _ folder: UnsafePointer<CChar>?) -> mixgrpo_status {
  withStatus {
    let object = try resolve(evaluation, "evaluation", as: EvaluationObject.self)
    try object.evaluation.save(folder: path(folder, "folder"))
  }
}

@_cdecl("mixgrpo_evaluation_restore") @implementation
public func mixgrpo_evaluation_restore(_ evaluation: OpaquePointer?, _ folder: UnsafePointer<CChar>?) -> mixgrpo_status {
  withStatus {
    let object = try resolve(evaluation, "evaluation", as: EvaluationObject.self)
    try object.evaluation.restore(folder: path(folder, "folder"))
  }
}
