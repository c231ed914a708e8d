import CMixGRPO
import MixBasics
import MixSettings

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The noise levels σ₀ > σ₁ > … > σ_T = 0 that a sampler visits.
public struct TimeGrid: Equatable, Sendable {
  /// How the noise levels are placed.
  public enum Schedule: Equatable, Sendable {
    /// tᵢ = 1 − i/T mapped by σ = s·t / (1 + (s − 1)·t). `shift` 3 is usual for FLUX, 1 means none.
    case shifted(steps: Int, shift: Double)
    /// σ = e^μ / (e^μ + 1/t − 1), μ linear in the number of image tokens from (256, 0.5) to (4096, 1.15).
    case resolutionShifted(steps: Int, imageTokens: Int)
    /// Levels given by the caller: strictly decreasing, the first at most 1, the last 0.
    case sigmas([Double])
  }

  /// How the levels are placed.
  public let schedule: Schedule
  /// (steps + 1), decreasing to 0.
  public let sigmas: [Double]

  /// T
  public var steps: Int { sigmas.count - 1 }

  /// - Throws: `invalidArgument` naming each invalid field.
  public init(_ schedule: Schedule) throws(MixGRPOError) {
    try schedule.validate()
    self.schedule = schedule
    if case .sigmas(let sigmas) = schedule {
      self.sigmas = sigmas
    } else {
      let steps = schedule.steps
      sigmas = (0...steps).map { schedule.sigma(atTime: Double(steps - $0) / Double(steps)) }
    }
  }

  /// `steps` + 1 levels from σ at step `start` down to 0, evenly spaced in time and placed by the same schedule (Mix §3.3).
  ///
  /// For given levels, time is the index scaled to 1 … 0 and σ is piecewise linear between the levels; with as many steps as
  /// remain, the result is the given levels.
  /// - Precondition: 0 ≤ start < self.steps, steps ≥ 1.
  package func tail(from start: Int, steps count: Int) -> [Double] {
    let startTime = Double(steps - start) / Double(steps)
    let inner = (1..<max(count, 1)).map { schedule.sigma(atTime: startTime * Double(count - $0) / Double(count)) }
    return [sigmas[start]] + inner + [0]
  }
}

extension TimeGrid.Schedule {
  /// Allowed numbers of steps.
  public static let stepsRange = 1...10_000

  /// T; for given levels one less than their number.
  public var steps: Int {
    switch self {
    case .shifted(let steps, _), .resolutionShifted(let steps, _): steps
    case .sigmas(let sigmas): sigmas.count - 1
    }
  }

  /// - Throws: one `invalidArgument` that names every invalid field.
  public func validate() throws(MixGRPOError) {
    var validation = Validation()
    if case .sigmas = self {} else { record.check(&validation) }
    checkRules(&validation)
    try validation.throwIfAny()
  }

  private var record: mixgrpo_sample_config {
    var record = mixgrpo_sample_config.standard
    record.steps = Int32(clamping: steps)
    if case .shifted(_, let shift) = self { record.shift = shift }
    if case .resolutionShifted(_, let imageTokens) = self { record.image_tokens = Int32(clamping: imageTokens) }
    return record
  }

  /// Conditions on more than one value.
  package func checkRules(_ validation: inout Validation) {
    switch self {
    case .shifted: break
    case .resolutionShifted(_, let imageTokens):
      validation.require(imageTokens != 0, "image_tokens", expected: "1…1000000", got: imageTokens)
    case .sigmas(let sigmas): return check(sigmas, &validation)
    }
    checkDistinctLevels(&validation)
  }

  private func check(_ sigmas: [Double], _ validation: inout Validation) {
    validation.require(Self.stepsRange.contains(steps), "steps", expected: "1…10000", got: steps)
    if let index = sigmas.indices.dropFirst().first(where: { !(sigmas[$0] < sigmas[$0 - 1]) }) {
      validation.require(
        false, "sigmas[\(index)]", expected: "a value below sigmas[\(index - 1)] = \(sigmas[index - 1])", got: sigmas[index])
    }
    guard let first = sigmas.first, let last = sigmas.last else { return }
    validation.require(first <= 1, "sigmas[0]", expected: "at most 1", got: first)
    validation.require(last == 0, "sigmas[\(sigmas.count - 1)]", expected: "0, as the last value", got: last)
  }

  /// With a shift that is too extreme for the number of steps, neighbouring levels round to the same number.
  private func checkDistinctLevels(_ validation: inout Validation) {
    guard Self.stepsRange.contains(steps) else { return }
    if case .shifted(_, let shift) = self, !(shift > 0 && shift <= 1000) { return }
    if case .resolutionShifted(_, let imageTokens) = self, !(1...1_000_000).contains(imageTokens) { return }
    let levels = (0...steps).lazy.map { sigma(atTime: Double(steps - $0) / Double(steps)) }
    let field = if case .resolutionShifted = self { "image_tokens" } else { "shift" }
    validation.require(
      zip(levels, levels.dropFirst()).allSatisfy { $0 > $1 }, field,
      expected: "one that keeps the noise levels of \(steps) steps apart", got: shiftFactor)
  }

  /// σ at time t in [0, 1]; exactly 0 at t = 0 and, unless given otherwise, exactly 1 at t = 1.
  func sigma(atTime t: Double) -> Double {
    if case .sigmas(let sigmas) = self { return Self.interpolate(sigmas, atTime: t) }
    if t >= 1 { return 1 }
    let shift = shiftFactor
    return shift * t / (1 + (shift - 1) * t)
  }

  /// e^μ / (e^μ + 1/t − 1) = e^μ·t / (1 + (e^μ − 1)·t): a resolution-dependent shift is a shift by e^μ.
  private var shiftFactor: Double {
    switch self {
    case .shifted(_, let shift): shift
    case .resolutionShifted(_, let imageTokens):
      exp(0.5 + (1.15 - 0.5) * (Double(imageTokens) - 256) / (4096 - 256))
    case .sigmas: 1
    }
  }

  private static func interpolate(_ sigmas: [Double], atTime t: Double) -> Double {
    let steps = sigmas.count - 1
    let position = (1 - t) * Double(steps)
    let nearest = position.rounded()
    if abs(position - nearest) <= 1e-9 { return sigmas[min(max(Int(nearest), 0), steps)] }
    let index = min(max(Int(position), 0), steps - 1)
    return sigmas[index] + (position - Double(index)) * (sigmas[index + 1] - sigmas[index])
  }
}
