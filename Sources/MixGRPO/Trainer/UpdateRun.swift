import MixBasics
import MixFlowModel
import MixLearning
import MixNumerics

/// What an update by the built-in model works with.
struct UpdateRun {
  let learner: Learner
  let reference: FlowEvaluator?
  let prompts: PromptEmbeddings
  let context: RunContext
  /// What to do about faults; an update outside of a trainer stops.
  var policy = FaultPolicy.stop
  /// Of the learning rate, at a roll-back.
  var rateFactor = 1.0
  var velocityGuard: VelocityGuard?

  init(_ learner: Learner, _ reference: FlowEvaluator?, _ prompts: PromptEmbeddings, _ context: RunContext) {
    (self.learner, self.reference, self.prompts, self.context) = (learner, reference, prompts, context)
  }

  /// One optimizer step on the gradients gathered, which are zero afterwards, and its share in the averaged weights.
  func step() throws(MixGRPOError) -> OptimizerReport {
    let workers = Workers(threads: context.threads)
    let model = learner.evaluator.model
    let report = try learner.optimizer.step(model, workers: workers)
    learner.average?.update(weights: model.weights, workers: workers)
    return report
  }
}

/// What an update has done so far.
struct UpdateProgress {
  private(set) var steps = 0
  var skippedSteps = 0
  private var norms = 0.0
  private var learningRate = 0.0

  mutating func add(_ report: OptimizerReport) {
    steps += 1
    norms += report.gradientNorm
    learningRate = report.learningRate
  }

  func report(_ run: UpdateRun, isRolledBack: Bool) -> UpdateReport {
    UpdateReport(
      optimizerSteps: run.learner.optimizer.stepCount, gradientNorm: norms / Double(steps), learningRate: learningRate,
      skippedSteps: skippedSteps, isRolledBack: isRolledBack, velocityChange: run.velocityGuard?.change ?? .nan)
  }
}
