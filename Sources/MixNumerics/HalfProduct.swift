internal import CHalfProducts

/// Products of bfloat16 factors with float32 sums: pairs of values upwards, and of each pair the odd one first.
///
/// **A row of a product depends only on that row of a and on b**, to the last bit, as in float32. Subnormal numbers count as zero,
/// in factors and sums.
package enum HalfProduct {
  /// The kernel for this machine. All kernels give the same bits.
  static let fastest = mixgrpo_half_fastest_kernel()
  /// Pairs for which a panel stays in a core's first-level cache; as many bytes as a block in float32.
  private static let pairBlock = 384

  /// c = a·b, or c += a·b, for a (m, k), b (k, n) in bfloat16, c (m, n).
  package static func times(_ a: HalfRows, _ b: PackedMatrix, into c: Matrix, accumulate: Bool = false) {
    times(a, b, into: c, accumulate: accumulate, kernel: fastest)
  }

  static func times(_ a: HalfRows, _ b: PackedMatrix, into c: Matrix, accumulate: Bool, kernel: mixgrpo_half_kernel) {
    let factor = mixgrpo_half_factor(pairs: a.base, row_stride: a.pairs, pair_stride: 1)
    forEachBlock(b.lines) { pairs in
      for index in 0..<b.panels {
        multiply(
          factor.from(pair: pairs.lowerBound), a.rows, pairs, b, index, into: c, accumulate: accumulate || pairs.lowerBound > 0,
          following: index + 1 < b.panels ? b.pairs(ofPanel: index + 1) + pairs.lowerBound * ProductPanel.width : nil,
          kernel)
      }
    }
  }

  /// c += aᵀ·b for a (k, m), b (k, n) in bfloat16: the gradient of a weight from the rows of all samples.
  static func addTransposed(_ a: PackedMatrix, _ b: PackedMatrix, to c: Matrix, kernel: mixgrpo_half_kernel = fastest) {
    forEachBlock(a.lines) { pairs in
      for first in stride(from: 0, to: a.panels, by: GradientProduct.panelBlock) {
        for column in 0..<b.panels {
          for row in first..<min(a.panels, first + GradientProduct.panelBlock) {
            let factor = mixgrpo_half_factor(
              pairs: a.pairs(ofPanel: row), row_stride: 1, pair_stride: ProductPanel.width)
            let rows = a.columns(ofPanel: row)
            multiply(
              factor.from(pair: pairs.lowerBound), rows.count, pairs, b, column, into: c.rows(rows), accumulate: true,
              following: nil, kernel)
          }
        }
      }
    }
  }

  @inline(__always)
  private static func multiply(
    _ a: mixgrpo_half_factor, _ rows: Int, _ pairs: Range<Int>, _ b: PackedMatrix, _ panel: Int, into c: Matrix,
    accumulate: Bool, following: UnsafePointer<UInt32>?, _ kernel: mixgrpo_half_kernel
  ) {
    let columns = b.columns(ofPanel: panel)
    mixgrpo_half_multiply_panel(
      kernel, a, rows, pairs.count, b.pairs(ofPanel: panel) + pairs.lowerBound * ProductPanel.width,
      c.base + columns.lowerBound, c.stride, columns.count, accumulate ? 1 : 0, following)
  }

  /// Blocks of nearly equal length.
  @inline(__always)
  private static func forEachBlock(_ pairs: Int, _ body: (Range<Int>) -> Void) {
    let blocks = max(1, (pairs + pairBlock - 1) / pairBlock)
    let length = (pairs + blocks - 1) / blocks
    for block in 0..<blocks { body(block * length..<min(pairs, (block + 1) * length)) }
  }
}

extension mixgrpo_half_factor {
  /// The same factor, from this pair on.
  @inline(__always)
  fileprivate func from(pair: Int) -> mixgrpo_half_factor {
    mixgrpo_half_factor(pairs: pairs + pair * pair_stride, row_stride: row_stride, pair_stride: pair_stride)
  }
}
