/// How the ranks exchange their gradients: pieces, messages and memory. All of it follows from the roots and the number of values, so
/// that it is the same on every rank and known before anything is allocated.
struct GradientLayout: Equatable {
  /// The first places of each rank's roots, in the order in which they are received.
  let roots: [[Int]]
  /// Of the trained values.
  let count: Int
  /// Values that are exchanged at once: enough to hide the time of a message. No message has more than `mostValues`.
  let pieceSize: Int

  /// Bytes of a message fit in 31 bits, as MPI counts them.
  static let mostValues = Int(Int32.max) / MemoryLayout<Float>.stride

  init(roots: [[Int]], count: Int, mostValues: Int = Self.mostValues) {
    (self.roots, self.count) = (roots, count)
    let most = max(1, roots.map(\.count).max() ?? 1)
    let width = max(1, mostValues / (roots.count * most))
    pieceSize = min(max(1 << 20, roots.count << 14), width * roots.count)
  }

  var ranks: Int { roots.count }

  /// In the order of the values.
  var pieces: some Sequence<GradientPiece> {
    stride(from: 0, to: count, by: pieceSize).lazy.map {
      GradientPiece(values: $0..<min(count, $0 + pieceSize), ranks: ranks)
    }
  }

  /// Values of the widest slice of a piece.
  private var width: Int { GradientPiece(values: 0..<min(count, pieceSize), ranks: ranks).width }

  // MARK: - Memory

  /// Values of the largest message of a rank to all others.
  func sentCount(of rank: Int) -> Int { max(roots[rank].count, 1) * width * ranks }

  /// Values of the largest message from all ranks.
  var receivedCount: Int { max(roots.reduce(0) { $0 + $1.count }, 1) * width }

  /// Values of the largest sum of all slices.
  var gatheredCount: Int { width * ranks }

  /// Values that a rank keeps for the exchange; none without others.
  func memoryCount(of rank: Int) -> Int { ranks > 1 ? sentCount(of: rank) + receivedCount + gatheredCount : 0 }

  // MARK: - Traffic

  /// Values that a rank gives to others for one optimizer step.
  func sentPerStep(of rank: Int) -> Int {
    pieces.reduce(0) {
      $0 + roots[rank].count * ($1.values.count - $1.slice(of: rank).count) + $1.width * (ranks - 1)
    }
  }
}

/// A range of values and its slices, one for each rank. The last slices may be shorter than the others, or empty.
struct GradientPiece {
  let values: Range<Int>
  let ranks: Int

  /// Values of the widest slice.
  var width: Int { (values.count - 1) / ranks + 1 }

  func slice(of rank: Int) -> Range<Int> {
    let first = min(values.lowerBound + rank * width, values.upperBound)
    return first..<min(first + width, values.upperBound)
  }
}
