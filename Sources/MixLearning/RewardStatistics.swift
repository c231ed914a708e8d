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
    let count = Double(kept.count)
    let mean = kept.reduce(0, +) / count
    let squares = kept.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    self.mean = mean
    standardDeviation = count < 2 ? .nan : (squares / (count - 1)).squareRoot()
    largestMagnitude = values.reduce(0) { max($0, abs($1)) }
  }

  /// Whether the spread is so small that rounding could have caused it, or too large to compute with.
  func isDegenerate(tolerance: Double) -> Bool {
    !(standardDeviation > max(1e-8, tolerance * largestMagnitude) && standardDeviation.isFinite && mean.isFinite)
  }
}
