import Glibc
import MixBasics
import MixNumerics
import MixSampling
import Testing

@testable import MixLearning

@Suite struct PolicyLossTests {
  private let size = 23

  /// One step with known noise, its old log-probability, and a loss that can be asked at any velocity.
  private struct Bench {
    let transition: Transition
    let form: LogProbabilityForm
    let latent: [Float]
    let next: [Float]
    let oldVelocity: [Float]
    let reference: [Float]
    let noise = RandomStream(seed: 5, purpose: .stepNoise)

    init(_ form: LogProbabilityForm, size: Int) throws {
      self.form = form
      transition = try .stochastic(.coefficientPreserving(noiseLevel: 0.6), from: 0.8, to: 0.7)
      func row(_ stream: Int) -> [Float] {
        var values = [Float](repeating: 0, count: size)
        RandomStream(seed: 8, purpose: .host, member: stream).fillNormals(&values, count: size)
        return values
      }
      (latent, oldVelocity, reference) = (row(0), row(1), row(2))
      var fresh = [Float](repeating: 0, count: size)
      noise.fillNormals(&fresh, count: size)
      let (a, b, s) = (transition.latentScale, transition.velocityScale, transition.noiseScale)
      next = (0..<size).map { [latent, oldVelocity, fresh] i in
        Float(a * Double(latent[i]) + b * Double(oldVelocity[i]) + s * Double(fresh[i]))
      }
    }

    func evaluate(
      _ velocity: [Float], _ advantage: Double, _ configuration: PolicyConfiguration, withNoise: Bool = true
    ) -> (StepOutcome, [Float]) {
      var dVelocity = [Float](repeating: 0, count: velocity.count)
      let outcome = latent.withUnsafeBufferPointer { latent in
        next.withUnsafeBufferPointer { next in
          velocity.withUnsafeBufferPointer { velocity in
            reference.withUnsafeBufferPointer { reference in
              oldVelocity.withUnsafeBufferPointer { old in
                let row = StepRow(
                  latent: latent.baseAddress!, next: next.baseAddress!, count: velocity.count,
                  noise: withNoise ? noise : nil)
                let step = JudgedStep(
                  row: row, velocity: velocity.baseAddress!,
                  reference: configuration.referencePenalty > 0 ? reference.baseAddress : nil, transition: transition,
                  form: form,
                  oldLogProbability: LogProbability.value(row, velocity: old.baseAddress!, transition, form),
                  advantage: advantage, stepWeight: 1)
                return PolicyLoss(configuration: configuration).evaluate(step, scale: 1, dVelocity: &dVelocity)
              }
            }
          }
        }
      }
      return (outcome, dVelocity)
    }
  }

  /// Penalties, and ε so wide that no ratio here is clipped.
  private func configuration(clip: Double = 0.9, reference: Double = 0.3, old: Double = 0.2) -> PolicyConfiguration {
    var configuration = PolicyConfiguration()
    configuration.clipRange = clip
    configuration.referencePenalty = reference
    configuration.oldPolicyPenalty = old
    return configuration
  }

  /// Compares all of ∂L/∂v with differences L(v ± h) over a 4-point stencil, (8Δ₁ − Δ₂)/12h.
  private func expectGradient(_ bench: Bench, _ velocity: [Float], _ advantage: Double, _ configuration: PolicyConfiguration) {
    let dVelocity = bench.evaluate(velocity, advantage, configuration).1
    let h: Float = 1 / 64
    let norm = dVelocity.map { abs($0) }.reduce(0, +) / Float(size)
    for i in velocity.indices {
      func difference(_ steps: Float) -> Double {
        var (up, down) = (velocity, velocity)
        up[i] += steps * h
        down[i] -= steps * h
        return (bench.evaluate(up, advantage, configuration).0.loss - bench.evaluate(down, advantage, configuration).0.loss)
          / Double(up[i] - down[i])
      }
      let numeric = Float((4 * difference(1) - difference(2)) / 3)
      #expect(abs(numeric - dVelocity[i]) <= 2e-4 * max(norm, 1e-6), "value \(i): \(numeric) and \(dVelocity[i])")
    }
  }

  @Test func anOutcomeIsFiniteOnlyWhenAllItsValuesAre() {
    #expect(StepOutcome().isFinite)
    for field in [\StepOutcome.loss, \.ratio, \.logRatioNats, \.referenceNats] {
      for bad in [Double.nan, .infinity] {
        var outcome = StepOutcome()
        outcome[keyPath: field] = bad
        #expect(!outcome.isFinite)
      }
    }
  }

  @Test func aLossOutsideAnUpdateNeedsRowsOfAtLeastOneValue() throws {
    let values: [Float] = [1, 2]
    let old: [Double] = [0]
    func message(_ count: Int, _ size: Int, form: LogProbabilityForm = .mean, penalty: Double = 0) throws -> String {
      let transition = try Transition.stochastic(.dance(noiseLevel: 0.5), from: 0.8, to: 0.7)
      var dVelocity: [Float] = [5, 5]
      let error = failure {
        try values.withUnsafeBufferPointer { values in
          try old.withUnsafeBufferPointer { old in
            let base = values.baseAddress!
            _ = try StepLossBatch(
              configuration: configuration(reference: penalty), transition: transition, form: form, latents: base,
              velocity: base,
              nextLatents: base, oldLogProbabilities: old.baseAddress!, advantages: old.baseAddress!, count: count,
              latentSize: size
            ).evaluate(dVelocity: &dVelocity)
          }
        }
      }
      if error != nil { #expect(dVelocity == [5, 5]) }
      return error?.message ?? ""
    }
    let both = try message(0, 0, form: .guarded, penalty: 0.5)
    for field in ["count: expected 1", "latent_size: expected 1", "form: expected", "reference_velocity: expected"] {
      #expect(both.contains(field), "\(field) is missing in \(both)")
    }
    #expect(try message(1, 2) == "")
  }

  @Test(arguments: LogProbabilityForm.allCases, [1.7, -0.6, 0])
  func dVelocityIsTheGradientOfTheLoss(form: LogProbabilityForm, advantage: Double) throws {
    let bench = try Bench(form, size: size)
    // The sum form's ratio moves fast: stay close.
    let reach: Float = form == .sum ? 0.02 : 0.2
    let velocity = bench.oldVelocity.enumerated().map { $1 + reach * Float($0 % 5 - 2) }
    expectGradient(bench, velocity, advantage, configuration())
  }

  @Test(arguments: [1.0, -1.0], [1.0, -1.0])
  func theClipStopsTheGradientOnlyWhereTheRatioIsTooGood(advantage: Double, direction: Double) throws {
    let bench = try Bench(.mean, size: size)
    // Moving μ towards x' raises the ratio, away from it lowers it.
    let transition = bench.transition
    let toward = (0..<size).map { i in
      (Double(bench.next[i]) - transition.latentScale * Double(bench.latent[i])) / transition.velocityScale
        - Double(bench.oldVelocity[i])
    }
    let velocity = zip(bench.oldVelocity, toward).map { Float(Double($0) + 0.05 * direction * $1) }
    let (outcome, dVelocity) = bench.evaluate(velocity, advantage, configuration(clip: 1e-3, reference: 0, old: 0))
    #expect((outcome.ratio > 1.001) == (direction > 0) && (outcome.ratio < 0.999) == (direction < 0))
    #expect(outcome.isClipped == (advantage * direction > 0))
    #expect(dVelocity.allSatisfy { $0 == 0 } == outcome.isClipped)
    let clipped = -advantage * (direction > 0 ? 1.001 : 0.999)
    #expect(abs(outcome.loss - (outcome.isClipped ? clipped : -advantage * outcome.ratio)) <= 1e-12)
  }

  @Test(arguments: LogProbabilityForm.allCases)
  func atTheOldPolicyTheRatioIsExactlyOneAndNothingHasMoved(form: LogProbabilityForm) throws {
    let bench = try Bench(form, size: size)
    let (outcome, dVelocity) = bench.evaluate(bench.oldVelocity, 1.5, configuration(reference: 0))
    #expect(outcome.ratio == 1 && outcome.loss == -1.5 && !outcome.isClipped)
    #expect(outcome.oldPolicyNats <= 1e-9 && abs(outcome.logRatioNats) <= 1e-4)
    #expect(dVelocity.contains { $0 != 0 })
  }

  @Test func distancesAreThoseOfTheTrueGaussians() throws {
    let bench = try Bench(.mean, size: size)
    let velocity = bench.oldVelocity.map { $0 + 0.1 }
    let (outcome, _) = bench.evaluate(velocity, 1, configuration())
    let slope = bench.transition.velocityScale / bench.transition.noiseScale
    let old = zip(velocity, bench.oldVelocity).map { Double($0 - $1) * Double($0 - $1) }.reduce(0, +)
    let reference = zip(velocity, bench.reference).map { Double($0 - $1) * Double($0 - $1) }.reduce(0, +)
    #expect(abs(outcome.oldPolicyNats / (slope * slope * old / 2) - 1) <= 1e-4)
    #expect(abs(outcome.referenceNats / (slope * slope * reference / 2) - 1) <= 1e-5)
    let direct = try Bench(.sum, size: size).evaluate(velocity, 1, configuration()).0
    #expect(abs(direct.logRatioNats - outcome.logRatioNats) <= 1e-9)
    let peer = try Bench(.coefficientPreservingPeer, size: size).evaluate(velocity, 1, configuration()).0
    #expect(abs(peer.logRatioNats - outcome.logRatioNats) <= 1e-4)
  }

  @Test func theGuardedRatioIsTheMeanOfNoiseTimesTheMove() throws {
    let bench = try Bench(.guarded, size: size)
    let velocity = bench.oldVelocity.map { $0 + 0.3 }
    var noise = [Float](repeating: 0, count: size)
    bench.noise.fillNormals(&noise, count: size)
    let move = zip(velocity, bench.oldVelocity).map { bench.transition.velocityScale * (Double($0) - Double($1)) }
    let mean = zip(noise, move).map { Double($0) * $1 }.reduce(0, +) / Double(size)
    #expect(abs(log(bench.evaluate(velocity, 1, configuration()).0.ratio) - mean) <= 1e-12)
  }

  @Test func aBatchIsTheMeanOfItsRows() throws {
    let bench = try Bench(.mean, size: size)
    let velocity = bench.oldVelocity.map { $0 * 1.1 }
    let single = [1.2, -0.4].map { bench.evaluate(velocity, $0, configuration(), withNoise: false) }
    let (latents, next) = (bench.latent + bench.latent, bench.next + bench.next)
    let (velocities, references) = (velocity + velocity, bench.reference + bench.reference)
    let old = bench.latent.withUnsafeBufferPointer { latent in
      bench.next.withUnsafeBufferPointer { next in
        LogProbability.value(
          StepRow(latent: latent.baseAddress!, next: next.baseAddress!, count: size, noise: nil),
          velocity: bench.oldVelocity, bench.transition, .mean)
      }
    }
    var (dVelocity, ratios) = ([Float](repeating: .nan, count: 2 * size), [0.0, 0.0])
    let (olds, advantages) = ([old, old], [1.2, -0.4])
    try withBatch(bench.transition, .mean, latents, velocities, next, references, olds, advantages) { batch in
      let loss = try batch.evaluate(dVelocity: &dVelocity, ratios: &ratios)
      #expect(abs(loss - (single[0].0.loss + single[1].0.loss) / 2) <= 1e-12)
    }
    #expect(ratios == single.map(\.0.ratio))
    for i in 0..<2 * size { #expect(abs(dVelocity[i] - single[i / size].1[i % size] / 2) <= 1e-9) }
  }

  @Test func aBatchWithoutDensityIsAnError() throws {
    let row = [Float](repeating: 0, count: size)
    let euler = try Transition.deterministic(.euler, sigmas: [1, 0.5, 0], step: 0)
    let flow = try Transition.stochastic(.flow(noiseLevel: 1), from: 0.8, to: 0.6)
    var dVelocity = row
    try withBatch(euler, .mean, row, row, row, row, [0], [1]) { batch in
      #expect(failure { _ = try batch.evaluate(dVelocity: &dVelocity) }?.message.contains("step") == true)
    }
    try withBatch(flow, .guarded, row, row, row, row, [0], [1]) { batch in
      #expect(failure { _ = try batch.evaluate(dVelocity: &dVelocity) }?.message.contains("form") == true)
    }
    try withBatch(flow, .mean, row, row.map { _ in .nan }, row, row, [0], [1]) { batch in
      #expect(failure { _ = try batch.evaluate(dVelocity: &dVelocity) }?.code == .notFinite)
    }
  }

  @Test func aBatchChecksItsConfiguration() throws {
    let row = [Float](repeating: 0, count: size)
    let flow = try Transition.stochastic(.flow(noiseLevel: 1), from: 0.8, to: 0.6)
    var dVelocity = row
    try withBatch(flow, .mean, row, row, row, row, [0], [1], configuration(clip: 2, old: -1)) { batch in
      let message = failure { _ = try batch.evaluate(dVelocity: &dVelocity) }?.message ?? ""
      #expect(message.contains("clip_range: expected") && message.contains("kl_old: expected"))
    }
  }

  private func withBatch(
    _ transition: Transition, _ form: LogProbabilityForm, _ latents: [Float], _ velocity: [Float], _ next: [Float],
    _ reference: [Float], _ old: [Double], _ advantages: [Double], _ policy: PolicyConfiguration? = nil,
    _ body: (StepLossBatch) throws -> Void
  ) throws {
    try latents.withUnsafeBufferPointer { latents in
      try velocity.withUnsafeBufferPointer { velocity in
        try next.withUnsafeBufferPointer { next in
          try reference.withUnsafeBufferPointer { reference in
            try old.withUnsafeBufferPointer { old in
              try advantages.withUnsafeBufferPointer { advantages in
                try body(
                  StepLossBatch(
                    configuration: policy ?? configuration(), transition: transition, form: form,
                    latents: latents.baseAddress!,
                    velocity: velocity.baseAddress!, nextLatents: next.baseAddress!,
                    referenceVelocity: reference.baseAddress, oldLogProbabilities: old.baseAddress!,
                    advantages: advantages.baseAddress!, count: old.count, latentSize: size))
              }
            }
          }
        }
      }
    }
  }
}
