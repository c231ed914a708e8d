import ProceduralWorld

/// What is trained, and how its products are computed.
struct EvaluatorChoice: Hashable, Sendable {
  /// The rank of an adapter that is trained in place of all weights; 0 for all weights.
  var adapterRank = 0
  var precision = Precision.float32

  /// What differs from the usual choice, as text.
  fileprivate var settings: String {
    (adapterRank > 0 ? ", LoRA of rank \(adapterRank)" : "") + (precision == .float32 ? "" : ", \(precision) products")
  }
}

/// One configuration in a comparison: a name and all settings.
struct Arm: Equatable, Sendable {
  /// Used in file names.
  let name: String
  /// Shown to readers.
  let label: String
  var sampling: SamplingConfiguration
  var learning: LearningConfiguration
  var evaluator = EvaluatorChoice()

  /// The true log-ratio, in nats, at which the paper's clip takes effect: 1e-4 of the per-value ratio at D = 129 600 (Mix
  /// §4.1). The same per-value ratio corresponds to other nats at another D, so the nats are kept constant instead of the 1e-4.
  static let clipNats = 12.96

  init(name: String, label: String, _ preset: Preset, _ size: ComparisonSize, learningRate: Double) {
    (self.name, self.label) = (name, label)
    sampling = preset.sampling
    learning = preset.learning
    sampling.schedule = .shifted(steps: size.steps, shift: 3)
    sampling.groupSize = size.groupSize
    if case .progressive(_, let stride, let atEnd) = sampling.windowMode {
      sampling.windowMode = .progressive(interval: size.windowInterval, stride: stride, atEnd: atEnd)
    }
    learning.optimizer.learningRate = learningRate
    learning.policy.clipRange = Self.clipNats / Double(Stage.latentSize)
  }

  /// A copy with changed settings and another name.
  func changed(_ name: String, _ label: String, _ change: (inout Arm) -> Void) -> Arm {
    var arm = Arm(name: name, label: label, self)
    change(&arm)
    return arm
  }

  private init(name: String, label: String, _ settings: Arm) {
    (self.name, self.label, sampling, learning) = (name, label, settings.sampling, settings.learning)
    evaluator = settings.evaluator
  }

  /// Everything that the result of a run depends on, as text.
  var settings: String {
    let (policy, optimizer) = (learning.policy, learning.optimizer)
    let noise = sampling.sharedInitialNoise ? "shared by a group" : "each picture's own"
    let penalty = policy.referencePenalty > 0 ? ", KL to the base model \(policy.referencePenalty)" : ""
    return """
      \(sampling.groupSize) pictures per prompt, \(sampling.schedule.steps) steps, shift 3; \(dynamics); \(window); \(tail); \
      initial noise \(noise); \(policy.updatesPerIteration) updates per iteration, learning rate \(optimizer.learningRate), \
      decay \(optimizer.weightDecay), clip \(fixed(policy.clipRange * Double(Stage.latentSize), 2)) nats\(penalty)\(evaluator.settings)
      """
  }

  private var dynamics: String {
    switch sampling.dynamics {
    case .flow(let level): "Flow-SDE, noise \(level)"
    case .dance(let level): "Dance-SDE, noise \(level)"
    case .coefficientPreserving(let level): "coefficient-preserving steps, noise \(level)"
    }
  }

  private var window: String {
    switch sampling.windowMode {
    case .all(.full): "all steps but the last stochastic and trained"
    case .all(.firstFraction(let share)): "all steps but the last stochastic, the first \(fixed(share, 3)) of them trained"
    case .all(.randomSubset(let share)): "all steps but the last stochastic, a random \(fixed(share, 3)) of them trained"
    case .frozen(let start): "a window of \(sampling.windowLength) steps at \(start)"
    case .progressive(let interval, let stride, _):
      "a window of \(sampling.windowLength) steps that moves by \(stride) every \(interval) iterations"
    case let mode: "a window of \(sampling.windowLength) steps, \(mode)"
    }
  }

  private var tail: String {
    guard let flash = sampling.flash else { return "\(sampling.solver) elsewhere" }
    return "\(sampling.solver) before it, \(flash.ratio) of the steps after it with \(flash.solver)"
  }

  /// Model calls per picture, averaged over the iterations of a run: as the papers count, and with the shared latents of a
  /// group evaluated once; and the number of trained steps. For an adaptive window this is a forecast.
  func cost(_ size: ComparisonSize) throws(MixGRPOError) -> (calls: Double, callsShared: Double, trainedSteps: Int) {
    var (calls, shared, trained) = (0, 0, 0)
    let schedule = try sampling.windowSchedule()
    for iteration in 0..<size.iterations {
      let plan = try SamplingPlan(sampling, iteration: iteration, window: schedule.forecast(iteration: iteration))
      calls += plan.modelCallsWithoutSharing(prompts: 1)
      shared += plan.modelCalls(prompts: 1)
      trained = plan.trainedSteps.count
    }
    let pictures = Double(size.iterations * sampling.groupSize)
    return (Double(calls) / pictures, Double(shared) / pictures, trained)
  }
}
