import CMixGRPO
import MixBasics
import MixLearning
import MixSampling
import MixSettings

// Converts the learning configuration to and from the header's flat struct; its parts are converted in MixLearning.

extension LearningConfiguration {
  /// - Throws: `invalidArgument` naming every field that is not a known choice, is out of range, or conflicts with another.
  package init(
    _ record: mixgrpo_learning_config, weights: [Double] = [], groupSize: Int = Int(Int32.max)
  ) throws(MixGRPOError) {
    var check = Validation()
    record.check(&check)
    var typed = Self(unchecked: record)
    typed?.advantages.weights = weights
    typed?.checkRules(rewards: max(weights.count, 1), groupSize: groupSize, &check)
    try check.throwIfAny()
    guard let typed else { throw MixGRPOError(.internalFault, "settings: expected names for all choices, got none") }
    self = typed
  }

  /// Nil when a choice is unknown.
  private init?(unchecked record: mixgrpo_learning_config) {
    guard
      let advantages = AdvantageConfiguration(unchecked: record), let policy = PolicyConfiguration(unchecked: record),
      let optimizer = AdamWConfiguration(unchecked: record), let faultPolicy = FaultPolicy(rawValue: record.fault_policy),
      let undo = Undo(rawValue: record.undo)
    else { return nil }
    (self.advantages, self.policy, self.optimizer, self.undo) = (advantages, policy, optimizer, undo)
    averageDecay = record.ema_decay
    safety.faultPolicy = faultPolicy
    safety.maxVelocityChange = record.max_velocity_change
    if faultPolicy == .rollBack { safety.rollBackRateFactor = record.roll_back_rate_factor }
  }

  /// Numbers outside a field's type are clamped, which leaves them out of the row's range. Weights are not included.
  package var record: mixgrpo_learning_config {
    var record = mixgrpo_learning_config.standard
    advantages.write(to: &record)
    policy.write(to: &record)
    optimizer.write(to: &record)
    record.ema_decay = averageDecay
    safety.write(to: &record)
    record.undo = undo.rawValue
    return record
  }

  /// The keys whose values matter given the other values: min_rate_fraction matters only with the schedule cosine.
  package static func keysInForce(_ record: mixgrpo_learning_config) -> Set<String> {
    record.keysInForce { Self(unchecked: $0)?.record }
  }
}

extension SafetyConfiguration {
  func write(to record: inout mixgrpo_learning_config) {
    record.fault_policy = faultPolicy.rawValue
    (record.max_velocity_change, record.roll_back_rate_factor) = (maxVelocityChange, rollBackRateFactor)
  }
}
