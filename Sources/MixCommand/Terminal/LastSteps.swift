import Synchronization

/// What is still to be done when the process is ended in the middle of a run: programs to stop, temporary files to remove.
enum LastSteps {
  private static let steps = Mutex<(next: Int, table: [Int: @Sendable () -> Void])>((0, [:]))

  /// - Returns: a number to take the step back with.
  static func add(_ step: @escaping @Sendable () -> Void) -> Int {
    steps.withLock { steps in
      steps.next += 1
      steps.table[steps.next] = step
      return steps.next
    }
  }

  static func remove(_ number: Int) { steps.withLock { $0.table[number] = nil } }

  static func run() {
    for step in steps.withLock({ Array($0.table.values) }) { step() }
  }
}
