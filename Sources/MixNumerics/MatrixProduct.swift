/// Products of float32 matrices. Each runs in the caller's thread; callers run samples and panels in parallel.
///
/// Nothing is allocated. The right factor is packed by the caller, or sixteen columns at a time on the stack; the left factor is
/// read in place. A panel of one depth block takes 24 KiB, most of a core's first-level cache.
package enum MatrixProduct {
  private static let depthBlock = 384

  /// c = a·b, or c += a·b, for a (m, k), b (k, n), c (m, n).
  package static func times(_ a: Matrix, _ b: PackedMatrix, into c: Matrix, accumulate: Bool = false) {
    forEachDepthBlock(b.depth) { depth in
      let rows = FactorRows(a.base + depth.lowerBound, stride: a.stride)
      for index in 0..<b.panels {
        let columns = b.columns(ofPanel: index)
        multiplyPanel(
          rows, rows: a.rows, depth: depth.count, panel: b.panel(index) + depth.lowerBound * ProductPanel.width,
          into: c.base + columns.lowerBound, stride: c.stride, columns: columns.count,
          accumulate: accumulate || depth.lowerBound > 0,
          following: index + 1 < b.panels ? b.panel(index + 1) + depth.lowerBound * ProductPanel.width : nil)
      }
    }
  }

  /// c = a·b, or c += a·b, for a (m, k), b (k, n), c (m, n).
  package static func times(_ a: Matrix, _ b: Matrix, into c: Matrix, accumulate: Bool = false) {
    multiply(
      FactorRows(a.base, stride: a.stride), depth: a.columns, into: c, accumulate: accumulate
    ) { depth, columns, panel in
      PanelPacking.copy(b.rows(depth).columns(columns), into: panel)
    }
  }

  /// c = a·bᵀ for a (m, k), b (n, k), c (m, n).
  package static func timesTransposed(_ a: Matrix, _ b: Matrix, into c: Matrix) {
    multiply(
      FactorRows(a.base, stride: a.stride), depth: a.columns, into: c, accumulate: false
    ) { depth, columns, panel in
      PanelPacking.transpose(b.rows(columns).columns(depth), into: panel)
    }
  }

  /// c = aᵀ·b, or c += aᵀ·b, for a (k, m), b (k, n), c (m, n).
  package static func transposedTimes(_ a: Matrix, _ b: Matrix, into c: Matrix, accumulate: Bool = false) {
    multiply(
      FactorColumns(a.base, stride: a.stride), depth: a.rows, into: c, accumulate: accumulate
    ) { depth, columns, panel in
      PanelPacking.copy(b.rows(depth).columns(columns), into: panel)
    }
  }

  @inline(__always)
  private static func multiply(
    _ a: some LeftFactor, depth: Int, into c: Matrix, accumulate: Bool,
    pack: (_ depth: Range<Int>, _ columns: Range<Int>, _ panel: UnsafeMutablePointer<Float>) -> Void
  ) {
    withPanel { panel in
      forEachDepthBlock(depth) { depth in
        let rows = a.from(row: 0, k: depth.lowerBound)
        for first in stride(from: 0, to: c.columns, by: ProductPanel.width) {
          let columns = first..<min(c.columns, first + ProductPanel.width)
          pack(depth, columns, panel)
          multiplyPanel(
            rows, rows: c.rows, depth: depth.count, panel: panel, into: c.base + first, stride: c.stride,
            columns: columns.count, accumulate: accumulate || depth.lowerBound > 0)
        }
      }
    }
  }

  /// A panel of the greatest depth on the stack (24 KiB). It is not cleared, because both ways of packing write all sixteen
  /// floats of every k before any is read.
  @inline(__always)
  private static func withPanel(_ body: (UnsafeMutablePointer<Float>) -> Void) {
    var panel = InlineArray<384, Vector>(initializingWith: { span in span.withUnsafeMutableBufferPointer { $1 = $0.count } })
    var span = panel.mutableSpan
    span.withUnsafeMutableBufferPointer { vectors in
      UnsafeMutableRawPointer(vectors.baseAddress.unsafelyUnwrapped).withMemoryRebound(
        to: Float.self, capacity: depthBlock * ProductPanel.width, body)
    }
  }

  /// Blocks of nearly equal length, at most `depthBlock`.
  @inline(__always)
  private static func forEachDepthBlock(_ depth: Int, _ body: (Range<Int>) -> Void) {
    let blocks = max(1, (depth + depthBlock - 1) / depthBlock)
    let length = (depth + blocks - 1) / blocks
    for block in 0..<blocks { body(block * length..<min(depth, (block + 1) * length)) }
  }
}
