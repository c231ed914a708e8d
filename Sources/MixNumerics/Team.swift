import Dispatch
import Synchronization

/// Threads that work together on one sample, stage by stage.
///
/// One thread leads: it runs the program and publishes each stage's tasks. The others help with whatever stage is open. The
/// leader takes tasks too, so a stage ends even when no helper ever arrives. Helpers spin between stages for as long as
/// the leader's program runs, never longer.
package final class Team: @unchecked Sendable {
  /// A team of one: stages run in the caller's thread.
  package static let alone = Team()

  private typealias Body = (_ task: Int, _ worker: Int) -> Void

  // Stage number (24 bits), tasks of the stage (20 bits), next task (20 bits) in one word, so that a claim is one exchange.
  private let ticket = Atomic<UInt64>(0)
  private let completed = Atomic<Int>(0)
  private let finished = Atomic<Bool>(false)
  private let hasLeader = Atomic<Bool>(false)
  private var body: Body = { _, _ in }
  private var isAlone = true
  private var leader = 0

  private init() {}

  /// Runs `program` with a team of up to `threads` threads.
  package static func lead(threads: Int, _ program: (Team) -> Void) {
    guard threads > 1 else { return program(.alone) }
    let team = Team()
    team.isAlone = false
    withoutActuallyEscaping(program) { program in
      // Only the one leader calls it.
      nonisolated(unsafe) let program = program
      DispatchQueue.concurrentPerform(iterations: threads) { worker in
        if team.hasLeader.exchange(true, ordering: .acquiringAndReleasing) {
          team.help(worker)
        } else {
          team.leader = worker
          program(team)
          team.finished.store(true, ordering: .releasing)
        }
      }
    }
  }

  /// One stage: `body(task, worker)` for every task in 0..<tasks; returns when all have ended. Only the program may call it.
  ///
  /// `worker` is 0 in a team of one, else 0..<threads.
  package func forEach(_ tasks: Int, _ body: (_ task: Int, _ worker: Int) -> Void) {
    guard !isAlone, tasks > 1 else {
      for task in 0..<max(tasks, 0) { body(task, leader) }
      return
    }
    withoutActuallyEscaping(body) { body in
      self.body = body
      completed.store(0, ordering: .relaxed)
      let stage = (ticket.load(ordering: .relaxed) >> 40) &+ 1
      ticket.store(stage << 40 | UInt64(tasks) << 20, ordering: .releasing)
      while runOneTask(leader) {}
      while completed.load(ordering: .acquiring) < tasks { spin() }
      self.body = { _, _ in }
    }
  }

  /// One stage over rows: whole for a team of one, else in pieces. For kernels whose rows do not depend on each other.
  package func forEachRows(_ rows: Int, _ body: (Range<Int>) -> Void) {
    if isAlone { return body(0..<rows) }
    let size = 16
    forEach((rows + size - 1) / size) { piece, _ in body(piece * size..<min(rows, (piece + 1) * size)) }
  }

  private func help(_ worker: Int) {
    while !finished.load(ordering: .acquiring) {
      if !runOneTask(worker) { spin() }
    }
  }

  /// Claims and runs a task of the open stage; false when none is left.
  private func runOneTask(_ worker: Int) -> Bool {
    var word = ticket.load(ordering: .acquiring)
    while true {
      let next = word & 0xF_FFFF
      guard next < (word >> 20) & 0xF_FFFF else { return false }
      let (exchanged, original) = ticket.weakCompareExchange(
        expected: word, desired: word &+ 1, ordering: .acquiringAndReleasing)
      if exchanged {
        body(Int(next), worker)
        completed.wrappingAdd(1, ordering: .releasing)
        return true
      }
      word = original
    }
  }

  @inline(__always) private func spin() { for _ in 0..<16 { _ = finished.load(ordering: .relaxed) } }
}
