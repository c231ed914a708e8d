/// Layer normalisation without own weights, then modulation: y = (1 + scale) ∘ x̂ + shift, x̂ = (x − mean)/√(variance + 1e−6).
package enum LayerNormalization {
  package static let epsilon: Float = 1e-6

  /// x, y (rows, width); shift, scale (width), the same for all rows.
  package static func modulate(
    _ x: Matrix, shift: UnsafePointer<Float>, scale: UnsafePointer<Float>, into y: Matrix
  ) {
    for row in 0..<x.rows {
      let source = x.row(row)
      let target = y.row(row)
      let (mean, inverse) = statistics(source, x.columns)
      @inline(__always)
      func modulate(_ i: Int, _ lanes: Int) {
        let normalized = (load(source, i, lanes) - mean) * inverse
        store(normalized.multiplyAdd(1 + load(scale, i, lanes), load(shift, i, lanes)), target, i, lanes)
      }
      forEachBlock(x.columns, modulate)
    }
  }

  /// Backward of `modulate` from the saved x, which also gives y again for the weight gradients that need it.
  ///
  /// With dx̂ = dy ∘ (1 + scale): dx += (dx̂ − mean(dx̂) − x̂·mean(dx̂ ∘ x̂))/√(variance + ε), dscale += Σ dy ∘ x̂, dshift += Σ dy.
  /// - Parameters:
  ///   - y: receives the forward result; must not overlap dy.
  ///   - dx: accumulated into.
  package static func modulateBackward(
    _ x: Matrix, shift: UnsafePointer<Float>, scale: UnsafePointer<Float>, dy: Matrix, into dx: Matrix, y: Matrix,
    dshift: UnsafeMutablePointer<Float>, dscale: UnsafeMutablePointer<Float>
  ) {
    for row in 0..<x.rows {
      let source = x.row(row)
      let gradient = dy.row(row)
      let output = y.row(row)
      let (mean, inverse) = statistics(source, x.columns)
      var sum = Vector.zero
      var weighted = Vector.zero
      @inline(__always)
      func gather(_ i: Int, _ lanes: Int) {
        let normalized = first(lanes, of: (load(source, i, lanes) - mean) * inverse)
        let d = load(gradient, i, lanes)
        let onePlusScale = 1 + load(scale, i, lanes)
        let dNormalized = d * onePlusScale
        sum += dNormalized
        weighted = dNormalized.multiplyAdd(normalized, weighted)
        store(d.multiplyAdd(normalized, load(dscale, i, lanes)), dscale, i, lanes)
        store(d + load(dshift, i, lanes), dshift, i, lanes)
        store(normalized.multiplyAdd(onePlusScale, load(shift, i, lanes)), output, i, lanes)
      }
      forEachBlock(x.columns, gather)
      let meanGradient = horizontalSum(sum) / Float(x.columns)
      let meanWeighted = horizontalSum(weighted) / Float(x.columns)
      let target = dx.row(row)
      @inline(__always)
      func propagate(_ i: Int, _ lanes: Int) {
        let normalized = (load(source, i, lanes) - mean) * inverse
        let dNormalized = load(gradient, i, lanes) * (1 + load(scale, i, lanes))
        let d = (dNormalized - meanGradient) - normalized * meanWeighted
        store(d.multiplyAdd(Vector(repeating: inverse), load(target, i, lanes)), target, i, lanes)
      }
      forEachBlock(x.columns, propagate)
    }
  }

  /// Mean and 1/√(variance + ε) of one row, in two passes.
  @inline(__always)
  private static func statistics(_ x: UnsafePointer<Float>, _ width: Int) -> (mean: Float, inverse: Float) {
    var sum = Vector.zero
    forEachBlock(width) { i, lanes in sum += load(x, i, lanes) }
    let mean = horizontalSum(sum) / Float(width)
    var squares = Vector.zero
    @inline(__always)
    func square(_ i: Int, _ lanes: Int) {
      let centered = first(lanes, of: load(x, i, lanes) - mean)
      squares = centered.multiplyAdd(centered, squares)
    }
    forEachBlock(width, square)
    return (mean, 1 / (horizontalSum(squares) / Float(width) + epsilon).squareRoot())
  }
}
