import MixBasics
import MixFlowModel
import MixLearning
import MixSampling

/// When a model is evaluated, and what is kept.
public struct EvaluationConfiguration: Equatable, Sendable {
  /// k: iterations 0, k, 2k, … are due, 1 … 1000000; default 10.
  public var every = 10
  /// Which weights are evaluated: the trained ones (default) or their average.
  public var weights = TrainerWeights.trained
  /// Whether a copy of the best weights is kept; default true.
  public var keepBest = true
  /// Detects reward hacking; default: off.
  public var watchdog = Watchdog()

  /// Every 10 iterations with the trained weights; the best weights are kept, the watchdog is off.
  public init() {}
}

/// Periodic evaluations during training: always the same prompts and the same noise, which training does not use, scored by any
/// rewards of the host, including held-out ones.
///
///     if evaluation.isDue(trainer.iteration) {
///       let samples = try evaluation.sample(trainer)
///       let result = try evaluation.submit(iteration: trainer.iteration, scores: [score(samples), heldOutScore(samples)])
///       if result.verdict == .stop { break }
///     }
///
/// With a host's own model, use `beginSample` instead of `sample`. Not thread-safe.
public final class Evaluation {
  /// As given to `init`.
  public let configuration: EvaluationConfiguration
  /// Computes results and verdicts from the scores.
  public let record: EvaluationRecord
  /// The sampling plan, made by `SamplingPlan.deterministic`.
  public let plan: SamplingPlan
  /// (P), rows of the trainer's prompts.
  public let prompts: [Int32]
  /// The state carried from one evaluation to the next.
  public package(set) var state: EvaluationRecord.State
  /// The result of the latest evaluation; nil before the first and after `restore`.
  public private(set) var latest: EvaluationResult?
  /// The message of the latest result; "" before the first.
  package private(set) var message: CText
  /// The weights of the best evaluation; nil before the first or when they are not kept.
  public package(set) var best: FlowTransformer?
  /// The weights of the latest samples, until their scores decide whether they are the best.
  private var pending: (iteration: Int, model: FlowTransformer)?

  /// - Parameters:
  ///   - prompts: rows of the trainer's prompts, at least one; repetitions allowed.
  ///   - plan: deterministic; its seed determines the noise.
  ///   - rewards: the rewards that score each sample, with distinct names.
  ///   - configuration: when to evaluate, with which weights, and what is kept.
  /// - Throws: one `invalidArgument` that names every invalid field.
  public init(
    prompts: [Int32], plan: SamplingPlan, rewards: [EvaluationReward],
    configuration: EvaluationConfiguration = EvaluationConfiguration()
  ) throws(MixGRPOError) {
    (self.prompts, self.plan, self.configuration) = (prompts, plan, configuration)
    var record: EvaluationRecord?
    var check = Validation()
    configuration.check(&check)
    check.require(plan.window.isEmpty, "plan", expected: "deterministic sampling", got: "a window \(plan.window)")
    check.require(
      (1...1_000_000).contains(prompts.count) && prompts.allSatisfy { $0 >= 0 }, "prompt_indices",
      expected: "1…1000000 numbers of at least 0", got: prompts)
    check.include { () throws(MixGRPOError) in
      record = try EvaluationRecord(rewards: rewards, watchdog: configuration.watchdog)
    }
    try check.throwIfAny()
    guard let record else { throw MixGRPOError(.internalFault, "record: expected one, got none") }
    self.record = record
    state = EvaluationRecord.State(rewards: rewards.count)
    message = try CText("")
  }

  /// P·S, the number of scored samples.
  public var sampleCount: Int { prompts.count * plan.groupSize }

  /// Whether the model is to be evaluated before this iteration is trained.
  public func isDue(_ iteration: Int) -> Bool { iteration >= 0 && iteration % configuration.every == 0 }

  /// Samples the prompts of the evaluation, with the same noise each time. A pending rollout of the trainer is kept.
  ///
  /// Ranks with a collective share out the prompts; each gets the samples of all.
  ///
  /// The trainer may continue before the scores are submitted: the weights of these samples are kept until then.
  /// - Returns: (P, S, tokens, channels) at σ = 0.
  /// - Throws: as `Trainer.sample`.
  public func sample(
    _ trainer: Trainer, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(MixGRPOError) -> [Float] {
    let samples = try trainer.sampleForAll(plan, weights: configuration.weights, chosen: prompts, progress: progress)
    try keepWeights(of: trainer)
    return samples
  }

  /// The samples of this rank's share of the prompts, for ranks that exchange scores alone; otherwise as `sample`.
  package func sampleShare(
    _ trainer: Trainer, progress: (_ done: Int, _ total: Int) -> Void
  ) throws(MixGRPOError) -> [Float] {
    let samples = try trainer.sampleShare(plan, weights: configuration.weights, chosen: prompts, progress: progress)
    try keepWeights(of: trainer)
    return samples
  }

  private func keepWeights(of trainer: Trainer) throws(MixGRPOError) {
    pending = try trainer.together { () throws(MixGRPOError) in
      configuration.keepBest ? (trainer.iteration, try Self.snapshot(trainer, configuration.weights)) : nil
    }
  }

  /// Starts sampling with a host's own model. The host keeps the weights of the best evaluation itself.
  /// - Throws: as `ModelFreeTrainer.beginSample`.
  public func beginSample(_ trainer: ModelFreeTrainer) throws(MixGRPOError) {
    try trainer.beginSample(plan, weights: configuration.weights, chosen: prompts)
  }

  private static func snapshot(_ trainer: Trainer, _ weights: TrainerWeights) throws(MixGRPOError) -> FlowTransformer {
    let model = try trainer.model(weights)
    return weights == .average ? model : try FlowTransformer(copying: model)
  }

  /// The trainer's iteration at the latest evaluation, also after `restore`; −1 before the first.
  public var latestIteration: Int { state.latestIteration }

  /// The watchdog's verdict on the latest evaluation, also after `restore`: a run that it stopped should not continue. A restored
  /// state is judged by this evaluation's own watchdog settings. Before the first evaluation the verdict is that nothing is
  /// suspicious.
  public var verdict: WatchdogVerdict { record.watchdog.verdict(state.watchdog) }

  /// Submits the scores of an evaluation.
  /// - Parameters:
  ///   - iteration: the trainer's iteration when the samples were taken; later than in the previous evaluation.
  ///   - scores: (K, P·S), NaN for a score that failed.
  /// - Returns: the mean scores, whether they are the best so far, and the watchdog's verdict.
  /// - Throws: `invalidArgument`; an error leaves the state unchanged.
  @discardableResult
  public func submit(iteration: Int, scores: [[Double]]) throws(MixGRPOError) -> EvaluationResult {
    try require(
      scores.allSatisfy { $0.count == sampleCount }, "scores", expected: "\(sampleCount) values for each reward",
      got: scores.map(\.count))
    let (next, result) = try record.advance(state, iteration: iteration, scores: scores)
    let message = try CText(result.message)
    if let pending, pending.iteration == iteration {
      if result.isBest { best = pending.model }
      self.pending = nil
    }
    (state, latest, self.message) = (next, result, message)
    return result
  }

  /// Copies the best weights into a model of the same sizes.
  /// - Throws: `invalidState` when none are kept; `invalidArgument` for another model.
  public func restoreBest(into model: FlowTransformer) throws(MixGRPOError) {
    let best = try bestModel()
    try require(
      model.configuration == best.configuration && model.adapter == best.adapter && model.parameters == best.parameters,
      "model",
      expected: "one of the sizes and the adapter that were evaluated (after it was restored, one without an adapter)",
      got: "\(model.configuration)")
    model.writableWeights().baseAddress?.update(from: best.weights, count: best.parameterCount)
  }

  /// The weights of the best evaluation.
  /// - Throws: `invalidState` when none are kept.
  public func bestModel() throws(MixGRPOError) -> FlowTransformer {
    guard let best else {
      throw MixGRPOError(.invalidState, "best: expected an evaluation with a score whose weights were kept, got none")
    }
    return best
  }

  func restore(_ state: EvaluationRecord.State, best: FlowTransformer?) {
    (self.state, self.best, pending, latest) = (state, best, nil, nil)
  }
}
