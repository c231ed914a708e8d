import CMixGRPO
import MixBasics
import MixGRPO
import MixLearning

// The learning configuration in both directions: the defaults in C are those of Swift.

extension LearningConfiguration {
  /// - Throws: `invalidArgument` naming every field that is no choice or out of bounds.
  init(_ config: mixgrpo_learning_config, groupSize: Int = Int(Int32.max)) throws(MixGRPOError) {
    self.init()
    var check = Validation()
    func include(_ part: () throws(MixGRPOError) -> Void) { check.include(part) }
    include { () throws(MixGRPOError) in advantages = try AdvantageConfiguration(config) }
    include { () throws(MixGRPOError) in try requireRange(config.advantage_clip, 0...1e6, "advantage_clip") }
    include { () throws(MixGRPOError) in policy = try PolicyConfiguration(config) }
    include { () throws(MixGRPOError) in optimizer = try AdamWConfiguration(config) }
    include { () throws(MixGRPOError) in try requireRange(config.max_gradient_norm, 0...1e12, "max_gradient_norm") }
    averageDecay = config.ema_decay
    include { () throws(MixGRPOError) in safety = try SafetyConfiguration(config) }
    include { () throws(MixGRPOError) in undo = try choice(config.undo, "undo") }
    let complete = self
    include { () throws(MixGRPOError) in try complete.validate(rewards: 1, groupSize: groupSize) }
    try check.throwIfAny()
  }
}

extension AdvantageConfiguration {
  fileprivate init(_ config: mixgrpo_learning_config) throws(MixGRPOError) {
    self.init()
    aggregation = try choice(config.advantage_mode, "advantage_mode")
    spread = try choice(config.std_scope, "std_scope")
    trim = config.trim_fraction
    clip = config.advantage_clip == 0 ? .infinity : config.advantage_clip
    degenerateTolerance = config.degenerate_tolerance
  }
}

extension PolicyConfiguration {
  fileprivate init(_ config: mixgrpo_learning_config) throws(MixGRPOError) {
    self.init()
    clipRange = config.clip_range
    referencePenalty = config.kl_reference
    oldPolicyPenalty = config.kl_old
    stepWeighting = try choice(config.step_weighting, "step_weighting")
    updatesPerIteration = Int(config.updates_per_iteration)
  }
}

extension AdamWConfiguration {
  fileprivate init(_ config: mixgrpo_learning_config) throws(MixGRPOError) {
    self.init()
    learningRate = config.learning_rate
    schedule = LearningRateSchedule(try config.rateShape(), warmupSteps: Int(config.warmup_steps))
    (beta1, beta2, epsilon) = (config.beta1, config.beta2, config.epsilon)
    weightDecay = config.weight_decay
    maximumGradientNorm = config.max_gradient_norm == 0 ? .infinity : config.max_gradient_norm
  }
}

extension SafetyConfiguration {
  fileprivate init(_ config: mixgrpo_learning_config) throws(MixGRPOError) {
    self.init()
    faultPolicy = try choice(config.fault_policy, "fault_policy")
    (maxVelocityChange, rollBackRateFactor) = (config.max_velocity_change, config.roll_back_rate_factor)
  }
}

extension mixgrpo_learning_config {
  fileprivate func rateShape() throws(MixGRPOError) -> LearningRateSchedule.Shape {
    switch Int(schedule) {
    case MIXGRPO_SCHEDULE_CONSTANT: return .constant
    case MIXGRPO_SCHEDULE_COSINE: return .cosine(totalSteps: Int(total_steps), minimumFraction: min_rate_fraction)
    default: throw .invalid("schedule", expected: "a mixgrpo_schedule, 0…1", got: schedule)
    }
  }

  static var standard: mixgrpo_learning_config { mixgrpo_learning_config(LearningConfiguration()) }

  /// - Precondition: `settings` are valid; weights of rewards are not part of the C configuration.
  init(_ settings: LearningConfiguration) {
    self.init()
    struct_size = UInt32(Self.byteCount)
    set(settings.advantages)
    set(settings.policy)
    set(settings.optimizer)
    ema_decay = settings.averageDecay
    fault_policy = settings.safety.faultPolicy.rawValue
    max_velocity_change = settings.safety.maxVelocityChange
    roll_back_rate_factor = settings.safety.rollBackRateFactor
    undo = settings.undo.rawValue
  }

  private mutating func set(_ advantages: AdvantageConfiguration) {
    advantage_mode = advantages.aggregation.rawValue
    std_scope = advantages.spread.rawValue
    trim_fraction = advantages.trim
    advantage_clip = advantages.clip.isFinite ? advantages.clip : 0
    degenerate_tolerance = advantages.degenerateTolerance
  }

  private mutating func set(_ policy: PolicyConfiguration) {
    clip_range = policy.clipRange
    kl_reference = policy.referencePenalty
    kl_old = policy.oldPolicyPenalty
    step_weighting = policy.stepWeighting.rawValue
    updates_per_iteration = Int32(truncatingIfNeeded: policy.updatesPerIteration)
  }

  private mutating func set(_ optimizer: AdamWConfiguration) {
    learning_rate = optimizer.learningRate
    (beta1, beta2, epsilon) = (optimizer.beta1, optimizer.beta2, optimizer.epsilon)
    weight_decay = optimizer.weightDecay
    max_gradient_norm = optimizer.maximumGradientNorm.isFinite ? optimizer.maximumGradientNorm : 0
    warmup_steps = Int32(truncatingIfNeeded: optimizer.schedule.warmupSteps)
    total_steps = 1000
    if case .cosine(let totalSteps, let minimumFraction) = optimizer.schedule.shape {
      schedule = Int32(MIXGRPO_SCHEDULE_COSINE)
      total_steps = Int32(truncatingIfNeeded: totalSteps)
      min_rate_fraction = minimumFraction
    }
  }
}
