import MixLearning
import MixStorage

/// The metrics of one iteration. Means over no values are NaN.
public struct IterationMetrics: Equatable, Sendable {
  /// Statistics of one reward over the iteration's samples.
  public struct Reward: Equatable, Sendable {
    /// The name given to the trainer.
    public let name: String
    /// Mean of the finite values.
    public let mean: Double
    /// Standard deviation, with n − 1 in the denominator.
    public let standardDeviation: Double
    /// Number of values that were NaN or infinite. Their samples are excluded.
    public let failures: Int
  }

  /// Index of the iteration, from 0.
  public let iteration: Int
  /// The stochastic steps.
  public let window: Range<Int>
  /// (K), in the order of the trainer's rewards.
  public let rewards: [Reward]
  /// Weighted mean over the rewards of their means.
  public let rewardMean: Double
  /// Weighted mean over the rewards of their standard deviations.
  public let rewardStandardDeviation: Double
  /// Degenerate groups: their rewards are equal and their advantages 0.
  public let degenerateGroups: Int
  /// Loss, ratios and clipping.
  public let policy: UpdateMetrics
  /// Mean gradient norm over the optimizer steps, before clipping.
  public let gradientNorm: Double
  /// Learning rate of the last optimizer step.
  public let learningRate: Double
  /// Latents evaluated by the rollout; shared latents count once.
  public let modelCallsRollout: Int
  /// Latents evaluated forward and backward by the update.
  public let modelCallsUpdate: Int
  /// Wall time of the rollout.
  public let secondsRollout: Double
  /// Wall time of the update.
  public let secondsUpdate: Double
  /// Optimizer steps skipped by `FaultPolicy.skip`.
  public let skippedSteps: Int
  /// Whether the update was rolled back by `FaultPolicy.skip` or `.rollBack`.
  public let isRolledBack: Bool
  /// See `SafetyConfiguration.maxVelocityChange`; NaN when it was not measured.
  public let velocityChange: Double
  /// What keeps the model from learning; at most one of each kind.
  public let warnings: [TrainingWarning]

  /// Number of failed values of all rewards.
  public var failedRewards: Int { rewards.reduce(0) { $0 + $1.failures } }

  /// Lines to log as warnings.
  package var warningLines: [String] { warnings.map { "iteration \(iteration): \($0.text)" } }

  /// One line of JSON; values that are not finite become null.
  public var json: String { get throws(MixGRPOError) { try JSONValue.object(object).text(.compact) } }

  private var object: JSONObject {
    let object: JSONObject = [
      "iteration": .integer(Int64(iteration)),
      "window_start": .integer(Int64(window.lowerBound)),
      "window_length": .integer(Int64(window.count)),
      "reward_mean": .measurement(rewardMean),
      "reward_std": .measurement(rewardStandardDeviation),
      "rewards": .object(rewardsJSON),
      "degenerate_groups": .integer(Int64(degenerateGroups)),
      "failed_rewards": .integer(Int64(failedRewards)),
      "loss": .measurement(policy.loss),
      "first_ratio_min": .measurement(policy.firstRatioMin),
      "first_ratio_max": .measurement(policy.firstRatioMax),
      "ratio_min": .measurement(policy.ratioMin),
      "ratio_max": .measurement(policy.ratioMax),
      "clip_fraction": .measurement(policy.clippedFraction),
      "max_log_ratio_nats": .measurement(policy.logRatioNatsMax),
      "kl_old_nats": .measurement(policy.oldPolicyNats),
      "kl_reference_nats": .measurement(policy.referenceNats),
      "gradient_norm": .measurement(gradientNorm),
      "learning_rate": .measurement(learningRate),
      "model_calls_rollout": .integer(Int64(modelCallsRollout)),
      "model_calls_update": .integer(Int64(modelCallsUpdate)),
      "seconds_rollout": .measurement(secondsRollout),
      "seconds_update": .measurement(secondsUpdate),
      "skipped_steps": .integer(Int64(skippedSteps)),
      "rolled_back": .bool(isRolledBack),
      "velocity_change": .measurement(velocityChange),
      "warnings": .object(warningsJSON),
    ]
    return object
  }

  private var warningsJSON: JSONObject {
    var object = JSONObject()
    for warning in warnings { object[warning.kind.rawValue] = .string(warning.text) }
    return object
  }

  private var rewardsJSON: JSONObject {
    var object = JSONObject()
    for reward in rewards {
      object[reward.name] = .object([
        "mean": .measurement(reward.mean), "std": .measurement(reward.standardDeviation),
        "failed": .integer(Int64(reward.failures)),
      ])
    }
    return object
  }
}
