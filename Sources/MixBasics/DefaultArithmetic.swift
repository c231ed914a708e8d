internal import CProcessor

/// The arithmetic that results are defined for: rounding to nearest, subnormal numbers kept, no traps.
///
/// Rounding mode and flush-to-zero are per-thread settings, and the host may have changed them.
package enum DefaultArithmetic {
  /// Runs `body` in the default arithmetic and then restores the thread's settings, whether or not `body` throws.
  package static func run<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    let before = mixgrpo_use_default_arithmetic()
    defer { mixgrpo_restore_arithmetic(before) }
    return try body()
  }

  /// Sets the default arithmetic for good, on a worker thread that belongs to the library.
  package static func set() {
    _ = mixgrpo_use_default_arithmetic()
  }
}
