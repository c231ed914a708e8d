import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What is still to be done when the process is ended in the middle of a run: programs to stop, temporary files to remove.
///
/// They are done under a lock that is never given back. So what else takes the lock happens before them or not at all, and the
/// run, which may find its program gone, goes no further than to the lock.
enum LastSteps {
  struct Table: ~Copyable {
    fileprivate var steps: [(number: Int, step: @Sendable () -> Void)] = []
    private var last = 0

    /// - Returns: a number to take the step back with.
    mutating func add(_ step: @escaping @Sendable () -> Void) -> Int {
      last += 1
      steps.append((last, step))
      return last
    }
  }

  private static let table = Mutex(Table())

  /// Runs `body`, or waits for the process's end once that has begun. For what leaves something behind: a program, a file.
  static func beforeEnd<Result, Failure>(_ body: (inout Table) throws(Failure) -> Result) throws(Failure) -> Result {
    try table.withLock { (table) throws(Failure) in try body(&table) }
  }

  /// To be called when something failed: it may be that the last steps took it away.
  static func waitIfEnding() { beforeEnd { _ in } }

  static func remove(_ number: Int) { beforeEnd { $0.steps.removeAll { $0.number == number } } }

  /// Does the steps, the latest first, and ends the process.
  static func end(_ code: Int32) -> Never {
    table.withLock { table in
      for (_, step) in table.steps.reversed() { step() }
      _exit(code)
    }
  }
}
