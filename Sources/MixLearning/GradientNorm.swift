import MixBasics
import MixNumerics
import MixSampling

/// The Euclidean norm of all gradients, and the factor that clips it.
///
/// Squares are summed in Double over fixed chunks, and the chunks' sums in order: the result does not depend on threads.
package final class GradientNorm {
  private static let chunk = 16_384
  private let count: Int
  private let partialSums: Table<Double>

  /// - Parameter count: number of gradients
  package init(count: Int) throws(MixGRPOError) {
    try require(count >= 1, "count", expected: "1 or more", got: count)
    self.count = count
    partialSums = try Table(count: (count - 1) / Self.chunk + 1, filledWith: 0)
  }

  /// The norm. It is finite if and only if all gradients are, because squares of floats cannot overflow a Double sum.
  package func norm(of gradients: UnsafePointer<Float>, workers: Workers) -> Double {
    workers.forEachChunk(of: count, size: Self.chunk) { chunk, range in
      partialSums[chunk] = Reduction.sumOfSquares(gradients + range.lowerBound, count: range.count)
    }
    return partialSums.buffer.reduce(0, +).squareRoot()
  }

  /// The factor for gradients of this norm: 1, or maximum/(norm + 1e−6) where the norm is larger.
  /// - Parameter maximum: infinity for no limit
  package static func clipFactor(norm: Double, maximum: Double) -> Double { min(1, maximum / (norm + 1e-6)) }
}
