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
}

/// A model in training: its optimizer, and the running mean of its weights if one is kept.
public struct Learner {
  public let evaluator: FlowEvaluator
  public let optimizer: AdamW
  public let average: ExponentialMovingAverage?

  /// - Throws: `invalidArgument` when the optimizer was made for another number of weights.
  public init(
    evaluator: FlowEvaluator, optimizer: AdamW, average: ExponentialMovingAverage? = nil
  ) throws(MixGRPOError) {
    let count = evaluator.model.parameterCount
    try require(optimizer.count == count, "optimizer", expected: "\(count) weights, the model's", got: optimizer.count)
    (self.evaluator, self.optimizer, self.average) = (evaluator, optimizer, average)
  }
}

extension Update {
  /// Answers all requests with the built-in model and steps the optimizer.
  ///
  /// On an error or a cancel model, optimizer and average are as before, gradients zero, and the update is back at its start.
  /// - Parameters:
  ///   - reference: an evaluator of the frozen reference, needed when its penalty is set.
  ///   - afterRequest: called with the rows evaluated so far.
  /// - Throws: as `FlowEvaluator.velocity` and `AdamW.step`; `cancelled`; `invalidState` when gradients are not zero.
  public func run(
    _ learner: Learner, reference: FlowEvaluator? = nil, prompts: PromptEmbeddings, context: RunContext,
    afterRequest: (Int) -> Void = { _ in }
  ) throws(MixGRPOError) -> UpdateReport {
    let model = learner.evaluator.model
    let gradients = try model.gradients()
    guard !gradients.buffer.contains(where: { $0 != 0 }) else {
      throw MixGRPOError(.invalidState, "gradients: expected zero before an update, got others")
    }
    let before = try LearnerSnapshot(learner)
    do {
      return try answerAll(learner, reference, prompts, context, afterRequest)
    } catch {
      before.restore(learner)
      gradients.zero()
      restart()
      throw error
    }
  }

  private func answerAll(
    _ learner: Learner, _ reference: FlowEvaluator?, _ prompts: PromptEmbeddings, _ context: RunContext,
    _ afterRequest: (Int) -> Void
  ) throws(MixGRPOError) -> UpdateReport {
    let workers = Workers(threads: context.threads)
    let model = learner.evaluator.model
    var (norms, steps, rate) = (0.0, 0, 0.0)
    while true {
      try context.checkCancelled()
      switch next() {
      case .evaluate(let request):
        try answer(request, learner.evaluator, reference, prompts)
        afterRequest(metrics.evaluations)
      case .optimizerStep:
        let report = try learner.optimizer.step(model, workers: workers)
        learner.average?.update(weights: model.weights, workers: workers)
        model.zeroGradients()
        (norms, steps, rate) = (norms + report.gradientNorm, steps + 1, report.learningRate)
      case .finished:
        return UpdateReport(
          optimizerSteps: learner.optimizer.stepCount, gradientNorm: norms / Double(steps), learningRate: rate)
      }
    }
  }

  /// One request: velocity, ∂L/∂v, backward.
  private func answer(
    _ request: UpdateRequest, _ evaluator: FlowEvaluator, _ reference: FlowEvaluator?, _ prompts: PromptEmbeddings
  ) throws(MixGRPOError) {
    try requireLatents(of: evaluator, request.latentSize)
    let batch = VelocityBatch(
      count: request.count, latents: request.latents, sigmas: request.sigmas, promptIndex: request.promptIndex)
    var frozen: UnsafePointer<Float>?
    if request.needsReference {
      guard let reference else {
        throw .invalid("reference", expected: "an evaluator of the frozen reference, as kl_reference is set", got: "none")
      }
      frozen = try reference.answer(batch, prompts)
    }
    let velocity = try evaluator.answer(batch, prompts, savingActivations: true)
    let cotangents = try submit(velocity: velocity, reference: frozen, count: request.velocityCount)
    try evaluator.backward(dvelocity: cotangents)
  }
}

extension AdamW {
  /// One step on a model with the gradients it has gathered, which stay.
  @discardableResult
  package func step(_ model: FlowTransformer, workers: Workers) throws(MixGRPOError) -> OptimizerReport {
    let gradients = try model.gradients()
    guard let weights = model.writableWeights().baseAddress else {
      throw MixGRPOError(.internalFault, "weights: expected at least one, got none")
    }
    return try step(weights: weights, gradients: gradients.base, workers: workers)
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
