internal import CProcessor

/// The arithmetic that results are defined for: rounding to nearest, subnormal numbers kept, no traps.
///
/// Rounding mode and flush-to-zero are settings of a thread, and a host may have changed its own.
package enum DefaultArithmetic {
  /// Runs `body` in the default arithmetic; the thread has its own again afterwards, whether or not `body` throws.
  package static func run<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    let before = mixgrpo_use_default_arithmetic()
    defer { mixgrpo_restore_arithmetic(before) }
    return try body()
  }

  /// For a thread of the library's own, which computes in no other.
  package static func set() {
    _ = mixgrpo_use_default_arithmetic()
  }
}
