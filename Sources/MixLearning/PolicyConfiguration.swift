import CMixGRPO
import MixBasics
import MixSettings

/// The weights of the trained steps in the loss. Raw values are stable.
public enum StepWeighting: Int32, Equatable, Sendable, CaseIterable {
  /// All equal.
  case uniform = 0
  /// Proportional to the step's standard deviation s, with mean 1 over the trained steps (TempFlow-GRPO).
  case noiseScale = 1
}

/// Settings of the policy loss. The form of the log-probability belongs to the plan, because the rollout stores its values.
public struct PolicyConfiguration: Equatable, Sendable {
  /// ε: the ratio is clipped to 1 ± ε. In (0, 1), default 1e-4. With the mean form, D·ε nats of true log-ratio.
  public var clipRange = 1e-4
  /// β of the KL to a frozen reference, β·mean_D(μ−μ_ref)²/(2s²); 0 or more, default 0.
  public var referencePenalty = 0.0
  /// Weight of ½(log p − log p_old)²; 0 or more, default 0.
  public var oldPolicyPenalty = 0.0
  /// Applies to the clipped term, not to the penalties.
  public var stepWeighting = StepWeighting.uniform
  /// Minibatches that each group is split into, one optimizer step for each; 1 … group size, default 4.
  public var updatesPerIteration = 4

  /// Clip 1e-4, no penalties, 4 updates per iteration.
  public init() {}

  /// - Throws: one `invalidArgument` that names every invalid field.
  public func validate(groupSize: Int) throws(MixGRPOError) {
    var validation = Validation()
    var record = mixgrpo_learning_config.standard
    write(to: &record)
    record.check(&validation)
    checkRules(groupSize: groupSize, &validation)
    try validation.throwIfAny()
  }

  /// Conditions on more than one value.
  package func checkRules(groupSize: Int, _ validation: inout Validation) {
    let most = max(1, groupSize)
    validation.require(
      updatesPerIteration <= most, "updates_per_iteration", expected: "1…\(most) (group_size)", got: updatesPerIteration)
  }
}
