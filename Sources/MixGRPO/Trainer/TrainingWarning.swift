import MixLearning

/// Something in an iteration that keeps the model from learning, in words.
public struct TrainingWarning: Equatable, Sendable {
  /// What is wrong. The raw values are the keys of "warnings" in the metrics.
  public enum Kind: String, CaseIterable, Sendable {
    /// A reward failed for every sample.
    case allRewardsFailed = "all_rewards_failed"
    /// Prompts without two completely scored samples.
    case groupsDropped = "groups_dropped"
    /// Some samples were not scored.
    case rewardsFailed = "rewards_failed"
    /// Every sample got the same rewards.
    case rewardsConstant = "rewards_constant"
    /// Prompts whose samples got equal rewards.
    case groupsDegenerate = "groups_degenerate"
    /// The learning rate was 0.
    case learningRateZero = "learning_rate_zero"
    /// The gradient was 0 although rewards differed.
    case gradientZero = "gradient_zero"
    /// The clip stopped much of the gradient.
    case clipStopsGradient = "clip_stops_gradient"
    /// The probabilities hardly changed, so that the clip and the rewards have no effect.
    case modelHardlyChanges = "model_hardly_changes"
    /// The model gave other velocities in the update than in the rollout.
    case firstRatio = "first_ratio"
    /// Optimizer steps were skipped by `FaultPolicy.skip`.
    case stepsSkipped = "steps_skipped"
    /// The update was rolled back.
    case rolledBack = "rolled_back"
  }

  /// What is wrong.
  public let kind: Kind
  /// One sentence, with the page of the documentation that helps.
  public let text: String
}

/// What an iteration's warnings are found in.
struct WarningSigns {
  let iteration: Int
  let rewardNames: [String]
  let weights: [Double]  // (K)
  let advantages: Advantages
  let policy: UpdateMetrics
  let gradientNorm: Double
  let learningRate: Double
  let skippedSteps: Int
  let isRolledBack: Bool
  let clipRange: Double
  /// Whether the learning rate should be the same in every step.
  let isRateConstant: Bool

  /// From this iteration on a change that is still small is a sign of a small rate.
  static let settledIteration = 10
  /// docs/my-reward-does-not-rise.md gives the range of healthy values.
  static let smallestNats = 0.01
  static let largestClipFraction = 0.3

  var warnings: [TrainingWarning] {
    let found = rewardWarnings + updateWarnings
    return found.map { TrainingWarning(kind: $0, text: "\($1) (docs/\($2))") }
  }

  private typealias Sign = (kind: TrainingWarning.Kind, text: String, page: String)

  private static func page(_ section: String) -> String { "my-reward-does-not-rise.md, \"\(section)\"" }
}

// MARK: - Rewards

extension WarningSigns {
  private var samples: Int { advantages.values.count }
  /// Indices of the rewards that count.
  private var counted: [Int] { rewardNames.indices.filter { weights[$0] > 0 } }

  private var rewardWarnings: [Sign] { failures + equalRewards }

  private var failures: [Sign] {
    let page = Self.page("Rewards fail")
    let failed = counted.filter { advantages.rewards[$0].failures == samples }
    if !failed.isEmpty {
      return [
        (.allRewardsFailed, "\(named(failed)) NaN or infinite for all \(samples) samples, so nothing was learned", page)
      ]
    }
    let dropped = advantages.droppedGroups.count
    if dropped > 0 {
      return [
        (
          .groupsDropped,
          "\(dropped) of \(groupCount) prompts had fewer than two samples with all rewards, so nothing was learned from them",
          page
        )
      ]
    }
    let failures = counted.reduce(0) { $0 + advantages.rewards[$1].failures }
    return failures > 0 ? [(.rewardsFailed, "\(failures) rewards failed; their samples were excluded", page)] : []
  }

  private var equalRewards: [Sign] {
    let (page, degenerate) = (Self.page("Groups are degenerate"), advantages.degenerateGroups.count)
    guard degenerate > 0 else { return [] }
    let isAll = degenerate == groupCount - advantages.droppedGroups.count
    if isAll, samples > 1, counted.allSatisfy({ advantages.rewards[$0].standardDeviation == 0 }) {
      let values = counted.map { "\(advantages.rewards[$0].mean)" }.joined(separator: ", ")
      return [(.rewardsConstant, "\(named(counted)) \(values) for all samples, so nothing was learned", page)]
    }
    return [
      (
        .groupsDegenerate,
        "\(degenerate) of \(groupCount) prompts had equal rewards for all their samples, so nothing was learned from them", page
      )
    ]
  }

  private var groupCount: Int { advantages.groupCount }

  /// "reward a was", "rewards a, b were".
  private func named(_ rewards: [Int]) -> String {
    let names = rewards.map { rewardNames[$0] }.joined(separator: ", ")
    return rewards.count == 1 ? "reward \(names) was" : "rewards \(names) were"
  }
}

// MARK: - The update

extension WarningSigns {
  private var updateWarnings: [Sign] {
    var signs: [Sign] = []
    if skippedSteps > 0 {
      signs.append(
        (
          .stepsSkipped, "\(skippedSteps) optimizer steps were not finite and were skipped", Self.page("The rate is too large")
        ))
    }
    if isRolledBack { signs.append((.rolledBack, "the update was rolled back", Self.page("The rate is too large"))) }
    guard policy.optimizerSteps > 0, !isRolledBack else { return signs }
    return signs + [firstRatio, stillness, clip].compactMap { $0 }
  }

  private var hasSignal: Bool { advantages.values.contains { $0 != 0 } }

  private var firstRatio: Sign? {
    let (low, high) = (policy.firstRatioMin, policy.firstRatioMax)
    guard max(1 - low, high - 1) > clipRange else { return nil }
    return (.firstRatio, "the first ratio was \(low)…\(high) instead of 1", Self.page("The first ratio is not 1"))
  }

  /// Why the model did not change, or hardly.
  private var stillness: Sign? {
    if learningRate == 0 {
      return (
        .learningRateZero, "the learning rate was 0, so the model did not change", "choosing-rate-clip-and-group-size.md"
      )
    }
    guard hasSignal else { return nil }
    if gradientNorm == 0 {
      return (
        .gradientZero, "the gradient was 0 although rewards differed, so the model did not change", Self.page("By metric")
      )
    }
    let isSettled = iteration >= Self.settledIteration && isRateConstant && policy.optimizerSteps > 1
    guard isSettled, policy.logRatioNatsMax < Self.smallestNats else { return nil }
    return (
      .modelHardlyChanges, "the update hardly changed the model: max_log_ratio_nats is \(Self.short(policy.logRatioNatsMax))",
      Self.page("The rate is too small")
    )
  }

  private var clip: Sign? {
    guard policy.clippedFraction > Self.largestClipFraction else { return nil }
    let percent = Int((100 * policy.clippedFraction).rounded())
    return (.clipStopsGradient, "the clip stopped \(percent)% of the gradient", Self.page("The clip stops the gradient"))
  }

  /// A value below 0.01 with about two digits.
  private static func short(_ value: Double) -> String { "\((value * 1e6).rounded() / 1e6)" }
}
