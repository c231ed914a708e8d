import CMixGRPO
import MixBasics
import MixSettings

/// How several rewards become one advantage. Raw values are stable.
public enum AdvantageAggregation: Int32, Equatable, Sendable, CaseIterable {
  /// Normalise each reward in its group, then average the results by weight.
  case advantages = 0
  /// Add the weighted rewards, then normalise once.
  case rewards = 1
  /// Normalise each reward in its group, add the weighted results, then whiten over the whole batch (GDPO).
  case decoupled = 2
}

/// The samples of a standard deviation. Raw values are stable.
public enum AdvantageSpread: Int32, Equatable, Sendable, CaseIterable {
  /// The samples of one prompt.
  case group = 0
  /// All samples of the iteration; the mean is still the group's.
  case batch = 1
}

/// Settings of group-relative advantages.
public struct AdvantageConfiguration: Equatable, Sendable {
  /// One per reward, each 0 or more, their sum above 0. Empty means 1 for each.
  public var weights: [Double] = []
  /// How K rewards become one advantage; default: normalised, then averaged.
  public var aggregation = AdvantageAggregation.advantages
  /// The samples of the standard deviation; default: the group's.
  public var spread = AdvantageSpread.group
  /// Share of a group's values that mean and standard deviation exclude at each end, in [0, 0.5); default 0.
  public var trim = 0.0
  /// Advantages are clipped to ± this; above 0 (infinity: no limit), default 5.
  public var clip = 5.0
  /// A group whose standard deviation is at most this share of its largest |reward| gets advantage 0; in [0, 1], default 1e-6.
  public var degenerateTolerance = 1e-6

  /// Every reward has weight 1; advantages are clipped to ± 5.
  public init() {}

  /// - Parameter rewards: K, the number of rewards
  /// - Throws: one `invalidArgument` that names every invalid field.
  public func validate(rewards: Int) throws(MixGRPOError) {
    var validation = Validation()
    var record = mixgrpo_learning_config.standard
    write(to: &record)
    record.check(&validation)
    checkRules(rewards: rewards, &validation)
    try validation.throwIfAny()
  }

  /// Conditions on more than one value.
  package func checkRules(rewards: Int, _ validation: inout Validation) {
    validation.require(rewards >= 1, "rewards", expected: "1 or more", got: rewards)
    validation.require(
      weights.isEmpty || weights.count == rewards, "weights", expected: "\(rewards) values, one per reward",
      got: weights.count)
    validation.require(
      weights.allSatisfy { $0 >= 0 && $0.isFinite }, "weights", expected: "finite values of at least 0", got: weights)
    validation.require(
      weights.isEmpty || weights.reduce(0, +) > 0, "weights", expected: "a sum above 0", got: weights)
    validation.require(clip != 0, "advantage_clip", expected: "a value above 0, infinity for no limit", got: clip)
  }
}
