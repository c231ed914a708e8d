import MixBasics

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Rotation angles of every token, laid out for one head: adjacent channels (2k, 2k+1) turn by position·θ^(−2k/axisDim).
///
/// Source: FLUX; the axes share the head's channels in order, angles in Double.
package final class RotaryEmbedding: Sendable {
  package let tokens: Int
  package let headDim: Int
  private let storage: FloatStorage
  /// cos, each value twice: (tokens, headDim).
  package var cosine: UnsafePointer<Float> { UnsafePointer(storage.base) }
  /// −sin, +sin in turn: (tokens, headDim).
  package var signedSine: UnsafePointer<Float> { UnsafePointer(storage.base + tokens * headDim) }

  /// - Parameters:
  ///   - positions: (tokens, axesDims.count), row by row.
  ///   - axesDims: channels of each axis, even; their sum is the head's width.
  package init(positions: [Float], axesDims: [Int], theta: Double = 10_000) throws(MixGRPOError) {
    headDim = axesDims.reduce(0, +)
    tokens = positions.count / max(axesDims.count, 1)
    storage = try FloatStorage(count: 2 * tokens * headDim)
    let cosine = storage.base
    let sine = storage.base + tokens * headDim
    for token in 0..<tokens {
      var channel = token * headDim
      for (axis, dim) in axesDims.enumerated() {
        for pair in 0..<dim / 2 {
          let angle = Double(positions[token * axesDims.count + axis]) / pow(theta, Double(2 * pair) / Double(dim))
          (cosine[channel], cosine[channel + 1]) = (Float(cos(angle)), Float(cos(angle)))
          (sine[channel], sine[channel + 1]) = (Float(-sin(angle)), Float(sin(angle)))
          channel += 2
        }
      }
    }
  }
}

/// Exchanges the channels of each adjacent pair.
@inline(__always)
func swapPairs(_ v: Vector) -> Vector {
  Vector(v[1], v[0], v[3], v[2], v[5], v[4], v[7], v[6], v[9], v[8], v[11], v[10], v[13], v[12], v[15], v[14])
}
