/// Advantages before clipping, for the three ways to combine several rewards.
struct AdvantageEstimate {
  private static let epsilon = 1e-8

  let values: [Double]  // (P·G)
  /// For each normalised quantity and group, whether its values are equal for all samples.
  let degenerate: [[Bool]]
  let weights: [Double]

  init(_ batch: RewardBatch, _ configuration: AdvantageConfiguration) {
    let active = batch.weights.indices.filter { batch.weights[$0] > 0 }
    let activeWeights = active.map { batch.weights[$0] }
    let activeRewards = active.map { batch.rewards[$0] }
    let isJoinedFirst = configuration.aggregation == .rewards
    weights = isJoinedFirst ? [1] : activeWeights
    let quantities = isJoinedFirst ? [Self.weightedSum(activeRewards, activeWeights)] : activeRewards
    let normalised = quantities.map { Self.normalise($0, batch.groups, configuration) }
    degenerate = normalised.map(\.degenerate)
    let sum = Self.weightedSum(normalised.map(\.values), weights)
    switch configuration.aggregation {
    case .rewards: values = sum
    case .advantages:
      let total = weights.reduce(0, +)
      values = sum.map { $0 / total }
    case .decoupled: values = Self.whiten(sum, batch.groups, degenerate)
    }
  }

  private static func weightedSum(_ columns: [[Double]], _ weights: [Double]) -> [Double] {
    var sum = [Double](repeating: 0, count: columns.first?.count ?? 0)
    for (column, weight) in zip(columns, weights) {
      for index in sum.indices { sum[index] += weight * column[index] }
    }
    return sum
  }

  /// (R − group mean) / (std + 1e−8), 0 in degenerate groups.
  private static func normalise(
    _ rewards: [Double], _ groups: [[Int]], _ configuration: AdvantageConfiguration
  ) -> (values: [Double], degenerate: [Bool]) {
    var values = [Double](repeating: 0, count: rewards.count)
    var degenerate = [Bool](repeating: false, count: groups.count)
    let batch = RewardStatistics(groups.joined().map { rewards[$0] }, trim: configuration.trim)
    for (index, group) in groups.enumerated() where !group.isEmpty {
      let members = group.map { rewards[$0] }
      let statistics = RewardStatistics(members, trim: configuration.trim)
      let spread = configuration.spread == .batch ? batch : statistics
      degenerate[index] =
        RewardStatistics(members).isDegenerate(tolerance: configuration.degenerateTolerance)
        || spread.isDegenerate(tolerance: configuration.degenerateTolerance)
      guard !degenerate[index] else { continue }
      for (sample, reward) in zip(group, members) {
        values[sample] = deviation(reward, statistics.mean, spread.standardDeviation)
      }
    }
    return (values, degenerate)
  }

  /// (R − mean) / (std + 1e−8); halved first where the difference of two finite values would be infinite.
  private static func deviation(_ reward: Double, _ mean: Double, _ standardDeviation: Double) -> Double {
    let value = (reward - mean) / (standardDeviation + epsilon)
    return value.isFinite ? value : (reward / 2 - mean / 2) / (standardDeviation / 2)
  }

  /// Mean 0 and standard deviation 1 over all included samples, but 0 in degenerate groups.
  private static func whiten(_ values: [Double], _ groups: [[Int]], _ degenerate: [[Bool]]) -> [Double] {
    let statistics = RewardStatistics(groups.joined().map { values[$0] })
    var whitened = [Double](repeating: 0, count: values.count)
    guard !statistics.isDegenerate(tolerance: 0) else { return whitened }
    for (index, group) in groups.enumerated() where !degenerate.allSatisfy({ $0[index] }) {
      for sample in group {
        whitened[sample] = (values[sample] - statistics.mean) / (statistics.standardDeviation + epsilon)
      }
    }
    return whitened
  }
}
