import MixBasics
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Threads that run one program together, stage by stage.
///
/// The caller's thread is the leader: it runs the program and publishes each stage's tasks. Helpers from the `ThreadPool` take
/// tasks of the open stage. The leader takes tasks too, so a stage ends even without helpers. Helpers spin between stages and
/// sleep after the program.
package final class Team: @unchecked Sendable {
  /// A team of one: stages run in the caller's thread.
  package static let alone = Team()

  private static let leader = 0

  // Stage number (24 bits), tasks of the stage (20 bits) and next task (20 bits) in one word, so that one exchange claims a task.
  private let ticket = Atomic<UInt64>(0)
  private let completed = Atomic<Int>(0)
  private let isFinished = Atomic<Bool>(false)
  /// Helpers at work; the pool increments it for each helper, which decrements it when it leaves.
  let helpers = Atomic<Int>(0)
  private var body: BorrowedTask?
  private var firstTask = 0

  init() {}

  /// With many more threads than cores, threads wait for each other's time slices and a stage of microseconds takes seconds.
  private static let mostThreads = max(16, 4 * Processor.availableCores)

  /// Runs `program` with a team of up to `threads` threads.
  ///
  /// The caller's thread runs in the default arithmetic, as the helpers do.
  package static func lead(threads: Int, _ program: (Team) -> Void) {
    DefaultArithmetic.run { leadTeam(threads: threads, program) }
  }

  private static func leadTeam(threads: Int, _ program: (Team) -> Void) {
    guard threads > 1 else { return program(.alone) }
    let team = ThreadPool.shared.open()
    team.isFinished.store(false, ordering: .relaxed)
    ThreadPool.shared.invite(team, helpers: min(threads, mostThreads) - 1)
    program(team)
    team.isFinished.store(true, ordering: .releasing)
    ThreadPool.shared.close(team)
  }

  /// Runs one stage: `body(task, worker)` for every task in 0..<tasks; returns when all are done. Only the program may call it.
  ///
  /// `worker` is 0 for the leader and differs between threads that run at the same time; it selects scratch memory.
  package func forEach(_ tasks: Int, _ body: (_ task: Int, _ worker: Int) -> Void) {
    guard self !== Team.alone, tasks > 1 else {
      for task in 0..<max(tasks, 0) { body(task, Self.leader) }
      return
    }
    var first = 0
    while first < tasks {  // a ticket counts to a million
      let count = min(tasks - first, 1 << 20 - 1)
      BorrowedTask.lend(body) { runStage(first, count, $0) }
      first += count
    }
  }

  func runStage(_ first: Int, _ count: Int, _ body: BorrowedTask) {
    (self.body, firstTask) = (body, first)
    completed.store(0, ordering: .relaxed)
    let stage = (ticket.load(ordering: .relaxed) >> 40) &+ 1
    ticket.store(stage << 40 | UInt64(count) << 20, ordering: .releasing)
    while runOneTask(Self.leader) {}
    wait { completed.load(ordering: .acquiring) == count }
    self.body = nil
  }

  /// One stage over rows: one task for a team of one, several otherwise. For kernels whose rows are independent.
  package func forEachRows(_ rows: Int, _ body: (Range<Int>) -> Void) {
    if self === Team.alone { return body(0..<rows) }
    let size = 8
    forEach((rows + size - 1) / size) { piece, _ in body(piece * size..<min(rows, (piece + 1) * size)) }
  }

  /// A helper's work until the program ends.
  func help(_ worker: Int) {
    while !isFinished.load(ordering: .acquiring) {
      if !runOneTask(worker) { wait { isFinished.load(ordering: .acquiring) || hasTask } }
    }
  }

  private var hasTask: Bool {
    let word = ticket.load(ordering: .relaxed)
    return word & 0xF_FFFF < (word >> 20) & 0xF_FFFF
  }

  /// Claims and runs a task of the open stage; returns false when none is left.
  private func runOneTask(_ worker: Int) -> Bool {
    var word = ticket.load(ordering: .acquiring)
    while true {
      let next = word & 0xF_FFFF
      guard next < (word >> 20) & 0xF_FFFF else { return false }
      let (exchanged, original) = ticket.weakCompareExchange(
        expected: word, desired: word &+ 1, ordering: .acquiringAndReleasing)
      if exchanged {
        body?.run(firstTask + Int(next), worker)
        completed.wrappingAdd(1, ordering: .releasing)
        return true
      }
      word = original
    }
  }

  /// Waits for another thread of the program; yields the time slice when that takes long.
  @inline(__always)
  func wait(until isDone: () -> Bool) {
    var turns = 0
    while !isDone() {
      turns &+= 1
      if turns > 4_096 { sched_yield() }
    }
  }
}
