extension MatrixProduct {
  /// y += a·x for a (m, k), x (k), y (m).
  package static func addTimesVector(_ a: Matrix, _ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>) {
    let whole = a.rows / 4 * 4
    for row in stride(from: 0, to: whole, by: 4) { addFourRows(a.rows(row..<row + 4), x, to: y + row) }
    for row in whole..<a.rows { y[row] += dot(a.row(row), x, a.columns) }
  }

  /// Four rows at a time: x is read once for all four, and their sums hide each other's latency.
  @inline(__always)
  private static func addFourRows(_ a: Matrix, _ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>) {
    var sums = (Vector.zero, Vector.zero, Vector.zero, Vector.zero)
    forEachBlock(a.columns) { i, lanes in
      let factor = load(x, i, lanes)
      sums.0 = load(a.row(0), i, lanes).multiplyAdd(factor, sums.0)
      sums.1 = load(a.row(1), i, lanes).multiplyAdd(factor, sums.1)
      sums.2 = load(a.row(2), i, lanes).multiplyAdd(factor, sums.2)
      sums.3 = load(a.row(3), i, lanes).multiplyAdd(factor, sums.3)
    }
    y[0] += horizontalSum(sums.0)
    y[1] += horizontalSum(sums.1)
    y[2] += horizontalSum(sums.2)
    y[3] += horizontalSum(sums.3)
  }

  /// Σ aᵢ·xᵢ in the same order as in a group of four rows.
  @inline(__always)
  private static func dot(_ a: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ count: Int) -> Float {
    var sum = Vector.zero
    forEachBlock(count) { i, lanes in sum = load(a, i, lanes).multiplyAdd(load(x, i, lanes), sum) }
    return horizontalSum(sum)
  }
}
