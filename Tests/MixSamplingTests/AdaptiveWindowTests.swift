import Testing

@testable import MixSampling

/// T = 7, w = 2: starts 0 … 4.
@Suite struct AdaptiveWindowTests {
  private func schedule(
    _ interval: AdaptiveInterval, stride: Int = 1, atEnd: WindowEnd = .rollBack
  ) throws -> WindowSchedule {
    try WindowSchedule(.adaptive(interval, stride: stride, atEnd: atEnd), length: 2, steps: 7, seed: 0)
  }

  /// The window's start in each iteration, when the reward of iteration i is `reward(i)` and its standard deviation `deviation`.
  private func starts(
    _ schedule: WindowSchedule, count: Int, deviation: Double = 1, reward: (Int) -> Double
  ) throws -> [Int] {
    var state = AdaptiveWindowState()
    return try (0..<count).map { iteration in
      let start = state.start
      try schedule.check(SDEWindow(start: start, length: schedule.length))
      state = try schedule.advance(state, rewardMean: reward(iteration), rewardDeviation: deviation)
      return start
    }
  }

  @Test func aFlatRewardMovesTheWindowAsSoonAsATrendIsKnown() throws {
    let schedule = try schedule(AdaptiveInterval(maximum: 9, trend: 3))
    #expect(try starts(schedule, count: 8) { _ in 0.5 } == [0, 0, 0, 1, 1, 1, 2, 2])
    let patient = try self.schedule(AdaptiveInterval(minimum: 5, maximum: 9, trend: 3))
    #expect(try starts(patient, count: 8) { _ in 0.5 } == [0, 0, 0, 0, 0, 1, 1, 1])
  }

  @Test func aRisingRewardHoldsTheWindowForItsLongest() throws {
    let schedule = try schedule(AdaptiveInterval(maximum: 6, trend: 3, minimumGain: 0.1))
    #expect(try starts(schedule, count: 9) { 0.2 * Double($0) } == [0, 0, 0, 0, 0, 0, 1, 1, 1])
    // The same rise is no gain beside a spread of 4.
    #expect(try starts(schedule, count: 9, deviation: 4) { 0.2 * Double($0) } == [0, 0, 0, 1, 1, 1, 2, 2, 2])
  }

  @Test func aGainOfExactlyTheMinimumHoldsTheWindow() throws {
    // Without a rise the gain is exactly 0.
    let schedule = try schedule(AdaptiveInterval(maximum: 6, trend: 3, minimumGain: 0))
    #expect(try starts(schedule, count: 7) { _ in 0.5 } == [0, 0, 0, 0, 0, 0, 1])
  }

  @Test func ratherThanInfinityTheGainOfIterationsOfOneAgeIsNaN() {
    var state = AdaptiveWindowState()
    state.iterations = 2
    (state.sums.weight, state.sums.age, state.sums.squaredAge, state.sums.reward) = (1, 1, 1, 1)
    #expect(state.gain.isNaN)
  }

  @Test func aStateComesBackFromItsText() throws {
    let schedule = try schedule(AdaptiveInterval(maximum: 100, trend: 5))
    var state = AdaptiveWindowState()
    for reward in [0.1, 1 / 3.0, -2e-7] { state = try schedule.advance(state, rewardMean: reward, rewardDeviation: 0.3) }
    #expect(AdaptiveWindowState(text: state.text) == state)
    let words = state.text.split(separator: " ").map(String.init)
    for index in words.indices {
      var wrong = words
      wrong[index] = "x"
      #expect(AdaptiveWindowState(text: wrong.joined(separator: " ")) == nil)
    }
    #expect(AdaptiveWindowState(text: words.dropLast().joined(separator: " ")) == nil)
    #expect(AdaptiveWindowState(text: state.text + " 1") == nil)
  }

  @Test func aRiseThatEndsMovesTheWindowSoonAfter() throws {
    let schedule = try schedule(AdaptiveInterval(maximum: 100, trend: 4, minimumGain: 0.02))
    let moved = try starts(schedule, count: 60) { min(Double($0), 20) * 0.1 }.firstIndex(of: 1)
    #expect(moved.map { (22...40).contains($0) } == true)
  }

  @Test func theGainIsTheSlopeOfALine() throws {
    let schedule = try schedule(AdaptiveInterval(maximum: 100, trend: 5, minimumGain: -1000))
    var state = AdaptiveWindowState()
    #expect(state.gain.isNaN)
    for iteration in 0..<50 {
      state = try schedule.advance(state, rewardMean: 1e4 - 0.3 * Double(iteration), rewardDeviation: 1)
    }
    #expect(abs(state.gain + 0.3) <= 1e-9)
  }

  @Test(arguments: [(Double.nan, 1.0), (.infinity, 1), (0.5, .nan), (0.5, 0), (0.5, -1), (1e308, .infinity)])
  func anIterationWithoutARewardDoesNotAdvance(mean: Double, deviation: Double) throws {
    let schedule = try schedule(AdaptiveInterval(trend: 3))
    let state = try schedule.advance(AdaptiveWindowState(), rewardMean: 0.5, rewardDeviation: 1)
    #expect(state.iterations == 1)
    #expect(try schedule.advance(state, rewardMean: mean, rewardDeviation: deviation) == state)
  }

  @Test func rewardsTooLargeToSumAreNotCounted() throws {
    let schedule = try schedule(AdaptiveInterval(maximum: 100, trend: 50))
    var state = AdaptiveWindowState()
    for reward in [1e308, -1e308, 1e308, 0.5] {
      state = try schedule.advance(state, rewardMean: reward, rewardDeviation: 1e308)
      try schedule.check(state)
    }
  }

  @Test(arguments: [
    (1, WindowEnd.rollBack, [0, 1, 2, 3, 4, 0, 1]), (3, .rollBack, [0, 3, 0, 3]), (3, .stay, [0, 3, 4, 4]),
    (1_000_000, .stay, [0, 4, 4]),
  ])
  func itsPlacesAreThoseOfAProgressiveWindow(stride: Int, atEnd: WindowEnd, expected: [Int]) throws {
    let schedule = try schedule(AdaptiveInterval(maximum: 1), stride: stride, atEnd: atEnd)
    #expect(try starts(schedule, count: expected.count) { Double($0) } == expected)
    let progressive = try WindowSchedule(
      .progressive(interval: 1, stride: stride, atEnd: atEnd), length: 2, steps: 7, seed: 0)
    #expect(try expected.indices.map { try progressive.window(iteration: $0).start } == expected)
    #expect(try expected.indices.map { try schedule.forecast(iteration: $0).start } == expected)
  }

  @Test func anInvalidStateIsAnError() throws {
    let schedule = try schedule(AdaptiveInterval())
    for (field, change) in [
      ("window_start", { $0.start = 5 }), ("window_start", { $0.start = -1 }), ("iterations", { $0.iterations = -1 }),
      ("iterations", { $0.iterations = .max }), ("sums", { $0.sums.age = .nan }), ("sums", { $0.firstReward = .infinity }),
    ] as [(String, (inout AdaptiveWindowState) -> Void)] {
      var state = AdaptiveWindowState()
      change(&state)
      let error = failure { _ = try schedule.advance(state, rewardMean: 0, rewardDeviation: 1) }
      #expect(error?.message.contains(field) == true)
    }
    var longest = AdaptiveWindowState()
    longest.iterations = 999_999
    #expect(failure { try schedule.check(longest) } == nil)
    longest.iterations += 1
    #expect(failure { try schedule.check(longest) } != nil)
    let other = try WindowSchedule(.random, length: 2, steps: 7, seed: 0)
    let error = failure { _ = try other.advance(AdaptiveWindowState(), rewardMean: 0, rewardDeviation: 1) }
    #expect(error?.message.contains("window_mode") == true)
  }

  @Test func allInvalidSettingsAreReportedTogether() throws {
    let interval = AdaptiveInterval(minimum: 9, maximum: 8, trend: 1, minimumGain: .nan)
    let error = failure { _ = try schedule(interval, stride: 0) }
    for field in ["window_minimum_interval", "window_trend", "window_minimum_gain", "window_stride"] {
      #expect(error?.message.contains(field) == true)
    }
  }

  @Test func anIterationAloneGivesNoWindow() throws {
    let schedule = try schedule(AdaptiveInterval())
    #expect(failure { _ = try schedule.window(iteration: 3) }?.message.contains("adaptive") == true)
  }
}
