import MixBasics

/// Measures how far an update changes a model: compares the velocity of one latent before the first optimizer step and after
/// the last.
final class VelocityGuard {
  private let limit: Double
  private let before: FloatStorage  // (D)
  private var isKept = false
  /// Root mean square of the difference, relative to that of the velocity or to 1, whichever is larger; NaN before it is
  /// measured.
  private(set) var change = Double.nan

  /// - Parameter limit: maximum change of the velocity, above 0.
  init(latentSize: Int, limit: Double) throws(MixGRPOError) {
    self.limit = limit
    before = try FloatStorage(count: latentSize)
  }

  func begin() { (isKept, change) = (false, .nan) }

  /// - Parameter velocity: (D), the velocity of the update's first row before the first optimizer step; copied.
  func keep(_ velocity: UnsafePointer<Float>) {
    before.base.update(from: velocity, count: before.count)
    isKept = true
  }

  /// - Parameter velocity: (D), the velocity of the same latent after the update.
  /// - Throws: `diverged` when it has changed too much; `notFinite`.
  func check(_ velocity: UnsafePointer<Float>) throws(MixGRPOError) {
    guard isKept else { return }
    let difference = rootMeanSquare { Double(velocity[$0]) - Double(before.base[$0]) }
    change = difference / max(1, rootMeanSquare { Double(before.base[$0]) })
    guard change.isFinite else {
      throw MixGRPOError(.notFinite, "velocity: expected finite values after the update, got NaN or infinity")
    }
    guard change <= limit else {
      throw MixGRPOError(
        .diverged,
        "velocity: expected a change of at most max_velocity_change = \(limit) in one update, got \(change): "
          + "the learning rate is too large")
    }
  }

  private func rootMeanSquare(_ value: (Int) -> Double) -> Double {
    ((0..<before.count).reduce(0) { $0 + value($1) * value($1) } / Double(before.count)).squareRoot()
  }
}
