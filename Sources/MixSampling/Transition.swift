import MixBasics

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// One sampling step as an affine map
///
///     x' = a·x + b·v + c₁·m₁ + c₂·m₂ + s·ε
///
/// of the latent x, its velocity v, the data predictions m₁, m₂ of the two steps before (m = x − σ·v there) and standard normal
/// noise ε. All scalars are Double and depend only on the time grid.
public struct Transition: Equatable, Sendable {
  /// Raw values are stable; those of deterministic steps are those of `Solver`, after order lowering.
  public enum Kind: Int32, Equatable, Sendable, CaseIterable {
    /// x' = x + v·dt.
    case euler = 0
    /// DPM-Solver++ of order 1.
    case dpmSolver1 = 1
    /// DPM-Solver++ 2M, midpoint form.
    case dpmSolver2Midpoint = 2
    /// DPM-Solver++ 2M, Heun form.
    case dpmSolver2Heun = 3
    /// DPM-Solver++ 3M.
    case dpmSolver3 = 4
    /// Flow-SDE.
    case flow = 5
    /// Dance-SDE.
    case dance = 6
    /// Coefficient-preserving sampling.
    case coefficientPreserving = 7
  }

  /// The formula of the scalars.
  public let kind: Kind
  /// σ at which the step begins.
  public let sigma: Double
  /// σ at which the step ends.
  public let nextSigma: Double
  /// a
  public let latentScale: Double
  /// b, the slope of the mean in the velocity
  public let velocityScale: Double
  /// c₁
  public let previousDataScale: Double
  /// c₂
  public let earlierDataScale: Double
  /// s, the standard deviation; 0 for a deterministic step
  public let noiseScale: Double

  /// Whether the step draws noise.
  public var isStochastic: Bool { noiseScale > 0 }

  package init(
    _ kind: Kind, _ sigma: Double, _ nextSigma: Double, latent: Double, velocity: Double, previousData: Double = 0,
    earlierData: Double = 0, noise: Double = 0
  ) {
    self.kind = kind
    self.sigma = sigma
    self.nextSigma = nextSigma
    latentScale = latent
    velocityScale = velocity
    previousDataScale = previousData
    earlierDataScale = earlierData
    noiseScale = noise
  }
}

// MARK: - Stochastic steps

extension Transition {
  /// The stochastic step of `dynamics` from σ to σ'. At σ = 1, the denominator of Flow-SDE's g uses σ' instead of σ. A noise level
  /// of 0 gives Euler's step.
  /// - Throws: `invalidArgument` unless 1 ≥ σ > σ' ≥ 0 and the step's scalars are finite.
  public static func stochastic(
    _ dynamics: Dynamics, from sigma: Double, to nextSigma: Double
  ) throws(MixGRPOError) -> Transition {
    try require(
      sigma <= 1 && sigma > nextSigma && nextSigma >= 0, "sigma", expected: "1 ≥ sigma > next_sigma ≥ 0",
      got: (sigma, nextSigma))
    let transition = formula(dynamics, sigma, nextSigma)
    // All scalars come from the variance of the noise, and are finite when it is.
    try require(
      transition.noiseScale.isFinite, "sigma", expected: "a place where \(dynamics) has a finite step",
      got: (sigma, nextSigma))
    return transition
  }

  private static func formula(_ dynamics: Dynamics, _ sigma: Double, _ nextSigma: Double) -> Transition {
    switch dynamics {
    case .flow(let level):
      let clamped = sigma >= 1 ? nextSigma : sigma
      return diffused(.flow, sigma, nextSigma, variance: level * level * (sigma * ((sigma - nextSigma) / (1 - clamped))))
    case .dance(let level):
      return diffused(.dance, sigma, nextSigma, variance: level * level * (sigma - nextSigma))
    case .coefficientPreserving(let level):
      return coefficientPreserving(level, sigma, nextSigma)
    }
  }

  /// μ = x(1 + g²dt/(2σ)) + v(1 + g²(1−σ)/(2σ))dt, s² = g²·(−dt) (Flow-GRPO), written with s² = `variance`.
  private static func diffused(_ kind: Kind, _ sigma: Double, _ nextSigma: Double, variance: Double) -> Transition {
    let dt = nextSigma - sigma
    return Transition(
      kind, sigma, nextSigma, latent: 1 - variance / (2 * sigma),
      velocity: dt - variance * (1 - sigma) / (2 * sigma), noise: variance.squareRoot())
  }

  /// μ = (1−σ')x̂₀ + √(σ'²−s²)·x̂₁ with s = σ'·sin(ηπ/2), x̂₀ = x − σv, x̂₁ = x + (1−σ)v (CPS).
  private static func coefficientPreserving(_ level: Double, _ sigma: Double, _ nextSigma: Double) -> Transition {
    let keptNoise = nextSigma * cos(level * .pi / 2)
    return Transition(
      .coefficientPreserving, sigma, nextSigma, latent: 1 - nextSigma + keptNoise,
      velocity: keptNoise * (1 - sigma) - (1 - nextSigma) * sigma, noise: nextSigma * sin(level * .pi / 2))
  }
}

// MARK: - Deterministic steps

extension Transition {
  /// The step of `solver` from `sigmas[step]` to `sigmas[step + 1]`, with the highest order possible there.
  ///
  /// The order is at most the number of available data predictions, 1 in the last step, and 2 in the second to last step of a
  /// grid with fewer than 15 steps. A prediction made at σ = 1 has no finite log-SNR and drops out of the formulas in the limit.
  /// Order 3 is reduced to the Heun form, which is its limit.
  /// - Throws: `invalidArgument` for invalid sigmas (see `TimeGrid.Schedule.sigmas`) or a step outside 0 ..< sigmas.count − 1.
  public static func deterministic(
    _ solver: Solver, sigmas: [Double], step: Int
  ) throws(MixGRPOError) -> Transition {
    try TimeGrid.Schedule.sigmas(sigmas).validate()
    try require(
      sigmas.indices.dropLast().contains(step), "step", expected: "0…\(sigmas.count - 2)", got: step)
    return formula(solver, sigmas, step)
  }

  /// - Precondition: the conditions of `deterministic`.
  static func formula(_ solver: Solver, _ sigmas: [Double], _ step: Int) -> Transition {
    let (sigma, nextSigma) = (sigmas[step], sigmas[step + 1])
    switch allowedOrder(solver, sigmas, step) {
    case 3: return third(sigma, nextSigma, previous: sigmas[step - 1], earlier: sigmas[step - 2])
    case 2: return second(solver, sigma, nextSigma, previous: sigmas[step - 1])
    default: return first(solver == .euler ? .euler : .dpmSolver1, sigma, nextSigma)
    }
  }

  private static func allowedOrder(_ solver: Solver, _ sigmas: [Double], _ step: Int) -> Int {
    let steps = sigmas.count - 1
    if sigmas[step + 1] <= 0 { return 1 }
    let usable = sigmas[..<step].suffix(2).count { $0 < 1 }
    let lowered = steps < 15 && step == steps - 2 ? 2 : 3
    return min(solver.order, 1 + usable, lowered)
  }

  /// x' = x + v·dt; DPM-Solver++ of order 1 is the same for α = 1 − σ.
  private static func first(_ kind: Kind, _ sigma: Double, _ nextSigma: Double) -> Transition {
    Transition(kind, sigma, nextSigma, latent: 1, velocity: nextSigma - sigma)
  }

  /// λ = ln(α/σ), half the log signal-to-noise ratio
  private static func logRatio(_ sigma: Double) -> Double { log((1 - sigma) / sigma) }

  /// Order 1 plus k·D₁, D₁ = (m₀ − m₁)/r₀; k = −½α'(e^{−h} − 1) for midpoint, α'((e^{−h} − 1)/h + 1) for Heun
  /// (DPM-Solver++, arXiv 2211.01095). With m₀ = x − σv the correction is affine in x, v and m₁.
  private static func second(_ solver: Solver, _ sigma: Double, _ nextSigma: Double, previous: Double) -> Transition {
    let step = logRatio(nextSigma) - logRatio(sigma)
    let ratio = (logRatio(sigma) - logRatio(previous)) / step
    let isMidpoint = solver == .dpmSolver2Midpoint
    let slope = (1 - nextSigma) * (isMidpoint ? -expm1(-step) / 2 : expm1(-step) / step + 1)
    let weight = slope / ratio
    return Transition(
      isMidpoint ? .dpmSolver2Midpoint : .dpmSolver2Heun, sigma, nextSigma, latent: 1 + weight,
      velocity: nextSigma - sigma - weight * sigma, previousData: -weight)
  }

  /// Order 1 + α'((e^{−h}−1)/h + 1)·D₁ − α'((e^{−h}−1+h)/h² − ½)·D₂ with the divided differences D₁₀ = (m₀−m₁)/r₀,
  /// D₁₁ = (m₁−m₂)/r₁, D₁ = D₁₀ + r₀/(r₀+r₁)·(D₁₀−D₁₁), D₂ = 2(D₁₀−D₁₁)/(r₀+r₁).
  ///
  /// D₁ ≈ h·dm/dλ and D₂ ≈ h²·d²m/dλ². Public samplers omit the 2 in D₂ and therefore do not reach third order.
  private static func third(_ sigma: Double, _ nextSigma: Double, previous: Double, earlier: Double) -> Transition {
    let step = logRatio(nextSigma) - logRatio(sigma)
    let r0 = (logRatio(sigma) - logRatio(previous)) / step
    let r1 = (logRatio(previous) - logRatio(earlier)) / step
    let slope = (1 - nextSigma) * (expm1(-step) / step + 1)
    let curvature = -(1 - nextSigma) * ((expm1(-step) + step) / (step * step) - 0.5)
    let mixed = (slope * r0 + 2 * curvature) / (r0 + r1)
    let weight0 = (slope + mixed) / r0  // of m₀ − m₁
    let weight1 = -mixed / r1  // of m₁ − m₂
    return Transition(
      .dpmSolver3, sigma, nextSigma, latent: 1 + weight0, velocity: nextSigma - sigma - weight0 * sigma,
      previousData: weight1 - weight0, earlierData: -weight1)
  }
}
