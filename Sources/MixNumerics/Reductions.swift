/// Sums over rows and small vector updates.
package enum Reduction {
  /// sums += Σ over rows; sums (columns).
  package static func addColumnSums(_ matrix: Matrix, to sums: UnsafeMutablePointer<Float>) {
    for row in 0..<matrix.rows { add(matrix.row(row), to: sums, count: matrix.columns) }
  }

  /// The same for a matrix in panels.
  package static func addColumnSums(_ matrix: PackedMatrix, to sums: UnsafeMutablePointer<Float>) {
    for index in 0..<matrix.panels {
      let columns = matrix.columns(ofPanel: index)
      var sum = load(sums, columns.lowerBound, columns.count)
      for row in 0..<matrix.depth { sum += matrix.values(row, ofPanel: index) }
      store(sum, sums, columns.lowerBound, columns.count)
    }
  }

  /// y += x
  package static func add(_ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, count: Int) {
    forEachBlock(count) { i, lanes in store(load(y, i, lanes) + load(x, i, lanes), y, i, lanes) }
  }

  /// Every row ← row + bias.
  package static func addBias(_ bias: UnsafePointer<Float>, to matrix: Matrix) {
    for row in 0..<matrix.rows { add(bias, to: matrix.row(row), count: matrix.columns) }
  }

  /// to ← from, row by row.
  package static func copy(_ from: Matrix, into to: Matrix) {
    for row in 0..<from.rows { to.row(row).update(from: from.row(row), count: from.columns) }
  }

  /// to ← factor·from, row by row.
  package static func scale(_ from: Matrix, by factor: Float, into to: Matrix) {
    for row in 0..<from.rows {
      for column in 0..<from.columns { to.row(row)[column] = factor * from.row(row)[column] }
    }
  }

  /// matrix ← 0, row by row.
  package static func clear(_ matrix: Matrix) {
    for row in 0..<matrix.rows { matrix.row(row).update(repeating: 0, count: matrix.columns) }
  }

  /// to (columns, rows) ← transpose of from (rows, columns), tile by tile so that both stay in cache.
  package static func transpose(_ from: Matrix, into to: Matrix) {
    let tile = 16
    for firstRow in stride(from: 0, to: from.rows, by: tile) {
      for firstColumn in stride(from: 0, to: from.columns, by: tile) {
        for row in firstRow..<min(firstRow + tile, from.rows) {
          let source = from.row(row)
          for column in firstColumn..<min(firstColumn + tile, from.columns) { to.row(column)[row] = source[column] }
        }
      }
    }
  }

  /// Σ x² in Double: sixteen sums, each over every sixteenth value, which are then added.
  package static func sumOfSquares(_ x: UnsafePointer<Float>, count: Int) -> Double {
    var sums = SIMD16<Double>.zero
    forEachBlock(count) { i, lanes in
      let v = SIMD16<Double>(load(x, i, lanes))
      sums.addProduct(v, v)
    }
    return sums.sum()
  }

  /// Whether every value is 0.
  package static func isZero(_ x: UnsafePointer<Float>, count: Int) -> Bool {
    var bits = SIMD16<UInt32>.zero
    forEachBlock(count) { i, lanes in bits |= unsafeBitCast(load(x, i, lanes), to: SIMD16<UInt32>.self) & 0x7FFF_FFFF }
    return bits == .zero
  }

  /// Whether every value is finite: x − x is 0 for finite x and NaN otherwise.
  package static func allFinite(_ x: UnsafePointer<Float>, count: Int) -> Bool {
    var difference = Vector.zero
    forEachBlock(count) { i, lanes in
      let v = load(x, i, lanes)
      difference += v - v
    }
    return horizontalSum(difference) == 0
  }
}
