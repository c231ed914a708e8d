import MixBasics
import MixLearning
import TestSupport
import Testing

@Suite struct EvaluationRecordTests {
  private static let rewards = [EvaluationReward("trained"), EvaluationReward("held", weight: 0, isHeldOut: true)]

  private func record(
    _ action: WatchdogAction = .warn, patience: Int = 2, minimumDelta: Double = 0, rewards: [EvaluationReward] = rewards
  ) throws -> EvaluationRecord {
    try EvaluationRecord(
      rewards: rewards, watchdog: Watchdog(action: action, patience: patience, minimumDelta: minimumDelta))
  }

  /// Two scores around each mean, with standard deviation √2·spread.
  private func scores(_ means: [Double], spread: Double = 1) -> [[Double]] { means.map { [$0 - spread, $0 + spread] } }

  private func run(_ record: EvaluationRecord, _ evaluations: [[Double]]) throws -> [EvaluationResult] {
    var state = EvaluationRecord.State(rewards: record.rewards.count)
    return try evaluations.enumerated().map { index, means in
      let (next, result) = try record.advance(state, iteration: 10 * index, scores: scores(means))
      state = next
      return result
    }
  }

  @Test func theWatchdogTriggersWhenTheTrainedRewardRisesAndTheHeldOutOneFalls() throws {
    let evaluations = [[0.0, 5], [1, 6], [2, 5.9], [3, 5.8], [4, 5.7]]
    let results = try run(try record(), evaluations)
    #expect(results.map(\.worsening) == [0, 0, 1, 2, 3])
    #expect(results.map(\.verdict) == [.goOn, .goOn, .goOn, .warn, .warn])
    #expect(results.map(\.message.isEmpty) == [true, true, true, false, false])
    // In standard deviations of √2: (3 − 1)/√2 and (6 − 5.8)/√2.
    #expect(
      results[3].message == "iteration 30: trained rewards rose by 1.41 and held-out rewards fell by 0.14 standard deviations "
        + "since iteration 10, in 2 evaluations in a row")
    #expect(try run(try record(.stop), evaluations).last?.verdict == .stop)
    #expect(try run(try record(.off), evaluations).last?.verdict == .goOn)
    #expect(try run(try record(patience: 4), evaluations).last?.verdict == .goOn)
  }

  @Test(arguments: [
    [[0.0, 5], [1, 6], [2, 7], [3, 8]],  // both rise
    [[0.0, 5], [-1, 4], [-2, 3], [-3, 2]],  // both fall
    [[0.0, 5], [-1, 6], [-2, 7], [-3, 8]],  // the trained one falls
    [[0.0, 5], [0, 4], [0, 3], [0, 2]],  // the trained one stays
    [[0.0, 5], [1, 4], [2, 5.1], [3, 4]],  // it recovers between
    [[0.0, 5], [1, 4], [.nan, 3], [3, .nan]],  // too little is known
  ])
  func theWatchdogDoesNotTriggerOtherwise(evaluations: [[Double]]) throws {
    #expect(try run(try record(), evaluations).allSatisfy { $0.verdict == .goOn })
  }

  @Test func anEvaluationWithoutScoresLeavesTheWatchdogAsItIs() throws {
    let results = try run(try record(), [[0, 5], [1, 4], [.nan, 4], [2, 3]])
    #expect(results.map(\.worsening) == [0, 1, 1, 2])
    #expect(results.last?.verdict == .warn)
  }

  @Test func aChangeCountsInStandardDeviationsOfTheFirstEvaluation() throws {
    // The standard deviation at the first evaluation is √2: a fall by 1 is 0.707 of it.
    let evaluations = [[0.0, 5], [2, 4], [2, 4]]
    #expect(try run(try record(minimumDelta: 0.70), evaluations).last?.verdict == .warn)
    #expect(try run(try record(minimumDelta: 0.71), evaluations).last?.verdict == .goOn)
  }

  @Test func aRiseBelowTheSmallestChangeIsNotSuspicious() throws {
    // A rise by 1 is 0.707 standard deviations, a fall by 3 is 2.12.
    let evaluations = [[0.0, 5], [1, 2], [1, 2]]
    #expect(try run(try record(minimumDelta: 0.70), evaluations).last?.verdict == .warn)
    #expect(try run(try record(minimumDelta: 0.71), evaluations).last?.verdict == .goOn)
  }

  @Test func rewardsOfDifferentScaleCountAlike() throws {
    let rewards = [
      EvaluationReward("trained"), EvaluationReward("large", isHeldOut: true), EvaluationReward("small", isHeldOut: true),
    ]
    let record = try record(patience: 1, rewards: rewards)
    var state = EvaluationRecord.State(rewards: 3)
    (state, _) = try record.advance(state, iteration: 0, scores: [[0, 1], [0, 1000], [0, 1]])
    // The small one falls by more standard deviations than the large one rises.
    let (_, result) = try record.advance(state, iteration: 1, scores: [[1, 2], [100, 1100], [-0.2, 0.8]])
    #expect(result.verdict == .warn)
  }

  @Test func theBestIsTheHighestWeightedMean() throws {
    let rewards = [EvaluationReward("a", weight: 3), EvaluationReward("b", weight: 1), EvaluationReward("c", weight: 0)]
    let results = try run(
      try record(.off, rewards: rewards), [[1, 1, 9], [1, 3, 0], [2, -1, .nan], [2, .nan, 0], [2, 0, 0]])
    #expect(results.map(\.isBest) == [true, true, false, false, false])
    #expect(results.map(\.bestIteration) == [0, 10, 10, 10, 10])
    #expect(results[1].score == 1.5 && results[2].score == 1.25 && results[3].score.isNaN && results[4].bestScore == 1.5)
    #expect(results[3].failures == 2)
  }

  @Test func unfitRecordsAreErrorsThatNameTheField() throws {
    for (rewards, watchdog, field) in [
      ([], Watchdog(), "reward_names"), ([EvaluationReward("a"), EvaluationReward("a")], Watchdog(), "reward_names"),
      ([EvaluationReward("a", weight: 0)], Watchdog(), "weights"),
      ([EvaluationReward("a", weight: .nan)], Watchdog(), "weights"),
      ([EvaluationReward("a", weight: 2), EvaluationReward("b", weight: -1)], Watchdog(), "weights"),
      ([EvaluationReward("a")], Watchdog(action: .warn), "held_out"),
      ([EvaluationReward("a", isHeldOut: true)], Watchdog(action: .stop), "held_out"),
      (Self.rewards, Watchdog(patience: 0), "watchdog_patience"),
      (Self.rewards, Watchdog(minimumDelta: .nan), "watchdog_minimum_delta"),
    ] as [([EvaluationReward], Watchdog, String)] {
      let error = #expect(throws: MixGRPOError.self) { try EvaluationRecord(rewards: rewards, watchdog: watchdog) }
      #expect(error?.message.contains(field) == true)
    }
    let record = try record()
    let (state, _) = try record.advance(EvaluationRecord.State(rewards: 2), iteration: 3, scores: scores([1, 1]))
    #expect(try errorCode { try record.advance(state, iteration: 3, scores: scores([1, 1])) } == .invalidArgument)
    #expect(try errorCode { try record.advance(state, iteration: 4, scores: scores([1])) } == .invalidArgument)
  }
}
