import MixBasics

/// Lays out one block of memory: each piece begins at a multiple of 64 bytes, as products prefer.
///
/// One declaration serves twice. `Arena.count` runs it without memory and returns its size; `Arena.allocate` runs it again over
/// memory of that size to place the pieces.
package struct Arena {
  private let base: UnsafeMutablePointer<Float>
  private var next = 0
  /// Floats used so far; where pieces share a place, the largest of them counts.
  private var count = 0
  /// Whether the size is too large to be counted.
  private var overflows = false

  /// Stands for memory while a layout is counted; nothing is read or written there.
  nonisolated(unsafe) private static let nowhere = UnsafeMutablePointer<Float>.allocate(capacity: 16)

  private init(_ base: UnsafeMutablePointer<Float>) { self.base = base }

  /// Floats that a layout takes; `Int.max` for more than can be counted.
  package static func count<Layout>(_ layout: (inout Arena) -> Layout) -> Int {
    var arena = Arena(nowhere)
    _ = layout(&arena)
    return arena.overflows ? .max : arena.count
  }

  /// The bytes that a layout takes.
  /// - Parameter field: named by the error.
  /// - Throws: `invalidArgument` for more than can be addressed.
  package static func bytes<Layout>(
    _ field: String, _ layout: (inout Arena) -> Layout
  ) throws(MixGRPOError) -> Int {
    let (bytes, overflow) = count(layout).multipliedReportingOverflow(by: MemoryLayout<Float>.stride)
    try require(!overflow, field, expected: "a size in memory", got: "more")
    return bytes
  }

  /// Memory for a layout, zero at the start, and the layout in it.
  /// - Throws: as `bytes`; `outOfMemory`.
  package static func allocate<Layout>(
    _ field: String, _ layout: (inout Arena) -> Layout
  ) throws(MixGRPOError) -> (storage: FloatStorage, layout: Layout) {
    let storage = try FloatStorage(count: bytes(field, layout) / MemoryLayout<Float>.stride)
    var arena = Arena(storage.base)
    return (storage, layout(&arena))
  }

  /// The next piece.
  /// - Parameter sizes: at least 0; the piece has as many floats as their product.
  package mutating func floats(_ sizes: Int...) -> UnsafeMutablePointer<Float> {
    var size = 1
    for factor in sizes { size = multiply(size, factor) }
    return place(size)
  }

  /// A piece of `count` values of any plain type.
  package mutating func values<Element: BitwiseCopyable>(_ type: Element.Type, _ count: Int) -> UnsafeMutablePointer<Element> {
    let floats = multiply(count, MemoryLayout<Element>.stride) / MemoryLayout<Float>.stride + 1
    return UnsafeMutableRawPointer(place(floats)).bindMemory(to: type, capacity: count)
  }

  package mutating func matrix(_ rows: Int, _ columns: Int) -> Matrix {
    Matrix(place(multiply(rows, columns)), rows: rows, columns: columns)
  }

  package mutating func packed(depth: Int, columns: Int, _ precision: Precision = .float32) -> PackedMatrix {
    let floats = floats(PackedMatrix.floats(depth: depth, columns: columns, precision))
    return PackedMatrix(floats, depth: depth, columns: columns, precision)
  }

  private mutating func place(_ size: Int) -> UnsafeMutablePointer<Float> {
    let piece = base + next
    let (end, overflow) = next.addingReportingOverflow(size)
    overflows = overflows || overflow || end > .max - 15
    if !overflows { next = (end + 15) / 16 * 16 }
    count = max(count, next)
    return piece
  }

  private mutating func multiply(_ a: Int, _ b: Int) -> Int {
    let (product, overflow) = a.multipliedReportingOverflow(by: b)
    overflows = overflows || overflow
    return overflow ? 0 : product
  }

  // MARK: - Pieces that are never in use together

  /// Where the next piece will stand.
  package var position: Int { next }

  /// Places the next pieces over those after `position`.
  package mutating func reuse(from position: Int) { next = position }

  /// Places the next piece after all others again.
  package mutating func continueBehindAll() { next = count }
}
