import MixBasics

/// How the loss weighs the trained steps. Raw values are stable.
public enum StepWeighting: Int32, Equatable, Sendable, CaseIterable {
  /// All alike.
  case uniform = 0
  /// Proportional to the step's standard deviation s, with mean 1 over the trained steps (TempFlow-GRPO).
  case noiseScale = 1
}

/// Settings of the policy loss. Which log-probability its ratio is made of belongs to the plan, as the rollout stores it.
public struct PolicyConfiguration: Equatable, Sendable {
  /// ε: the ratio is clipped to 1 ± ε. In (0, 1), default 1e-4. With the mean form, D·ε nats of true log-ratio.
  public var clipRange = 1e-4
  /// β of the KL to a frozen reference, β·mean_D(μ−μ_ref)²/(2s²); 0 or more, default 0.
  public var referencePenalty = 0.0
  /// Weight of ½(log p − log p_old)²; 0 or more, default 0.
  public var oldPolicyPenalty = 0.0
  /// Of the clipped term, not of the penalties.
  public var stepWeighting = StepWeighting.uniform
  /// Parts that each group is split into, one optimizer step for each; 1 … group size, default 4.
  public var updatesPerIteration = 4

  /// Clip 1e-4, no penalties, 4 updates per iteration.
  public init() {}

  /// - Throws: one `invalidArgument` that names every unfit field.
  public func validate(groupSize: Int) throws(MixGRPOError) {
    var validation = Validation()
    validation.require(clipRange > 0 && clipRange < 1, "clip_range", expected: "a value in (0, 1)", got: clipRange)
    validation.require(
      referencePenalty >= 0 && referencePenalty <= 1e6, "kl_reference", expected: "0…1000000", got: referencePenalty)
    validation.require(oldPolicyPenalty >= 0 && oldPolicyPenalty <= 1e6, "kl_old", expected: "0…1000000", got: oldPolicyPenalty)
    validation.require(
      (1...max(1, groupSize)).contains(updatesPerIteration), "updates_per_iteration",
      expected: "1…\(groupSize) (group_size)", got: updatesPerIteration)
    try validation.throwIfAny()
  }
}
