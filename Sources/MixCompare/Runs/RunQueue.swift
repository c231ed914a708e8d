import Dispatch
import ProceduralWorld
import Synchronization

/// Parallel runs, one thread each. For a small model this is faster than one run on all cores; results do not depend on it.
final class RunQueue: Sendable {
  private let next = Atomic<Int>(0)
  private let failure = Mutex<MixGRPOError?>(nil)

  /// Runs the unfinished runs.
  /// - Parameters:
  ///   - stop: stops all runs when it is cancelled; the latest evaluation of each is kept.
  ///   - report: called by several threads, one at a time, after each evaluation.
  /// - Throws: the first error; the other runs stop at their next request.
  func run(
    _ runs: [RewardRun], workers: Int, stop: RunContext, report: @Sendable (RewardRun, RunResult) -> Void
  ) throws(MixGRPOError) {
    let contexts = (0..<max(1, workers)).map { _ in RunContext(oneThreadOf: stop) }
    let turn = Mutex(())
    DispatchQueue.concurrentPerform(iterations: contexts.count) { worker in
      while let run = take(runs) {
        do throws(MixGRPOError) {
          _ = try run.run(contexts[worker]) { result in turn.withLock { _ in report(run, result) } }
        } catch {
          failure.withLock { $0 = $0 ?? error }
          for context in contexts { context.cancel() }
        }
      }
    }
    if let error = failure.withLock({ $0 }) { throw error }
  }

  private func take(_ runs: [RewardRun]) -> RewardRun? {
    guard failure.withLock({ $0 == nil }) else { return nil }
    let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
    return runs.indices.contains(index) ? runs[index] : nil
  }
}
