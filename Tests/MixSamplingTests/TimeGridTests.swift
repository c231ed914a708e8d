import Testing

@testable import MixSampling

@Suite struct TimeGridTests {
  @Test func shiftedGridFollowsItsFormulaAndEndsExactly() throws {
    let grid = try TimeGrid(.shifted(steps: 25, shift: 3))
    #expect(grid.sigmas.count == 26 && grid.sigmas[0] == 1 && grid.sigmas[25] == 0)
    #expect(abs(grid.sigmas[1] - 2.88 / 2.92) <= 1e-15)
    #expect(abs(grid.sigmas[20] - 0.6 / 1.4) <= 1e-15)
    #expect(zip(grid.sigmas, grid.sigmas.dropFirst()).allSatisfy(>))
  }

  @Test func shiftOfOneIsTheEvenGrid() throws {
    let grid = try TimeGrid(.shifted(steps: 4, shift: 1))
    #expect(grid.sigmas == [1, 0.75, 0.5, 0.25, 0])
  }

  @Test(arguments: [0.1, 0.3, 0.7, 3, 7, 1e-3])
  func pureNoiseIsExactlyOneWithEveryShift(shift: Double) throws {
    let sigmas = try TimeGrid(.shifted(steps: 5, shift: shift)).sigmas
    #expect(sigmas[0] == 1 && sigmas[5] == 0)
    #expect(try TimeGrid(.resolutionShifted(steps: 5, imageTokens: 1)).sigmas[0] == 1)
  }

  @Test(arguments: [(256, 1.6487212707), (4096, 3.1581929097)])
  func resolutionShiftMeetsItsTwoAnchors(tokens: Int, exponential: Double) throws {
    let grid = try TimeGrid(.resolutionShifted(steps: 2, imageTokens: tokens))
    // σ = e^μ/(e^μ + 1/t − 1) at t = ½
    #expect(abs(grid.sigmas[1] - exponential / (exponential + 1)) <= 1e-10)
  }

  @Test(arguments: [0, 4, 17, 23])
  func aTailOfAsManyStepsIsTheGridItself(start: Int) throws {
    let shifted = try TimeGrid(.shifted(steps: 25, shift: 3))
    let tail = shifted.tail(from: start, steps: 25 - start)
    #expect(tail.count == shifted.sigmas[start...].count)
    for (a, b) in zip(tail, shifted.sigmas[start...]) {
      #expect(abs(a - b) <= 1e-15)
    }
    let own = try TimeGrid(.sigmas(shifted.sigmas.map { $0 * $0 }))
    #expect(own.tail(from: start, steps: 25 - start) == Array(own.sigmas[start...]))
  }

  @Test func aShorterTailOfGivenLevelsLiesBetweenThem() throws {
    let grid = try TimeGrid(.sigmas([1, 0.9, 0.5, 0.4, 0]))
    let tail = grid.tail(from: 1, steps: 2)
    #expect(tail[0] == 0.9 && tail[2] == 0)
    #expect(abs(tail[1] - 0.45) <= 1e-12)  // time 3/8 is halfway between the levels 0.5 and 0.4
  }

  @Test(arguments: [
    (TimeGrid.Schedule.shifted(steps: 0, shift: 3), "steps"), (.shifted(steps: 10_001, shift: 3), "steps"),
    (.shifted(steps: 5, shift: 0), "shift"), (.shifted(steps: 5, shift: .nan), "shift"),
    (.shifted(steps: 5, shift: .infinity), "shift"), (.resolutionShifted(steps: 5, imageTokens: 0), "image_tokens"),
    (.sigmas([]), "steps"), (.sigmas([1]), "steps"), (.sigmas([1, 1, 0]), "sigmas[1]: "),
    (.sigmas([1.1, 0]), "sigmas[0]: "), (.sigmas([1, 0.5]), "sigmas[1]: expected 0"), (.sigmas([1, .nan, 0]), "sigmas[1]: "),
    (.sigmas([1, 0.5, 0.7, 0]), "sigmas[2]: expected a value below sigmas[1] = 0.5, got 0.7"),
  ])
  func unfitSchedulesAreErrorsThatNameTheField(schedule: TimeGrid.Schedule, field: String) {
    let error = failure { _ = try TimeGrid(schedule) }
    #expect(error?.code == .invalidArgument && error?.message.contains(field) == true)
  }

  @Test(arguments: [0, -1, 1001, .nan])
  func aShiftOutsideItsRangeIsNamedOnce(shift: Double) throws {
    let error = try #require(failure { _ = try TimeGrid(.shifted(steps: 5, shift: shift)) })
    #expect(error.message.hasPrefix("shift: expected") && !error.message.contains("; "))
  }
}
