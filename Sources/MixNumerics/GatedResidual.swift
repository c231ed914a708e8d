/// The end of every branch: y = x + gate ∘ (p + bias), with one gate for all rows of a sample.
package enum GatedResidual {
  /// p ← p + bias (kept for the backward), then y ← x + gate ∘ p; x and y (rows, width) may be the same.
  package static func apply(
    _ x: Matrix, branch p: Matrix, bias: UnsafePointer<Float>, gate: UnsafePointer<Float>, into y: Matrix
  ) {
    for row in 0..<x.rows {
      let (source, branch, target) = (x.row(row), p.row(row), y.row(row))
      forEachBlock(x.columns) { i, lanes in
        let biased = load(branch, i, lanes) + load(bias, i, lanes)
        store(biased, branch, i, lanes)
        store(biased.multiplyAdd(load(gate, i, lanes), load(source, i, lanes)), target, i, lanes)
      }
    }
  }

  /// dp ← dy ∘ gate and dGate += Σ dy ∘ p over rows; dx is dy itself.
  package static func backward(
    dy: Matrix, branch p: Matrix, gate: UnsafePointer<Float>, into dp: Matrix, dGate: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<dy.rows {
      let (gradient, branch, target) = (dy.row(row), p.row(row), dp.row(row))
      forEachBlock(dy.columns) { i, lanes in
        let d = load(gradient, i, lanes)
        store(d * load(gate, i, lanes), target, i, lanes)
        store(d.multiplyAdd(load(branch, i, lanes), load(dGate, i, lanes)), dGate, i, lanes)
      }
    }
  }
}
