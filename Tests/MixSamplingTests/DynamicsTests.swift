import Testing

@testable import MixSampling

@Suite struct DynamicsTests {
  static let kinds: [@Sendable (Double) -> Dynamics] = [
    { .flow(noiseLevel: $0) }, { .dance(noiseLevel: $0) }, { .coefficientPreserving(noiseLevel: $0) },
  ]

  @Test(arguments: 0..<3, [0, -0.5, 10.001, .nan, .infinity])
  func aNoiseLevelOutOfItsRangeIsNamed(kind: Int, level: Double) {
    let error = failure { try Self.kinds[kind](level).validate() }
    #expect(error?.code == .invalidArgument && error?.message.contains("noise_level") == true)
  }

  @Test(arguments: [0, 1], [Double.leastNonzeroMagnitude, 1, 10])
  func noiseLevelsUpToTenAreValid(kind: Int, level: Double) {
    #expect(failure { try Self.kinds[kind](level).validate() } == nil)
  }

  @Test func aCoefficientPreservingStepTurnsByAtMostARightAngle() {
    #expect(failure { try Dynamics.coefficientPreserving(noiseLevel: 1).validate() } == nil)
    for level in [1.001, 10] {
      let error = failure { try Dynamics.coefficientPreserving(noiseLevel: level).validate() }
      #expect(error?.message.contains("with the dynamics cps") == true)
    }
  }

  @Test func theOrderOfASolverIsTheDataPredictionsItUses() {
    #expect(Solver.allCases.map(\.order) == [1, 1, 2, 2, 3])
  }
}
