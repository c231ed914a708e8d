/// c += aᵀ·b for long a (k, m) and b (k, n): the gradient of a weight from the rows of all samples.
///
/// Both factors are read along their rows' length, so both are packed, in blocks of depth: up to 384 columns of b in panels,
/// then, 128 at a time, the columns of a in tiles of six or fewer. The sum runs over k upwards, as in every product.
package struct GradientProduct {
  /// Floats of scratch.
  package static let scratch = depthBlock * (groupRows + groupColumns) + 16

  private static let depthBlock = 256
  private static let groupRows = 128
  private static let groupColumns = 384

  private let tiles: UnsafeMutablePointer<Float>  // (tile, depth, height)
  private let panels: UnsafeMutablePointer<Float>  // (panel, depth, 16)

  /// - Parameter scratch: `GradientProduct.scratch` floats, a multiple of 64 bytes.
  package init(scratch: UnsafeMutablePointer<Float>) {
    panels = scratch
    tiles = scratch + Self.depthBlock * Self.groupColumns
  }

  package func add(_ a: Matrix, _ b: Matrix, to c: Matrix) {
    for first in stride(from: 0, to: a.rows, by: Self.depthBlock) {
      let depth = first..<min(a.rows, first + Self.depthBlock)
      forEachGroup(c.columns, Self.groupColumns) { columns in
        let packed = PackedMatrix(panels, depth: depth.count, columns: columns.count)
        packed.pack(b.rows(depth).columns(columns), rows: 0..<depth.count)
        forEachGroup(c.rows, Self.groupRows) { rows in
          packTiles(a.rows(depth).columns(rows))
          for index in 0..<packed.panels { multiplyTiles(packed, index, into: c.rows(rows).columns(columns)) }
        }
      }
    }
  }

  /// Groups of nearly equal length, at most `most`, each but the last a multiple of a panel's width.
  @inline(__always)
  private func forEachGroup(_ count: Int, _ most: Int, _ body: (Range<Int>) -> Void) {
    let groups = max(1, (count + most - 1) / most)
    let length = ((count + groups - 1) / groups + ProductPanel.width - 1) / ProductPanel.width * ProductPanel.width
    for first in stride(from: 0, to: count, by: length) { body(first..<min(count, first + length)) }
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
  /// Tiles with eight columns left are at least four high, so that the last copy but one ends within the tile.
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

  private func multiplyTiles(_ packed: PackedMatrix, _ index: Int, into c: Matrix) {
    let columns = packed.columns(ofPanel: index)
    var row = 0
    while row < c.rows {
      let height = tileHeight(c.rows - row)
      multiplyPanel(
        FactorColumns(tiles + row * packed.depth, stride: height), rows: height, depth: packed.depth,
        panel: packed.panel(index), into: c.row(row) + columns.lowerBound, stride: c.stride, columns: columns.count,
        accumulate: true)
      row += height
    }
  }
}
