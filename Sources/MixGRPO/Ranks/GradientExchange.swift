import MixBasics
import MixNumerics

/// Adds up the gradients of all ranks: each rank receives one slice of every root, sums it in the order of the tree, and gives the
/// result to all. A rank sends about twice the bytes of the gradients when it has one root, whatever the number of ranks. Its memory
/// serves all steps of an update that have the same roots.
final class GradientExchange {
  private let collective: any Collective
  /// Of the trained values.
  private let count: Int
  /// The first places of each rank's roots, in the order in which they are received.
  let roots: [[Int]]
  private let sent: FloatStorage
  private let received: FloatStorage
  private let gathered: FloatStorage

  private var ranks: Int { roots.count }
  private var ownCount: Int { roots[collective.rank.index].count }
  private var pieceSize: Int { Self.pieceSize(ranks: ranks) }

  /// Allocates all memory of the exchange.
  /// - Parameters:
  ///   - roots: of each rank; `SummationTree.roots`.
  ///   - count: of the trained values.
  /// - Throws: `outOfMemory`.
  init(_ collective: any Collective, roots: [[Int]], count: Int) throws(MixGRPOError) {
    (self.collective, self.roots, self.count) = (collective, roots, count)
    let ranks = roots.count
    let width = GradientPiece(values: 0..<min(count, Self.pieceSize(ranks: ranks)), ranks: ranks).width
    sent = try FloatStorage(count: max(roots[collective.rank.index].count, 1) * width * ranks)
    received = try FloatStorage(count: max(roots.joined().count, 1) * width)
    gathered = try FloatStorage(count: width * ranks)
  }

  /// Values that are exchanged at once: enough to hide the time of a message, few enough for the sizes of any transport.
  static func pieceSize(ranks: Int) -> Int { max(1 << 20, ranks << 14) }

  /// gradients ← the sum over all ranks. Makes all calls also after one has failed, so that the ranks stay in step.
  /// - Parameter own: the sums of this rank's roots.
  /// - Throws: the first error of the transport.
  func run(_ own: [FloatStorage], into gradients: UnsafeMutablePointer<Float>) throws(MixGRPOError) {
    var failure: MixGRPOError?
    for first in stride(from: 0, to: count, by: pieceSize) {
      let piece = GradientPiece(values: first..<min(count, first + pieceSize), ranks: ranks)
      do throws(MixGRPOError) { try scatter(piece, own) } catch { failure = failure ?? error }
      let sum = add(width: piece.slice(of: collective.rank.index).count)
      do throws(MixGRPOError) { try gather(piece, sum) } catch { failure = failure ?? error }
      (gradients + first).update(from: gathered.base, count: piece.values.count)
    }
    if let failure { throw failure }
  }

  /// Every rank gets its slice of all roots.
  private func scatter(_ piece: GradientPiece, _ own: [FloatStorage]) throws(MixGRPOError) {
    let bytes = MemoryLayout<Float>.stride
    let mine = piece.slice(of: collective.rank.index)
    var place = sent.base
    for other in 0..<ranks {
      let slice = piece.slice(of: other)
      for root in own {
        place.update(from: root.base + slice.lowerBound, count: slice.count)
        place += slice.count
      }
    }
    let sizes = (0..<ranks).map { ownCount * piece.slice(of: $0).count * bytes }
    let receivedSizes = roots.map { $0.count * mine.count * bytes }
    try collective.allToAll(
      UnsafeRawBufferPointer(start: sent.base, count: sizes.reduce(0, +)), sizes: sizes,
      into: UnsafeMutableRawBufferPointer(start: received.base, count: receivedSizes.reduce(0, +)), sizes: receivedSizes)
  }

  /// The sum of the received slices, in place.
  private func add(width: Int) -> UnsafeMutablePointer<Float> {
    var sum = TreeSum<UnsafeMutablePointer<Float>>()
    func join(_ lower: UnsafeMutablePointer<Float>, _ upper: UnsafeMutablePointer<Float>) {
      Reduction.add(upper, to: lower, count: width)
    }
    let places = Array(roots.joined())
    for index in places.indices.sorted(by: { places[$0] < places[$1] }) {
      sum.add(received.base + index * width, at: places[index], joins: { _ in true }, join)
    }
    sum.finish(joins: { _ in true }, join)
    return sum.nodes.first?.term ?? received.base
  }

  /// Every rank gets the sums of all slices.
  private func gather(_ piece: GradientPiece, _ sum: UnsafeMutablePointer<Float>) throws(MixGRPOError) {
    let bytes = piece.width * MemoryLayout<Float>.stride
    try collective.allGather(
      UnsafeRawBufferPointer(start: sum, count: bytes),
      into: UnsafeMutableRawBufferPointer(start: gathered.base, count: bytes * ranks))
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
