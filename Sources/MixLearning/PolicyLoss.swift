import MixBasics
import MixNumerics
import MixSampling

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The contribution of one stochastic step of one sample. Values in nats belong to the true density, the sum over D.
package struct StepOutcome: Equatable, Sendable, BitwiseCopyable {
  /// The clipped term with its step weight, plus the penalties.
  package var loss = 0.0
  /// r = exp(log p − log p_old)
  package var ratio = 1.0
  /// Whether the clip stopped the gradient.
  package var isClipped = false
  /// log p − log p_old
  package var logRatioNats = 0.0
  /// KL(old ‖ new) of the step; NaN where the step's noise is not known
  package var oldPolicyNats = 0.0
  /// KL(new ‖ reference) of the step; 0 without reference
  package var referenceNats = 0.0

  var isFinite: Bool { loss.isFinite && ratio.isFinite && logRatioNats.isFinite && referenceNats.isFinite }
}

/// One stochastic step of one sample, with all that the loss needs.
struct JudgedStep {
  let row: StepRow
  let velocity: UnsafePointer<Float>  // v (D)
  let reference: UnsafePointer<Float>?  // v_ref (D)
  let transition: Transition
  let form: LogProbabilityForm
  let oldLogProbability: Double
  let advantage: Double
  /// Weight of the clipped term; its mean over the steps is 1.
  let stepWeight: Double
}

/// The clipped policy loss of a step (Mix §3.1) and its gradient with respect to the velocity.
///
/// L = w·max(−A·r, −A·clip(r, 1−ε, 1+ε)) + γ·½(log p − log p_old)² + β·mean_D(μ−μ_ref)²/(2s²). The mean μ = a·x + b·v is affine
/// in the velocity, so ∂log p/∂v = b·(x'−μ)/(s²·D) (without D for the sum form), and μ − μ_ref = b(v − v_ref).
struct PolicyLoss {
  let configuration: PolicyConfiguration

  /// Adds `scale`·∂L/∂v to `dVelocity`, (D), and returns the step's contribution.
  func evaluate(_ step: JudgedStep, scale: Double, dVelocity: UnsafeMutablePointer<Float>) -> StepOutcome {
    let logProbability = LogProbability.value(step.row, velocity: step.velocity, step.transition, step.form)
    let difference = logProbability - step.oldLogProbability
    var outcome = StepOutcome(ratio: exp(difference))
    let slope = judge(step, difference, &outcome)
    let sums = addPolicyGradient(step, factor: scale * slope * Self.slopeOfLogProbability(step), dVelocity)
    outcome.oldPolicyNats = sums.oldPolicyNats
    outcome.logRatioNats = Self.nats(step, difference, sums)
    if let reference = step.reference { addReferencePenalty(step, reference, scale, dVelocity, &outcome) }
    return outcome
  }

  /// The loss without reference term; returns its derivative in log p.
  private func judge(_ step: JudgedStep, _ difference: Double, _ outcome: inout StepOutcome) -> Double {
    let penalty = configuration.oldPolicyPenalty
    outcome.loss = penalty * 0.5 * difference * difference
    let advantage = step.stepWeight * step.advantage
    guard advantage != 0 else { return penalty * difference }
    let (lower, upper) = (1 - configuration.clipRange, 1 + configuration.clipRange)
    let ratio = outcome.ratio
    outcome.isClipped = advantage > 0 ? !(ratio <= upper) : !(ratio >= lower)
    outcome.loss += max(-advantage * ratio, -advantage * min(max(ratio, lower), upper))
    return penalty * difference - (outcome.isClipped ? 0 : advantage * ratio)
  }

  /// k in ∂log p/∂vᵢ = k·(x'−μ)ᵢ, or k·εᵢ for the guarded form.
  private static func slopeOfLogProbability(_ step: JudgedStep) -> Double {
    let (b, count) = (step.transition.velocityScale, Double(step.row.count))
    let variance = step.transition.noiseScale * step.transition.noiseScale
    return switch step.form {
    case .mean: b / (variance * count)
    case .sum: b / variance
    case .coefficientPreservingPeer: 2 * b / count
    case .guarded: b / count
    }
  }

  private static func nats(_ step: JudgedStep, _ difference: Double, _ sums: OldPolicySums) -> Double {
    switch step.form {
    case .mean: difference * Double(step.row.count)
    case .sum: difference
    case .coefficientPreservingPeer, .guarded: sums.logRatioNats
    }
  }
}

// MARK: - Loops over a latent

/// Comparison with the old policy, whose mean is μ_old = x' − s·ε with the noise drawn again from its key.
private struct OldPolicySums {
  var oldPolicyNats = 0.0  // Σ(μ − μ_old)²/(2s²)
  var logRatioNats = 0.0  // Σ((x'−μ_old)² − (x'−μ)²)/(2s²)
}

extension PolicyLoss {
  /// dVelocity += factor·(x'−μ), or factor·ε for the guarded form.
  private func addPolicyGradient(
    _ step: JudgedStep, factor: Double, _ dVelocity: UnsafeMutablePointer<Float>
  ) -> OldPolicySums {
    guard let stream = step.row.noise else {
      addResiduals(step, factor, dVelocity)
      return OldPolicySums(oldPolicyNats: .nan, logRatioNats: .nan)
    }
    let (a, b, s) = (step.transition.latentScale, step.transition.velocityScale, step.transition.noiseScale)
    let isGuarded = step.form == .guarded
    var (moved, gained) = (0.0, 0.0)
    stream.forEachPiece(of: step.row.count) { offset, noise in
      let (latent, next) = (step.row.latent + offset, step.row.next + offset)
      let (velocity, dVelocity) = (step.velocity + offset, dVelocity + offset)
      for i in 0..<noise.count {
        let fresh = s * Double(noise[i])
        let residual = Double(next[i]) - (a * Double(latent[i]) + b * Double(velocity[i]))
        moved += (fresh - residual) * (fresh - residual)
        gained += fresh * fresh - residual * residual
        dVelocity[i] += Float(factor * (isGuarded ? Double(noise[i]) : residual))
      }
    }
    return OldPolicySums(oldPolicyNats: moved / (2 * s * s), logRatioNats: gained / (2 * s * s))
  }

  private func addResiduals(_ step: JudgedStep, _ factor: Double, _ dVelocity: UnsafeMutablePointer<Float>) {
    let (a, b) = (step.transition.latentScale, step.transition.velocityScale)
    let (latent, next, velocity) = (step.row.latent, step.row.next, step.velocity)
    for i in 0..<step.row.count {
      dVelocity[i] += Float(factor * (Double(next[i]) - (a * Double(latent[i]) + b * Double(velocity[i]))))
    }
  }

  /// β·b²·mean_D(v−v_ref)²/(2s²), which is β/D of the KL in nats.
  private func addReferencePenalty(
    _ step: JudgedStep, _ reference: UnsafePointer<Float>, _ scale: Double, _ dVelocity: UnsafeMutablePointer<Float>,
    _ outcome: inout StepOutcome
  ) {
    let velocity = step.velocity
    let slope = step.transition.velocityScale / step.transition.noiseScale
    let weight = configuration.referencePenalty / Double(step.row.count)
    let factor = scale * weight * slope * slope
    let squares = fourLaneSum(step.row.count) { i in
      let difference = Double(velocity[i]) - Double(reference[i])
      return difference * difference
    }
    for i in 0..<step.row.count { dVelocity[i] += Float(factor * (Double(velocity[i]) - Double(reference[i]))) }
    outcome.referenceNats = slope * slope * squares / 2
    outcome.loss += weight * outcome.referenceNats
  }
}
