internal import CHalfProducts

/// The left factor of a product in bfloat16, (rows, columns), stored row by row; an odd row length is padded with a zero.
package struct HalfRows {
  let base: UnsafeMutablePointer<UInt32>
  package let rows: Int
  package let columns: Int

  /// Floats that hold so many rows.
  package static func floats(rows: Int, columns: Int) -> Int { rows * ((columns + 1) / 2) }

  /// - Parameter memory: `floats(rows:columns:)`.
  package init(_ memory: UnsafeMutablePointer<Float>, rows: Int, columns: Int) {
    base = UnsafeMutableRawPointer(memory).assumingMemoryBound(to: UInt32.self)
    (self.rows, self.columns) = (rows, columns)
  }

  /// Pairs of one row.
  var pairs: Int { (columns + 1) / 2 }

  /// Rounds some rows of `matrix` (rows, columns).
  package func round(_ matrix: Matrix, rows: Range<Int>) {
    for row in rows {
      let target = base + row * pairs
      target[pairs - 1] = 0
      Self.round(matrix.row(row), into: UnsafeMutableRawPointer(target), count: columns)
    }
  }

  /// Rounds to nearest, ties to even; NaN stays NaN.
  @inline(__always)
  static func round(
    _ values: UnsafePointer<Float>, into target: UnsafeMutableRawPointer, count: Int,
    kernel: mixgrpo_half_kernel = HalfProduct.fastest
  ) {
    mixgrpo_half_round(kernel, values, target.assumingMemoryBound(to: UInt16.self), count)
  }
}
