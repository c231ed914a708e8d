/// Mean and standard deviation of the rewards of a group or a batch.
struct RewardStatistics: Equatable {
  /// NaN without values
  let mean: Double
  /// With n − 1 in the denominator; NaN for fewer than two values
  let standardDeviation: Double
  let largestMagnitude: Double

  /// - Parameter trim: share excluded at each end of the sorted values; at least two values are kept.
  init(_ values: [Double], trim: Double = 0) {
    let dropped = min(Int(trim * Double(values.count) + 1e-9), max(0, (values.count - 2) / 2))
    let kept = dropped == 0 ? values[...] : values.sorted()[dropped..<values.count - dropped]
    largestMagnitude = values.reduce(0) { max($0, abs($1)) }
    let plain = Self.moments(kept)
    let scale = Self.scale(for: plain, of: kept, largestMagnitude)
    let (mean, squares) = scale == 1 ? plain : Self.moments(kept.map { $0 * scale }[...])
    self.mean = mean / scale
    standardDeviation = kept.count < 2 ? .nan : (squares / Double(kept.count - 1)).squareRoot() / scale
  }

  /// A power of two by which values are multiplied before their squares would overflow or underflow, so that they keep all their
  /// bits; 1 for usual values.
  private static func scale(
    for moments: (mean: Double, squares: Double), of values: ArraySlice<Double>, _ largestMagnitude: Double
  ) -> Double {
    guard largestMagnitude.isFinite, let first = values.first else { return 1 }
    if !(moments.squares.isFinite && moments.mean.isFinite) { return 0x1p-600 }
    return moments.squares < 0x1p-900 && values.contains { $0 != first } ? 0x1p600 : 1
  }

  private static func moments(_ values: ArraySlice<Double>) -> (mean: Double, squares: Double) {
    let mean = values.reduce(0, +) / Double(values.count)
    return (mean, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) })
  }

  /// Whether the spread is so small that rounding could have caused it, or too large to compute with.
  func isDegenerate(tolerance: Double) -> Bool {
    !(standardDeviation > max(1e-8, tolerance * largestMagnitude) && standardDeviation.isFinite && mean.isFinite)
  }
}
