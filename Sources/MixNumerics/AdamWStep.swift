/// One AdamW step over a stretch of weights: the scalars, and two loops that compute the same values.
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

  /// Whether `apply` would leave weights and second moments finite; an infinite first moment shows in its weight. NaN and
  /// infinity have an exponent of all ones, so the largest bit pattern tells.
  package func staysFinite(
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
