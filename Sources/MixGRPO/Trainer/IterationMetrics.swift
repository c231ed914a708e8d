import MixLearning
import MixStorage

/// One iteration in figures. Means are NaN where there was nothing to average.
public struct IterationMetrics: Equatable, Sendable {
  /// One reward over the iteration's samples.
  public struct Reward: Equatable, Sendable {
    /// As the trainer was given it.
    public let name: String
    /// Over the finite values.
    public let mean: Double
    /// With n − 1 in the denominator.
    public let standardDeviation: Double
    /// Values that were NaN or infinite; left out everywhere.
    public let failures: Int
  }

  /// 0-based.
  public let iteration: Int
  /// The stochastic steps.
  public let window: Range<Int>
  /// (K), in the trainer's order.
  public let rewards: [Reward]
  /// Mean over K of the rewards' means and standard deviations, by weight.
  public let rewardMean: Double
  /// See `rewardMean`.
  public let rewardStandardDeviation: Double
  /// Groups whose rewards could not tell their samples apart.
  public let degenerateGroups: Int
  /// Loss, ratios and clipping.
  public let policy: UpdateMetrics
  /// Mean over the optimizer steps, before the clip.
  public let gradientNorm: Double
  /// Of the last optimizer step.
  public let learningRate: Double
  /// Latents evaluated by the rollout; shared ones count once.
  public let modelCallsRollout: Int
  /// Latents evaluated forward and backward by the update.
  public let modelCallsUpdate: Int
  /// Wall time of drawing.
  public let secondsRollout: Double
  /// Wall time of the update.
  public let secondsUpdate: Double
  /// Optimizer steps that `FaultPolicy.skip` left out.
  public let skippedSteps: Int
  /// Whether the update was undone by `FaultPolicy.skip` or `.rollBack`.
  public let isRolledBack: Bool
  /// See `SafetyConfiguration.maxVelocityChange`; NaN where it was not measured.
  public let velocityChange: Double

  /// Over all rewards.
  public var failedRewards: Int { rewards.reduce(0) { $0 + $1.failures } }

  /// What is easily missed and worth a line in a log each.
  public var warnings: [String] {
    var lines: [String] = []
    func add(_ holds: Bool, _ text: String) { if holds { lines.append("iteration \(iteration): \(text)") } }
    add(failedRewards > 0, "\(failedRewards) rewards failed and were left out")
    add(skippedSteps > 0, "\(skippedSteps) optimizer steps were not finite and left out")
    add(isRolledBack, "the update was not sound and was undone")
    add(degenerateGroups > 0, "\(degenerateGroups) groups had equal rewards")
    return lines
  }

  /// One line of JSON; what is not finite becomes null.
  public var json: String {
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
    ]
    return (try? JSONValue.object(object).text(.compact)) ?? "{}"
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
