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
  /// Panels of a tile at most. With the registers of AVX-512 two have room: each element of a then serves two multiply-adds, and a
  /// core that does two of them per cycle is not held up by its two loads per cycle.
  #if MIXGRPO_AVX512
  static let most = 2
  #else
  static let most = 1
  #endif

  /// The columns of one tile after the other: as many whole panels as a tile takes, then whole panels, then the rest.
  @inline(__always)
  static func forEachTile(ofColumns count: Int, most: Int, _ body: (Range<Int>) -> Void) {
    var first = 0
    while first < count {
      let left = count &- first
      let columns = left >= most &* width ? most &* width : min(left, width)
      body(first..<first &+ columns)
      first &+= columns
    }
  }
}

/// How a product cuts its depth. Sums run over k upwards in any case, so that the cuts change no bits.
///
/// An outer block meets all columns, and a's rows for it stay in a core's own caches. Of a tile's columns, one inner block comes
/// after the other, so that c comes from these caches, too.
enum DepthBlock {
  private static let outer = 384
  /// Lines for which the panels of a tile take 24 KiB, most of the first-level cache. A line is a value of k, or a pair in bfloat16.
  @inline(__always)
  static func inner(panels: Int) -> Int { outer / panels }

  /// Outer blocks of nearly equal length.
  @inline(__always)
  static func forEachOuter(_ depth: Int, _ body: (Range<Int>) -> Void) { forEach(0..<depth, outer, body) }

  /// The inner blocks of an outer one, for tiles of so many panels.
  @inline(__always)
  static func forEachInner(_ depth: Range<Int>, panels: Int, _ body: (Range<Int>) -> Void) {
    forEach(depth, inner(panels: panels), body)
  }

  /// All blocks of a product in their order, each with the columns of one tile, and where the next one begins.
  @inline(__always)
  static func forEach(
    depth: Int, columns: Int, panels: Int,
    _ body: (_ depth: Range<Int>, _ columns: Range<Int>, _ next: (k: Int, column: Int)?) -> Void
  ) {
    forEachOuter(depth) { outer in
      ProductPanel.forEachTile(ofColumns: columns, most: panels) { tile in
        forEachInner(outer, panels: panels) { inner in
          if inner.upperBound < outer.upperBound {
            body(inner, tile, (inner.upperBound, tile.lowerBound))
          } else {
            body(inner, tile, tile.upperBound < columns ? (outer.lowerBound, tile.upperBound) : nil)
          }
        }
      }
    }
  }

  @inline(__always)
  private static func forEach(_ depth: Range<Int>, _ most: Int, _ body: (Range<Int>) -> Void) {
    let blocks = max(1, (depth.count + most - 1) / most)
    let length = (depth.count + blocks - 1) / blocks
    for block in 0..<blocks {
      let first = depth.lowerBound + block * length
      body(first..<min(depth.upperBound, first + length))
    }
  }
}

/// Panels side by side, or a single one.
struct ProductPanels {
  let base: UnsafePointer<Float>
  /// Floats from one panel to the next.
  let stride: Int
}

/// The innermost piece of every product: some rows by the columns of one or two panels of c, which stay in registers.
///
///   c[row][column] (+)= Σₖ a[row][k]·b[k][column], k upwards, one fused multiply-add after the other.
///
/// The order of the sum is the same in every tile and block: **a row of a product depends only on that row of a and on b**, to
/// the last bit, at any position and on every processor.
struct ProductTile<let rows: Int, let panels: Int> {
  private typealias Row = InlineArray<panels, Vector>
  private var sums = InlineArray<rows, Row>(repeating: Row(repeating: .zero))

  /// c (rows, 16·panels) (+)= a·b.
  @inline(__always)
  static func multiply(
    _ a: some LeftFactor, depth: Int, _ b: ProductPanels, into c: UnsafeMutablePointer<Float>, stride: Int, accumulate: Bool
  ) {
    var tile = ProductTile()
    if accumulate { tile.load(c, stride) }
    var (a, panel) = (a, b.base)
    for _ in 0..<depth {
      tile.add(a, panel, b.stride)
      a = a.from(row: 0, k: 1)
      panel += ProductPanel.width
    }
    tile.store(c, stride)
  }

  @inline(__always)
  private init() {}

  @inline(__always)
  private mutating func add(_ a: some LeftFactor, _ b: UnsafePointer<Float>, _ stride: Int) {
    var columns = Row(repeating: .zero)
    for panel in 0..<panels { columns[unchecked: panel] = MixNumerics.load(b, panel &* stride, vectorWidth) }
    for row in 0..<rows {
      let element = Vector(repeating: a.element(row))
      for panel in 0..<panels {
        sums[unchecked: row][unchecked: panel] = element.multiplyAdd(
          columns[unchecked: panel], sums[unchecked: row][unchecked: panel])
      }
    }
  }

  @inline(__always)
  private mutating func load(_ c: UnsafePointer<Float>, _ stride: Int) {
    for row in 0..<rows {
      for panel in 0..<panels {
        sums[unchecked: row][unchecked: panel] = MixNumerics.load(
          c, row &* stride &+ panel &* ProductPanel.width, vectorWidth)
      }
    }
  }

  @inline(__always)
  private func store(_ c: UnsafeMutablePointer<Float>, _ stride: Int) {
    for row in 0..<rows {
      for panel in 0..<panels {
        MixNumerics.store(
          sums[unchecked: row][unchecked: panel], c, row &* stride &+ panel &* ProductPanel.width, vectorWidth)
      }
    }
  }
}

/// Prefetches the next panels, a few cache lines per tile, while the tiles of the current ones are computed.
///
/// Weights are used once per sample and do not stay in a core's own caches; without prefetching, a product takes a tenth longer.
struct Lookahead {
  private var next: ProductPanels
  private let panels: Int
  private let linesPerTile: Int

  /// - Parameters:
  ///   - lines: rows of each of the next panels, one cache line each.
  ///   - tiles: tiles of the current panels.
  @inline(__always)
  init(_ next: ProductPanels, panels: Int, lines: Int, tiles: Int) {
    (self.next, self.panels) = (next, panels)
    linesPerTile = lines == 0 ? 0 : (lines &+ tiles &- 1) / tiles
  }

  @inline(__always)
  mutating func beginTile() {
    for line in 0..<linesPerTile {
      for panel in 0..<panels { mixgrpo_prefetch(next.base + (panel &* next.stride &+ line &* ProductPanel.width)) }
    }
    next = ProductPanels(base: next.base + linesPerTile &* ProductPanel.width, stride: next.stride)
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

/// c (rows, columns) (+)= a·b, in as few tiles as possible, whose heights differ by at most one. `columns` as from
/// `ProductPanel.forEachTile`.
@inline(__always)
func multiplyPanels(
  _ a: some LeftFactor, rows: Int, depth: Int, _ b: ProductPanels, into c: UnsafeMutablePointer<Float>, stride: Int,
  columns: Int, accumulate: Bool, following: UnsafePointer<Float>? = nil
) {
  let tiles = (rows &+ highestTile &- 1) / highestTile
  guard tiles > 0 else { return }
  let (height, higher) = (rows / tiles, rows % tiles)
  let panels = (columns &+ ProductPanel.width &- 1) / ProductPanel.width
  let next = ProductPanels(base: following ?? b.base, stride: b.stride)
  var lookahead = Lookahead(next, panels: panels, lines: following == nil ? 0 : depth, tiles: tiles)
  @inline(__always)
  func multiply(from row: Int, _ tiles: Int, _ height: Int) {
    let (a, c) = (a.from(row: row, k: 0), c + row &* stride)
    if columns == panels &* ProductPanel.width {
      multiplyTiles(
        tiles, height, panels, a, depth: depth, b, into: c, stride: stride, accumulate: accumulate, &lookahead)
    } else {
      multiplyNarrowTiles(tiles, height, a, depth: depth, b, into: c, stride: stride, columns: columns, accumulate: accumulate)
    }
  }
  if higher > 0 { multiply(from: 0, higher, height &+ 1) }
  multiply(from: higher &* (height &+ 1), tiles &- higher, height)
}

/// Tiles where c has fewer than sixteen columns: all sixteen are computed in a buffer, and the needed ones are copied.
@inline(never)
private func multiplyNarrowTiles<Left: LeftFactor>(
  _ tiles: Int, _ height: Int, _ a: Left, depth: Int, _ b: ProductPanels, into c: UnsafeMutablePointer<Float>,
  stride: Int, columns: Int, accumulate: Bool
) {
  var values = InlineArray<128, Float>(repeating: 0)  // a tile of eight rows
  var span = values.mutableSpan
  span.withUnsafeMutableBufferPointer { values in
    let aside = values.baseAddress.unsafelyUnwrapped
    let whole = Matrix(aside, rows: height, columns: columns, stride: ProductPanel.width)
    var nothing = Lookahead(b, panels: 1, lines: 0, tiles: 1)
    for tile in 0..<tiles {
      let narrow = Matrix(c + tile &* height &* stride, rows: height, columns: columns, stride: stride)
      if accumulate { Reduction.copy(narrow, into: whole) }
      multiplyTiles(
        1, height, 1, a.from(row: tile &* height, k: 0), depth: depth, b, into: aside, stride: ProductPanel.width,
        accumulate: accumulate, &nothing)
      Reduction.copy(whole, into: narrow)
    }
  }
}

@inline(never)
private func multiplyTiles<Left: LeftFactor>(
  _ tiles: Int, _ height: Int, _ panels: Int, _ a: Left, depth: Int, _ b: ProductPanels, into c: UnsafeMutablePointer<Float>,
  stride: Int, accumulate: Bool, _ lookahead: inout Lookahead
) {
  @inline(__always)
  func multiply<let rows: Int, let panels: Int>(_: ProductTile<rows, panels>.Type) {
    for tile in 0..<tiles {
      lookahead.beginTile()
      ProductTile<rows, panels>.multiply(
        a.from(row: tile &* rows, k: 0), depth: depth, b, into: c + tile &* rows &* stride, stride: stride,
        accumulate: accumulate)
    }
  }
  #if MIXGRPO_AVX512
  if panels == 2 {
    switch height {
    case 8: multiply(ProductTile<8, 2>.self)
    case 7: multiply(ProductTile<7, 2>.self)
    case 6: multiply(ProductTile<6, 2>.self)
    case 5: multiply(ProductTile<5, 2>.self)
    case 4: multiply(ProductTile<4, 2>.self)
    case 3: multiply(ProductTile<3, 2>.self)
    case 2: multiply(ProductTile<2, 2>.self)
    default: multiply(ProductTile<1, 2>.self)
    }
    return
  }
  #endif
  switch height {
  #if MIXGRPO_AVX512
  case 8: multiply(ProductTile<8, 1>.self)
  case 7: multiply(ProductTile<7, 1>.self)
  #endif
  case 6: multiply(ProductTile<6, 1>.self)
  case 5: multiply(ProductTile<5, 1>.self)
  case 4: multiply(ProductTile<4, 1>.self)
  case 3: multiply(ProductTile<3, 1>.self)
  case 2: multiply(ProductTile<2, 1>.self)
  default: multiply(ProductTile<1, 1>.self)
  }
}
