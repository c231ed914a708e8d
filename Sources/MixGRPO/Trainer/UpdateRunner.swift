import MixBasics
import MixFlowModel
import MixLearning
import MixNumerics
import MixSampling

/// What the optimizer steps of one update did.
public struct UpdateReport: Equatable, Sendable {
  /// Optimizer steps since the optimizer was made, this update's included.
  public let optimizerSteps: Int
  /// Mean over this update's steps, before the clip; NaN without a step.
  public let gradientNorm: Double
  /// Of the last step.
  public let learningRate: Double
  /// Optimizer steps that were left out as they were not finite.
  public let skippedSteps: Int
  /// Whether the update was undone.
  public let isRolledBack: Bool
  /// See `SafetyConfiguration.maxVelocityChange`; NaN where it was not measured.
  public let velocityChange: Double
}

/// A model in training: its optimizer, and the running mean of its weights if one is kept.
public struct Learner {
  /// Runs the model that is trained.
  public let evaluator: FlowEvaluator
  /// Made for as many weights as the model has.
  public let optimizer: AdamW
  /// Follows every optimizer step; nil: no average is kept.
  public let average: ExponentialMovingAverage?
  /// What an update that fails leaves behind.
  public let undo: Undo

  /// - Throws: `invalidArgument` when the optimizer was made for another number of weights.
  public init(
    evaluator: FlowEvaluator, optimizer: AdamW, average: ExponentialMovingAverage? = nil, undo: Undo = .memory
  ) throws(MixGRPOError) {
    let count = evaluator.model.parameterCount
    try require(optimizer.count == count, "optimizer", expected: "\(count) weights, the model's", got: optimizer.count)
    (self.evaluator, self.optimizer, self.average, self.undo) = (evaluator, optimizer, average, undo)
  }
}

extension Update {
  /// Answers all requests with the built-in model and steps the optimizer.
  ///
  /// On an error or a cancel gradients are zero and, with `Undo.memory`, model, optimizer and average as before and the update
  /// back at its start; with `Undo.none`, all is as after the last finished optimizer step, and the update goes on from there
  /// when it is run again.
  /// Faults that the policy of `safety` takes care of are no errors.
  /// - Parameters:
  ///   - learner: the model in training, its optimizer and average.
  ///   - reference: an evaluator of the frozen reference, needed when its penalty is set.
  ///   - prompts: embeddings, one row for each of the host's numbers.
  ///   - context: may cancel it.
  ///   - afterRequest: called with the rows evaluated so far.
  /// - Returns: what this run's optimizer steps did.
  /// - Throws: as `FlowEvaluator.velocity` and `AdamW.step`; `cancelled`; `invalidState` when gradients are not zero.
  public func run(
    _ learner: Learner, reference: FlowEvaluator? = nil, prompts: PromptEmbeddings, context: RunContext,
    afterRequest: (Int) -> Void = { _ in }
  ) throws(MixGRPOError) -> UpdateReport {
    try run(UpdateRun(learner, reference, prompts, context), afterRequest: afterRequest)
  }

  /// As above, with what a trainer does about faults.
  func run(_ run: UpdateRun, afterRequest: (Int) -> Void) throws(MixGRPOError) -> UpdateReport {
    let learner = run.learner
    let model = learner.evaluator.model
    let gradients = try model.gradients()
    guard Reduction.isZero(gradients.base, count: gradients.count) else {
      throw MixGRPOError(.invalidState, "gradients: expected zero before an update, got others")
    }
    var before: LearnerSnapshot?
    var progress = UpdateProgress()
    run.velocityGuard?.begin()
    do {
      try answerAll(run, &progress, &before, afterRequest)
      return progress.report(run, isRolledBack: false)
    } catch {
      gradients.zero()
      guard learner.undo == .memory else { throw stoppedAfterSteps(error) }
      before?.restore(learner)
      guard error.isFault, run.policy != .stop else {
        restart()
        throw error
      }
    }
    if run.policy == .rollBack { learner.optimizer.rateFactor *= run.rateFactor }
    return progress.report(run, isRolledBack: true)
  }

  /// Leaves the finished optimizer steps and says so.
  private func stoppedAfterSteps(_ error: MixGRPOError) -> MixGRPOError {
    restartPart()
    guard metrics.optimizerSteps > 0 else { return error }
    return MixGRPOError(
      error.code, "\(error.message); \(metrics.optimizerSteps) of \(partCount) optimizer steps are done and stay")
  }

  private func answerAll(
    _ run: UpdateRun, _ progress: inout UpdateProgress, _ before: inout LearnerSnapshot?, _ afterRequest: (Int) -> Void
  ) throws(MixGRPOError) {
    let model = run.learner.evaluator.model
    while true {
      let action = next()
      if case .finished = action { return try checkVelocity(run, after: progress.steps) }
      try run.context.checkCancelled()
      do {
        switch action {
        case .evaluate(let request):
          try answer(request, run)
          afterRequest(metrics.evaluations)
        case .optimizerStep:
          if before == nil, mayBeUndone(run) { before = try LearnerSnapshot(run.learner) }
          progress.add(try run.step())
        case .finished: break
        }
      } catch {
        guard error.code == .notFinite, run.policy == .skip else { throw error }
        progress.skippedSteps += 1
        model.zeroGradients()
        abandonPart()
      }
    }
  }

  /// Whether something may still fail after the step at hand.
  private func mayBeUndone(_ run: UpdateRun) -> Bool {
    run.learner.undo == .memory && (!isInLastPart || run.velocityGuard != nil)
  }

  private func checkVelocity(_ run: UpdateRun, after steps: Int) throws(MixGRPOError) {
    guard let velocityGuard = run.velocityGuard, steps > 0, let request = firstRow() else { return }
    try velocityGuard.check(run.learner.evaluator.velocity(request, run.prompts))
  }

  /// One request: velocity, ∂L/∂v, backward.
  private func answer(_ request: VelocityRequest, _ run: UpdateRun) throws(MixGRPOError) {
    let evaluator = run.learner.evaluator
    try requireLatents(of: evaluator, request.latentSize)
    var frozen: UnsafePointer<Float>?
    if request.needsReference {
      guard let reference = run.reference else {
        throw .invalid("reference", expected: "an evaluator of the frozen reference, as kl_reference is set", got: "none")
      }
      frozen = try reference.velocity(request, run.prompts)
    }
    let velocity = try evaluator.velocity(request, run.prompts, keep: .all)
    defer { evaluator.discardActivations() }  // `submit` may fail before `backward` has used them
    run.velocityGuard?.keep(velocity)
    let dVelocity = try submit(velocity: velocity, reference: frozen, count: request.velocityCount)
    try evaluator.backward(dVelocity: dVelocity)
  }
}

extension AdamW {
  /// One step on a model with the gradients it has gathered, which are zero afterwards, unless it throws.
  @discardableResult
  package func step(_ model: FlowTransformer, workers: Workers) throws(MixGRPOError) -> OptimizerReport {
    let gradients = try model.gradients()
    let before = model.weightsVersion
    guard let weights = model.writableWeights().baseAddress else {
      throw MixGRPOError(.internalFault, "weights: expected at least one, got none")
    }
    return try step(
      weights: weights, clearing: gradients.base, versions: (before, model.weightsVersion), workers: workers)
  }
}

extension MixGRPOError {
  /// What a `FaultPolicy` is about.
  fileprivate var isFault: Bool { code == .notFinite || code == .diverged }
}

/// Everything an update may change, kept until it has succeeded.
private final class LearnerSnapshot {
  private let weights: FloatStorage
  private let firstMoment: FloatStorage
  private let secondMoment: FloatStorage
  private let average: FloatStorage?
  private let stepCount: Int

  init(_ learner: Learner) throws(MixGRPOError) {
    let model = learner.evaluator.model
    weights = try FloatStorage(count: model.parameterCount)
    weights.base.update(from: model.weights, count: weights.count)
    firstMoment = try Self.copy(learner.optimizer.firstMoment)
    secondMoment = try Self.copy(learner.optimizer.secondMoment)
    average = if let average = learner.average?.average { try Self.copy(average) } else { nil }
    stepCount = learner.optimizer.stepCount
  }

  private static func copy(_ storage: FloatStorage) throws(MixGRPOError) -> FloatStorage {
    let made = try FloatStorage(count: storage.count)
    made.base.update(from: storage.base, count: storage.count)
    return made
  }

  func restore(_ learner: Learner) {
    learner.evaluator.model.writableWeights().baseAddress?.update(from: weights.base, count: weights.count)
    learner.optimizer.firstMoment.base.update(from: firstMoment.base, count: firstMoment.count)
    learner.optimizer.secondMoment.base.update(from: secondMoment.base, count: secondMoment.count)
    if let average, let kept = learner.average?.average { kept.base.update(from: average.base, count: average.count) }
    learner.optimizer.stepCount = stepCount
  }
}
