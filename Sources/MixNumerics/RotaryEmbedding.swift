#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Rotation angles of every token, laid out for one head: adjacent channels (2k, 2k+1) turn by position·θ^(−2k/axisDim).
///
/// Source: FLUX. The axes divide the head's channels in order; angles are computed in Double.
package struct RotaryEmbedding {
  package let tokens: Int
  package let headDim: Int
  let cosine: UnsafeMutablePointer<Float>  // (tokens, headDim): cos, each value twice
  let signedSine: UnsafeMutablePointer<Float>  // (tokens, headDim): −sin, +sin in turn

  package init(tokens: Int, headDim: Int, _ arena: inout Arena) {
    (self.tokens, self.headDim) = (tokens, headDim)
    cosine = arena.floats(tokens, headDim)
    signedSine = arena.floats(tokens, headDim)
  }

  /// Fills the tables.
  /// - Parameters:
  ///   - positions: (tokens, axesDims.count), row by row.
  ///   - axesDims: channels of each axis, even; their sum is the head's width.
  package func fill(positions: [Float], axesDims: [Int], theta: Double = 10_000) {
    for token in 0..<tokens {
      var channel = token * headDim
      for (axis, dim) in axesDims.enumerated() {
        for pair in 0..<dim / 2 {
          let angle = Double(positions[token * axesDims.count + axis]) / pow(theta, Double(2 * pair) / Double(dim))
          (cosine[channel], cosine[channel + 1]) = (Float(cos(angle)), Float(cos(angle)))
          (signedSine[channel], signedSine[channel + 1]) = (Float(-sin(angle)), Float(sin(angle)))
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
