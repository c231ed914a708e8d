import MixNumerics

/// The small MLP of one conditioning input: Linear, SiLU, Linear, one row per distinct condition.
struct Embedder {
  let layout: EmbedderLayout
  let input: Matrix  // (rows, inputs)
  let hidden: Matrix  // (rows, d), before SiLU
  let activated: Matrix  // (rows, d)

  init(_ layout: EmbedderLayout, rows: Int, _ arena: inout Arena) {
    self.layout = layout
    input = arena.matrix(rows, layout.first.inputs)
    hidden = arena.matrix(rows, layout.first.outputs)
    activated = arena.matrix(rows, layout.first.outputs)
  }

  /// output += MLP(input) for one row; `input`'s row must be filled.
  func forward(_ row: Int, _ weights: ParameterView, addingTo output: UnsafeMutablePointer<Float>) {
    let width = layout.first.outputs
    hidden.row(row).update(from: weights.bias(layout.first), count: width)
    MatrixProduct.addTimesVector(weights.weight(layout.first), input.row(row), to: hidden.row(row))
    Activation.silu(hidden.row(row), into: activated.row(row), count: width)
    MatrixProduct.addTimesVector(weights.weight(layout.second), activated.row(row), to: output)
    Reduction.add(weights.bias(layout.second), to: output, count: width)
  }

  /// Accumulates the weights' gradients given the output's, (samples, d); `dHidden` is scratch of the same shape, `panel` that of
  /// products.
  func backward(
    _ dy: Matrix, _ rows: SampleRows, _ weights: ParameterView, _ gradients: GradientSink, dHidden dh: Matrix,
    panel: UnsafeMutablePointer<Float>
  ) {
    gradients.add(layout.second, dy: dy, x: rows.gather(activated), panel: panel)
    MatrixProduct.times(dy, weights.weight(layout.second), into: dh, panel: panel)
    for sample in 0..<dh.rows {
      Activation.siluBackward(hidden.row(rows.rowOf[sample]), dy: dh.row(sample), into: dh.row(sample), count: dh.columns)
    }
    gradients.add(layout.first, dy: dh, x: rows.gather(input), panel: panel)
  }
}
