import MixNumerics

/// The beginning of the model: text and latents, each through a layer of its own, side by side as [text; image].
struct InputLayer {
  let shape: EvaluationShape
  let text: LinearLayer
  let image: LinearLayer

  private func latents(_ base: UnsafeMutablePointer<Float>) -> Matrix {
    Matrix(base, rows: shape.imageTokens, columns: shape.latentChannels)
  }

  /// x (textTokens, d) ← W·text + b, computed once for all samples of a prompt.
  func projectText(_ text: Matrix, into x: Matrix, _ weights: ParameterView) {
    Team.alone.project(text, weights.packed(self.text), into: x)
    Reduction.addBias(weights.bias(self.text), to: x)
  }

  /// Computes both streams' inputs from one sample's latents (tokens, in_channels) and its projected text.
  func forward(
    _ latents: UnsafeMutablePointer<Float>, projectedText: Matrix, into x: (text: Matrix, image: Matrix), _ pass: SamplePass
  ) {
    Reduction.copy(projectedText, into: x.text)
    pass.team.project(self.latents(latents), pass.weights.packed(image), into: x.image)
    Reduction.addBias(pass.weights.bias(image), to: x.image)
  }

  /// Fills the factors of both weights' gradients, and dLatents if there is room for it.
  func backward(
    _ latents: UnsafeMutablePointer<Float>, text: Matrix, _ gradients: SampleGradients,
    _ factors: (text: LayerFactors, image: LayerFactors), into dLatents: UnsafeMutablePointer<Float>?, _ pass: SamplePass
  ) {
    let dx = shape.streams(of: gradients.dx)
    factors.image.dy.pack(dx.image, rows: 0..<shape.imageTokens)
    factors.image.x.pack(self.latents(latents), rows: 0..<shape.imageTokens)
    factors.text.dy.pack(dx.text, rows: 0..<shape.textTokens)
    factors.text.x.pack(text, rows: 0..<shape.textTokens)
    guard let dLatents else { return }
    pass.team.projectBackward(dx.image, pass.weights.weight(image), into: self.latents(dLatents), pass.workerScratch)
  }
}
