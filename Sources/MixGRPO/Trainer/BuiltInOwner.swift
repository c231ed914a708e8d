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
  /// - Parameters:
  ///   - learner: the model in training, its optimizer and average.
  ///   - reference: an evaluator of the frozen reference, needed when its penalty is set.
  ///   - prompts: embeddings, one row for each of the host's numbers.
  ///   - context: may cancel it.
  ///   - afterRequest: called with the rows evaluated so far.
  /// - Returns: what this run's optimizer steps did.
  /// - Throws: as `FlowEvaluator.velocity` and `AdamW.step`; `cancelled`; `invalidState` when gradients are not zero, or the
  ///   update has begun otherwise.
  public func run(
    _ learner: Learner, reference: FlowEvaluator? = nil, prompts: PromptEmbeddings, context: RunContext,
    afterRequest: (Int) -> Void = { _ in }
  ) throws(MixGRPOError) -> UpdateReport {
    guard isAtStartOfRun else {
      throw MixGRPOError(.invalidState, "update: expected one that has not begun, got one that has")
    }
    let owner = BuiltInOwner(learner, reference, prompts)
    try owner.requireZeroGradients()
    // The built-in model keeps the activations of a whole request.
    try limitRequests(to: learner.evaluator.memory.updateBatch)
    let guarded = GuardedUpdate(self, UpdateSafety(undo: learner.undo))
    try owner.answerAll(guarded, context: context) { afterRequest(metrics.evaluations) }
    return guarded.report(optimizerSteps: learner.optimizer.stepCount)
  }
}

/// The built-in model as the owner that answers an update's actions.
final class BuiltInOwner {
  let learner: Learner
  /// Runs the frozen reference.
  let reference: FlowEvaluator?
  let prompts: PromptEmbeddings
  private var kept: LearnerSnapshot?

  init(_ learner: Learner, _ reference: FlowEvaluator?, _ prompts: PromptEmbeddings) {
    (self.learner, self.reference, self.prompts) = (learner, reference, prompts)
  }

  func requireZeroGradients() throws(MixGRPOError) {
    let gradients = try learner.evaluator.model.gradients()
    guard Reduction.isZero(gradients.base, count: gradients.count) else {
      throw MixGRPOError(.invalidState, "gradients: expected zero before an update, got others")
    }
  }

  /// - Parameter afterRequest: called when the answer to a request has been carried back.
  func answerAll(
    _ machine: some UpdateMachine, context: RunContext, afterRequest: () -> Void
  ) throws(MixGRPOError) {
    defer { kept = nil }
    while true {
      let action = try machine.nextAction()
      if case .finished = action { return }
      do throws(MixGRPOError) { try answer(action, machine, context, afterRequest) } catch { machine.fail(error) }
    }
  }

  private func answer(
    _ action: TrainerAction, _ machine: some UpdateMachine, _ context: RunContext, _ afterRequest: () -> Void
  ) throws(MixGRPOError) {
    switch action {
    case .differentiate(let request):
      try context.checkCancelled()
      try differentiate(request, machine)
      afterRequest()
    case .measure(let request):
      let velocity = try learner.evaluator.velocity(request, prompts)
      _ = try machine.submit(velocity: velocity, reference: nil, count: request.velocityCount)
    case .optimizerStep(_, let rateFactor):
      try context.checkCancelled()
      let report = try learner.step(rateFactor: rateFactor, workers: Workers(threads: context.threads))
      try machine.submitStep(gradientNorm: report.gradientNorm, learningRate: report.learningRate)
    case .keepState: kept = try LearnerSnapshot(learner)
    case .restoreState: kept?.restore(learner)
    case .zeroGradients: learner.evaluator.model.zeroGradients()
    case .evaluate, .finished: break
    }
  }

  /// One request: velocity, ∂L/∂v, backward.
  private func differentiate(_ request: VelocityRequest, _ machine: some UpdateMachine) throws(MixGRPOError) {
    let evaluator = learner.evaluator
    try requireLatents(of: evaluator, request.latentSize)
    var frozen: UnsafePointer<Float>?
    if request.needsReference {
      guard let reference else {
        throw .invalid("reference", expected: "an evaluator of the frozen reference, as kl_reference is set", got: "none")
      }
      frozen = try reference.velocity(request, prompts)
    }
    let velocity = try evaluator.velocity(request, prompts, keep: .all)
    defer { evaluator.discardActivations() }  // `submit` may fail before `backward` has used them
    guard let dVelocity = try machine.submit(velocity: velocity, reference: frozen, count: request.velocityCount) else {
      throw MixGRPOError(.internalFault, "update: expected a gradient of the velocity, got none")
    }
    try evaluator.backward(dVelocity: dVelocity)
  }
}

extension Learner {
  /// One optimizer step on the gradients gathered, which are zero afterwards, and its share in the averaged weights.
  fileprivate func step(rateFactor: Double, workers: Workers) throws(MixGRPOError) -> OptimizerReport {
    let report = try optimizer.step(evaluator.model, rateFactor: rateFactor, workers: workers)
    average?.update(weights: evaluator.model.weights, workers: workers)
    return report
  }
}

extension AdamW {
  /// One step on a model with the gradients it has gathered, which are zero afterwards, unless it throws.
  @discardableResult
  package func step(
    _ model: FlowTransformer, rateFactor: Double = 1, workers: Workers
  ) throws(MixGRPOError) -> OptimizerReport {
    let gradients = try model.gradients()
    let before = model.weightsVersion
    guard let weights = model.writableWeights().baseAddress else {
      throw MixGRPOError(.internalFault, "weights: expected at least one, got none")
    }
    return try step(
      weights: weights, clearing: gradients.base, versions: (before, model.weightsVersion),
      rateFactor: rateFactor, workers: workers)
  }
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
