#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import MixBasics
import MixNumerics
import MixSampling

/// Settings of AdamW.
public struct AdamWConfiguration: Equatable, Sendable {
  /// Default 1e-5, 0 … 1000.
  public var learningRate = 1e-5
  public var schedule = LearningRateSchedule()
  /// Decay of the first moment; default 0.9, in [0, 1).
  public var beta1 = 0.9
  /// Decay of the second moment; default 0.999, in [0, 1).
  public var beta2 = 0.999
  /// Added to the root of the second moment; default 1e-8, in (0, 1].
  public var epsilon = 1e-8
  /// Decoupled: weights shrink by learning rate × this; default 1e-4, 0 … 1000.
  public var weightDecay = 1e-4
  /// Gradients are scaled down to this norm; default 1, above 0, infinity for no limit.
  public var maximumGradientNorm = 1.0

  public init() {}

  /// - Throws: one `invalidArgument` that names every unfit field.
  public func validate() throws(MixGRPOError) {
    var validation = Validation()
    validation.require(
      learningRate >= 0 && learningRate <= 1000, "learning_rate", expected: "0…1000", got: learningRate)
    validation.include(schedule.validate)
    validation.require(beta1 >= 0 && beta1 < 1, "beta1", expected: "a value in [0, 1)", got: beta1)
    validation.require(beta2 >= 0 && beta2 < 1, "beta2", expected: "a value in [0, 1)", got: beta2)
    validation.require(epsilon > 0 && epsilon <= 1, "epsilon", expected: "a value in (0, 1]", got: epsilon)
    validation.require(weightDecay >= 0 && weightDecay <= 1000, "weight_decay", expected: "0…1000", got: weightDecay)
    validation.require(
      maximumGradientNorm > 0, "max_gradient_norm", expected: "a value above 0, infinity for no limit",
      got: maximumGradientNorm)
    try validation.throwIfAny()
  }
}

/// What one optimizer step did.
public struct OptimizerReport: Equatable, Sendable {
  /// Steps done, this one included.
  public let step: Int
  /// Before the clip.
  public let gradientNorm: Double
  public let learningRate: Double
}

/// AdamW (Loshchilov & Hutter, arXiv 1711.05101) over one flat vector of weights, with the gradients' global norm clipped.
///
///     w ← w·(1 − lr·decay),  m ← β₁m + (1−β₁)g,  q ← β₂q + (1−β₂)g²,  w ← w − lr/(1−β₁ᵗ) · m / (√(q/(1−β₂ᵗ)) + ε)
///
/// A step either succeeds as a whole or changes nothing. Results do not depend on the number of threads.
public final class AdamW {
  private static let chunk = 16_384

  public let configuration: AdamWConfiguration
  public let count: Int
  /// t, the steps done; settable to restore a saved run.
  package var stepCount = 0
  package let firstMoment: FloatStorage  // (count)
  package let secondMoment: FloatStorage  // (count)
  private let gradientNorm: GradientNorm
  private let faults: Table<Bool>  // one per chunk

  /// - Parameter count: number of weights, at least 1
  public init(count: Int, configuration: AdamWConfiguration = AdamWConfiguration()) throws(MixGRPOError) {
    try configuration.validate()
    self.configuration = configuration
    self.count = count
    gradientNorm = try GradientNorm(count: count)
    firstMoment = try FloatStorage(count: count)
    secondMoment = try FloatStorage(count: count)
    faults = try Table(count: (count - 1) / Self.chunk + 1, filledWith: false)
  }

  /// One step in place on `weights` with `gradients`, (count) each.
  /// - Throws: `notFinite` if a gradient is not finite, or a weight or moment would not be; all stays as it was.
  @discardableResult
  package func step(
    weights: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>, workers: Workers
  ) throws(MixGRPOError) -> OptimizerReport {
    let norm = gradientNorm.norm(of: gradients, workers: workers)
    guard norm.isFinite else {
      throw MixGRPOError(.notFinite, "gradients: expected finite values, got a norm of \(norm)")
    }
    let report = OptimizerReport(
      step: stepCount + 1, gradientNorm: norm,
      learningRate: configuration.learningRate * configuration.schedule.fraction(step: stepCount))
    let factors = AdamWFactors(configuration, report)
    try checkFinite(factors, weights, gradients, workers)
    workers.forEachChunk(of: count, size: Self.chunk) { _, range in
      let i = range.lowerBound
      factors.apply(
        weights + i, gradients + i, firstMoment.base + i, secondMoment.base + i, count: range.count)
    }
    stepCount += 1
    return report
  }

  private func checkFinite(
    _ factors: AdamWFactors, _ weights: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ workers: Workers
  ) throws(MixGRPOError) {
    workers.forEachChunk(of: count, size: Self.chunk) { chunk, range in
      let i = range.lowerBound
      faults[chunk] = !factors.staysFinite(
        weights + i, gradients + i, firstMoment.base + i, secondMoment.base + i, count: range.count)
    }
    guard let chunk = faults.buffer.firstIndex(of: true) else { return }
    throw MixGRPOError(
      .notFinite, "weights: expected finite values after the step, got NaN or infinity among weights "
        + "\(chunk * Self.chunk)…\(min(count, (chunk + 1) * Self.chunk) - 1)")
  }
}

/// The scalars of one step and its two loops, whose bodies compute the same values.
private struct AdamWFactors {
  let gradientScale: Float
  let shrink: Float
  let beta1: Float
  let freshness1: Float  // 1 − β₁
  let beta2: Float
  let freshness2: Float  // 1 − β₂
  let stepSize: Float  // lr/(1 − β₁ᵗ)
  let rootScale: Float  // 1/√(1 − β₂ᵗ)
  let epsilon: Float

  init(_ configuration: AdamWConfiguration, _ report: OptimizerReport) {
    let rate = report.learningRate
    let maximum = configuration.maximumGradientNorm
    gradientScale = Float(GradientNorm.clipFactor(norm: report.gradientNorm, maximum: maximum))
    shrink = Float(1 - rate * configuration.weightDecay)
    beta1 = Float(configuration.beta1)
    freshness1 = Float(1 - configuration.beta1)
    beta2 = Float(configuration.beta2)
    freshness2 = Float(1 - configuration.beta2)
    stepSize = Float(rate / (1 - pow(configuration.beta1, Double(report.step))))
    rootScale = Float(1 / (1 - pow(configuration.beta2, Double(report.step))).squareRoot())
    epsilon = Float(configuration.epsilon)
  }

  @inline(__always)
  private func updated(
    _ weight: Float, _ gradient: Float, _ first: Float, _ second: Float
  ) -> (weight: Float, first: Float, second: Float) {
    let gradient = gradientScale * gradient
    let first = beta1 * first + freshness1 * gradient
    let second = beta2 * second + freshness2 * (gradient * gradient)
    let weight = shrink * weight - stepSize * first / (second.squareRoot() * rootScale + epsilon)
    return (weight, first, second)
  }

  func apply(
    _ weights: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>, _ first: UnsafeMutablePointer<Float>,
    _ second: UnsafeMutablePointer<Float>, count: Int
  ) {
    for i in 0..<count { (weights[i], first[i], second[i]) = updated(weights[i], gradients[i], first[i], second[i]) }
  }

  /// Looks for values that `apply` would make infinite or NaN: an exponent of all ones, so the largest bit pattern tells.
  func staysFinite(
    _ weights: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ first: UnsafePointer<Float>,
    _ second: UnsafePointer<Float>, count: Int
  ) -> Bool {
    var largest: Int32 = 0
    for i in 0..<count {
      let (weight, _, second) = updated(weights[i], gradients[i], first[i], second[i])
      let magnitude = Int32(bitPattern: weight.bitPattern & 0x7FFF_FFFF)
      largest = max(largest, max(magnitude, Int32(bitPattern: second.bitPattern & 0x7FFF_FFFF)))
    }
    return largest < 0x7F80_0000
  }
}
