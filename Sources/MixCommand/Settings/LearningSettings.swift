import MixGRPO

/// How the model learns from rewards; names and meanings are those of the C header.
struct LearningSettings: SettingsTable, Equatable {
  enum AdvantageName: String, CaseIterable {
    case advantageAggregation = "advantage_aggregation"
    case rewardAggregation = "reward_aggregation"
    case gdpo

    var aggregation: AdvantageAggregation {
      switch self {
      case .advantageAggregation: .advantages
      case .rewardAggregation: .rewards
      case .gdpo: .decoupled
      }
    }
  }
  enum ScopeName: String, CaseIterable { case group, batch }
  enum WeightingName: String, CaseIterable {
    case uniform
    case byNoise = "by_noise"
  }
  enum FaultName: String, CaseIterable {
    case stop, skip
    case rollBack = "roll_back"

    var policy: FaultPolicy {
      switch self {
      case .stop: .stop
      case .skip: .skip
      case .rollBack: .rollBack
      }
    }
  }
  enum UndoName: String, CaseIterable { case memory, none }

  var advantageMode = AdvantageName.advantageAggregation
  var stdScope = ScopeName.group
  var trimFraction = 0.0
  var advantageClip = 5.0
  var degenerateTolerance = 1e-6
  var clipRange = 1e-4
  var referencePenalty = 0.0
  var oldPolicyPenalty = 0.0
  var stepWeighting = WeightingName.uniform
  var updatesPerIteration = 4
  var optimizer = OptimizerSettings()
  var averageDecay = 0.0
  var faultPolicy = FaultName.stop
  var maximumVelocityChange = SafetyConfiguration().maxVelocityChange
  var rollBackRateFactor = SafetyConfiguration().rollBackRateFactor
  var undo = UndoName.memory

  static var settings: [Setting<LearningSettings>] {
    [
      .choice("advantage_mode", \.advantageMode, "how several rewards are joined"),
      .choice("std_scope", \.stdScope, "of the standard deviation that advantages are divided by"),
      .number("trim_fraction", \.trimFraction, "share cut off each end of a group for mean and standard deviation"),
      .number("advantage_clip", \.advantageClip, "advantages are clipped to ± this; 0 for no limit"),
      .number("degenerate_tolerance", \.degenerateTolerance, "a group whose rewards differ by no larger share is left out"),
      .number("clip_range", \.clipRange, "the ratio is clipped to 1 ± this"),
      .number("kl_reference", \.referencePenalty, "weight of the KL to the model as it was at the start"),
      .number("kl_old", \.oldPolicyPenalty, "weight of the KL to the policy that sampled"),
      .choice("step_weighting", \.stepWeighting, "of the trained steps in the loss"),
      .integer("updates_per_iteration", \.updatesPerIteration, "optimizer steps, each on a part of every group"),
    ] + OptimizerSettings.settings.map { $0.within(\.optimizer) } + [
      .number("ema_decay", \.averageDecay, "per optimizer step, of averaged weights; 0 for none"),
      .choice("fault_policy", \.faultPolicy, "when an update is not finite or changes too much"),
      .number(
        "max_velocity_change", \.maximumVelocityChange,
        "an update that changes the velocity by a larger share is a fault; 0 for no limit"),
      .number("roll_back_rate_factor", \.rollBackRateFactor, "roll_back multiplies the learning rate by this"),
      .choice("undo", \.undo, "what a stopped update leaves: with memory the state before it"),
    ]
  }

  /// - Parameter weights: of the rewards.
  /// - Throws: `invalidArgument` naming every unfit setting.
  func configuration(weights: [Double], groupSize: Int) throws(MixGRPOError) -> LearningConfiguration {
    var configuration = LearningConfiguration()
    configuration.advantages.weights = weights
    configuration.advantages.aggregation = advantageMode.aggregation
    configuration.advantages.spread = stdScope == .group ? .group : .batch
    configuration.advantages.trim = trimFraction
    configuration.advantages.clip = advantageClip == 0 ? .infinity : advantageClip
    configuration.advantages.degenerateTolerance = degenerateTolerance
    configuration.policy.clipRange = clipRange
    configuration.policy.referencePenalty = referencePenalty
    configuration.policy.oldPolicyPenalty = oldPolicyPenalty
    configuration.policy.stepWeighting = stepWeighting == .uniform ? .uniform : .noiseScale
    configuration.policy.updatesPerIteration = updatesPerIteration
    configuration.optimizer = optimizer.configuration
    configuration.averageDecay = averageDecay
    configuration.safety.faultPolicy = faultPolicy.policy
    configuration.safety.maxVelocityChange = maximumVelocityChange
    configuration.safety.rollBackRateFactor = rollBackRateFactor
    configuration.undo = undo == .memory ? .memory : .none
    try configuration.validate(rewards: max(weights.count, 1), groupSize: groupSize)
    return configuration
  }

  init() {}

  init(_ configuration: LearningConfiguration) {
    let (advantages, policy) = (configuration.advantages, configuration.policy)
    advantageMode = AdvantageName.allCases.first { $0.aggregation == advantages.aggregation } ?? .advantageAggregation
    stdScope = advantages.spread == .group ? .group : .batch
    trimFraction = advantages.trim
    advantageClip = advantages.clip.isFinite ? advantages.clip : 0
    degenerateTolerance = advantages.degenerateTolerance
    (clipRange, referencePenalty, oldPolicyPenalty) = (policy.clipRange, policy.referencePenalty, policy.oldPolicyPenalty)
    stepWeighting = policy.stepWeighting == .uniform ? .uniform : .byNoise
    updatesPerIteration = policy.updatesPerIteration
    optimizer = OptimizerSettings(configuration.optimizer)
    averageDecay = configuration.averageDecay
    let safety = configuration.safety
    faultPolicy = FaultName.allCases.first { $0.policy == safety.faultPolicy } ?? .stop
    (maximumVelocityChange, rollBackRateFactor) = (safety.maxVelocityChange, safety.rollBackRateFactor)
    undo = configuration.undo == .memory ? .memory : .none
  }
}

extension Setting {
  /// The same setting of a part, as one of the whole.
  func within<Whole>(_ part: WritableKeyPath<Whole, Root>) -> Setting<Whole> {
    Setting<Whole>(name: name, summary: summary) {
      read($0[keyPath: part])
    } write: {
      try write(&$0[keyPath: part], $1)
    }
  }
}
