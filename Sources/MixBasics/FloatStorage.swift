#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A 64-byte aligned, zero-initialized block of floats that reports exhaustion as an error instead of ending the process.
package final class FloatStorage: @unchecked Sendable {
  package let base: UnsafeMutablePointer<Float>
  package let count: Int
  private let block: Block
  /// Bytes that are counted as promised because their pages are not written yet.
  package private(set) var promised = 0

  /// - Parameter isWrittenLater: whether a large block takes memory only once its pages are written. Call `settle` then.
  /// - Throws: `outOfMemory` when the system does not have enough, `invalidArgument` for a negative or overflowing size.
  package init(count: Int, isWrittenLater: Bool = false) throws(MixGRPOError) {
    let (bytes, overflow) = max(count, 1).multipliedReportingOverflow(by: MemoryLayout<Float>.stride)
    guard count >= 0, !overflow else { throw .invalid("count", expected: "a size in memory", got: count) }
    try Memory.require(bytes: bytes)
    let isLarge = bytes >= 2 * Self.hugePage
    guard let block = isLarge && isWrittenLater ? Block(mapping: bytes) : Block(writing: bytes, isLarge: isLarge) else {
      throw MixGRPOError(.outOfMemory, "memory: expected \(bytes) free bytes, got fewer")
    }
    self.block = block
    self.base = block.base.bindMemory(to: Float.self, capacity: max(count, 1))
    self.count = count
    guard block.mapped > 0 else { return }
    promised = bytes
    Memory.promise(bytes)
  }

  deinit {
    settle()
    block.release()
  }

  /// Call once every page of a block that is written later has been written.
  package func settle() {
    guard promised > 0 else { return }
    Memory.promise(-promised)
    promised = 0
  }

  package var buffer: UnsafeMutableBufferPointer<Float> { UnsafeMutableBufferPointer(start: base, count: count) }

  package func zero() { memset(base, 0, count * MemoryLayout<Float>.stride) }

  fileprivate static let hugePage = 2 << 20
}

/// Zeroed memory, from malloc or directly from the system.
private struct Block {
  let base: UnsafeMutableRawPointer
  private let start: UnsafeMutableRawPointer
  /// Bytes mapped from `start` on; 0 for memory of malloc.
  let mapped: Int

  /// Memory whose pages are written at once.
  init?(writing bytes: Int, isLarge: Bool) {
    var raw: UnsafeMutableRawPointer?
    guard posix_memalign(&raw, isLarge ? FloatStorage.hugePage : 64, bytes) == 0, let raw else { return nil }
    (base, start, mapped) = (raw, raw, 0)
    if isLarge { Self.askForHugePages(raw, bytes) }
    memset(raw, 0, bytes)
  }

  /// Zeroed pages of the system, which take memory when they are written.
  init?(mapping bytes: Int) {
    let (total, overflow) = bytes.addingReportingOverflow(FloatStorage.hugePage)
    let protection = PROT_READ | PROT_WRITE
    guard !overflow, let raw = mmap(nil, total, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), raw != MAP_FAILED
    else { return nil }
    (base, start, mapped) = (raw.alignedUp(toMultipleOf: FloatStorage.hugePage), raw, total)
    Self.askForHugePages(base, bytes)
  }

  func release() {
    if mapped > 0 { munmap(start, mapped) } else { free(start) }
  }

  /// Weights and activations are read in strides that miss the TLB with small pages. Linux gives huge pages where its
  /// administrator allows them; elsewhere this has no effect.
  private static func askForHugePages(_ base: UnsafeMutableRawPointer, _ bytes: Int) {
    #if os(Linux)
    _ = madvise(base, bytes / FloatStorage.hugePage * FloatStorage.hugePage, MADV_HUGEPAGE)
    #endif
  }
}
