/// c += aᵀ·b for a (k, m), b (k, n) stored in panels: the gradient of a weight from the rows of all samples.
///
/// Both factors are read row by row, with a panel's sixteen columns side by side, so that nothing has to be packed. The sum runs
/// over k upwards, as in every product.
package enum GradientProduct {
  /// Block sizes for which the panels of b that a tile takes and a block of panels of a stay in a core's own caches.
  private static let depthBlock = 384 / ProductPanel.most
  static let panelBlock = 8

  /// - Parameters a, b: of one precision.
  package static func add(_ a: PackedMatrix, _ b: PackedMatrix, to c: Matrix) {
    if a.precision == .bfloat16 { return HalfProduct.addTransposed(a, b, to: c) }
    for first in stride(from: 0, to: a.depth, by: depthBlock) {
      let depth = first..<min(a.depth, first + depthBlock)
      for panel in stride(from: 0, to: a.panels, by: panelBlock) {
        add(a.rows(depth), panel..<min(a.panels, panel + panelBlock), b.rows(depth), to: c)
      }
    }
  }

  private static func add(_ a: PackedMatrix, _ panels: Range<Int>, _ b: PackedMatrix, to c: Matrix) {
    ProductPanel.forEachTile(ofColumns: b.columns) { columns in
      for row in panels {
        let rows = a.columns(ofPanel: row)
        multiplyPanels(
          FactorColumns(a.panel(row), stride: ProductPanel.width), rows: rows.count, depth: a.depth,
          b.panels(from: columns.lowerBound, depth: 0), into: c.row(rows.lowerBound) + columns.lowerBound, stride: c.stride,
          columns: columns.count, accumulate: true)
      }
    }
  }
}
