import Testing

@testable import MixSampling

@Suite struct WindowTests {
  @Test func anIterationIsAtLeastZero() throws {
    let schedule = try WindowSchedule(.random, length: 2, steps: 7, seed: 0)
    #expect(failure { _ = try schedule.window(iteration: -1) }?.message.contains("iteration: expected 0 or more") == true)
    #expect(failure { _ = try schedule.forecast(iteration: -1) }?.message.contains("iteration: expected 0 or more") == true)
    let given = try WindowSchedule(.given, length: 2, steps: 7, seed: 0)
    #expect(try given.forecast(iteration: 3) == SDEWindow(start: 0, length: 2))
  }

  private func starts(_ mode: WindowMode, steps: Int = 7, length: Int = 2, count: Int, seed: UInt64 = 0) throws -> [Int] {
    let schedule = try WindowSchedule(mode, length: length, steps: steps, seed: seed)
    return try (0..<count).map { try schedule.window(iteration: $0).start }
  }

  // T = 7, w = 2: starts 0 … 4.
  @Test(arguments: [
    (WindowMode.frozen(start: 3), [3, 3, 3]),
    (.progressive(interval: 2, stride: 1, atEnd: .rollBack), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 0, 0, 1]),
    (.progressive(interval: 1, stride: 3, atEnd: .rollBack), [0, 3, 0, 3]),
    (.progressive(interval: 1, stride: 2, atEnd: .stay), [0, 2, 4, 4, 4]),
    (.progressive(interval: 1, stride: 3, atEnd: .stay), [0, 3, 4, 4]),
    // τ(l) = max(1, ⌊5(1−l/4) + l/4⌋) = 5, 4, 3, 2, 1
    (
      .linearDecay(minimumInterval: 1, maximumInterval: 5, stride: 1, atEnd: .rollBack),
      [0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 0, 0]
    ),
    // τ(l) = ⌈4e^{−max(0, l−1)}⌉ = 4, 4, 2, 1, 1
    (
      .exponentialDecay(initialInterval: 4, rate: 1, threshold: 1, stride: 1, atEnd: .stay),
      [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 4, 4, 4]
    ),
    (.all(.full), [0, 0, 0]),
  ])
  func windowsMoveAsTheTableSays(mode: WindowMode, expected: [Int]) throws {
    #expect(try starts(mode, count: expected.count) == expected)
  }

  @Test(arguments: [
    WindowMode.frozen(start: 3), .progressive(interval: 7, stride: 2, atEnd: .stay),
    .linearDecay(minimumInterval: 2, maximumInterval: 9, stride: 3, atEnd: .rollBack),
    .exponentialDecay(initialInterval: 8, rate: 0.25, threshold: 5, stride: 2, atEnd: .stay), .random, .given,
    .all(.firstFraction(0.5)),
    .adaptive(AdaptiveInterval(minimum: 2, maximum: 9, trend: 4, minimumGain: 0.25), stride: 2, atEnd: .stay),
  ])
  func eachModeKeepsItsValuesInTheFlatRecord(mode: WindowMode) throws {
    var configuration = SamplingConfiguration()
    configuration.windowMode = mode
    #expect(try SamplingConfiguration(configuration.record).windowMode == mode)
  }

  @Test func randomWindowsCoverTheirRangeAndDependOnSeedAndIterationAlone() throws {
    let first = try starts(.random, count: 400, seed: 3)
    #expect(Set(first) == Set(0...4))
    #expect(try starts(.random, count: 400, seed: 3) == first)
    #expect(try starts(.random, count: 400, seed: 4) != first)
    let schedule = try WindowSchedule(.random, length: 2, steps: 7, seed: 3)
    #expect(try schedule.window(iteration: 123).start == first[123])
  }

  @Test(
    arguments: [
      WindowMode.standard, .progressive(interval: 3, stride: 7, atEnd: .stay), .random,
      .linearDecay(minimumInterval: 2, maximumInterval: 9, stride: 4, atEnd: .rollBack),
      .exponentialDecay(initialInterval: 20, rate: 0.1, threshold: 13, stride: 1, atEnd: .rollBack), .all(.randomSubset(0.6)),
    ], [2, 5, 25])
  func theWindowIsAlwaysWholeAndNeverHoldsTheLastStep(mode: WindowMode, steps: Int) throws {
    for length in 1..<min(steps, 6) {
      let schedule = try WindowSchedule(mode, length: length, steps: steps, seed: 1)
      for iteration in [0, 1, 2, 24, 25, 99, 524, 525, 10_000, .max] {
        let window = try schedule.window(iteration: iteration)
        #expect(window.length == schedule.length && window.start >= 0 && window.steps.upperBound <= steps - 1)
      }
    }
  }

  @Test func trainedStepsOfAllAreTheAskedShare() throws {
    func trained(_ subset: TrainedSubset, iteration: Int = 0) throws -> [Int] {
      let schedule = try WindowSchedule(.all(subset), length: 4, steps: 25, seed: 9)
      return schedule.trainedSteps(of: try schedule.window(iteration: iteration), iteration: iteration)
    }
    #expect(try trained(.full) == Array(0..<24))
    #expect(try trained(.firstFraction(0.6)) == Array(0..<14))
    #expect(try trained(.firstFraction(1e-6)) == [0])
    let random = try trained(.randomSubset(0.6))
    #expect(random.count == 14 && random.allSatisfy { (0..<24).contains($0) } && random == random.sorted())
    #expect(try trained(.randomSubset(0.6), iteration: 1) != random)
  }

  @Test(arguments: [
    (WindowMode.frozen(start: -1), "window_start"), (.frozen(start: 5), "window_start"),
    (.progressive(interval: 0, stride: 1, atEnd: .stay), "window_interval"),
    (.progressive(interval: 1, stride: 0, atEnd: .stay), "window_stride"),
    (.linearDecay(minimumInterval: 3, maximumInterval: 2, stride: 1, atEnd: .stay), "window_minimum_interval"),
    (.exponentialDecay(initialInterval: 3, rate: .nan, threshold: 0, stride: 1, atEnd: .stay), "window_decay_rate"),
    (.exponentialDecay(initialInterval: 3, rate: 0, threshold: -1, stride: 1, atEnd: .stay), "window_decay_threshold"),
    (.all(.firstFraction(0)), "trained_fraction"), (.all(.randomSubset(1.1)), "trained_fraction"),
  ])
  func unfitModesAreErrorsThatNameTheField(mode: WindowMode, field: String) {
    let error = failure { _ = try WindowSchedule(mode, length: 2, steps: 7, seed: 0) }
    #expect(error?.message.contains(field) == true)
  }

  @Test(arguments: [0, -1, 7, Int.max])
  func anUnfitLengthIsAnError(length: Int) {
    #expect(failure { _ = try WindowSchedule(.random, length: length, steps: 7, seed: 0) } != nil)
  }

  @Test func givenWindowsAreTheCallers() throws {
    let schedule = try WindowSchedule(.given, length: 2, steps: 7, seed: 0)
    #expect(failure { _ = try schedule.window(iteration: 0) }?.message.contains("window") == true)
    try schedule.check(SDEWindow(start: 4, length: 2))
    #expect(failure { try schedule.check(SDEWindow(start: 5, length: 2)) } != nil)
    #expect(failure { try schedule.check(SDEWindow(start: 0, length: 3)) } != nil)
  }
}
