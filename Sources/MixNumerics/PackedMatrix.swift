import MixBasics

/// A matrix (depth, columns) in panels of sixteen columns, each stored line by line, in the order in which products read it.
///
/// In float32 a line is a row. In bfloat16 a line is a pair of rows, 2i and 2i + 1, whose values share 32 bits: the low and the
/// high half. The last panel is padded with zeros, and so is the last pair.
package struct PackedMatrix {
  let base: UnsafeMutablePointer<Float>
  package let depth: Int
  package let columns: Int
  package let precision: Precision
  /// Values of 32 bits from one panel to the next.
  let panelStride: Int

  /// Floats that hold a matrix of this size.
  package static func floats(depth: Int, columns: Int, _ precision: Precision = .float32) -> Int {
    (columns + ProductPanel.width - 1) / ProductPanel.width * ProductPanel.width * lines(depth, precision)
  }

  /// The packed matrix at `base`, which should be aligned to 64 bytes.
  @inline(__always)
  package init(_ base: UnsafeMutablePointer<Float>, depth: Int, columns: Int, _ precision: Precision = .float32) {
    self.init(base, depth, columns, ProductPanel.width * Self.lines(depth, precision), precision)
  }

  @inline(__always)
  private init(_ base: UnsafeMutablePointer<Float>, _ depth: Int, _ columns: Int, _ panelStride: Int, _ precision: Precision) {
    (self.base, self.depth, self.columns, self.panelStride, self.precision) = (base, depth, columns, panelStride, precision)
  }

  /// Lines of so many rows.
  @inline(__always)
  private static func lines(_ rows: Int, _ precision: Precision) -> Int { precision == .float32 ? rows : (rows + 1) / 2 }

  /// Lines of one panel.
  var lines: Int { Self.lines(depth, precision) }
  var panels: Int { (columns + ProductPanel.width - 1) / ProductPanel.width }

  @inline(__always)
  func panel(_ index: Int) -> UnsafeMutablePointer<Float> { base + index * panelStride }

  /// The panels from this column on, a multiple of sixteen, and from row `depth` on; in float32.
  @inline(__always)
  func panels(from column: Int, depth: Int) -> ProductPanels {
    ProductPanels(base: panel(column / ProductPanel.width) + depth * ProductPanel.width, stride: panelStride)
  }

  /// The panels from this column on, a multiple of sixteen, and from this pair of rows on; in bfloat16.
  @inline(__always)
  func pairs(from column: Int, pair: Int) -> UnsafeMutablePointer<UInt32> {
    UnsafeMutableRawPointer(panel(column / ProductPanel.width)).assumingMemoryBound(to: UInt32.self) + pair * ProductPanel.width
  }

  @inline(__always)
  func columns(ofPanel index: Int) -> Range<Int> {
    index * ProductPanel.width..<min(columns, (index + 1) * ProductPanel.width)
  }

  /// The last column up to `column` at which a range of columns may begin.
  package static func panelStart(_ column: Int) -> Int { column / ProductPanel.width * ProductPanel.width }

  /// Some of the columns; `range` begins at a multiple of sixteen.
  @inline(__always)
  package func columns(_ range: Range<Int>) -> PackedMatrix {
    PackedMatrix(panel(range.lowerBound / ProductPanel.width), depth, range.count, panelStride, precision)
  }

  /// Some of the rows; in bfloat16 `range` begins at an even row.
  @inline(__always)
  package func rows(_ range: Range<Int>) -> PackedMatrix {
    assert(precision == .float32 || range.lowerBound % 2 == 0)
    let first = Self.lines(range.lowerBound, precision)
    return PackedMatrix(base + ProductPanel.width * first, range.count, columns, panelStride, precision)
  }

  /// Writes a row's columns `column`…`column + 15`; `column` is a multiple of sixteen, and lanes behind the last column are 0.
  ///
  /// An even row also clears the odd row of its pair, which is written after it.
  @inline(__always)
  func put(_ values: Vector, _ row: Int, _ column: Int) {
    let panel = panel(column / ProductPanel.width)
    if precision == .float32 {
      store(values, panel, row &* ProductPanel.width, vectorWidth)
    } else {
      Half.put(values, row, UnsafeMutableRawPointer(panel + row / 2 &* ProductPanel.width))
    }
  }

  /// Sixteen columns of one row of a panel.
  @inline(__always)
  func values(_ row: Int, ofPanel index: Int) -> Vector {
    if precision == .float32 { return load(panel(index), row &* ProductPanel.width, vectorWidth) }
    return Half.values(row, UnsafeRawPointer(panel(index) + row / 2 &* ProductPanel.width))
  }

  /// Some rows ← 0.
  package func clear(rows: Range<Int>) {
    for row in rows {
      for index in 0..<panels { put(.zero, row, index &* ProductPanel.width) }
    }
  }

  /// Copies some rows of `matrix` (depth, columns), reading them in the order of memory.
  package func pack(_ matrix: Matrix, rows: Range<Int>) {
    for row in rows {
      let source = matrix.row(row)
      forEachBlock(columns) { column, lanes in put(load(source, column, lanes), row, column) }
    }
  }

  /// Copies some rows into `target` (rows, columns).
  package func unpack(_ rows: Range<Int>, into target: Matrix) {
    for row in rows {
      let target = target.row(row - rows.lowerBound)
      for index in 0..<panels {
        let columns = columns(ofPanel: index)
        store(values(row, ofPanel: index), target, columns.lowerBound, columns.count)
      }
    }
  }

  /// Copies the transpose of `matrix` (columns, depth).
  package func packTranspose(of matrix: Matrix) {
    for index in 0..<panels {
      let rows = matrix.rows(columns(ofPanel: index))
      if precision == .float32 {
        PanelPacking.transpose(rows, into: panel(index))
      } else {
        PanelPacking.transposeRounded(rows, into: panel(index))
      }
    }
  }
}

/// Values in bfloat16, rounded to nearest, ties to even.
enum Half {
  typealias Bits = SIMD16<UInt32>

  /// Each value in the high half of 32 bits.
  @inline(__always)
  private static func rounded(_ values: Vector) -> Bits {
    let bits = unsafeBitCast(values, to: Bits.self)
    var rounded = bits &+ 0x7FFF &+ (bits &>> 16 & 1)
    rounded.replace(with: 0x7FC0_0000, where: values .!= values)
    return rounded
  }

  /// Writes a row of the pair of rows at `pair`.
  @inline(__always)
  static func put(_ values: Vector, _ row: Int, _ pair: UnsafeMutableRawPointer) {
    let high = rounded(values) & 0xFFFF_0000
    let low = row & 1 == 0 ? high &>> 16 : high | pair.loadUnaligned(as: Bits.self) & 0xFFFF
    pair.storeBytes(of: low, as: Bits.self)
  }

  /// A row of the pair of rows at `pair`.
  @inline(__always)
  static func values(_ row: Int, _ pair: UnsafeRawPointer) -> Vector {
    let both = pair.loadUnaligned(as: Bits.self)
    return unsafeBitCast(row & 1 == 0 ? both &<< 16 : both & 0xFFFF_0000, to: Vector.self)
  }
}

/// Copies into one panel.
enum PanelPacking {
  /// Columns of `matrix` (depth, ≤ 16) side by side.
  @inline(__always)
  static func copy(_ matrix: Matrix, into panel: UnsafeMutablePointer<Float>) {
    var (source, target) = (UnsafePointer(matrix.base), panel)
    for _ in 0..<matrix.rows {
      store(load(source, 0, matrix.columns), target, 0, vectorWidth)
      source += matrix.stride
      target += ProductPanel.width
    }
  }

  /// Rows of `matrix` (≤ 16, depth) side by side, each pair of values in bfloat16.
  ///
  /// A pair of values is moved as if it were one float.
  static func transposeRounded(_ matrix: Matrix, into panel: UnsafeMutablePointer<Float>) {
    let pairs = 16
    var block = InlineArray<256, Float>(repeating: 0)  // sixteen rows of sixteen pairs
    var span = block.mutableSpan
    span.withUnsafeMutableBufferPointer { block in
      let rounded = Matrix(block.baseAddress.unsafelyUnwrapped, rows: matrix.rows, columns: pairs)
      for first in stride(from: 0, to: matrix.columns, by: 2 * pairs) {
        let values = min(2 * pairs, matrix.columns - first)
        let width = (values + 1) / 2
        for row in 0..<matrix.rows {
          rounded.row(row)[width - 1] = 0
          HalfRows.round(matrix.row(row) + first, into: UnsafeMutableRawPointer(rounded.row(row)), count: values)
        }
        transpose(rounded.columns(0..<width), into: panel + first / 2 * ProductPanel.width)
      }
    }
  }

  /// Rows of `matrix` (≤ 16, depth) side by side.
  static func transpose(_ matrix: Matrix, into panel: UnsafeMutablePointer<Float>) {
    let whole = matrix.columns / 8 * 8
    for half in [0, 8] where matrix.rows >= half + 8 {
      for column in stride(from: 0, to: whole, by: 8) {
        transposeEight(matrix.row(half) + column, matrix.stride, into: panel + column * ProductPanel.width + half)
      }
    }
    let done = matrix.rows / 8 * 8
    for row in 0..<ProductPanel.width {
      for column in (row < done ? whole : 0)..<matrix.columns {
        panel[column * ProductPanel.width + row] = row < matrix.rows ? matrix.row(row)[column] : 0
      }
    }
  }

  /// Eight rows of eight values → eight rows of a panel, pair by pair, four by four, eight by eight.
  @inline(__always)
  private static func transposeEight(
    _ source: UnsafePointer<Float>, _ stride: Int, into target: UnsafeMutablePointer<Float>
  ) {
    typealias Eight = SIMD8<Float>
    @inline(__always)
    func store(_ eight: Eight, _ row: Int) {
      UnsafeMutableRawPointer(target + row * ProductPanel.width).storeBytes(of: eight, as: Eight.self)
    }
    let rows = InlineArray<8, Eight> { UnsafeRawPointer(source + $0 * stride).loadUnaligned(as: Eight.self) }
    let pairs = InlineArray<8, Eight> { index in  // rows 2i and 2i + 1, low or high halves of each four interleaved
      let (a, b) = (rows[index / 2 * 2], rows[index / 2 * 2 + 1])
      return index % 2 == 0
        ? Eight(a[0], b[0], a[1], b[1], a[4], b[4], a[5], b[5]) : Eight(a[2], b[2], a[3], b[3], a[6], b[6], a[7], b[7])
    }
    let fours = InlineArray<8, Eight> { index in
      let (a, b) = (pairs[index / 4 * 4 + index / 2 % 2], pairs[index / 4 * 4 + index / 2 % 2 + 2])
      return index % 2 == 0
        ? Eight(a[0], a[1], b[0], b[1], a[4], a[5], b[4], b[5]) : Eight(a[2], a[3], b[2], b[3], a[6], a[7], b[6], b[7])
    }
    for index in 0..<4 {
      let (a, b) = (fours[index], fours[index + 4])
      store(Eight(lowHalf: a.lowHalf, highHalf: b.lowHalf), index)
      store(Eight(lowHalf: a.highHalf, highHalf: b.highHalf), index + 4)
    }
  }
}
