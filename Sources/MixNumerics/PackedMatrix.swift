/// A matrix (depth, columns) in panels of sixteen columns, each stored row by row, in the order in which products read it.
///
/// The last panel is padded with zeros.
package struct PackedMatrix {
  let base: UnsafeMutablePointer<Float>
  package let depth: Int
  package let columns: Int
  private let panelStride: Int

  /// Floats that hold a matrix of this size.
  package static func floats(depth: Int, columns: Int) -> Int {
    (columns + ProductPanel.width - 1) / ProductPanel.width * ProductPanel.width * depth
  }

  /// The packed matrix at `base`, which should be aligned to 64 bytes.
  @inline(__always)
  package init(_ base: UnsafeMutablePointer<Float>, depth: Int, columns: Int) {
    self.init(base, depth, columns, ProductPanel.width * depth)
  }

  @inline(__always)
  private init(_ base: UnsafeMutablePointer<Float>, _ depth: Int, _ columns: Int, _ panelStride: Int) {
    (self.base, self.depth, self.columns, self.panelStride) = (base, depth, columns, panelStride)
  }

  var panels: Int { (columns + ProductPanel.width - 1) / ProductPanel.width }

  @inline(__always)
  func panel(_ index: Int) -> UnsafeMutablePointer<Float> { base + index * panelStride }

  @inline(__always)
  func columns(ofPanel index: Int) -> Range<Int> {
    index * ProductPanel.width..<min(columns, (index + 1) * ProductPanel.width)
  }

  /// The last column up to `column` at which a range of columns may begin.
  package static func panelStart(_ column: Int) -> Int { column / ProductPanel.width * ProductPanel.width }

  /// Some of the columns; `range` begins at a multiple of sixteen.
  @inline(__always)
  package func columns(_ range: Range<Int>) -> PackedMatrix {
    PackedMatrix(panel(range.lowerBound / ProductPanel.width), depth, range.count, panelStride)
  }

  @inline(__always)
  package func rows(_ range: Range<Int>) -> PackedMatrix {
    PackedMatrix(base + ProductPanel.width * range.lowerBound, range.count, columns, panelStride)
  }

  /// The address of a row's columns `column`…`column + 15`; `column` is a multiple of sixteen.
  @inline(__always)
  func place(_ row: Int, _ column: Int) -> UnsafeMutablePointer<Float> {
    panel(column / ProductPanel.width) + row &* ProductPanel.width
  }

  /// Some rows ← 0.
  package func clear(rows: Range<Int>) {
    for index in 0..<panels {
      (panel(index) + rows.lowerBound * ProductPanel.width).update(repeating: 0, count: rows.count * ProductPanel.width)
    }
  }

  /// Copies some rows of `matrix` (depth, columns), reading them in the order of memory.
  package func pack(_ matrix: Matrix, rows: Range<Int>) {
    let whole = columns / ProductPanel.width
    for row in rows {
      let source = matrix.row(row)
      for index in 0..<whole {
        store(load(source, index &* vectorWidth, vectorWidth), panel(index), row &* vectorWidth, vectorWidth)
      }
    }
    guard whole < panels else { return }
    let rest = columns(ofPanel: whole)
    PanelPacking.copy(matrix.rows(rows).columns(rest), into: panel(whole) + rows.lowerBound * ProductPanel.width)
  }

  /// Copies the transpose of `matrix` (columns, depth).
  package func packTranspose(of matrix: Matrix) {
    for index in 0..<panels {
      PanelPacking.transpose(matrix.rows(columns(ofPanel: index)), into: panel(index))
    }
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
