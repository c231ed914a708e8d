/// A matrix (rows, columns) in bfloat16, row by row without gaps: half the memory of float32, for weights that do not change.
package struct RoundedMatrix {
  private let base: UnsafeMutablePointer<UInt16>
  private let columns: Int

  package init(_ base: UnsafeMutablePointer<UInt16>, columns: Int) { (self.base, self.columns) = (base, columns) }

  /// Rounds to nearest, ties to even.
  /// - Returns: whether all rounded values are finite.
  package func round(_ values: UnsafePointer<Float>, count: Int) -> Bool {
    HalfRows.round(values, into: UnsafeMutableRawPointer(base), count: count)
    return UnsafeBufferPointer(start: base, count: count).allSatisfy { $0 & 0x7F80 != 0x7F80 }
  }

  /// Copies some rows into `target`, whose first row is the first of `rows`.
  package func widen(_ rows: Range<Int>, into target: Matrix) {
    for row in rows { widen(base + row * columns, into: target.row(row - rows.lowerBound)) }
  }

  private func widen(_ source: UnsafePointer<UInt16>, into target: UnsafeMutablePointer<Float>) {
    typealias Bits = SIMD16<UInt16>
    let whole = columns / 16 * 16
    for column in stride(from: 0, to: whole, by: 16) {
      let bits = UnsafeRawPointer(source + column).loadUnaligned(as: Bits.self)
      let wide = SIMD16<UInt32>(truncatingIfNeeded: bits) &<< 16
      UnsafeMutableRawPointer(target + column).storeBytes(of: wide, as: SIMD16<UInt32>.self)
    }
    for column in whole..<columns { target[column] = Float(bitPattern: UInt32(source[column]) << 16) }
  }
}
