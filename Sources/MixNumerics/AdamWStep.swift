/// One AdamW step over a range of weights: its scalars, and two loops that compute the same values.
///
///     g ← c·g,  m ← β₁m + (1−β₁)g,  q ← β₂q + (1−β₂)g²,  w ← k·w − h·m / (√q·u + ε)
///
/// with the gradient's scale c, the decay factor k, step size h = lr/(1−β₁ᵗ) and u = 1/√(1−β₂ᵗ).
package struct AdamWStep {
  private let gradientScale: Float
  private let shrink: Float
  private let beta1: Float
  private let freshness1: Float  // 1 − β₁
  private let beta2: Float
  private let freshness2: Float  // 1 − β₂
  private let stepSize: Float
  private let rootScale: Float
  private let epsilon: Float

  package init(
    gradientScale: Double, shrink: Double, beta1: Double, beta2: Double, stepSize: Double, rootScale: Double,
    epsilon: Double
  ) {
    self.gradientScale = Float(gradientScale)
    self.shrink = Float(shrink)
    self.beta1 = Float(beta1)
    freshness1 = Float(1 - beta1)
    self.beta2 = Float(beta2)
    freshness2 = Float(1 - beta2)
    self.stepSize = Float(stepSize)
    self.rootScale = Float(rootScale)
    self.epsilon = Float(epsilon)
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

  package func apply(
    _ weights: UnsafeMutablePointer<Float>, _ gradients: UnsafePointer<Float>, _ first: UnsafeMutablePointer<Float>,
    _ second: UnsafeMutablePointer<Float>, count: Int
  ) {
    for i in 0..<count { (weights[i], first[i], second[i]) = updated(weights[i], gradients[i], first[i], second[i]) }
  }

  /// The largest magnitudes after `apply`, computed without writing. NaN and infinity have the largest bit patterns, so the
  /// maximum shows them.
  package func magnitudes(
    _ weights: UnsafePointer<Float>, _ gradients: UnsafePointer<Float>, _ first: UnsafePointer<Float>,
    _ second: UnsafePointer<Float>, count: Int
  ) -> AdamWMagnitudes {
    var largest: (Int32, Int32, Int32) = (0, 0, 0)
    for i in 0..<count {
      let (weight, first, second) = updated(weights[i], gradients[i], first[i], second[i])
      largest.0 = max(largest.0, Int32(bitPattern: weight.bitPattern & 0x7FFF_FFFF))
      largest.1 = max(largest.1, Int32(bitPattern: first.bitPattern & 0x7FFF_FFFF))
      largest.2 = max(largest.2, Int32(bitPattern: second.bitPattern & 0x7FFF_FFFF))
    }
    func value(_ pattern: Int32) -> Double { Double(Float(bitPattern: UInt32(bitPattern: pattern))) }
    return AdamWMagnitudes(weight: value(largest.0), first: value(largest.1), second: value(largest.2))
  }

  /// An upper bound on the values after `apply`, from one before it: |w| ≤ k·|w| + h·|m|/ε, with a margin for rounding.
  /// - Parameter gradient: the largest magnitude after scaling.
  package func bound(after before: AdamWMagnitudes, gradient: Double) -> AdamWMagnitudes {
    let first = max(before.first, gradient) * 1.001
    let second = max(before.second, gradient * gradient) * 1.001
    let change = abs(Double(stepSize)) * first / Double(epsilon)
    return AdamWMagnitudes(weight: (abs(Double(shrink)) * before.weight + change) * 1.001, first: first, second: second)
  }
}

/// The largest magnitudes among weights, first and second moments.
package struct AdamWMagnitudes: BitwiseCopyable, Equatable, Sendable {
  package var weight = 0.0
  package var first = 0.0
  package var second = 0.0

  package init(weight: Double = 0, first: Double = 0, second: Double = 0) {
    (self.weight, self.first, self.second) = (weight, first, second)
  }

  /// Whether values of these magnitudes are finite in single precision.
  package var isFinite: Bool { isBelow(Double(Float.greatestFiniteMagnitude)) }
  /// Whether values of these magnitudes are finite whatever the rounding.
  package var isSafe: Bool { isBelow(1e30) }

  private func isBelow(_ limit: Double) -> Bool { weight <= limit && first <= limit && second <= limit }

  package func joined(_ other: AdamWMagnitudes) -> AdamWMagnitudes {
    AdamWMagnitudes(
      weight: max(weight, other.weight), first: max(first, other.first), second: max(second, other.second))
  }
}
