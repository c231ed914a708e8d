import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Cleanup when the process is ended during a run: stop programs, remove temporary files.
///
/// The steps run under a lock that is never released. Other uses of the lock therefore happen before the steps or not at all; a
/// run whose program has just been stopped waits at the lock.
package enum LastSteps {
  package struct Table: ~Copyable {
    fileprivate var steps: [(number: Int, step: @Sendable () -> Void)] = []
    private var last = 0

    /// - Returns: a number for `remove`.
    package mutating func add(_ step: @escaping @Sendable () -> Void) -> Int {
      last += 1
      steps.append((last, step))
      return last
    }
  }

  private static let table = Mutex(Table())

  /// Runs `body`, or waits for the process to end if that has begun. Used by code that creates a process or a file to clean up.
  package static func beforeEnd<Result, Failure>(_ body: (inout Table) throws(Failure) -> Result) throws(Failure) -> Result {
    try table.withLock { (table) throws(Failure) in try body(&table) }
  }

  /// Call after a failure, which may be caused by the last steps.
  package static func waitIfEnding() { beforeEnd { _ in } }

  package static func remove(_ number: Int) { beforeEnd { $0.steps.removeAll { $0.number == number } } }

  /// Runs the steps, the latest first, and ends the process.
  package static func end(_ code: Int32) -> Never {
    table.withLock { table in
      for (_, step) in table.steps.reversed() { step() }
      _exit(code)
    }
  }
}
