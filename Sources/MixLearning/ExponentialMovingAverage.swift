import MixBasics
import MixNumerics

/// A running mean of the weights, average ← d·average + (1 − d)·weights after each optimizer step.
public final class ExponentialMovingAverage {
  /// d in [0, 1]
  public let decay: Double
  package let average: FloatStorage  // (count)

  /// Starts as a copy of `weights`.
  /// - Throws: `invalidArgument` for a decay outside [0, 1], `outOfMemory`.
  public init(decay: Double, weights: UnsafeBufferPointer<Float>) throws(MixGRPOError) {
    try require(decay >= 0 && decay <= 1, "ema_decay", expected: "a value in [0, 1]", got: decay)
    self.decay = decay
    average = try FloatStorage(count: weights.count)
    if let base = weights.baseAddress { average.base.update(from: base, count: weights.count) }
  }

  /// - Parameter weights: as many as in `init`.
  package func update(weights: UnsafePointer<Float>, workers: Workers) {
    let freshness = Float(1 - decay)
    workers.forEachChunk(of: average.count) { _, range in
      let (average, weights) = (average.base + range.lowerBound, weights + range.lowerBound)
      for i in 0..<range.count { average[i] += freshness * (weights[i] - average[i]) }
    }
  }
}
