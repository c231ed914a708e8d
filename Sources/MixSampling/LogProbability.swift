import MixBasics
import MixNumerics

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The data of one sample's stochastic step: rows of D values, and the random stream of its noise if that is known.
package struct StepRow {
  package let latent: UnsafePointer<Float>  // x (D)
  package let next: UnsafePointer<Float>  // x' (D)
  package let count: Int
  package let noise: RandomStream?

  package init(
    latent: UnsafePointer<Float>, next: UnsafePointer<Float>, count: Int, noise: RandomStream?
  ) {
    self.latent = latent
    self.next = next
    self.count = count
    self.noise = noise
  }
}

/// Computes all log-probabilities. Rollout and update both call it, with rows of the same bits, so that the first ratio of an
/// iteration is exactly 1.
package enum LogProbability {
  /// log p(x' | x, v) of a stochastic step, in the given form; sums run over D in Double in a fixed order.
  /// - Precondition: `requireStochastic`; `.guarded` also requires known noise.
  package static func value(
    _ row: StepRow, velocity: UnsafePointer<Float>, _ transition: Transition, _ form: LogProbabilityForm
  ) -> Double {
    let count = Double(row.count)
    switch form {
    case .mean: return logDensity(squaredResidual(row, velocity, transition) / count, transition)
    case .sum: return count * logDensity(squaredResidual(row, velocity, transition) / count, transition)
    case .coefficientPreservingPeer: return -squaredResidual(row, velocity, transition) / count
    case .guarded: return noiseTimesMean(row, velocity, transition) / count
    }
  }

  /// - Throws: `invalidArgument` for a deterministic step, which has no density.
  package static func requireStochastic(_ transition: Transition) throws(MixGRPOError) {
    try require(
      transition.isStochastic, "step", expected: "a stochastic step, as others have no log-probability",
      got: transition.kind)
  }

  /// −r²/(2s²) − ln s − ½ ln 2π for a mean squared residual r².
  private static func logDensity(_ meanSquare: Double, _ transition: Transition) -> Double {
    let scale = transition.noiseScale
    return -meanSquare / (2 * scale * scale) - log(scale) - 0.5 * log(2 * Double.pi)
  }

  /// Σ_D (x' − μ)²
  private static func squaredResidual(
    _ row: StepRow, _ velocity: UnsafePointer<Float>, _ transition: Transition
  ) -> Double {
    let (a, b) = (transition.latentScale, transition.velocityScale)
    let (latent, next) = (row.latent, row.next)
    return fourLaneSum(row.count) { i in
      let residual = Double(next[i]) - (a * Double(latent[i]) + b * Double(velocity[i]))
      return residual * residual
    }
  }

  /// Σ_D ε·μ with the noise drawn again from its key.
  private static func noiseTimesMean(
    _ row: StepRow, _ velocity: UnsafePointer<Float>, _ transition: Transition
  ) -> Double {
    let (a, b) = (transition.latentScale, transition.velocityScale)
    guard let stream = row.noise else { return .nan }
    var sum = 0.0
    stream.forEachPiece(of: row.count) { offset, noise in
      let (latent, velocity) = (row.latent + offset, velocity + offset)
      sum += fourLaneSum(noise.count) { i in
        Double(noise[i]) * (a * Double(latent[i]) + b * Double(velocity[i]))
      }
    }
    return sum
  }
}

/// Σ term(i) over 0..<count in four interleaved partial sums, so that additions do not wait for each other.
@inline(__always)
package func fourLaneSum(_ count: Int, _ term: (Int) -> Double) -> Double {
  var (s0, s1, s2, s3) = (0.0, 0.0, 0.0, 0.0)
  var i = 0
  while i &+ 4 <= count {
    s0 += term(i)
    s1 += term(i &+ 1)
    s2 += term(i &+ 2)
    s3 += term(i &+ 3)
    i &+= 4
  }
  while i < count {
    s0 += term(i)
    i &+= 1
  }
  return (s0 + s1) + (s2 + s3)
}

extension RandomStream {
  /// Visits the stream's normals 0 ..< count in pieces that fit on the stack.
  package func forEachPiece(of count: Int, _ body: (_ offset: Int, _ noise: UnsafeBufferPointer<Float>) -> Void) {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 256) { piece in
      guard let base = piece.baseAddress else { return }
      for offset in Swift.stride(from: 0, to: count, by: 256) {
        let length = min(256, count - offset)
        fillNormals(base, count: length, offset: offset)
        body(offset, UnsafeBufferPointer(start: base, count: length))
      }
    }
  }
}
