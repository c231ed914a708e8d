import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Checks that memory is available before it is allocated.
///
/// The Swift runtime ends the process when an array or a string cannot be allocated, and an overcommitting system ends it when
/// promised memory is touched. Therefore every allocation whose size depends on input is checked here first: its address space
/// with the system (which enforces RLIMIT_AS), and large blocks also against `MachineMemory`. `FloatStorage` checks by itself.
/// Blocks below 16 KiB are not checked.
package enum Memory {
  /// Bytes kept free in addition to the request, for the small blocks that come with it.
  static let reserve = 4 << 20
  private static let smallest = 16 << 10
  /// From this size on `MachineMemory` is read: a few microseconds, against milliseconds to fill such a block.
  private static let large = 64 << 20
  /// Bytes of blocks whose pages are not written yet, so that the machine still counts them as available.
  private static let promised = Atomic<Int>(0)

  /// - Parameter bytes: an upper bound of the allocation; a negative value stands for an overflow.
  /// - Throws: `outOfMemory` when less is available.
  package static func require(bytes: Int) throws(MixGRPOError) {
    guard bytes >= smallest || bytes < 0 else { return }
    let (total, overflow) = bytes.addingReportingOverflow(reserve)
    guard bytes >= 0, !overflow, isAddressable(total) else { throw exhausted(bytes, available: nil) }
    if bytes >= large, let available = MachineMemory.available {
      let left = max(0, available - promised.load(ordering: .relaxed))
      guard bytes <= left else { throw exhausted(bytes, available: left) }
    }
  }

  /// Counts bytes that are allocated, but will be written later; negative when they have been written or freed.
  static func promise(_ bytes: Int) { promised.wrappingAdd(bytes, ordering: .relaxed) }

  /// Checks for `count` items of at most `size` bytes each.
  package static func require(_ count: Int, of size: Int) throws(MixGRPOError) {
    let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
    try require(bytes: overflow ? -1 : bytes)
  }

  private static func isAddressable(_ bytes: Int) -> Bool {
    guard let block = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), block != MAP_FAILED
    else { return false }
    munmap(block, bytes)
    return true
  }

  private static func exhausted(_ bytes: Int, available: Int?) -> MixGRPOError {
    let wanted = bytes < 0 ? "a size in memory" : "\(bytes) free bytes"
    return MixGRPOError(.outOfMemory, "memory: expected \(wanted), got \(available.map { "\($0)" } ?? "fewer")")
  }
}
