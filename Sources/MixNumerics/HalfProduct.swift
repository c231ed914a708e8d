internal import CHalfProducts

/// Products of bfloat16 factors with float32 sums: pairs of values upwards, and of each pair the odd one first.
///
/// **A row of a product depends only on that row of a and on b**, to the last bit, as in float32. Subnormal numbers count as zero,
/// in factors and sums.
package enum HalfProduct {
  /// The kernel for this machine. All kernels give the same bits.
  static let fastest = mixgrpo_half_fastest_kernel()

  /// c = a·b, or c += a·b, for a (m, k), b (k, n) in bfloat16, c (m, n).
  package static func times(_ a: HalfRows, _ b: PackedMatrix, into c: Matrix, accumulate: Bool = false) {
    times(a, b, into: c, accumulate: accumulate, kernel: fastest)
  }

  static func times(_ a: HalfRows, _ b: PackedMatrix, into c: Matrix, accumulate: Bool, kernel: mixgrpo_half_kernel) {
    let factor = mixgrpo_half_factor(pairs: a.base, row_stride: a.pairs, pair_stride: 1)
    DepthBlock.forEach(depth: b.lines, columns: b.columns, panels: mixgrpo_half_most_panels(kernel)) { pairs, columns, next in
      multiply(
        factor, a.rows, pairs, b, columns, into: c, accumulate: accumulate || pairs.lowerBound > 0,
        following: next.map { UnsafePointer(b.pairs(from: $0.column, pair: $0.k)) }, kernel)
    }
  }

  /// c = aᵀ·b, or c += aᵀ·b, for a (k, m), b (k, n) in bfloat16, c (m, n).
  static func transposedTimes(
    _ a: PackedMatrix, _ b: PackedMatrix, into c: Matrix, accumulate: Bool, kernel: mixgrpo_half_kernel = fastest
  ) {
    let most = mixgrpo_half_most_panels(kernel)
    DepthBlock.forEachOuter(a.lines) { outer in
      for first in stride(from: 0, to: a.panels, by: GradientProduct.panelBlock) {
        ProductPanel.forEachTile(ofColumns: b.columns, most: most) { columns in
          DepthBlock.forEachInner(outer, panels: most) { pairs in
            for panel in first..<min(a.panels, first + GradientProduct.panelBlock) {
              let rows = a.columns(ofPanel: panel)
              let factor = mixgrpo_half_factor(
                pairs: a.pairs(from: rows.lowerBound, pair: 0), row_stride: 1, pair_stride: ProductPanel.width)
              multiply(
                factor, rows.count, pairs, b, columns, into: c.rows(rows), accumulate: accumulate || pairs.lowerBound > 0,
                following: nil, kernel)
            }
          }
        }
      }
    }
  }

  @inline(__always)
  private static func multiply(
    _ a: mixgrpo_half_factor, _ rows: Int, _ pairs: Range<Int>, _ b: PackedMatrix, _ columns: Range<Int>, into c: Matrix,
    accumulate: Bool, following: UnsafePointer<UInt32>?, _ kernel: mixgrpo_half_kernel
  ) {
    let factor = mixgrpo_half_factor(
      pairs: a.pairs + pairs.lowerBound * a.pair_stride, row_stride: a.row_stride, pair_stride: a.pair_stride)
    let panels = mixgrpo_half_panels(
      pairs: b.pairs(from: columns.lowerBound, pair: pairs.lowerBound), stride: b.panelStride)
    mixgrpo_half_multiply_panels(
      kernel, factor, rows, pairs.count, panels, c.base + columns.lowerBound, c.stride, columns.count, accumulate ? 1 : 0,
      following)
  }
}
