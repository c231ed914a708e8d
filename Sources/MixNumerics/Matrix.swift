/// A row-major matrix inside a larger buffer: `stride` floats from row to row.
package struct Matrix {
  package var base: UnsafeMutablePointer<Float>
  package var rows: Int
  package var columns: Int
  package var stride: Int

  @inline(__always)
  package init(_ base: UnsafeMutablePointer<Float>, rows: Int, columns: Int, stride: Int? = nil) {
    self.base = base
    self.rows = rows
    self.columns = columns
    self.stride = stride ?? columns
  }

  @inline(__always)
  package func rows(_ range: Range<Int>) -> Matrix {
    Matrix(base + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride)
  }

  @inline(__always)
  package func columns(_ range: Range<Int>) -> Matrix {
    Matrix(base + range.lowerBound, rows: rows, columns: range.count, stride: stride)
  }

  @inline(__always)
  package func row(_ index: Int) -> UnsafeMutablePointer<Float> { base + index * stride }
}

/// A fixed division of a product's output columns: the unit of work when several threads share one sample.
package struct Panels {
  package let columns: Int
  package let width: Int
  package var count: Int { (columns + width - 1) / width }

  /// At most `most` panels of at least `least` columns, cut at multiples of 16.
  package init(columns: Int, most: Int, least: Int) {
    self.columns = columns
    width = max(least, ((columns + most - 1) / most + 15) / 16 * 16)
  }

  @inline(__always)
  package subscript(index: Int) -> Range<Int> { index * width..<min(columns, (index + 1) * width) }
}
