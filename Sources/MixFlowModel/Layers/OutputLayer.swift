import MixNumerics

/// The end of the model: v = W·((1 + scale) ∘ LN(x) + shift) + b on image tokens.
struct OutputLayer {
  let shape: EvaluationShape
  let layer: LinearLayer
  /// First of (scale, shift) in a modulation row.
  let modulation: Int

  private var shift: Int { modulation + shape.width }
  private var scale: Int { modulation }

  private func velocity(_ base: UnsafeMutablePointer<Float>) -> Matrix {
    Matrix(base, rows: shape.imageTokens, columns: shape.outChannels)
  }

  /// Computes one sample's velocity (tokens, out_channels) from the last block's output (tokens, d).
  func forward(_ x: Matrix, into velocity: UnsafeMutablePointer<Float>, _ pass: SamplePass) {
    let (normalized, velocity) = (pass.scratch.normalized.rows(0..<shape.imageTokens), self.velocity(velocity))
    LayerNormalization.modulate(
      shape.streams(of: x).image, shift: pass.modulation + shift, scale: pass.modulation + scale, into: normalized)
    pass.team.project(normalized, pass.weights.packed(layer), into: velocity)
    Reduction.addBias(pass.weights.bias(layer), to: velocity)
  }

  /// gradients.dx ← the gradient of `x` given that of the velocity; fills the factors of the weight's gradient.
  func backward(
    _ x: Matrix, dVelocity: UnsafeMutablePointer<Float>, _ gradients: SampleGradients, _ factors: LayerFactors,
    _ pass: SamplePass
  ) {
    let (dVelocity, dNormalized) = (velocity(dVelocity), pass.scratch.normalized.rows(0..<shape.imageTokens))
    factors.dy.pack(dVelocity, rows: 0..<shape.imageTokens)
    pass.team.projectBackward(dVelocity, pass.weights.weight(layer), into: dNormalized, pass.workerScratch)
    Reduction.clear(gradients.dx)
    LayerNormalization.modulateBackward(
      shape.streams(of: x).image, shift: pass.modulation + shift, scale: pass.modulation + scale, dy: dNormalized,
      into: shape.streams(of: gradients.dx).image, y: factors.x, dShift: gradients.dModulation + shift,
      dScale: gradients.dModulation + scale)
  }
}
