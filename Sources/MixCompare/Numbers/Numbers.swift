/// "1 seed", "3 seeds".
func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

/// A mean over seeds and its standard error.
struct Estimate: Equatable, Sendable {
  let mean: Double
  /// Standard error of the mean: the standard deviation (n − 1) divided by √n; NaN for a single value.
  let standardError: Double

  init(_ values: [Double]) {
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    self.mean = mean
    standardError = values.count > 1 ? (squares / (count - 1) / count).squareRoot() : .nan
  }

  func text(_ decimals: Int = 3) -> String {
    standardError.isFinite ? "\(fixed(mean, decimals)) ± \(fixed(standardError, decimals))" : fixed(mean, decimals)
  }
}

func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  let middle = sorted.count / 2
  guard !sorted.isEmpty else { return .nan }
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
