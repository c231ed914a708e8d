import Testing

@testable import MixBasics

struct ValidationTests {
  private func error(of body: () throws(MixGRPOError) -> Void) -> MixGRPOError? {
    do { try body() } catch { return error }
    return nil
  }

  @Test func allProblemsAreReportedTogetherInTheirOrder() throws {
    var check = Validation()
    check.require(false, "steps", expected: "1…1000", got: 0)
    check.require(true, "seed", expected: "any", got: 1)
    check.require(false, "shift", expected: "a positive number", got: -1.5)
    let found = try #require(error { () throws(MixGRPOError) in try check.throwIfAny() })
    #expect(found.code == .invalidArgument)
    #expect(found.message == "steps: expected 1…1000, got 0; shift: expected a positive number, got -1.5")
  }

  @Test func validSettingsThrowNothing() {
    var check = Validation()
    check.require(true, "steps", expected: "1…1000", got: 1)
    check.include { () throws(MixGRPOError) in try require(true, "seed", expected: "any", got: 1) }
    #expect(error { () throws(MixGRPOError) in try check.throwIfAny() } == nil)
  }

  @Test func faultOfAnotherKindComesBeforeWrongValues() throws {
    var check = Validation()
    check.require(false, "steps", expected: "1…1000", got: 0)
    check.include { () throws(MixGRPOError) in throw MixGRPOError(.outOfMemory, "memory: expected 9, got 1") }
    check.include { () throws(MixGRPOError) in throw MixGRPOError(.inputOutput, "later") }
    let found = try #require(error { () throws(MixGRPOError) in try check.throwIfAny() })
    #expect(found.code == .outOfMemory && found.message == "memory: expected 9, got 1")
  }

  @Test func problemsOfAPartAreReportedBesideTheOthers() throws {
    var check = Validation()
    check.include { () throws(MixGRPOError) in try require(false, "part", expected: "1", got: 2) }
    check.require(false, "whole", expected: "3", got: 4)
    let found = try #require(error { () throws(MixGRPOError) in try check.throwIfAny() })
    #expect(found.message == "part: expected 1, got 2; whole: expected 3, got 4")
  }
}
