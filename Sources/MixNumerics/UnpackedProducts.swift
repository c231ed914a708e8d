import MixBasics

/// Products of two unpacked float32 matrices in one precision, in the caller's thread, on memory that is lent.
///
/// In bfloat16 both factors are rounded, once per product; sums are float32.
struct UnpackedProducts {
  private let precision: Precision
  private let memory: UnsafeMutablePointer<Float>
  /// Where the right factor stands in bfloat16.
  private let right: Int

  struct Room {
    let precision: Precision
    fileprivate let left: Int
    let floats: Int

    /// The greatest factors, as (rows, columns); in any precision, there is also room for a product in float32.
    init(_ precision: Precision, left: [(Int, Int)], right: [(Int, Int)]) {
      self.precision = precision
      func most(_ shapes: [(Int, Int)]) -> Int {
        // Values in pairs, lines of sixteen columns, either way round.
        func padded(_ count: Int) -> Int { (count + 15) / 16 * 16 }
        return shapes.map { padded($0) * padded($1) / 2 }.max() ?? 0
      }
      self.left = most(left)
      floats = precision == .float32 ? MatrixProduct.panelCount : max(MatrixProduct.panelCount, self.left + most(right))
    }
  }

  /// - Parameter memory: `room.floats`, aligned to 64 bytes.
  @inline(__always)
  init(_ room: Room, _ memory: UnsafeMutablePointer<Float>) {
    (precision, self.memory, right) = (room.precision, memory, room.left)
  }

  /// c = a·b for a (m, k), b (k, n), c (m, n).
  func times(_ a: Matrix, _ b: Matrix, into c: Matrix) {
    if precision == .float32 { return MatrixProduct.times(a, b, into: c, panel: memory) }
    let factor = packed(memory + right, b.rows, b.columns)
    factor.pack(b, rows: 0..<b.rows)
    HalfProduct.times(rounded(a), factor, into: c)
  }

  /// c = a·bᵀ for a (m, k), b (n, k), c (m, n).
  func timesTransposed(_ a: Matrix, _ b: Matrix, into c: Matrix) {
    if precision == .float32 { return MatrixProduct.timesTransposed(a, b, into: c, panel: memory) }
    let factor = packed(memory + right, b.columns, b.rows)
    factor.packTranspose(of: b)
    HalfProduct.times(rounded(a), factor, into: c)
  }

  /// c = aᵀ·b, or c += aᵀ·b, for a (k, m), b (k, n), c (m, n).
  func transposedTimes(_ a: Matrix, _ b: Matrix, into c: Matrix, accumulate: Bool) {
    if precision == .float32 { return MatrixProduct.transposedTimes(a, b, into: c, accumulate: accumulate, panel: memory) }
    let factors = (packed(memory, a.rows, a.columns), packed(memory + right, b.rows, b.columns))
    factors.0.pack(a, rows: 0..<a.rows)
    factors.1.pack(b, rows: 0..<b.rows)
    HalfProduct.transposedTimes(factors.0, factors.1, into: c, accumulate: accumulate)
  }

  private func rounded(_ a: Matrix) -> HalfRows {
    let rows = HalfRows(memory, rows: a.rows, columns: a.columns)
    rows.round(a, rows: 0..<a.rows)
    return rows
  }

  private func packed(_ memory: UnsafeMutablePointer<Float>, _ depth: Int, _ columns: Int) -> PackedMatrix {
    PackedMatrix(memory, depth: depth, columns: columns, .bfloat16)
  }
}
