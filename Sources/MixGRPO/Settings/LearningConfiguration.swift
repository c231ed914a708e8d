import MixBasics
import MixLearning
import MixSampling
import MixSettings

/// The state left by a cancelled or failed update.
public enum Undo: Int32, Sendable, CaseIterable {
  /// The state before the update. A copy of weights, moments and average is kept from the first optimizer step until the update
  /// has succeeded. An update with a single step needs no copy if the velocity's change is not limited.
  case memory = 0
  /// The state after the last completed optimizer step; no copy is kept. The update may be repeated and continues from there.
  /// Requires a `SafetyConfiguration` that never rolls back a whole update.
  case none = 1
}

/// How a model learns from rewards: advantages, policy loss, optimizer.
public struct LearningConfiguration: Equatable, Sendable {
  /// From rewards to advantages; by default every reward has weight 1 and is normalised by its own standard deviation.
  public var advantages = AdvantageConfiguration()
  /// The loss; default clip 1e-4, no penalties, 4 updates per iteration.
  public var policy = PolicyConfiguration()
  /// Default learning rate 1e-5.
  public var optimizer = AdamWConfiguration()
  /// Decay per optimizer step of the averaged weights, 0…1; 0 (the default) keeps none.
  public var averageDecay = 0.0
  /// Reaction to faults; default: the update throws, and the state is as before it.
  public var safety = SafetyConfiguration()
  /// Default `memory`.
  public var undo = Undo.memory

  /// The defaults of MixGRPO (Mix §4.1).
  public init() {}

  /// - Parameters:
  ///   - rewards: K, the number of rewards.
  ///   - groupSize: G, the samples of a prompt.
  /// - Throws: one `invalidArgument` that names every invalid field.
  public func validate(rewards: Int, groupSize: Int) throws(MixGRPOError) {
    var check = Validation()
    record.check(&check)
    checkRules(rewards: rewards, groupSize: groupSize, &check)
    try check.throwIfAny()
  }

  /// Checks the rules between values.
  func checkRules(rewards: Int, groupSize: Int, _ check: inout Validation) {
    advantages.checkRules(rewards: rewards, &check)
    policy.checkRules(groupSize: groupSize, &check)
    optimizer.checkRules(&check)
    check.require(
      undo == .memory || safety.maxVelocityChange == 0, "max_velocity_change",
      expected: "0 with undo none, which keeps no copy to return to",
      got: safety.maxVelocityChange)
    check.require(
      undo == .memory || safety.faultPolicy != .rollBack, "fault_policy",
      expected: "stop or skip with undo none, which keeps no copy to return to", got: "roll_back")
  }
}
