/// c += aᵀ·b for long a (k, m) and b (k, n): the gradient of a weight from the rows of all samples.
///
/// Both factors are read along their rows' length, so both are packed, in blocks of depth: up to 128 columns of a, in tiles of
/// six or fewer, and one panel of b at a time. The sum runs over k upwards, as in every product.
package struct GradientProduct {
  /// Floats of scratch.
  package static let scratch = depthBlock * (groupRows + ProductPanel.width) + 16

  private static let depthBlock = 256
  private static let groupRows = 128

  private let tiles: UnsafeMutablePointer<Float>  // (tile, depth, height)
  private let panel: UnsafeMutablePointer<Float>  // (depth, 16)

  /// - Parameter scratch: `GradientProduct.scratch` floats, a multiple of 64 bytes.
  package init(scratch: UnsafeMutablePointer<Float>) {
    panel = scratch
    tiles = scratch + Self.depthBlock * ProductPanel.width
  }

  package func add(_ a: Matrix, _ b: Matrix, to c: Matrix) {
    let groups = max(1, (c.rows + Self.groupRows - 1) / Self.groupRows)
    let groupRows = (c.rows + groups - 1) / groups
    for first in stride(from: 0, to: a.rows, by: Self.depthBlock) {
      let depth = first..<min(a.rows, first + Self.depthBlock)
      for firstRow in stride(from: 0, to: c.rows, by: groupRows) {
        let rows = firstRow..<min(c.rows, firstRow + groupRows)
        packTiles(a.rows(depth).columns(rows))
        for firstColumn in stride(from: 0, to: c.columns, by: ProductPanel.width) {
          let columns = firstColumn..<min(c.columns, firstColumn + ProductPanel.width)
          PanelPacking.copy(b.rows(depth).columns(columns), into: panel)
          multiplyTiles(depth.count, into: c.rows(rows).columns(columns))
        }
      }
    }
  }

  /// Tiles of a (depth, columns): each value of k has its tile's columns side by side.
  private func packTiles(_ a: Matrix) {
    // Eight rows at a time, so that what is read stays in the first cache until its last column is copied.
    for first in stride(from: 0, to: a.rows, by: 8) {
      let rows = first..<min(a.rows, first + 8)
      var column = 0
      while column < a.columns {
        let height = tileHeight(a.columns &- column)
        packTile(
          a.rows(rows), column, height, isLast: rows.upperBound == a.rows,
          into: tiles + (column &* a.rows &+ first &* height))
        column &+= height
      }
    }
  }

  /// Eight values are copied where at most six count: the next value of k covers the rest, and the last takes only its own.
  @inline(__always)
  private func packTile(
    _ a: Matrix, _ column: Int, _ height: Int, isLast: Bool, into target: UnsafeMutablePointer<Float>
  ) {
    let whole = column &+ 8 > a.columns ? 0 : isLast ? a.rows &- 1 : a.rows
    for k in 0..<whole { store(load(a.row(k) + column, 0, 8), target + (k &* height), 0, 8) }
    for k in whole..<a.rows {
      for index in 0..<height { target[k &* height &+ index] = a.row(k)[column &+ index] }
    }
  }

  private func multiplyTiles(_ depth: Int, into c: Matrix) {
    var row = 0
    while row < c.rows {
      let height = tileHeight(c.rows - row)
      multiplyPanel(
        TileRows(tiles + row * depth, rowStride: 1, depthStride: height), rows: height, depth: depth, panel: panel,
        into: c.row(row), stride: c.stride, columns: c.columns, accumulate: true)
      row += height
    }
  }
}
