internal import CPrefetch

/// The left factor as a tile reads it: element (row, k) lies at base[row·rowStride + k·depthStride].
struct TileRows {
  var base: UnsafePointer<Float>
  var rowStride: Int
  var depthStride: Int

  @inline(__always)
  init(_ base: UnsafePointer<Float>, rowStride: Int, depthStride: Int) {
    self.base = base
    self.rowStride = rowStride
    self.depthStride = depthStride
  }

  @inline(__always)
  func from(row: Int) -> TileRows {
    TileRows(base + row &* rowStride, rowStride: rowStride, depthStride: depthStride)
  }
}

/// The right factor as a tile reads it: sixteen columns side by side, k after k, zeros where the matrix has fewer.
enum ProductPanel {
  static let width = 16
}

/// The innermost piece of every product: up to six rows by sixteen columns of c, which stay in registers.
///
///   c[row][column] (+)= Σₖ a[row][k]·b[k][column], k upwards, one fused multiply-add after the other.
///
/// Six rows of two AVX registers are twelve sums, enough to hide the latency of two multiply-adds per cycle; with two registers
/// for b and one for a that is all sixteen. The order of the sum is the same in every tile and block: **a row of a product is a
/// pure function of that row and b**, to the last bit, wherever it stands, on every processor.
struct ProductTile<let rows: Int> {
  private var left = InlineArray<rows, Vector>(repeating: .zero)
  private var right = InlineArray<rows, Vector>(repeating: .zero)

  /// - Parameters:
  ///   - columns: 1…16, columns of c that exist.
  @inline(__always)
  static func multiply(
    _ a: TileRows, depth: Int, panel: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, stride: Int, columns: Int,
    accumulate: Bool
  ) {
    var tile = ProductTile()
    if accumulate { tile.load(c, stride, columns) }
    tile.add(a, depth, panel)
    tile.store(c, stride, columns)
  }

  @inline(__always)
  private init() {}

  @inline(__always)
  private mutating func add(_ a: TileRows, _ depth: Int, _ panel: UnsafePointer<Float>) {
    var (element, panel) = (a.base, panel)
    for _ in 0..<depth {
      let b = (MixNumerics.load(panel, 0, 8), MixNumerics.load(panel, 8, 8))
      for row in 0..<rows {
        let factor = Vector(repeating: element[row &* a.rowStride])
        left[unchecked: row] = factor.multiplyAdd(b.0, left[unchecked: row])
        right[unchecked: row] = factor.multiplyAdd(b.1, right[unchecked: row])
      }
      element += a.depthStride
      panel += ProductPanel.width
    }
  }

  @inline(__always)
  private mutating func load(_ c: UnsafePointer<Float>, _ stride: Int, _ columns: Int) {
    for row in 0..<rows {
      let base = c + row &* stride
      if columns == ProductPanel.width {
        left[unchecked: row] = MixNumerics.load(base, 0, 8)
        right[unchecked: row] = MixNumerics.load(base, 8, 8)
      } else {
        left[unchecked: row] = MixNumerics.load(base, 0, min(columns, 8))
        right[unchecked: row] = MixNumerics.load(base, 8, max(columns &- 8, 0))
      }
    }
  }

  @inline(__always)
  private func store(_ c: UnsafeMutablePointer<Float>, _ stride: Int, _ columns: Int) {
    for row in 0..<rows {
      let base = c + row &* stride
      if columns == ProductPanel.width {
        MixNumerics.store(left[unchecked: row], base, 0, 8)
        MixNumerics.store(right[unchecked: row], base, 8, 8)
      } else {
        MixNumerics.store(left[unchecked: row], base, 0, min(columns, 8))
        MixNumerics.store(right[unchecked: row], base, 8, max(columns &- 8, 0))
      }
    }
  }
}

/// Brings the panel that follows nearer, a few cache lines per tile, while the tiles of this one are computed.
///
/// Weights are used once per sample and do not stay in a core's own caches; read on demand, they cost a tenth of a product.
struct Lookahead {
  private var next: UnsafePointer<Float>
  private let linesPerTile: Int

  /// - Parameters:
  ///   - lines: rows of the panel that follows, a cache line each.
  ///   - tiles: of the panel at hand.
  @inline(__always)
  init(_ next: UnsafePointer<Float>, lines: Int, tiles: Int) {
    self.next = next
    linesPerTile = lines == 0 ? 0 : (lines &+ tiles &- 1) / tiles
  }

  @inline(__always)
  mutating func beginTile() {
    for _ in 0..<linesPerTile {
      mixgrpo_prefetch(next)
      next += ProductPanel.width
    }
  }
}

/// c (rows, columns ≤ 16) (+)= a·panel, in tiles of nearly equal height.
@inline(__always)
func multiplyPanel(
  _ a: TileRows, rows: Int, depth: Int, panel: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, stride: Int,
  columns: Int, accumulate: Bool, following: UnsafePointer<Float>? = nil
) {
  var row = 0
  var lookahead = Lookahead(following ?? panel, lines: following == nil ? 0 : depth, tiles: max(1, (rows &+ 5) / 6))
  while row < rows {
    let height = tileHeight(rows &- row)
    let tiles = max(1, (rows &- row &- 30) / height)  // as many of this height as surely follow
    multiplyTiles(
      tiles, height, a.from(row: row), depth: depth, panel: panel, into: c + row &* stride, stride: stride,
      columns: columns, accumulate: accumulate, &lookahead)
    row &+= tiles &* height
  }
}

/// Rows of the next tile when `left` remain: as few tiles as possible, none much lower than the others.
@inline(__always)
func tileHeight(_ left: Int) -> Int {
  if left >= 36 { return 6 }
  let tiles = (left &+ 5) / 6
  return (left &+ tiles &- 1) / tiles
}

@inline(never)
private func multiplyTiles(
  _ tiles: Int, _ height: Int, _ a: TileRows, depth: Int, panel: UnsafePointer<Float>,
  into c: UnsafeMutablePointer<Float>, stride: Int, columns: Int, accumulate: Bool, _ lookahead: inout Lookahead
) {
  switch height {
  case 6: repeatTile(ProductTile<6>.self, tiles, a, depth, panel, c, stride, columns, accumulate, &lookahead)
  case 5: repeatTile(ProductTile<5>.self, tiles, a, depth, panel, c, stride, columns, accumulate, &lookahead)
  case 4: repeatTile(ProductTile<4>.self, tiles, a, depth, panel, c, stride, columns, accumulate, &lookahead)
  case 3: repeatTile(ProductTile<3>.self, tiles, a, depth, panel, c, stride, columns, accumulate, &lookahead)
  case 2: repeatTile(ProductTile<2>.self, tiles, a, depth, panel, c, stride, columns, accumulate, &lookahead)
  default: repeatTile(ProductTile<1>.self, tiles, a, depth, panel, c, stride, columns, accumulate, &lookahead)
  }
}

@inline(__always)
private func repeatTile<let rows: Int>(
  _: ProductTile<rows>.Type, _ tiles: Int, _ a: TileRows, _ depth: Int, _ panel: UnsafePointer<Float>,
  _ c: UnsafeMutablePointer<Float>, _ stride: Int, _ columns: Int, _ accumulate: Bool, _ lookahead: inout Lookahead
) {
  for tile in 0..<tiles {
    lookahead.beginTile()
    ProductTile<rows>.multiply(
      a.from(row: tile &* rows), depth: depth, panel: panel, into: c + tile &* rows &* stride, stride: stride,
      columns: columns, accumulate: accumulate)
  }
}
