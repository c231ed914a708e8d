internal import CProcess

/// What keeps locks whole across a fork: see `fork_gate.h`.
package enum ForkGate {
  /// Runs `body` while no thread forks. `body` must be short, and may enter again.
  @inline(__always)
  package static func withoutFork<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    mixgrpo_fork_gate_enter()
    defer { mixgrpo_fork_gate_leave() }
    return try body()
  }
}
