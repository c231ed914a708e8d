import Testing

@testable import MixSampling

@Suite struct GaussianMarginalTests {
  static let dynamics = [
    Dynamics.flow(noiseLevel: 0.7), .dance(noiseLevel: 0.5), .coefficientPreserving(noiseLevel: 0.7),
  ]

  private func plan(_ dynamics: Dynamics, steps: Int, _ change: (inout SamplingConfiguration) -> Void = { _ in }) throws
    -> SamplingPlan
  {
    var configuration = SamplingConfiguration()
    configuration.schedule = .shifted(steps: steps, shift: 3)
    configuration.dynamics = dynamics
    configuration.windowMode = .all(.full)
    change(&configuration)
    return try SamplingPlan(configuration, iteration: 5)
  }

  private func moments(_ values: [Float]) -> (mean: Double, variance: Double) {
    let count = Double(values.count)
    let mean = values.reduce(0) { $0 + Double($1) } / count
    return (mean, values.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / (count - 1))
  }

  /// A stochastic differential equation with the flow's marginals reaches the data's distribution as steps shrink.
  @Test(arguments: [Dynamics.flow(noiseLevel: 0.7), .dance(noiseLevel: 0.5)])
  func stochasticEquationsReachTheDataAsStepsShrink(dynamics: Dynamics) throws {
    let flow = GaussianFlow()
    func errors(_ steps: Int) throws -> (Double, Double) {
      let end = flow.moments(after: try plan(dynamics, steps: steps).transitions)
      return (abs(end.mean - flow.mean), abs(end.variance - flow.deviation * flow.deviation))
    }
    let (coarse, fine) = (try errors(400), try errors(1600))
    #expect(fine.0 <= 2e-3 && fine.1 <= 2e-3, "\(fine)")
    #expect(fine.1 <= 0.35 * coarse.1, "\(coarse) \(fine)")
  }

  /// For a data point without spread the velocity is exact at every x, and CPS must keep std(x)/σ = 1 at any step size.
  @Test func coefficientPreservingStepsKeepTheNoiseLevel() throws {
    let flow = GaussianFlow(mean: 0.3, deviation: 0)
    let transitions = try plan(.coefficientPreserving(noiseLevel: 0.8), steps: 10).transitions
    for count in 1..<10 {
      let moments = flow.moments(after: Array(transitions.prefix(count)))
      let sigma = transitions[count].sigma
      #expect(abs(moments.variance.squareRoot() / sigma - 1) <= 1e-12)
      #expect(abs(moments.mean - (1 - sigma) * flow.mean) <= 1e-12)
    }
  }

  /// The rollout's samples have the mean and variance that follow from the affine steps, within Monte-Carlo error.
  @Test(arguments: dynamics, [WindowMode.all(.full), .frozen(start: 0), .frozen(start: 9), .random])
  func samplesHaveTheExactMoments(dynamics: Dynamics, mode: WindowMode) throws {
    let flow = GaussianFlow()
    let plan = try plan(dynamics, steps: 20) {
      $0.windowMode = mode
      $0.sharedInitialNoise = false
      $0.seed = 17
    }
    let rollout = try makeRollout(plan, prompts: [0], latentSize: 4_000)
    try run(rollout) { x, sigma, _ in Float(flow.velocity(Double(x), Double(sigma))) }
    let (found, expected) = (moments(try samples(of: rollout)), flow.moments(after: plan.transitions))
    let count = Double(12 * 4_000)
    #expect(abs(found.mean - expected.mean) <= 5 * (expected.variance / count).squareRoot())
    #expect(abs(found.variance / expected.variance - 1) <= 5 * (2 / count).squareRoot())
  }

  @Test(arguments: Solver.allCases)
  func deterministicSamplersReachTheExactSolution(solver: Solver) throws {
    let flow = GaussianFlow()
    let plan = try SamplingPlan.deterministic(.shifted(steps: 160, shift: 3), solver: solver)
    let start: [Float] = (0..<37).map { Float($0 - 18) / 9 }
    let rollout = try makeRollout(plan, prompts: [0], initialNoise: start)
    try run(rollout) { x, sigma, _ in Float(flow.velocity(Double(x), Double(sigma))) }
    let samples = try samples(of: rollout)
    #expect(samples.count == start.count)
    let errors = zip(start, samples).map { abs(Double($1) - flow.solution(Double($0), from: 1, to: 0)) }
    let mean = errors.reduce(0, +) / Double(errors.count)
    #expect(mean <= (solver.order == 1 ? 2e-2 : 2e-3))
  }
}
