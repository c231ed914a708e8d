import MixBasics
import MixFlowModel
import MixLearning
import MixNumerics
import MixSampling

/// The result of the optimizer steps of one update.
public struct UpdateReport: Equatable, Sendable {
  /// Optimizer steps since the optimizer was created, including this update.
  public let optimizerSteps: Int
  /// Mean gradient norm over this update's steps, before clipping; NaN without a step.
  public let gradientNorm: Double
  /// Learning rate of the last step.
  public let learningRate: Double
  /// Optimizer steps that were skipped because they were not finite.
  public let skippedSteps: Int
  /// Whether the update was rolled back.
  public let isRolledBack: Bool
  /// See `SafetyConfiguration.maxVelocityChange`; NaN when it was not measured.
  public let velocityChange: Double
}

/// A model in training: its evaluator, its optimizer, and optionally an average of its weights.
public struct Learner {
  /// Runs the model that is trained.
  public let evaluator: FlowEvaluator
  /// Its count equals the model's number of weights.
  public let optimizer: AdamW
  /// Updated after every optimizer step; nil to keep no average.
  public let average: ExponentialMovingAverage?
  /// The state left by a cancelled or failed update.
  public let undo: Undo

  /// - Throws: `invalidArgument` when the optimizer's count differs from the model's number of weights.
  public init(
    evaluator: FlowEvaluator, optimizer: AdamW, average: ExponentialMovingAverage? = nil, undo: Undo = .memory
  ) throws(MixGRPOError) {
    let count = evaluator.model.parameterCount
    try require(optimizer.count == count, "optimizer", expected: "\(count) weights, the model's", got: optimizer.count)
    (self.evaluator, self.optimizer, self.average, self.undo) = (evaluator, optimizer, average, undo)
  }
}

extension Update {
  /// Runs the update: evaluates all requests with the built-in model and steps the optimizer.
  ///
  /// After an error or a cancellation gradients are zero. With `Undo.memory`, model, optimizer and average are as before, and
  /// the update is back at its start. With `Undo.none`, the state is that after the last completed optimizer step, and running
  /// the update again continues from there.
  /// - Parameters:
  ///   - learner: the model in training, its optimizer and average.
  ///   - reference: an evaluator of the frozen reference, needed when its penalty is set.
  ///   - prompts: embeddings, one row per prompt index.
  ///   - context: cancels the update.
  ///   - afterRequest: called with the rows evaluated so far.
  /// - Returns: the result of this run's optimizer steps.
  /// - Throws: the errors of `FlowEvaluator.velocity` and `AdamW.step`; `cancelled`; `invalidState` when gradients are not
  ///   zero, or the update was started in another way.
  public func run(
    _ learner: Learner, reference: FlowEvaluator? = nil, prompts: PromptEmbeddings, context: RunContext,
    afterRequest: (Int) -> Void = { _ in }
  ) throws(MixGRPOError) -> UpdateReport {
    guard isAtStartOfRun else {
      throw MixGRPOError(.invalidState, "update: expected one that has not started, got one that has")
    }
    let owner = BuiltInOwner(learner, reference, prompts)
    try owner.requireZeroGradients()
    try context.checkCancelled()
    // The built-in model keeps the activations of one whole request.
    try limitRequests(to: learner.evaluator.memory.updateBatch)
    let guarded = GuardedUpdate(self, UpdateSafety(undo: learner.undo))
    try owner.answerAll(guarded, context: context) { afterRequest(metrics.evaluations) }
    return guarded.report(optimizerSteps: learner.optimizer.stepCount)
  }
}

/// The built-in model owner, which carries out an update's actions.
final class BuiltInOwner {
  let learner: Learner
  /// Runs the frozen reference.
  let reference: FlowEvaluator?
  let prompts: PromptEmbeddings
  /// The other ranks; nil for a process that trains alone.
  var ranks: TrainingRanks?
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

  /// - Parameter afterRequest: called after the backward pass of each request.
  func answerAll(
    _ machine: some UpdateMachine, context: RunContext, afterRequest: () -> Void
  ) throws(MixGRPOError) {
    defer { kept = nil }
    while true {
      let action = try machine.nextAction()
      if case .finished = action { return }
      if let error = failure({ () throws(MixGRPOError) in try answer(action, machine, context, afterRequest) }) {
        machine.fail(error)
      }
    }
  }

  /// The same as one of several ranks, which answer every action together.
  func answerAll(
    _ machine: ModelFreeTrainer, with ranks: TrainingRanks, context: RunContext, afterRequest: () -> Void
  ) throws(MixGRPOError) {
    defer { kept = nil }
    defer { ranks.release() }
    while true {
      let action = try machine.nextAction()
      if case .finished = action { return }
      if let error = answer(action, machine, with: ranks, context, afterRequest) { machine.fail(error) }
    }
  }

  /// - Returns: the error that all ranks report.
  private func answer(
    _ action: TrainerAction, _ machine: ModelFreeTrainer, with ranks: TrainingRanks, _ context: RunContext,
    _ afterRequest: () -> Void
  ) -> MixGRPOError? {
    func own() throws(MixGRPOError) { try answer(action, machine, context, afterRequest) }
    switch action {
    case .optimizerStep:
      if let error = ranks.sumGradients(machine, learner.evaluator.model, context) { return error }
      // The gradients are now the same on all ranks, and so is the outcome.
      return failure(own)
    case .combineFigures: return ranks.combineFigures(machine, context)
    case .zeroGradients:
      ranks.sums.reset()
      return failure(own)
    case .differentiate, .measure, .keepState:
      // The others learn of an error when they vote before their next step.
      guard let error = failure(own) else { return nil }
      return ranks.agreement.vote(error)
    case .evaluate, .restoreState, .finished: return failure(own)
    }
  }

  private func answer(
    _ action: TrainerAction, _ machine: some UpdateMachine, _ context: RunContext, _ afterRequest: () -> Void
  ) throws(MixGRPOError) {
    switch action {
    case .differentiate(let request):
      try context.checkCancelled()
      try differentiate(request, machine)
      if let ranks, let place = machine.running?.completedPlace {
        try ranks.close(place, learner.evaluator.model, context)
      }
      afterRequest()
    case .measure(let request):
      let velocity = try learner.evaluator.velocity(request, prompts)
      _ = try machine.submit(velocity: velocity, reference: nil, count: request.velocityCount)
    case .optimizerStep(_, let rateFactor):
      if ranks == nil { try context.checkCancelled() }
      let report = try learner.step(rateFactor: rateFactor, workers: Workers(threads: context.threads))
      try machine.submitStep(gradientNorm: report.gradientNorm, learningRate: report.learningRate)
    case .keepState: kept = try LearnerSnapshot(learner)
    case .restoreState: kept?.restore(learner)
    case .combineFigures: throw MixGRPOError(.internalFault, "figures: expected a process that trains alone, got several")
    case .zeroGradients: learner.evaluator.model.zeroGradients()
    case .evaluate, .finished: break
    }
  }

  /// One request: velocity, dVelocity, backward pass.
  private func differentiate(_ request: VelocityRequest, _ machine: some UpdateMachine) throws(MixGRPOError) {
    let evaluator = learner.evaluator
    try requireLatents(of: evaluator, request.latentSize)
    var frozen: UnsafePointer<Float>?
    if request.needsReference {
      guard let reference else {
        throw .invalid("reference", expected: "an evaluator of the frozen reference (kl_reference is set)", got: "none")
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

/// The error of `body`.
func failure(_ body: () throws(MixGRPOError) -> Void) -> MixGRPOError? {
  do throws(MixGRPOError) { try body() } catch { return error }
  return nil
}

extension Learner {
  /// Steps the optimizer on the accumulated gradients, zeroes them, and updates the averaged weights.
  fileprivate func step(rateFactor: Double, workers: Workers) throws(MixGRPOError) -> OptimizerReport {
    let report = try optimizer.step(evaluator.model, rateFactor: rateFactor, workers: workers)
    average?.update(weights: evaluator.model.weights, workers: workers)
    return report
  }
}

extension AdamW {
  /// Steps a model on its accumulated gradients and zeroes them. Gradients are kept when it throws.
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

/// A copy of everything that an update may change, kept until it has succeeded.
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
