internal import CProcessor

/// The left factor of a product, as a tile reads it.
protocol LeftFactor {
  /// Element (row, 0).
  func element(_ row: Int) -> Float
  /// The same factor, starting at this row and k.
  func from(row: Int, k: Int) -> Self
}

/// A left factor stored row by row.
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

/// A left factor stored column by column: the elements of all rows for one k are side by side.
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

/// The right factor as a tile reads it: sixteen columns side by side for each k, padded with zeros.
enum ProductPanel {
  static let width = vectorWidth
}

/// The innermost piece of every product: some rows by sixteen columns of c, which stay in registers.
///
///   c[row][column] (+)= Σₖ a[row][k]·b[k][column], k upwards, one fused multiply-add after the other.
///
/// The order of the sum is the same in every tile and block: **a row of a product depends only on that row of a and on b**, to
/// the last bit, at any position and on every processor.
struct ProductTile<let rows: Int> {
  private var sums = InlineArray<rows, Vector>(repeating: .zero)

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
    let b = MixNumerics.load(panel, 0, vectorWidth)
    for row in 0..<rows { sums[unchecked: row] = Vector(repeating: a.element(row)).multiplyAdd(b, sums[unchecked: row]) }
  }

  @inline(__always)
  private mutating func load(_ c: UnsafePointer<Float>, _ stride: Int) {
    for row in 0..<rows { sums[unchecked: row] = MixNumerics.load(c, row &* stride, vectorWidth) }
  }

  @inline(__always)
  private func store(_ c: UnsafeMutablePointer<Float>, _ stride: Int) {
    for row in 0..<rows { MixNumerics.store(sums[unchecked: row], c, row &* stride, vectorWidth) }
  }
}

/// Prefetches the next panel, a few cache lines per tile, while the tiles of the current panel are computed.
///
/// Weights are used once per sample and do not stay in a core's own caches; without prefetching, a product takes a tenth longer.
struct Lookahead {
  private var next: UnsafePointer<Float>
  private let linesPerTile: Int

  /// - Parameters:
  ///   - lines: rows of the next panel, one cache line each.
  ///   - tiles: tiles of the current panel.
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

/// Rows of the largest tile. They give enough sums to hide the latency of two multiply-adds per cycle, but no more than the
/// associativity of a core's first-level cache: when a's rows are a multiple of 4 KiB apart, all rows of a tile map to one set.
///
/// Six rows of two AVX registers are twelve sums; with two registers for b and one for a that is all sixteen.
#if MIXGRPO_AVX512
private let highestTile = 8
#else
private let highestTile = 6
#endif

/// c (rows, columns ≤ 16) (+)= a·panel, in as few tiles as possible, whose heights differ by at most one.
@inline(__always)
func multiplyPanel(
  _ a: some LeftFactor, rows: Int, depth: Int, panel: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, stride: Int,
  columns: Int, accumulate: Bool, following: UnsafePointer<Float>? = nil
) {
  let tiles = (rows &+ highestTile &- 1) / highestTile
  guard tiles > 0 else { return }
  let (height, higher) = (rows / tiles, rows % tiles)
  var lookahead = Lookahead(following ?? panel, lines: following == nil ? 0 : depth, tiles: tiles)
  @inline(__always)
  func multiply(from row: Int, _ tiles: Int, _ height: Int) {
    let (a, c) = (a.from(row: row, k: 0), c + row &* stride)
    if columns == ProductPanel.width {
      multiplyTiles(
        tiles, height, a, depth: depth, panel: panel, into: c, stride: stride, accumulate: accumulate, &lookahead)
    } else {
      multiplyNarrowTiles(
        tiles, height, a, depth: depth, panel: panel, into: c, stride: stride, columns: columns, accumulate: accumulate)
    }
  }
  if higher > 0 { multiply(from: 0, higher, height &+ 1) }
  multiply(from: higher &* (height &+ 1), tiles &- higher, height)
}

/// Tiles where c has fewer than sixteen columns: all sixteen are computed in a buffer, and the needed ones are copied.
@inline(never)
private func multiplyNarrowTiles<Left: LeftFactor>(
  _ tiles: Int, _ height: Int, _ a: Left, depth: Int, panel: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>,
  stride: Int, columns: Int, accumulate: Bool
) {
  var values = InlineArray<128, Float>(repeating: 0)  // a tile of eight rows
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
  @inline(__always)
  func multiply<let rows: Int>(_: ProductTile<rows>.Type) {
    for tile in 0..<tiles {
      lookahead.beginTile()
      ProductTile<rows>.multiply(
        a.from(row: tile &* rows, k: 0), depth: depth, panel: panel, into: c + tile &* rows &* stride, stride: stride,
        accumulate: accumulate)
    }
  }
  switch height {
  #if MIXGRPO_AVX512
  case 8: multiply(ProductTile<8>.self)
  case 7: multiply(ProductTile<7>.self)
  #endif
  case 6: multiply(ProductTile<6>.self)
  case 5: multiply(ProductTile<5>.self)
  case 4: multiply(ProductTile<4>.self)
  case 3: multiply(ProductTile<3>.self)
  case 2: multiply(ProductTile<2>.self)
  default: multiply(ProductTile<1>.self)
  }
}
