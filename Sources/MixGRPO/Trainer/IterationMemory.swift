import MixBasics
import MixFlowModel
import MixLearning
import MixSampling

/// What one iteration with the built-in model holds at its peak, in bytes, known before anything is allocated. The trainer goes
/// by it when it keeps to a budget.
///
/// The process itself comes on top: its code, the Swift runtime and small tables, 10 to 20 MB before the first model.
public struct IterationMemory: Equatable, Sendable {
  /// The weights and what is as large: gradients, two moments, the average, the base, and the copy that `Undo.memory` keeps.
  public let weightBytes: Int
  /// Latents of the rollout and its stored steps, latents and dVelocity of the update's largest request.
  public let trajectoryBytes: Int
  /// Working memory of the evaluators, activations included.
  public let evaluatorBytes: Int
  /// Samples in flight in the update; 0 without one.
  public let updateBatch: Int
  /// All of the above at once.
  public var peakBytes: Int { weightBytes + trajectoryBytes + evaluatorBytes }

  /// - Parameters:
  ///   - plan: the iteration's sampling.
  ///   - prompts: P of the iteration.
  ///   - latentSize: D.
  ///   - evaluator: what running the model takes.
  ///   - learning: nil for the rollout alone.
  ///   - keepsBase: a frozen copy of the weights is kept, with an evaluator of its own; so it is for a reference penalty.
  ///   - maxBytes: a budget that the update's requests are split for; 0 for none.
  /// - Throws: `invalidArgument` for more than can be counted; `outOfMemory` with the bytes that are needed when they are more
  ///   than the budget.
  public init(
    plan: SamplingPlan, prompts: Int, latentSize: Int, evaluator: EvaluatorMemory, learning: LearningConfiguration?,
    keepsBase: Bool = false, maxBytes: Int = 0
  ) throws(MixGRPOError) {
    let keepsBase = keepsBase || (learning?.policy.referencePenalty ?? 0) > 0
    let copies = Self.copies(learning) + (keepsBase ? 1 : 0)
    weightBytes = try product(copies, evaluator.weightBytes, field: "model")
    let rollout = try plan.rolloutBytes(prompts: prompts, latentSize: latentSize)
    let inference = evaluator.inferenceBytes * (keepsBase ? 2 : 1)
    try MixBasics.require(
      Double(weightBytes) + Double(rollout) + Double(inference) < 0x1p62, "prompt_count",
      expected: "an iteration that fits a memory",
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

  /// Arrays as large as the weights, those themselves included.
  private static func copies(_ learning: LearningConfiguration?) -> Int {
    guard let learning else { return 1 }
    let average = learning.averageDecay > 0 ? 1 : 0
    let mayBeUndone = learning.policy.updatesPerIteration > 1 || learning.safety.maxVelocityChange > 0
    return 4 + average + (learning.undo == .memory && mayBeUndone ? 3 + average : 0)
  }

  private static func require(_ bytes: Int, within maxBytes: Int) throws(MixGRPOError) {
    guard maxBytes == 0 || bytes <= maxBytes else {
      throw MixGRPOError(.outOfMemory, "max_bytes: expected at least \(bytes) bytes for a rollout, got \(maxBytes)")
    }
  }
}

extension Trainer {
  /// What an iteration with `prompts` prompts, the next one, will hold.
  /// - Throws: as `IterationMemory`.
  public func memory(prompts: Int) throws(MixGRPOError) -> IterationMemory {
    try memory(prompts: prompts, plan: SamplingPlan(sampling, iteration: iteration, window: machine.currentWindow()))
  }

  func memory(prompts: Int, plan: SamplingPlan) throws(MixGRPOError) -> IterationMemory {
    try IterationMemory(
      plan: plan, prompts: prompts, latentSize: evaluator.latentSize, evaluator: evaluator.memory, learning: learning,
      keepsBase: base != nil, maxBytes: evaluator.maxBytes)
  }
}
