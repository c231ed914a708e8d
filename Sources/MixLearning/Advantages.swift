import MixBasics

/// Group-relative advantages of an iteration's samples, and which samples were excluded.
///
/// A sample with a failed reward (NaN or infinite) of nonzero weight is excluded from every mean and standard deviation and from
/// the loss. A group with fewer than two other samples is excluded as a whole. A reward that is (nearly) equal for all samples of
/// a group gives them advantage 0, because normalising it would amplify rounding errors: its standard deviation is at most 1e−8,
/// or the degenerate tolerance times the largest magnitude. So rewards that differ by less than 1e−8 must be multiplied first.
public struct Advantages: Equatable, Sendable {
  /// Statistics of one reward, over all samples for which it did not fail.
  public struct Reward: Equatable, Sendable {
    /// NaN if it failed for every sample
    public let mean: Double
    /// With n − 1 in the denominator; NaN for fewer than two values
    public let standardDeviation: Double
    /// Values that were NaN or infinite.
    public let failures: Int
    /// Groups in which this reward is equal for all samples.
    public let degenerateGroups: [Int]
  }

  /// (P·G), sample = prompt · G + member; 0 where not included.
  public let values: [Double]
  /// Whether a sample is part of the loss.
  public let isIncluded: [Bool]  // (P·G)
  /// (K), in the order given.
  public let rewards: [Reward]
  /// Degenerate groups: every reward of nonzero weight is equal for all their samples, so their advantages are 0.
  public let degenerateGroups: [Int]
  /// Groups excluded because fewer than two of their samples have all rewards.
  public let droppedGroups: [Int]

  /// P, the number of groups.
  public let groupCount: Int

  /// Samples that are part of the loss.
  public var includedCount: Int { isIncluded.count { $0 } }

  /// - Parameters:
  ///   - rewards: (K, P·G), NaN for a reward that failed
  ///   - groupSize: G, at least 2; samples of a prompt are consecutive
  ///   - configuration: is validated.
  /// - Throws: one `invalidArgument` that names every invalid field.
  public init(
    rewards: [[Double]], groupSize: Int, configuration: AdvantageConfiguration = AdvantageConfiguration()
  ) throws(MixGRPOError) {
    try Self.validate(rewards, groupSize, configuration)
    let weights = configuration.weights.isEmpty ? rewards.map { _ in 1 } : configuration.weights
    let batch = RewardBatch(rewards, groupSize: groupSize, weights: weights)
    let estimate = AdvantageEstimate(batch, configuration)
    isIncluded = batch.isIncluded
    groupCount = batch.groups.count
    droppedGroups = batch.droppedGroups
    values = zip(estimate.values, batch.isIncluded).map { value, isIncluded in
      isIncluded ? min(max(value, -configuration.clip), configuration.clip) : 0
    }
    degenerateGroups = batch.groups.indices.filter { group in
      !batch.groups[group].isEmpty && zip(estimate.degenerate, estimate.weights).allSatisfy { $1 == 0 || $0[group] }
    }
    self.rewards = rewards.indices.map { Self.report(rewards[$0], $0, batch, configuration) }
  }

  private static func validate(
    _ rewards: [[Double]], _ groupSize: Int, _ configuration: AdvantageConfiguration
  ) throws(MixGRPOError) {
    var validation = Validation()
    validation.include { () throws(MixGRPOError) in try configuration.validate(rewards: rewards.count) }
    validation.require(groupSize >= 2, "group_size", expected: "2 or more", got: groupSize)
    let counts = rewards.map(\.count)
    validation.require(
      counts.allSatisfy { $0 == counts[0] && $0 > 0 && (groupSize < 2 || $0 % groupSize == 0) }, "rewards",
      expected: "for each reward the same number of values, a multiple of group_size \(groupSize)", got: counts)
    try validation.throwIfAny()
  }

  private static func report(
    _ values: [Double], _ reward: Int, _ batch: RewardBatch, _ configuration: AdvantageConfiguration
  ) -> Reward {
    let arrived = values.filter(\.isFinite)
    let statistics = RewardStatistics(arrived)
    let degenerate = batch.groups.indices.filter { group in
      let members = batch.groups[group].map { values[$0] }
      return !members.isEmpty && members.allSatisfy(\.isFinite)
        && RewardStatistics(members).isDegenerate(tolerance: configuration.degenerateTolerance)
    }
    return Reward(
      mean: statistics.mean, standardDeviation: statistics.standardDeviation, failures: values.count - arrived.count,
      degenerateGroups: degenerate)
  }
}

/// Rewards and the indices of included samples by group.
struct RewardBatch {
  let rewards: [[Double]]  // (K, P·G)
  let weights: [Double]  // (K)
  let isIncluded: [Bool]  // (P·G)
  let groups: [[Int]]
  let droppedGroups: [Int]

  init(_ rewards: [[Double]], groupSize: Int, weights: [Double]) {
    self.rewards = rewards
    self.weights = weights
    let samples = rewards.first?.count ?? 0
    let weighted = zip(rewards, weights).filter { $1 > 0 }.map(\.0)
    let isComplete = (0..<samples).map { sample in weighted.allSatisfy { $0[sample].isFinite } }
    let complete = (0..<samples / groupSize).map { group in
      (group * groupSize..<(group + 1) * groupSize).filter { isComplete[$0] }
    }
    groups = complete.map { $0.count < 2 ? [] : $0 }
    droppedGroups = complete.indices.filter { complete[$0].count < 2 }
    var isIncluded = [Bool](repeating: false, count: samples)
    for sample in groups.joined() { isIncluded[sample] = true }
    self.isIncluded = isIncluded
  }
}
