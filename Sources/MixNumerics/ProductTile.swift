internal import CPrefetch

/// The left factor of a product, as a tile reads it.
protocol LeftFactor {
  /// Element (row, 0).
  func element(_ row: Int) -> Float
  /// The same from this row and k on.
  func from(row: Int, k: Int) -> Self
}

/// A left factor with the elements of a row side by side.
struct FactorRows: LeftFactor {
  let base: UnsafePointer<Float>
  let stride: Int

  @inline(__always)
  init(_ base: UnsafePointer<Float>, stride: Int) { (self.base, self.stride) = (base, stride) }

  @inline(__always)
  func element(_ row: Int) -> Float { base[row &* stride] }

  @inline(__always)
  func from(row: Int, k: Int) -> FactorRows { FactorRows(base + (row &* stride &+ k), stride: stride) }
}

/// A left factor with the rows' elements of the same k side by side.
struct FactorColumns: LeftFactor {
  let base: UnsafePointer<Float>
  let stride: Int

  @inline(__always)
  init(_ base: UnsafePointer<Float>, stride: Int) { (self.base, self.stride) = (base, stride) }

  @inline(__always)
  func element(_ row: Int) -> Float { base[row] }

  @inline(__always)
  func from(row: Int, k: Int) -> FactorColumns { FactorColumns(base + (k &* stride &+ row), stride: stride) }
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

  /// c (rows, 16) (+)= a·panel.
  @inline(__always)
  static func multiply(
    _ a: some LeftFactor, depth: Int, panel: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, stride: Int,
    accumulate: Bool
  ) {
    var tile = ProductTile()
    if accumulate { tile.load(c, stride) }
    var (a, panel) = (a, panel)
    for _ in 0..<depth {
      tile.add(a, panel)
      a = a.from(row: 0, k: 1)
      panel += ProductPanel.width
    }
    tile.store(c, stride)
  }

  @inline(__always)
  private init() {}

  @inline(__always)
  private mutating func add(_ a: some LeftFactor, _ panel: UnsafePointer<Float>) {
    let b = (MixNumerics.load(panel, 0, 8), MixNumerics.load(panel, 8, 8))
    for row in 0..<rows {
      let factor = Vector(repeating: a.element(row))
      left[unchecked: row] = factor.multiplyAdd(b.0, left[unchecked: row])
      right[unchecked: row] = factor.multiplyAdd(b.1, right[unchecked: row])
    }
  }

  @inline(__always)
  private mutating func load(_ c: UnsafePointer<Float>, _ stride: Int) {
    for row in 0..<rows {
      left[unchecked: row] = MixNumerics.load(c, row &* stride, 8)
      right[unchecked: row] = MixNumerics.load(c, row &* stride &+ 8, 8)
    }
  }

  @inline(__always)
  private func store(_ c: UnsafeMutablePointer<Float>, _ stride: Int) {
    for row in 0..<rows {
      MixNumerics.store(left[unchecked: row], c, row &* stride, 8)
      MixNumerics.store(right[unchecked: row], c, row &* stride &+ 8, 8)
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
  _ a: some LeftFactor, rows: Int, depth: Int, panel: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, stride: Int,
  columns: Int, accumulate: Bool, following: UnsafePointer<Float>? = nil
) {
  var row = 0
  var lookahead = Lookahead(following ?? panel, lines: following == nil ? 0 : depth, tiles: max(1, (rows &+ 5) / 6))
  while row < rows {
    let height = tileHeight(rows &- row)
    let tiles = max(1, (rows &- row &- 30) / height)  // as many of this height as surely follow
    if columns == ProductPanel.width {
      multiplyTiles(
        tiles, height, a.from(row: row, k: 0), depth: depth, panel: panel, into: c + row &* stride, stride: stride,
        accumulate: accumulate, &lookahead)
    } else {
      multiplyNarrowTiles(
        tiles, height, a.from(row: row, k: 0), depth: depth, panel: panel, into: c + row &* stride, stride: stride,
        columns: columns, accumulate: accumulate)
    }
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

/// Tiles of which c has fewer than sixteen columns: computed whole, aside.
@inline(never)
private func multiplyNarrowTiles<Left: LeftFactor>(
  _ tiles: Int, _ height: Int, _ a: Left, depth: Int, panel: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>,
  stride: Int, columns: Int, accumulate: Bool
) {
  var values = InlineArray<96, Float>(repeating: 0)  // six rows
  var span = values.mutableSpan
  span.withUnsafeMutableBufferPointer { values in
    let aside = values.baseAddress.unsafelyUnwrapped
    let whole = Matrix(aside, rows: height, columns: columns, stride: ProductPanel.width)
    var nothing = Lookahead(panel, lines: 0, tiles: 1)
    for tile in 0..<tiles {
      let narrow = Matrix(c + tile &* height &* stride, rows: height, columns: columns, stride: stride)
      if accumulate { Reduction.copy(narrow, into: whole) }
      multiplyTiles(
        1, height, a.from(row: tile &* height, k: 0), depth: depth, panel: panel, into: aside, stride: ProductPanel.width,
        accumulate: accumulate, &nothing)
      Reduction.copy(whole, into: narrow)
    }
  }
}

@inline(never)
private func multiplyTiles<Left: LeftFactor>(
  _ tiles: Int, _ height: Int, _ a: Left, depth: Int, panel: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>,
  stride: Int, accumulate: Bool, _ lookahead: inout Lookahead
) {
  switch height {
  case 6: repeatTile(ProductTile<6>.self, tiles, a, depth, panel, c, stride, accumulate, &lookahead)
  case 5: repeatTile(ProductTile<5>.self, tiles, a, depth, panel, c, stride, accumulate, &lookahead)
  case 4: repeatTile(ProductTile<4>.self, tiles, a, depth, panel, c, stride, accumulate, &lookahead)
  case 3: repeatTile(ProductTile<3>.self, tiles, a, depth, panel, c, stride, accumulate, &lookahead)
  case 2: repeatTile(ProductTile<2>.self, tiles, a, depth, panel, c, stride, accumulate, &lookahead)
  default: repeatTile(ProductTile<1>.self, tiles, a, depth, panel, c, stride, accumulate, &lookahead)
  }
}

@inline(__always)
private func repeatTile<let rows: Int>(
  _: ProductTile<rows>.Type, _ tiles: Int, _ a: some LeftFactor, _ depth: Int, _ panel: UnsafePointer<Float>,
  _ c: UnsafeMutablePointer<Float>, _ stride: Int, _ accumulate: Bool, _ lookahead: inout Lookahead
) {
  for tile in 0..<tiles {
    lookahead.beginTile()
    ProductTile<rows>.multiply(
      a.from(row: tile &* rows, k: 0), depth: depth, panel: panel, into: c + tile &* rows &* stride, stride: stride,
      accumulate: accumulate)
  }
}
