import MixNumerics

/// The end of the model: v = W·((1 + scale) ∘ LN(x) + shift) + b on image tokens.
struct OutputLayer {
  let shape: EvaluationShape
  let layer: LinearLayer
  /// First of (scale, shift) in a modulation row.
  let modulation: Int

  private func shift(_ row: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<Float> { row + modulation + shape.width }
  private func scale(_ row: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<Float> { row + modulation }

  func forward(
    _ x: Matrix, modulation row: UnsafeMutablePointer<Float>, weights: ParameterView, normalized: Matrix,
    into velocity: Matrix, team: Team
  ) {
    LayerNormalization.modulate(x, shift: shift(row), scale: scale(row), into: normalized)
    team.project(normalized, weights.packed(layer), into: velocity)
    Reduction.addBias(weights.bias(layer), to: velocity)
  }

  /// dx ← gradient of x given the velocity's; `normalized` receives the layer's input again.
  func backward(
    _ x: Matrix, dVelocity: Matrix, modulation row: UnsafeMutablePointer<Float>,
    dmodulation drow: UnsafeMutablePointer<Float>, weights: ParameterView, dnormalized: Matrix, normalized: PackedMatrix,
    into dx: Matrix, team: Team
  ) {
    team.projectBackward(dVelocity, weights.weight(layer), into: dnormalized)
    for index in 0..<dx.rows { dx.row(index).update(repeating: 0, count: dx.columns) }
    LayerNormalization.modulateBackward(
      x, shift: shift(row), scale: scale(row), dy: dnormalized, into: dx, y: normalized, dshift: shift(drow),
      dscale: scale(drow))
  }
}
