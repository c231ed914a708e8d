/// c += aᵀ·b for a (k, m), b (k, n) that lie in panels, k much longer than both: the gradient of a weight from the rows of all
/// samples.
///
/// Both factors are read along their rows' length, a panel's sixteen columns side by side, so that nothing has to be packed. The sum
/// runs over k upwards, as in every product.
package enum GradientProduct {
  /// As many rows as are read again from a core's own caches, for panel after panel of the other factor.
  private static let depthBlock = 384

  package static func add(_ a: PackedMatrix, _ b: PackedMatrix, to c: Matrix) {
    for first in stride(from: 0, to: a.depth, by: depthBlock) {
      let (a, b) = (a.rows(first..<min(a.depth, first + depthBlock)), b.rows(first..<min(b.depth, first + depthBlock)))
      for column in 0..<b.panels {
        let columns = b.columns(ofPanel: column)
        for row in 0..<a.panels {
          let rows = a.columns(ofPanel: row)
          multiplyPanel(
            FactorColumns(a.panel(row), stride: ProductPanel.width), rows: rows.count, depth: a.depth, panel: b.panel(column),
            into: c.row(rows.lowerBound) + columns.lowerBound, stride: c.stride, columns: columns.count, accumulate: true)
        }
      }
    }
  }
}
