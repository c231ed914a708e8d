/// Layer normalisation without weights, then modulation: y = (1 + scale) ∘ x̂ + shift, x̂ = (x − mean)/√(variance + 1e−6).
package enum LayerNormalization {
  package static let epsilon: Float = 1e-6

  /// x, y (rows, width); shift, scale (width), the same for all rows.
  package static func modulate(
    _ x: Matrix, shift: UnsafePointer<Float>, scale: UnsafePointer<Float>, into y: Matrix
  ) {
    forEachRow(x) { row, mean, inverse in
      let source = x.row(row)
      let target = y.row(row)
      @inline(__always)
      func modulate(_ i: Int, _ lanes: Int) {
        let normalized = (load(source, i, lanes) - mean) * inverse
        store(normalized.multiplyAdd(1 + load(scale, i, lanes), load(shift, i, lanes)), target, i, lanes)
      }
      forEachBlock(x.columns, modulate)
    }
  }

  /// Backward of `modulate` from the saved x. It also computes y again for the weight gradients.
  ///
  /// With dx̂ = dy ∘ (1 + scale): dx += (dx̂ − mean(dx̂) − x̂·mean(dx̂ ∘ x̂))/√(variance + ε), dScale += Σ dy ∘ x̂, dShift += Σ dy.
  /// - Parameters:
  ///   - y: receives the forward result; must not overlap dy.
  ///   - dx: accumulated into.
  package static func modulateBackward(
    _ x: Matrix, shift: UnsafePointer<Float>, scale: UnsafePointer<Float>, dy: Matrix, into dx: Matrix, y: PackedMatrix,
    dShift: UnsafeMutablePointer<Float>, dScale: UnsafeMutablePointer<Float>
  ) {
    forEachRow(x) { row, mean, inverse in
      let source = x.row(row)
      let gradient = dy.row(row)
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
        store(d.multiplyAdd(normalized, load(dScale, i, lanes)), dScale, i, lanes)
        store(d + load(dShift, i, lanes), dShift, i, lanes)
        y.put(normalized.multiplyAdd(onePlusScale, load(shift, i, lanes)), row, i)
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

  /// Calls `body` with every row of x, its mean and 1/√(variance + ε). These are computed for four rows at a time to hide the
  /// latency of each row's sums.
  @inline(__always)
  private static func forEachRow(_ x: Matrix, _ body: (_ row: Int, _ mean: Float, _ inverse: Float) -> Void) {
    var row = 0
    while row < x.rows {
      if row + 4 <= x.rows {
        let found = RowStatistics<4>(x.row(row), stride: x.stride, width: x.columns)
        for index in 0..<4 { body(row + index, found.mean[unchecked: index], found.inverse[unchecked: index]) }
        row += 4
      } else {
        let found = RowStatistics<1>(x.row(row), stride: x.stride, width: x.columns)
        body(row, found.mean[unchecked: 0], found.inverse[unchecked: 0])
        row += 1
      }
    }
  }
}

/// Mean and 1/√(variance + ε) of some rows, in two passes.
private struct RowStatistics<let rows: Int> {
  var mean = InlineArray<rows, Float>(repeating: 0)
  var inverse = InlineArray<rows, Float>(repeating: 0)

  @inline(__always)
  init(_ x: UnsafePointer<Float>, stride: Int, width: Int) {
    var sums = InlineArray<rows, Vector>(repeating: .zero)
    @inline(__always)
    func add(_ i: Int, _ lanes: Int) {
      for row in 0..<rows { sums[unchecked: row] += load(x, row &* stride &+ i, lanes) }
    }
    forEachBlock(width, add)
    for row in 0..<rows { mean[unchecked: row] = horizontalSum(sums[unchecked: row]) / Float(width) }
    let means = mean
    var squares = InlineArray<rows, Vector>(repeating: .zero)
    @inline(__always)
    func square(_ i: Int, _ lanes: Int) {
      for row in 0..<rows {
        let centered = first(lanes, of: load(x, row &* stride &+ i, lanes) - means[unchecked: row])
        squares[unchecked: row] = centered.multiplyAdd(centered, squares[unchecked: row])
      }
    }
    forEachBlock(width, square)
    for row in 0..<rows {
      let variance = horizontalSum(squares[unchecked: row]) / Float(width)
      inverse[unchecked: row] = 1 / (variance + LayerNormalization.epsilon).squareRoot()
    }
  }
}
