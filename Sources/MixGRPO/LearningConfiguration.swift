import MixBasics
import MixLearning
import MixSampling

/// How a model learns from rewards: advantages, policy loss, optimizer.
public struct LearningConfiguration: Equatable, Sendable {
  public var advantages = AdvantageConfiguration()
  public var policy = PolicyConfiguration()
  public var optimizer = AdamWConfiguration()
  /// Decay per optimizer step of the averaged weights, 0…1; 0 (the default) keeps none.
  public var averageDecay = 0.0
  public var safety = SafetyConfiguration()

  public init() {}

  /// - Parameters:
  ///   - rewards: K, the number of rewards.
  /// - Throws: one `invalidArgument` that names every unfit field.
  public func validate(rewards: Int, groupSize: Int) throws(MixGRPOError) {
    var check = Validation()
    check.include { () throws(MixGRPOError) in try advantages.validate(rewards: rewards) }
    check.include { () throws(MixGRPOError) in try policy.validate(groupSize: groupSize) }
    check.include(optimizer.validate)
    check.include(safety.validate)
    check.require(averageDecay >= 0 && averageDecay <= 1, "ema_decay", expected: "0…1", got: averageDecay)
    try check.throwIfAny()
  }
}
