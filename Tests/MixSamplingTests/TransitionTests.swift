import Glibc
import Testing

@testable import MixSampling

@Suite struct TransitionTests {
  static let dynamics: [@Sendable (Double) -> Dynamics] = [
    { .flow(noiseLevel: $0) }, { .dance(noiseLevel: $0) }, { .coefficientPreserving(noiseLevel: $0) },
  ]

  @Test(arguments: 0..<3, [(1.0, 0.98), (0.7, 0.6), (0.3, 0.05)])
  func withoutNoiseEachStochasticStepIsEulers(kind: Int, sigmas: (Double, Double)) throws {
    let step = try Transition.stochastic(Self.dynamics[kind](0), from: sigmas.0, to: sigmas.1)
    #expect(abs(step.latentScale - 1) <= 1e-15)
    #expect(abs(step.velocityScale - (sigmas.1 - sigmas.0)) <= 1e-15)
    #expect(step.noiseScale == 0)
  }

  @Test(arguments: [0.1, 0.3, 0.7, 1.3], [0.99, 0.9863013698630136, 0.5])
  func flowNoiseAtPureNoiseIsExactlyTheNoiseLevel(level: Double, next: Double) throws {
    #expect(try Transition.stochastic(.flow(noiseLevel: level), from: 1, to: next).noiseScale == level)
  }

  @Test func flowAndDanceFollowTheirFormulas() throws {
    let (sigma, next, level) = (0.6, 0.5, 0.7)
    let dt = next - sigma
    for (dynamics, g) in [
      (Dynamics.flow(noiseLevel: level), level * (sigma / (1 - sigma)).squareRoot()), (.dance(noiseLevel: level), level),
    ] {
      let step = try Transition.stochastic(dynamics, from: sigma, to: next)
      #expect(abs(step.latentScale - (1 + g * g * dt / (2 * sigma))) <= 1e-15)
      #expect(abs(step.velocityScale - (1 + g * g * (1 - sigma) / (2 * sigma)) * dt) <= 1e-15)
      #expect(abs(step.noiseScale - g * (-dt).squareRoot()) <= 1e-15)
    }
  }

  @Test(arguments: [0.2, 0.7, 1.0])
  func coefficientPreservingStepsKeepDataAndNoiseCoefficients(level: Double) throws {
    // x = (1−σ)x₀ + σε with v = ε − x₀ must become (1−σ')x₀ + √(σ'²−s²)ε + s·fresh.
    let (sigma, next) = (0.8, 0.7)
    let step = try Transition.stochastic(.coefficientPreserving(noiseLevel: level), from: sigma, to: next)
    let data = step.latentScale * (1 - sigma) - step.velocityScale
    let noise = step.latentScale * sigma + step.velocityScale
    #expect(abs(data - (1 - next)) <= 1e-15)
    #expect(abs((noise * noise + step.noiseScale * step.noiseScale).squareRoot() / next - 1) <= 1e-15)
    #expect(abs(step.noiseScale - next * sin(level * .pi / 2)) <= 1e-15)
  }

  /// The multistep formulas by divided differences, step by step.
  private func byDifferences(_ solver: Solver, _ s: [Double], _ x: Double, _ m: [Double]) -> Double {
    // s = σ', σ, σ₋₁, σ₋₂; m = m₀, m₁, m₂
    func lambda(_ sigma: Double) -> Double { log((1 - sigma) / sigma) }
    let h = lambda(s[0]) - lambda(s[1])
    let (h0, h1) = (lambda(s[1]) - lambda(s[2]), lambda(s[2]) - lambda(s[3]))
    let (r0, r1, alpha, decay) = (h0 / h, h1 / h, 1 - s[0], exp(-h) - 1)
    let first = s[0] / s[1] * x - alpha * decay * m[0]
    let d10 = (m[0] - m[1]) / r0
    let d11 = (m[1] - m[2]) / r1
    let d1 = d10 + r0 / (r0 + r1) * (d10 - d11)
    let d2 = 2 * (d10 - d11) / (r0 + r1)
    switch solver {
    case .euler, .dpmSolver1: return first
    case .dpmSolver2Midpoint: return first - 0.5 * alpha * decay * d10
    case .dpmSolver2Heun: return first + alpha * (decay / h + 1) * d10
    case .dpmSolver3:
      return first + alpha * (decay / h + 1) * d1 - alpha * ((decay + h) / (h * h) - 0.5) * d2
    }
  }

  @Test(arguments: Solver.allCases)
  func multistepTransitionsEqualTheFormulasByDifferences(solver: Solver) throws {
    let sigmas = [0.9, 0.75, 0.55, 0.4] + (1...14).map { 0.4 * Double(14 - $0) / 14 }
    let (x, v, m1, m2) = (0.37, -0.81, 0.6, -0.2)
    let step = try Transition.deterministic(solver, sigmas: sigmas, step: 2)
    let value = step.latentScale * x + step.velocityScale * v + step.previousDataScale * m1 + step.earlierDataScale * m2
    let expected = byDifferences(solver, [0.4, 0.55, 0.75, 0.9], x, [x - 0.55 * v, m1, m2])
    #expect(abs(value - expected) <= 1e-13)
    #expect(step.kind.rawValue == solver.rawValue)
  }

  @Test(arguments: [(Solver.euler, 1.0), (.dpmSolver1, 1), (.dpmSolver2Midpoint, 2), (.dpmSolver2Heun, 2), (.dpmSolver3, 3)])
  func solversConvergeWithTheirOrder(solver: Solver, order: Double) throws {
    let flow = GaussianFlow(mean: 0.8, deviation: 0.3)
    func error(_ count: Int) throws -> Double {
      // From σ = 0.8 to 0.3, then far away from the end, where orders are lowered; the first two steps are exact.
      let inner = (0...count).map { 0.8 - 0.5 * Double($0) / Double(count) }
      let sigmas = inner + [0.2, 0.1, 0]
      var (x, data) = (1.1, [Double]())
      for step in 0..<count {
        let velocity = flow.velocity(x, sigmas[step])
        let t = try Transition.deterministic(solver, sigmas: sigmas, step: step)
        let history = t.previousDataScale * (data.last ?? 0) + t.earlierDataScale * (data.dropLast().last ?? 0)
        data.append(x - sigmas[step] * velocity)
        x =
          step < 2
          ? flow.solution(x, from: sigmas[step], to: sigmas[step + 1])
          : t.latentScale * x + t.velocityScale * velocity + history
      }
      return abs(x - flow.solution(1.1, from: 0.8, to: 0.3))
    }
    let measured = log2(try error(64) / (try error(128)))
    #expect(abs(measured - order) <= 0.25, "measured order \(measured)")
  }

  @Test func orderFallsAtTheStartAtTheEndAndNextToPureNoise() throws {
    func kinds(_ solver: Solver, _ sigmas: [Double]) throws -> [Transition.Kind] {
      try (0..<sigmas.count - 1).map { try Transition.deterministic(solver, sigmas: sigmas, step: $0).kind }
    }
    let short = try TimeGrid(.shifted(steps: 6, shift: 3)).sigmas
    #expect(try kinds(.euler, short) == Array(repeating: .euler, count: 6))
    #expect(
      try kinds(.dpmSolver2Midpoint, short) == [
        .dpmSolver1, .dpmSolver1, .dpmSolver2Midpoint, .dpmSolver2Midpoint, .dpmSolver2Midpoint, .dpmSolver1,
      ])
    #expect(
      try kinds(.dpmSolver3, short) == [
        .dpmSolver1, .dpmSolver1, .dpmSolver2Heun, .dpmSolver3, .dpmSolver2Heun, .dpmSolver1,
      ])
    let long = try kinds(.dpmSolver3, try TimeGrid(.shifted(steps: 15, shift: 3)).sigmas)
    #expect(long.suffix(2) == [.dpmSolver3, .dpmSolver1])
  }

  @Test(arguments: Solver.allCases)
  func everySolverIsEulersExactlyAtPureNoiseAndAtTheData(solver: Solver) throws {
    let sigmas = try TimeGrid(.shifted(steps: 20, shift: 3)).sigmas
    for step in [0, 19] {
      let transition = try Transition.deterministic(solver, sigmas: sigmas, step: step)
      #expect(transition.latentScale == 1 && transition.velocityScale == sigmas[step + 1] - sigmas[step])
      #expect(transition.previousDataScale == 0 && transition.earlierDataScale == 0 && transition.noiseScale == 0)
    }
  }

  @Test func anUnfitPlaceIsAnError() {
    #expect(failure { _ = try Transition.stochastic(.flow(noiseLevel: 1), from: 0.5, to: 0.5) }?.code == .invalidArgument)
    #expect(failure { _ = try Transition.stochastic(.flow(noiseLevel: 1), from: 1.5, to: 0.5) }?.code == .invalidArgument)
    #expect(failure { _ = try Transition.stochastic(.dance(noiseLevel: 1), from: .nan, to: 0.5) } != nil)
    #expect(failure { _ = try Transition.stochastic(.dance(noiseLevel: .infinity), from: 1, to: 0.5) } != nil)
    #expect(failure { _ = try Transition.deterministic(.euler, sigmas: [1, 0], step: 1) }?.message.contains("step") == true)
    #expect(failure { _ = try Transition.deterministic(.euler, sigmas: [0, 1], step: 0) } != nil)
  }
}
