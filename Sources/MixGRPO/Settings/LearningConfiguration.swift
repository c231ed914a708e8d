import MixBasics
import MixLearning
import MixSampling
import MixSettings

/// What an update that is cancelled or fails leaves behind.
public enum Undo: Int32, Sendable, CaseIterable {
  /// The state before the update. The first optimizer step keeps a copy of weights, moments and average until the update has
  /// succeeded; a single step needs none if the velocity's change is not limited.
  case memory = 0
  /// The state after the last finished optimizer step, and no copy. The update may be repeated and goes on from there. Needs a
  /// `SafetyConfiguration` that never undoes a whole update.
  case none = 1
}

/// How a model learns from rewards: advantages, policy loss, optimizer.
public struct LearningConfiguration: Equatable, Sendable {
  /// From rewards to advantages; by default every reward weighs 1, and its own deviation normalises it.
  public var advantages = AdvantageConfiguration()
  /// The loss; default clip 1e-4, no penalties, 4 updates per iteration.
  public var policy = PolicyConfiguration()
  /// Default learning rate 1e-5.
  public var optimizer = AdamWConfiguration()
  /// Decay per optimizer step of the averaged weights, 0…1; 0 (the default) keeps none.
  public var averageDecay = 0.0
  /// What an update does about faults; default: it throws, with everything as before it.
  public var safety = SafetyConfiguration()
  /// Default `memory`.
  public var undo = Undo.memory

  /// The defaults of MixGRPO (Mix §4.1).
  public init() {}

  /// - Parameters:
  ///   - rewards: K, the number of rewards.
  ///   - groupSize: G, the samples of a prompt.
  /// - Throws: one `invalidArgument` that names every unfit field.
  public func validate(rewards: Int, groupSize: Int) throws(MixGRPOError) {
    var check = Validation()
    record.check(&check)
    checkRules(rewards: rewards, groupSize: groupSize, &check)
    try check.throwIfAny()
  }

  /// What single values do not tell.
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
