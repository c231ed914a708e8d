/// c += aᵀ·b for a (k, m), b (k, n) stored in panels: the gradient of a weight from the rows of all samples.
///
/// Both factors are read row by row, with a panel's sixteen columns side by side, so that nothing has to be packed. The sum runs
/// over k upwards, as in every product.
package enum GradientProduct {
  /// So many panels of a, of one outer block, stay in a core's own caches.
  static let panelBlock = 8

  /// - Parameters a, b: of one precision.
  package static func add(_ a: PackedMatrix, _ b: PackedMatrix, to c: Matrix) {
    if a.precision == .bfloat16 { return HalfProduct.transposedTimes(a, b, into: c, accumulate: true) }
    DepthBlock.forEachOuter(a.depth) { outer in
      for panel in stride(from: 0, to: a.panels, by: panelBlock) {
        let panels = panel..<min(a.panels, panel + panelBlock)
        ProductPanel.forEachTile(ofColumns: b.columns, most: ProductPanel.most) { columns in
          DepthBlock.forEachInner(outer, panels: ProductPanel.most) { depth in
            add(a.rows(depth), panels, b.rows(depth), columns, to: c)
          }
        }
      }
    }
  }

  @inline(__always)
  private static func add(
    _ a: PackedMatrix, _ panels: Range<Int>, _ b: PackedMatrix, _ columns: Range<Int>, to c: Matrix
  ) {
    for row in panels {
      let rows = a.columns(ofPanel: row)
      multiplyPanels(
        FactorColumns(a.panel(row), stride: ProductPanel.width), rows: rows.count, depth: a.depth,
        b.panels(from: columns.lowerBound, depth: 0), into: c.row(rows.lowerBound) + columns.lowerBound, stride: c.stride,
        columns: columns.count, accumulate: true)
    }
  }
}
