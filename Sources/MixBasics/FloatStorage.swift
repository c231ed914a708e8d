#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A 64-byte aligned, zero-initialized block of floats that reports exhaustion as an error instead of ending the process.
package final class FloatStorage: @unchecked Sendable {
  package let base: UnsafeMutablePointer<Float>
  package let count: Int

  /// - Throws: `outOfMemory` when the system does not have enough, `invalidArgument` for a negative or overflowing size.
  package init(count: Int) throws(MixGRPOError) {
    let (bytes, overflow) = max(count, 1).multipliedReportingOverflow(by: MemoryLayout<Float>.stride)
    guard count >= 0, !overflow else { throw .invalid("count", expected: "a size in memory", got: count) }
    try Memory.require(bytes: bytes)
    let isLarge = bytes >= 2 * Self.hugePage
    var raw: UnsafeMutableRawPointer?
    guard posix_memalign(&raw, isLarge ? Self.hugePage : 64, bytes) == 0, let raw else {
      throw MixGRPOError(.outOfMemory, "memory: expected \(bytes) free bytes, got fewer")
    }
    if isLarge { Self.askForHugePages(raw, bytes) }
    memset(raw, 0, bytes)
    self.base = raw.bindMemory(to: Float.self, capacity: max(count, 1))
    self.count = count
  }

  deinit { free(base) }

  private static let hugePage = 2 << 20

  /// Weights and activations are read in strides that miss the TLB with small pages. Linux gives huge pages where its
  /// administrator allows them; elsewhere this has no effect.
  private static func askForHugePages(_ base: UnsafeMutableRawPointer, _ bytes: Int) {
    #if os(Linux)
    _ = madvise(base, bytes / hugePage * hugePage, MADV_HUGEPAGE)
    #endif
  }

  package var buffer: UnsafeMutableBufferPointer<Float> { UnsafeMutableBufferPointer(start: base, count: count) }

  package func zero() { memset(base, 0, count * MemoryLayout<Float>.stride) }
}
