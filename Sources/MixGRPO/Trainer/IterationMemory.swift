import MixBasics
import MixFlowModel
import MixLearning
import MixSampling

/// The peak memory of one iteration with the built-in model, in bytes, computed before anything is allocated. The trainer uses
/// it to keep to a memory limit.
///
/// The process itself adds 10 to 20 MB: its code, the Swift runtime and small tables.
public struct IterationMemory: Equatable, Sendable {
  /// The weights, and arrays as large as the trained ones: gradients, two moments, the average, the base, and the copy that
  /// `Undo.memory` keeps.
  public let weightBytes: Int
  /// Latents of the rollout and its stored steps, latents and dVelocity of the update's largest request.
  public let trajectoryBytes: Int
  /// Working memory of the evaluators, activations included.
  public let evaluatorBytes: Int
  /// Latents evaluated at once in the update; 0 without an update.
  public let updateBatch: Int
  /// The sum of the above.
  public var peakBytes: Int { weightBytes + trajectoryBytes + evaluatorBytes }

  /// - Parameters:
  ///   - plan: the sampling plan of the iteration.
  ///   - prompts: P, prompts of the iteration.
  ///   - latentSize: D.
  ///   - evaluator: the memory of the evaluator.
  ///   - learning: nil for a rollout without an update.
  ///   - keepsBase: whether a frozen copy of the weights is kept, with its own evaluator; implied by a reference penalty.
  ///   - maxBytes: memory limit, which the update meets by splitting its requests; 0 for none.
  ///   - ranks: for one of several ranks, what it needs to add up gradients; `prompts` are then its own.
  /// - Throws: `invalidArgument` when a size overflows; `outOfMemory`, with the required bytes, when they exceed the limit.
  public init(
    plan: SamplingPlan, prompts: Int, latentSize: Int, evaluator: EvaluatorMemory, learning: LearningConfiguration?,
    keepsBase: Bool = false, maxBytes: Int = 0, ranks: RankCost? = nil
  ) throws(MixGRPOError) {
    let keepsBase = keepsBase || (learning?.policy.referencePenalty ?? 0) > 0
    let copies = Self.copies(learning, hasRanks: ranks != nil) + (keepsBase ? 1 : 0)
    weightBytes =
      evaluator.weightBytes + (try product(copies - 1, evaluator.trainedBytes, field: "model")) + (ranks?.memoryBytes ?? 0)
    let rollout = try plan.rolloutBytes(prompts: prompts, latentSize: latentSize)
    let inference = evaluator.inferenceBytes * (keepsBase ? 2 : 1)
    try MixBasics.require(
      Double(weightBytes) + Double(rollout) + Double(inference) < 0x1p62, "prompt_count",
      expected: "an iteration that fits in memory",
      got: "about \(Double(weightBytes) + Double(rollout) + Double(inference)) bytes")
    let taken = weightBytes + rollout + inference
    guard let learning else {
      (trajectoryBytes, evaluatorBytes, updateBatch) = (rollout, inference, 0)
      try Self.require(taken, within: maxBytes)
      return
    }
    let largest = plan.largestMinibatch(prompts: prompts, minibatches: learning.policy.updatesPerIteration)
    updateBatch = try evaluator.updateBatch(
      within: maxBytes, taken: taken, rows: largest,
      bytes: { samples throws(MixGRPOError) in try UpdateArena.bytes(rows: samples, latentSize: latentSize) })
    trajectoryBytes = rollout + (try UpdateArena.bytes(rows: updateBatch, latentSize: latentSize))
    evaluatorBytes = inference + evaluator.trainingBytes(samples: updateBatch)
  }

  /// The number of arrays as large as the trained weights, including the weights.
  private static func copies(_ learning: LearningConfiguration?, hasRanks: Bool) -> Int {
    guard let learning else { return 1 }
    let average = learning.averageDecay > 0 ? 1 : 0
    let mayBeUndone = hasRanks || learning.policy.updatesPerIteration > 1 || learning.safety.maxVelocityChange > 0
    return 4 + average + (learning.undo == .memory && mayBeUndone ? 3 + average : 0)
  }

  private static func require(_ bytes: Int, within maxBytes: Int) throws(MixGRPOError) {
    guard maxBytes == 0 || bytes <= maxBytes else {
      throw MixGRPOError(.outOfMemory, "max_bytes: expected at least \(bytes) bytes for a rollout, got \(maxBytes)")
    }
  }
}

extension Trainer {
  /// The memory of the next iteration, with `prompts` prompts.
  /// - Throws: the errors of `IterationMemory`.
  public func memory(prompts: Int) throws(MixGRPOError) -> IterationMemory {
    try memory(rollouts: [prompts], plan: SamplingPlan(sampling, iteration: iteration, window: machine.currentWindow()))
  }

  /// - Parameter rollouts: the prompts of all ranks in each rollout of the iteration; ranks share out each alone.
  func memory(rollouts: [Int], plan: SamplingPlan) throws(MixGRPOError) -> IterationMemory {
    let own = max(rollouts.reduce(0) { $0 + machine.rank.share(ofPrompts: $1).count }, 1)
    let ranks =
      machine.isCollective
      ? RankCost(machine.rank, rollouts: rollouts, trained: evaluator.model.parameterCount) : nil
    return try IterationMemory(
      plan: plan, prompts: own, latentSize: evaluator.latentSize, evaluator: evaluator.memory, learning: learning,
      keepsBase: base != nil, maxBytes: evaluator.maxBytes, ranks: ranks)
  }
}
