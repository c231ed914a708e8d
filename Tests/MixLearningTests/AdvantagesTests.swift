import Testing

@testable import MixLearning

@Suite struct AdvantagesTests {
  private func advantages(
    _ rewards: [[Double]], _ groupSize: Int, _ change: (inout AdvantageConfiguration) -> Void = { _ in }
  ) throws -> Advantages {
    var configuration = AdvantageConfiguration()
    change(&configuration)
    return try Advantages(rewards: rewards, groupSize: groupSize, configuration: configuration)
  }

  private func expect(_ found: [Double], _ expected: [Double], tolerance: Double = 1e-6) {
    #expect(found.count == expected.count)
    for (a, b) in zip(found, expected) { #expect(abs(a - b) <= tolerance, "\(found) is not \(expected)") }
  }

  // Group (1, 2, 3, 4): mean 2.5, std √(5/3) = 1.290994; group (0, 0, 0, 8): mean 2, std 4.
  private let twoGroups = [1.0, 2, 3, 4, 0, 0, 0, 8]
  private let ofTwoGroups = [-1.161895, -0.387298, 0.387298, 1.161895, -0.5, -0.5, -0.5, 1.5]

  @Test func eachGroupIsNormalisedByItsOwnMeanAndStandardDeviation() throws {
    let found = try advantages([twoGroups], 4)
    expect(found.values, ofTwoGroups)
    #expect(found.includedCount == 8 && found.degenerateGroups.isEmpty && found.droppedGroups.isEmpty)
    // All eight: mean 2.25, squares 30 + 64 − 8·2.25² = 53.5, std √(53.5/7)
    #expect(abs(found.rewards[0].mean - 2.25) <= 1e-12)
    #expect(abs(found.rewards[0].standardDeviation - 2.764572) <= 1e-6)
  }

  @Test func advantageAggregationAveragesNormalisedRewardsByWeight() throws {
    // Second reward (4, 2, 2, 0): mean 2, std √(8/3) = 1.632993, normalised (1.224745, 0, 0, −1.224745).
    let found = try advantages([[1, 2, 3, 4], [4, 2, 2, 0]], 4) { $0.weights = [3, 1] }
    expect(found.values, [-0.565235, -0.290474, 0.290474, 0.565235])
  }

  @Test func rewardAggregationNormalisesTheWeightedSumOnce() throws {
    // 3·(1, 2, 3, 4) + (4, 2, 2, 0) = (7, 8, 11, 12): mean 9.5, squares 6.25 + 2.25 + 2.25 + 6.25 = 17, std √(17/3) = 2.380476
    let found = try advantages([[1, 2, 3, 4], [4, 2, 2, 0]], 4) {
      $0.weights = [3, 1]
      $0.aggregation = .rewards
    }
    expect(found.values, [-1.050210, -0.630126, 0.630126, 1.050210])
  }

  @Test func batchSpreadDividesByTheStandardDeviationOfAll() throws {
    let found = try advantages([twoGroups], 4) { $0.spread = .batch }
    expect(found.values, [-1.5, -0.5, 0.5, 1.5, -2, -2, -2, 6].map { min($0 / 2.764572, 5) })
  }

  @Test func trimmingLeavesTheExtremesOutOfMeanAndDeviation() throws {
    // (−100, 1, 2, 3, 100) without its ends: mean 2, std 1; the ends are clipped at ±5.
    let found = try advantages([[-100, 1, 2, 3, 100]], 5) { $0.trim = 0.2 }
    expect(found.values, [-5, -1, 0, 1, 5])
  }

  @Test func trimmingKeepsAtLeastTwoValues() {
    #expect(RewardStatistics([1, 2, 30], trim: 0.4).mean == 11)
    #expect(RewardStatistics([1, 2, 3, 40], trim: 0.4).mean == 2.5)
    #expect(RewardStatistics([1, 40], trim: 0.49).mean == 20.5)
  }

  @Test func aLargeMeanDoesNotSwallowTheDeviation() {
    let statistics = RewardStatistics([1e8, 1e8, 1e8 + 1])
    #expect(abs(statistics.standardDeviation - 0.57735026919) <= 1e-6)
  }

  @Test func decoupledAdvantagesAreWhitenedOverTheBatch() throws {
    // Sums of the normalised values: their mean is 0, their squares 3 + 3, so std √(6/7) = 0.925820.
    let found = try advantages([twoGroups], 4) { $0.aggregation = .decoupled }
    expect(found.values, ofTwoGroups.map { $0 / 0.925820 })
  }

  @Test func whiteningDividesByTheDeviationAndEpsilon() throws {
    // One group with rewards of standard deviation 2e−8: normalised by std + 1e−8 they have s = 2/3, whitened 1/(s + 1e−8) of it.
    let found = try advantages([[0, 2e-8, 4e-8]], 3) {
      $0.aggregation = .decoupled
      $0.degenerateTolerance = 0
    }
    let spread = 2.0 / 3
    for (value, wanted) in zip(found.values, [-spread, 0, spread]) {
      #expect(abs(value - wanted / (spread + 1e-8)) <= 1e-12)
    }
  }

  @Test func whiteningLeavesValuesWithoutSpreadAtZero() throws {
    let found = try advantages([[1, 1, 1, 2, 2, 2]], 3) { $0.aggregation = .decoupled }
    #expect(found.values.allSatisfy { $0 == 0 } && found.degenerateGroups == [0, 1])
  }

  @Test func advantagesAreClipped() throws {
    let rewards = [Double](repeating: 0, count: 99) + [1]
    #expect(try advantages([rewards], 100).values[99] == 5)
    #expect(abs(try advantages([rewards], 100) { $0.clip = .infinity }.values[99] - 9.9) <= 1e-6)
  }

  // MARK: Failures and ties

  @Test(arguments: [Double.nan, .infinity, -.infinity])
  func aSampleWithAFailedRewardIsExcludedFromEverything(failed: Double) throws {
    let found = try advantages([[1, failed, 2, 3], [5, 1000, 7, 6]], 4)
    // (1, 2, 3) → (−1, 0, 1); (5, 7, 6) → (−1, 1, 0); the sample with the failure counts in neither.
    expect(found.values, [-1, 0, 0.5, 0.5])
    #expect(found.isIncluded == [true, false, true, true])
    #expect(found.rewards.map(\.failures) == [1, 0])
    #expect(abs(found.rewards[0].mean - 2) <= 1e-12 && abs(found.rewards[1].mean - 254.5) <= 1e-12)
  }

  @Test func aFailureOfARewardWithoutWeightIsOnlyReported() throws {
    let found = try advantages([[1, 2, 3], [.nan, .nan, .nan]], 3) { $0.weights = [1, 0] }
    expect(found.values, [-1, 0, 1])
    #expect(found.includedCount == 3 && found.rewards[1].failures == 3 && found.rewards[1].mean.isNaN)
  }

  @Test func aGroupMayHaveTwoMembers() throws {
    expect(try advantages([[1, 3]], 2).values, [-0.707107, 0.707107])
  }

  @Test func aGroupWithTwoRewardsIsKept() throws {
    let found = try advantages([[1, .nan, 3]], 3)
    #expect(found.isIncluded == [true, false, true] && found.droppedGroups.isEmpty)
    expect(found.values, [-0.707107, 0, 0.707107])
  }

  @Test func aGroupWithFewerThanTwoRewardsIsDropped() throws {
    let found = try advantages([[1, .nan, .nan, 1, 2, 3]], 3)
    #expect(found.droppedGroups == [0] && found.isIncluded == [false, false, false, true, true, true])
    expect(found.values, [0, 0, 0, -1, 0, 1])
  }

  @Test(arguments: AdvantageAggregation.allCases, AdvantageSpread.allCases)
  func nearlyEqualRewardsGiveZeroAndAreReported(aggregation: AdvantageAggregation, spread: AdvantageSpread) throws {
    let almost = 0.3 + 1e-9
    let found = try advantages([[0.3, almost, 0.3, 1, 2, 3]], 3) {
      $0.aggregation = aggregation
      $0.spread = spread
    }
    #expect(found.values[..<3] == [0, 0, 0] && found.values[5] > 0.5)
    #expect(found.degenerateGroups == [0] && found.rewards[0].degenerateGroups == [0] && found.includedCount == 6)
  }

  @Test func smallButRealDifferencesAreKept() throws {
    let found = try advantages([[1e-5, 2e-5, 3e-5]], 3)
    #expect(found.degenerateGroups.isEmpty && abs(found.values[2] - 1) <= 2e-3)
  }

  @Test(arguments: [1e-160, 1e-200, Double.leastNonzeroMagnitude, 1e-9])
  func differencesBelowEpsilonGiveNoAdvantageButTheirDeviationIsReported(difference: Double) throws {
    let found = try advantages([[0, difference, 0, difference]], 4) { $0.degenerateTolerance = 0 }
    #expect(found.values == [0, 0, 0, 0] && found.degenerateGroups == [0])
    // Squares of 1e−160 underflow; the deviation is √(1/3) of the difference.
    let deviation = found.rewards[0].standardDeviation
    #expect(deviation > 0 && abs(deviation - difference * 0.57735026919) <= 1e-6 * difference + Double.leastNonzeroMagnitude)
    let mean = found.rewards[0].mean
    #expect(abs(mean - difference / 2) <= Double.leastNonzeroMagnitude)
  }

  @Test(arguments: [1e-200, 0.1, 3e300])
  func equalRewardsHaveNoDeviation(reward: Double) {
    let statistics = RewardStatistics([reward, reward, reward, reward])
    #expect(statistics.standardDeviation == 0 && abs(statistics.mean / reward - 1) <= 1e-15)
  }

  @Test(arguments: [0x1p520, 0x1p-10, 0x1p1000])
  func advantagesDoNotDependOnAPowerOfTwoThatScalesTheRewards(scale: Double) throws {
    let rewards = [3.0, 1, 2, -5, 0.5, 0.25, 7, 7.5]
    let wanted = try advantages([rewards.map { $0 * 0x1p20 }], 4)
    let found = try advantages([rewards.map { $0 * scale }], 4)
    #expect(found.degenerateGroups.isEmpty)
    #expect(zip(found.values, wanted.values).allSatisfy { abs($0 - $1) <= 1e-4 })
  }

  @Test(arguments: AdvantageAggregation.allCases)
  func hugeRewardsNeverGiveNaN(aggregation: AdvantageAggregation) throws {
    let huge = Double.greatestFiniteMagnitude
    let found = try advantages([[huge, huge, -huge, 0], [huge, 1, 2, 3]], 4) { $0.aggregation = aggregation }
    #expect(found.values.allSatisfy { abs($0) <= 5 })
  }

  // MARK: Bad input

  @Test func unfitInputIsAnErrorThatNamesEveryField() {
    func message(_ rewards: [[Double]], _ groupSize: Int, _ change: (inout AdvantageConfiguration) -> Void = { _ in }) -> String
    {
      failure { _ = try advantages(rewards, groupSize, change) }?.message ?? ""
    }
    #expect(message([[1, 2]], 1).contains("group_size"))
    #expect(message([], 2).contains("rewards"))
    #expect(message([[]], 2).contains("rewards"))
    #expect(message([[1, 2, 3]], 2).contains("rewards"))
    #expect(message([[1, 2], [1, 2, 3, 4]], 2).contains("rewards"))
    #expect(message([[1, 2]], 2) { $0.clip = 0 }.contains("advantage_clip: expected a value above 0"))
    #expect(message([[1, 2]], 2) { $0.weights = [0] }.contains("weights"))
    #expect(message([[1, 2]], 2) { $0.weights = [1, 1] }.contains("weights"))
    #expect(message([[1, 2], [1, 2]], 2) { $0.weights = [2, -1] }.contains("weights"))
    let both = message([[1, 2]], 2) {
      $0.trim = 0.5
      $0.clip = .nan
    }
    #expect(both.contains("trim_fraction") && both.contains("advantage_clip"))
  }
}
