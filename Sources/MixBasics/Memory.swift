#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Asks for memory before it is taken.
///
/// The runtime of Swift ends the process when memory for an array or a string is missing, and a system that overcommits ends
/// it when promised memory is touched. So whatever has a size that an input decides is asked for here first: the address space
/// from the system (which knows RLIMIT_AS), and for large blocks what `MachineMemory` says is left.
/// `FloatStorage` asks by itself. Blocks below 64 KiB are not asked for.
package enum Memory {
  /// Kept free beside what is asked for, for the small blocks that come with it.
  static let reserve = 4 << 20
  private static let smallest = 64 << 10
  /// From here on the machine's own figures are read: some microseconds, against milliseconds to fill such a block.
  private static let large = 64 << 20

  /// - Parameter bytes: an upper bound of what will be taken; a negative one stands for an overflow.
  /// - Throws: `outOfMemory` when there is less.
  package static func require(bytes: Int) throws(MixGRPOError) {
    guard bytes >= smallest || bytes < 0 else { return }
    let (total, overflow) = bytes.addingReportingOverflow(reserve)
    guard bytes >= 0, !overflow, isAddressable(total) else { throw exhausted(bytes, available: nil) }
    if bytes >= large, let available = MachineMemory.available, bytes > available {
      throw exhausted(bytes, available: available)
    }
  }

  /// As above for `count` items of at most `size` bytes each.
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
