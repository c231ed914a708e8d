import MixBasics
import MixSampling

/// Exchanges bytes among the ranks that train one model together, each in its own process or thread.
///
/// `Trainer` calls it on the thread that called the trainer. Every rank makes the same calls in the same order and with the same
/// sizes, also after a call that failed. A call blocks until all ranks have made it. A transport that loses a rank must return an
/// error on the others.
public protocol Collective: AnyObject {
  /// The place of this process among all.
  var rank: Rank { get }

  /// received ← the bytes of every rank, in the order of the ranks.
  /// - Parameters:
  ///   - sent: as many bytes on every rank.
  ///   - received: `rank.count` times as many.
  /// - Throws: any error; the work of all ranks is then undone.
  func allGather(_ sent: UnsafeRawBufferPointer, into received: UnsafeMutableRawBufferPointer) throws(MixGRPOError)

  /// Sends each rank its own piece, and receives one from each.
  /// - Parameters:
  ///   - sent: the pieces for the ranks, in their order, one behind the other.
  ///   - sentSizes: bytes of each piece; may be 0.
  ///   - received: room for the pieces from the ranks, in their order, one behind the other.
  ///   - receivedSizes: bytes of each piece, as the other ranks have them in `sentSizes`.
  /// - Throws: any error; the work of all ranks is then undone.
  func allToAll(
    _ sent: UnsafeRawBufferPointer, sizes sentSizes: [Int], into received: UnsafeMutableRawBufferPointer,
    sizes receivedSizes: [Int]
  ) throws(MixGRPOError)
}
