import COpenBLAS

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

/// Products run on OpenBLAS with one thread: parallelism is over samples and panels, above it.
///
/// A row of a product is not a pure function of that row: OpenBLAS picks tiles by the call's shape. Whoever needs the same bits
/// for the same sample must make the same calls, whatever the batch and the number of threads.
package enum MatrixProduct {
  /// Call once before the first product; idempotent and safe from any thread.
  package static func prepare() { _ = prepared }

  private static let prepared: Void = {
    openblas_set_num_threads(1)
    blas_thread_shutdown_()
  }()

  /// c = α·a·bᵀ + β·c for a (m, k), b (n, k), c (m, n).
  @inline(__always)
  package static func timesTransposed(_ a: Matrix, _ b: Matrix, into c: Matrix, alpha: Float = 1, beta: Float = 0) {
    cblas_sgemm(
      CblasRowMajor, CblasNoTrans, CblasTrans, Int32(a.rows), Int32(b.rows), Int32(a.columns), alpha,
      a.base, Int32(a.stride), b.base, Int32(b.stride), beta, c.base, Int32(c.stride))
  }

  /// c = α·a·b + β·c for a (m, k), b (k, n), c (m, n).
  @inline(__always)
  package static func times(_ a: Matrix, _ b: Matrix, into c: Matrix, alpha: Float = 1, beta: Float = 0) {
    cblas_sgemm(
      CblasRowMajor, CblasNoTrans, CblasNoTrans, Int32(a.rows), Int32(b.columns), Int32(a.columns), alpha,
      a.base, Int32(a.stride), b.base, Int32(b.stride), beta, c.base, Int32(c.stride))
  }

  /// c = α·aᵀ·b + β·c for a (k, m), b (k, n), c (m, n).
  @inline(__always)
  package static func transposedTimes(_ a: Matrix, _ b: Matrix, into c: Matrix, alpha: Float = 1, beta: Float = 0) {
    cblas_sgemm(
      CblasRowMajor, CblasTrans, CblasNoTrans, Int32(a.columns), Int32(b.columns), Int32(a.rows), alpha,
      a.base, Int32(a.stride), b.base, Int32(b.stride), beta, c.base, Int32(c.stride))
  }

  /// y = a·x + β·y for a (m, k), x (k), y (m).
  @inline(__always)
  package static func timesVector(
    _ a: Matrix, _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, beta: Float = 0
  ) {
    cblas_sgemv(
      CblasRowMajor, CblasNoTrans, Int32(a.rows), Int32(a.columns), 1, a.base, Int32(a.stride), x, 1, beta, y, 1)
  }
}

/// A fixed cut of a product's output columns: the unit of work when several threads share one sample.
package struct Panels {
  package let columns: Int
  package let width: Int
  package var count: Int { (columns + width - 1) / width }

  /// At most four panels of at least 128 columns, cut at multiples of 16.
  package init(columns: Int) {
    self.columns = columns
    width = max(128, ((columns + 3) / 4 + 15) / 16 * 16)
  }

  @inline(__always)
  package subscript(index: Int) -> Range<Int> { index * width..<min(columns, (index + 1) * width) }
}
