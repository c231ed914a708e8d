import Synchronization
import Testing

@testable import MixNumerics

@Suite struct TeamTests {
  @Test(arguments: [1, 2, 5]) func aStageRunsEveryTaskOnceWithAWorkerOfTheTeam(threads: Int) {
    let counts = Counts(1_000)
    Team.lead(threads: threads) { team in
      team.forEach(counts.count) { task, worker in counts.add(task, worker: worker, of: threads) }
    }
    #expect(counts.areAllOne && counts.wrongWorkers == 0)
  }

  /// Compilers that `BorrowedTask` has not been tested with run every stage this way.
  @Test(arguments: [1, 2, 5]) func aBoxedTaskRunsItsBodyOnEveryThread(threads: Int) {
    let counts = Counts(1_000)
    BoxedTask.lend({ task, worker in counts.add(task, worker: worker, of: threads) }) { boxed in
      Team.lead(threads: threads) { team in team.forEach(counts.count) { boxed.run($0, $1) } }
    }
    #expect(counts.areAllOne && counts.wrongWorkers == 0)
  }

  @Test func aBoxedTaskDoesNothingOnceItsStageHasEnded() {
    let counts = Counts(1)
    var kept: BoxedTask?
    BoxedTask.lend({ task, worker in counts.add(task, worker: worker, of: 1) }) { kept = $0 }
    kept?.run(0, 0)
    #expect(kept != nil && counts.sum == 0)
  }
}

/// How often each task ran, counted by several threads.
private final class Counts: Sendable {
  let count: Int
  private let runs: Mutex<[Int]>
  private let wrong = Atomic<Int>(0)

  init(_ count: Int) {
    self.count = count
    runs = Mutex(Array(repeating: 0, count: count))
  }

  func add(_ task: Int, worker: Int, of threads: Int) {
    runs.withLock { $0[task] += 1 }
    if !(0..<threads).contains(worker) { wrong.wrappingAdd(1, ordering: .relaxed) }
  }

  var areAllOne: Bool { runs.withLock { $0.allSatisfy { $0 == 1 } } }
  var sum: Int { runs.withLock { $0.reduce(0, +) } }
  var wrongWorkers: Int { wrong.load(ordering: .relaxed) }
}
