import MixBasics
import MixNumerics
import MixSampling
import MixSettings

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Settings of AdamW.
public struct AdamWConfiguration: Equatable, Sendable {
  /// Default 1e-5, 0 … 1000.
  public var learningRate = 1e-5
  /// How the learning rate changes from step to step; default: constant.
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

  /// Learning rate 1e-5, decay 1e-4, gradient norm at most 1.
  public init() {}

  /// - Throws: one `invalidArgument` that names every invalid field.
  public func validate() throws(MixGRPOError) {
    var validation = Validation()
    record.check(&validation)
    checkRules(&validation)
    try validation.throwIfAny()
  }

  /// Conditions on more than one value.
  package func checkRules(_ validation: inout Validation) {
    validation.require(
      maximumGradientNorm != 0, "max_gradient_norm", expected: "a value above 0, infinity for no limit",
      got: maximumGradientNorm)
    schedule.checkRules(&validation)
  }
}

/// The result of one optimizer step.
public struct OptimizerReport: Equatable, Sendable {
  /// Steps done, including this one.
  public let step: Int
  /// The gradient's norm before clipping.
  public let gradientNorm: Double
  /// The learning rate of this step, after schedule and roll-backs.
  public let learningRate: Double
}

/// AdamW (Loshchilov & Hutter, arXiv 1711.05101) over one flat vector of weights, with clipping of the gradients' global norm.
///
///     w ← w·(1 − lr·decay),  m ← β₁m + (1−β₁)g,  q ← β₂q + (1−β₂)g²,  w ← w − lr/(1−β₁ᵗ) · m / (√(q/(1−β₂ᵗ)) + ε)
///
/// A step either succeeds as a whole or changes nothing. Results do not depend on the number of threads.
public final class AdamW {
  private static let chunk = 16_384

  /// As given to `init`.
  public let configuration: AdamWConfiguration
  /// Number of weights.
  public let count: Int
  /// t, the steps done; settable to restore a saved run, after its moments.
  package var stepCount = 0 {
    didSet {
      firstMoment.settle()
      secondMoment.settle()
    }
  }
  package let firstMoment: FloatStorage  // (count)
  package let secondMoment: FloatStorage  // (count)
  private let gradientNorm: GradientNorm
  private let magnitudes: Table<AdamWMagnitudes>  // one per chunk
  /// Upper bounds on the weights of a version and on both moments after the last step.
  private var bound: (version: Int, magnitudes: AdamWMagnitudes)?
  /// Steps that checked every value in advance.
  private(set) var checks = 0

  /// - Parameters:
  ///   - count: number of weights, at least 1.
  ///   - configuration: is validated.
  /// - Throws: `invalidArgument` naming every invalid field, `outOfMemory`.
  public init(count: Int, configuration: AdamWConfiguration = AdamWConfiguration()) throws(MixGRPOError) {
    try configuration.validate()
    self.configuration = configuration
    self.count = count
    gradientNorm = try GradientNorm(count: count)
    // The first step writes them; until then billions of weights cost nothing.
    firstMoment = try FloatStorage(count: count, isWrittenLater: true)
    secondMoment = try FloatStorage(count: count, isWrittenLater: true)
    magnitudes = try Table(count: (count - 1) / Self.chunk + 1, filledWith: AdamWMagnitudes())
  }

  /// One step in place on `weights` with `gradients`, (count) each. Gradients are not changed.
  /// - Throws: `notFinite` if a gradient is not finite, or a weight or moment would not be; nothing is then changed.
  @discardableResult
  package func step(
    weights: UnsafeMutablePointer<Float>, gradients: UnsafePointer<Float>, workers: Workers
  ) throws(MixGRPOError) -> OptimizerReport {
    try step(weights, gradients, versions: nil, rateFactor: 1, workers) { _ in }
  }

  /// The same; sets `gradients` to zero unless it throws.
  /// - Parameters:
  ///   - versions: unique numbers of the weights' state before and after the step. A step on the weights of the previous step may
  ///     skip the check of every value.
  ///   - rateFactor: multiplies the scheduled learning rate.
  @discardableResult
  package func step(
    weights: UnsafeMutablePointer<Float>, clearing gradients: UnsafeMutablePointer<Float>,
    versions: (before: Int, after: Int)? = nil, rateFactor: Double = 1, workers: Workers
  ) throws(MixGRPOError) -> OptimizerReport {
    // By chunks that fit in a core's own cache.
    try step(weights, gradients, versions: versions, rateFactor: rateFactor, workers) {
      (gradients + $0.lowerBound).update(repeating: 0, count: $0.count)
    }
  }

  private func step(
    _ weights: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>, versions: (before: Int, after: Int)?,
    rateFactor: Double, _ workers: Workers, afterChunk: (Range<Int>) -> Void
  ) throws(MixGRPOError) -> OptimizerReport {
    let norm = gradientNorm.norm(of: gradients, workers: workers)
    guard norm.isFinite else {
      throw MixGRPOError(.notFinite, "gradients: expected finite values, got a norm of \(norm)")
    }
    let report = OptimizerReport(
      step: stepCount + 1, gradientNorm: norm,
      learningRate: configuration.learningRate * configuration.schedule.fraction(step: stepCount) * rateFactor)
    let update = AdamWStep(configuration, report)
    let left =
      if let next = safeBound(update, norm, version: versions?.before) { next } else {
        try checkFinite(update, weights, gradients, workers)
      }
    workers.forEachChunk(of: count, size: Self.chunk) { _, range in
      let i = range.lowerBound
      update.apply(
        weights + i, gradients + i, firstMoment.base + i, secondMoment.base + i, count: range.count)
      afterChunk(range)
    }
    stepCount += 1
    bound = versions.map { ($0.after, left) }
    return report
  }

  /// Upper bounds after the step, if the previous step left weights of this version and the bounds are certainly finite.
  private func safeBound(_ update: AdamWStep, _ norm: Double, version: Int?) -> AdamWMagnitudes? {
    guard let bound, bound.version == version else { return nil }
    let gradient = min(norm, configuration.maximumGradientNorm) * 1.001
    let next = update.bound(after: bound.magnitudes, gradient: gradient)
    return next.isSafe ? next : nil
  }

  /// - Returns: the largest magnitudes after the step.
  private func checkFinite(
    _ update: AdamWStep, _ weights: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ workers: Workers
  ) throws(MixGRPOError) -> AdamWMagnitudes {
    checks += 1
    workers.forEachChunk(of: count, size: Self.chunk) { chunk, range in
      let i = range.lowerBound
      magnitudes[chunk] = update.magnitudes(
        weights + i, gradients + i, firstMoment.base + i, secondMoment.base + i, count: range.count)
    }
    guard let chunk = magnitudes.buffer.firstIndex(where: { !$0.isFinite }) else {
      return magnitudes.buffer.reduce(AdamWMagnitudes()) { $0.joined($1) }
    }
    throw MixGRPOError(
      .notFinite,
      "weights: expected finite values after the step, got NaN or infinity among weights "
        + "\(chunk * Self.chunk)…\(min(count, (chunk + 1) * Self.chunk) - 1)")
  }
}

extension AdamWStep {
  fileprivate init(_ configuration: AdamWConfiguration, _ report: OptimizerReport) {
    let maximum = configuration.maximumGradientNorm
    let step = Double(report.step)
    self.init(
      gradientScale: GradientNorm.clipFactor(norm: report.gradientNorm, maximum: maximum),
      shrink: 1 - report.learningRate * configuration.weightDecay, beta1: configuration.beta1, beta2: configuration.beta2,
      stepSize: report.learningRate / (1 - pow(configuration.beta1, step)),
      rootScale: 1 / (1 - pow(configuration.beta2, step)).squareRoot(), epsilon: configuration.epsilon)
  }
}
