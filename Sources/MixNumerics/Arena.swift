/// Lays out one block of floats: each piece begins at a multiple of 16 floats, as products like it.
///
/// One declaration serves twice. `Arena.count` runs it without memory and says how many floats it takes; run with an arena over
/// that many, it hands out the pieces.
package struct Arena {
  private let base: UnsafeMutablePointer<Float>
  private var next = 0
  /// Floats taken so far, the largest of what stood in one place.
  private var count = 0

  /// Stands for memory while a layout is counted; nothing is read or written there.
  nonisolated(unsafe) private static let nowhere = UnsafeMutablePointer<Float>.allocate(capacity: 16)

  /// - Parameter base: as many floats as `count` gives for the layout, at a multiple of 64 bytes.
  package init(_ base: UnsafeMutablePointer<Float>) { self.base = base }

  /// Floats that a layout takes.
  package static func count(_ layout: (inout Arena) -> Void) -> Int {
    var arena = Arena(nowhere)
    layout(&arena)
    return arena.count
  }

  package mutating func floats(_ size: Int) -> UnsafeMutablePointer<Float> {
    defer {
      next += (size + 15) / 16 * 16
      count = max(count, next)
    }
    return base + next
  }

  package mutating func matrix(_ rows: Int, _ columns: Int) -> Matrix {
    Matrix(floats(rows * columns), rows: rows, columns: columns)
  }

  package mutating func packed(depth: Int, columns: Int) -> PackedMatrix {
    PackedMatrix(floats(PackedMatrix.floats(depth: depth, columns: columns)), depth: depth, columns: columns)
  }

  // MARK: - Pieces that are never in use together

  /// Where the next piece will stand.
  package var position: Int { next }

  /// Lets the next pieces stand where those behind `position` stand.
  package mutating func reuse(from position: Int) { next = position }

  /// The next piece stands behind all others again.
  package mutating func continueBehindAll() { next = count }
}
