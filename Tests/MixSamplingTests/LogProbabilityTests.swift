import Glibc
import MixNumerics
import Testing

@testable import MixSampling

@Suite struct LogProbabilityTests {
  private let count = 301
  private let stream = RandomStream(seed: 3, purpose: .stepNoise)

  /// A step with D = 301, its velocity and the terms that the formulas are made of.
  private func withStep(_ body: (StepRow, [Float], Transition, [Double], [Double]) throws -> Void) throws {
    let transition = try Transition.stochastic(.flow(noiseLevel: 0.7), from: 0.8, to: 0.7)
    let latent: [Float] = (0..<count).map { Float(sin(Double($0))) }
    let velocity: [Float] = (0..<count).map { Float(cos(Double($0) * 1.3)) }
    var noise = [Float](repeating: 0, count: count)
    stream.fillNormals(&noise, count: count)
    let means = zip(latent, velocity).map { transition.latentScale * Double($0) + transition.velocityScale * Double($1) }
    let next = zip(means, noise).map { Float($0 + transition.noiseScale * Double($1)) }
    try latent.withUnsafeBufferPointer { latent in
      try next.withUnsafeBufferPointer { next in
        let row = StepRow(
          latent: try #require(latent.baseAddress), next: try #require(next.baseAddress), count: count, noise: stream)
        try body(row, velocity, transition, zip(next, means).map { Double($0) - $1 }, noise.map(Double.init))
      }
    }
  }

  @Test func eachFormFollowsItsFormula() throws {
    try withStep { row, velocity, transition, residuals, noise in
      let s = transition.noiseScale
      let density = residuals.map { -$0 * $0 / (2 * s * s) - log(s) - 0.5 * log(2 * Double.pi) }.reduce(0, +)
      let squares = residuals.map { $0 * $0 }.reduce(0, +)
      let guarded = zip(noise, residuals).enumerated().map { i, pair in pair.0 * (Double(row.next[i]) - pair.1) }
      let expected: [(LogProbabilityForm, Double)] = [
        (.mean, density / Double(count)), (.sum, density), (.coefficientPreservingPeer, -squares / Double(count)),
        (.guarded, guarded.reduce(0, +) / Double(count)),
      ]
      for (form, value) in expected {
        let found = LogProbability.value(row, velocity: velocity, transition, form)
        #expect(abs(found - value) <= 1e-12 * max(1, abs(value)), "\(form)")
      }
    }
  }

  @Test func theDensityIntegratesToOne() throws {
    let transition = try Transition.stochastic(.dance(noiseLevel: 0.9), from: 0.6, to: 0.5)
    let (latent, velocity): ([Float], [Float]) = ([0.4], [-0.2])
    let mean = transition.latentScale * Double(latent[0]) + transition.velocityScale * Double(velocity[0])
    let width = transition.noiseScale / 100
    var total = 0.0
    for k in -1000...1000 {
      let next = [Float(mean + Double(k) * width)]
      let value = latent.withUnsafeBufferPointer { latent in
        next.withUnsafeBufferPointer { next in
          LogProbability.value(
            StepRow(latent: latent.baseAddress!, next: next.baseAddress!, count: 1, noise: nil), velocity: velocity,
            transition, .sum)
        }
      }
      total += exp(value) * width
    }
    #expect(abs(total - 1) <= 1e-5)
  }

  @Test func aDeterministicStepHasNone() throws {
    let euler = try Transition.deterministic(.euler, sigmas: [1, 0.5, 0], step: 0)
    #expect(failure { try LogProbability.requireStochastic(euler) }?.code == .invalidArgument)
    try LogProbability.requireStochastic(try .stochastic(.flow(noiseLevel: 0.1), from: 1, to: 0.5))
  }
}
