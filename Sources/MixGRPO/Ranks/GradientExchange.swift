import MixBasics
import MixNumerics

/// Adds up the gradients of all ranks: each rank receives one slice of every root, sums it in the order of the tree, and gives the
/// result to all. A rank sends about twice the bytes of the gradients when it has one root, whatever the number of ranks. Its memory
/// serves all steps of an update that have the same roots.
final class GradientExchange {
  private let collective: any Collective
  let layout: GradientLayout
  private let sent: FloatStorage
  private let received: FloatStorage
  private let gathered: FloatStorage

  private var ranks: Int { layout.ranks }
  private var ownCount: Int { layout.roots[collective.rank.index].count }

  /// Allocates all memory of the exchange.
  /// - Throws: `outOfMemory`.
  init(_ collective: any Collective, _ layout: GradientLayout) throws(MixGRPOError) {
    (self.collective, self.layout) = (collective, layout)
    sent = try FloatStorage(count: layout.sentCount(of: collective.rank.index))
    received = try FloatStorage(count: layout.receivedCount)
    gathered = try FloatStorage(count: layout.gatheredCount)
  }

  /// gradients ← the sum over all ranks. Makes all calls also after one has failed, so that the ranks stay in step.
  /// - Parameter own: the sums of this rank's roots.
  /// - Throws: the first error of the transport.
  func run(_ own: [FloatStorage], into gradients: UnsafeMutablePointer<Float>) throws(MixGRPOError) {
    var failure: MixGRPOError?
    for piece in layout.pieces {
      do throws(MixGRPOError) { try scatter(piece, own) } catch { failure = failure ?? error }
      let sum = add(width: piece.slice(of: collective.rank.index).count)
      do throws(MixGRPOError) { try gather(piece, sum) } catch { failure = failure ?? error }
      (gradients + piece.values.lowerBound).update(from: gathered.base, count: piece.values.count)
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
    let receivedSizes = layout.roots.map { $0.count * mine.count * bytes }
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
    let places = Array(layout.roots.joined())
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
