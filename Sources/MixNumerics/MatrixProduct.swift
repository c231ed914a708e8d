/// Products of float32 matrices. Each runs in the caller's thread; callers run samples and panels in parallel.
///
/// Nothing is allocated. The right factor is packed by the caller, or the columns of one tile at a time in panels that the caller
/// lends; the left factor is read in place. The panels of one depth block take 24 KiB, most of a core's first-level cache and too
/// much for the stack of a thread that belongs to the host.
package enum MatrixProduct {
  /// Floats of the panels that a product with an unpacked right factor needs. They need not be cleared: all sixteen floats of
  /// every k are written before any is read.
  package static let panelCount =
    DepthBlock.inner(panels: ProductPanel.most) * ProductPanel.most * ProductPanel.width

  /// c = a·b, or c += a·b, for a (m, k), b (k, n), c (m, n).
  package static func times(_ a: Matrix, _ b: PackedMatrix, into c: Matrix, accumulate: Bool = false) {
    DepthBlock.forEach(depth: b.depth, columns: b.columns, panels: ProductPanel.most) { depth, columns, next in
      multiplyPanels(
        FactorRows(a.base + depth.lowerBound, stride: a.stride), rows: a.rows, depth: depth.count,
        b.panels(from: columns.lowerBound, depth: depth.lowerBound), into: c.base + columns.lowerBound, stride: c.stride,
        columns: columns.count, accumulate: accumulate || depth.lowerBound > 0,
        following: next.map { UnsafePointer(b.panels(from: $0.column, depth: $0.k).base) })
    }
  }

  /// c = a·b, or c += a·b, for a (m, k), b (k, n), c (m, n).
  package static func times(
    _ a: Matrix, _ b: Matrix, into c: Matrix, accumulate: Bool = false, panel: UnsafeMutablePointer<Float>
  ) {
    multiply(
      FactorRows(a.base, stride: a.stride), depth: a.columns, into: c, accumulate: accumulate, panel: panel
    ) { depth, columns, panel in
      PanelPacking.copy(b.rows(depth).columns(columns), into: panel)
    }
  }

  /// c = a·bᵀ, or c += a·bᵀ, for a (m, k), b (n, k), c (m, n).
  package static func timesTransposed(
    _ a: Matrix, _ b: Matrix, into c: Matrix, accumulate: Bool = false, panel: UnsafeMutablePointer<Float>
  ) {
    multiply(
      FactorRows(a.base, stride: a.stride), depth: a.columns, into: c, accumulate: accumulate, panel: panel
    ) { depth, columns, panel in
      PanelPacking.transpose(b.rows(columns).columns(depth), into: panel)
    }
  }

  /// c = aᵀ·b, or c += aᵀ·b, for a (k, m), b (k, n), c (m, n).
  package static func transposedTimes(
    _ a: Matrix, _ b: Matrix, into c: Matrix, accumulate: Bool = false, panel: UnsafeMutablePointer<Float>
  ) {
    multiply(
      FactorColumns(a.base, stride: a.stride), depth: a.rows, into: c, accumulate: accumulate, panel: panel
    ) { depth, columns, panel in
      PanelPacking.copy(b.rows(depth).columns(columns), into: panel)
    }
  }

  @inline(__always)
  private static func multiply(
    _ a: some LeftFactor, depth: Int, into c: Matrix, accumulate: Bool, panel: UnsafeMutablePointer<Float>,
    pack: (_ depth: Range<Int>, _ columns: Range<Int>, _ panel: UnsafeMutablePointer<Float>) -> Void
  ) {
    DepthBlock.forEach(depth: depth, columns: c.columns, panels: ProductPanel.most) { depth, columns, _ in
      let panels = ProductPanels(base: panel, stride: depth.count * ProductPanel.width)
      for first in stride(from: columns.lowerBound, to: columns.upperBound, by: ProductPanel.width) {
        let place = (first - columns.lowerBound) / ProductPanel.width * panels.stride
        pack(depth, first..<min(columns.upperBound, first + ProductPanel.width), panel + place)
      }
      multiplyPanels(
        a.from(row: 0, k: depth.lowerBound), rows: c.rows, depth: depth.count, panels, into: c.base + columns.lowerBound,
        stride: c.stride, columns: columns.count, accumulate: accumulate || depth.lowerBound > 0)
    }
  }
}
