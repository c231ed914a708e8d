import MixNumerics

/// Applies a transition to one latent: x' = a·x + b·v + c₁·m₁ + c₂·m₂ + s·ε, in Double, rounded once to Float.
struct RowAdvance {
  let transition: Transition
  let count: Int  // D
  let latent: UnsafePointer<Float>  // x
  let velocity: UnsafePointer<Float>  // v
  let previousData: UnsafePointer<Float>?  // m₁, where c₁ ≠ 0
  let earlierData: UnsafePointer<Float>?  // m₂, where c₂ ≠ 0
  let noise: RandomStream?  // where s > 0
  /// Receives this step's data prediction x − σ·v, if a later step needs it.
  let dataPrediction: UnsafeMutablePointer<Float>?
  /// x'; may be the same memory as x.
  let next: UnsafeMutablePointer<Float>

  func run() {
    keepDataPrediction()
    if let noise {
      addNoise(noise)
    } else if let previousData {
      useHistory(previousData, earlierData)
    } else {
      followVelocity()
    }
  }

  private func keepDataPrediction() {
    guard let dataPrediction else { return }
    let sigma = transition.sigma
    for i in 0..<count { dataPrediction[i] = Float(Double(latent[i]) - sigma * Double(velocity[i])) }
  }

  private func followVelocity() {
    let (a, b) = (transition.latentScale, transition.velocityScale)
    for i in 0..<count { next[i] = Float(a * Double(latent[i]) + b * Double(velocity[i])) }
  }

  private func useHistory(_ previous: UnsafePointer<Float>, _ earlier: UnsafePointer<Float>?) {
    let (a, b) = (transition.latentScale, transition.velocityScale)
    let (c1, c2) = (transition.previousDataScale, transition.earlierDataScale)
    let earlier = earlier ?? previous  // c₂ is 0 then
    for i in 0..<count {
      let flow = a * Double(latent[i]) + b * Double(velocity[i])
      next[i] = Float(flow + c1 * Double(previous[i]) + c2 * Double(earlier[i]))
    }
  }

  private func addNoise(_ stream: RandomStream) {
    let (a, b, s) = (transition.latentScale, transition.velocityScale, transition.noiseScale)
    stream.forEachPiece(of: count) { offset, noise in
      let (latent, velocity, next) = (latent + offset, velocity + offset, next + offset)
      for i in 0..<noise.count {
        next[i] = Float(a * Double(latent[i]) + b * Double(velocity[i]) + s * Double(noise[i]))
      }
    }
  }
}
