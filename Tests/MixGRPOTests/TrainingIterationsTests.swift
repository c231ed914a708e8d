import Foundation
import MixGRPO
import Testing

/// Training as an asynchronous sequence.
@Suite struct TrainingIterationsTests {
  private static func brightness(_ part: TicketedSamples, size: Int) -> [[Double]] {
    [
      stride(from: 0, to: part.samples.count, by: size).map { first in
        part.samples[first..<first + size].reduce(0.0) { $0 + Double($1) } / Double(size)
      }
    ]
  }

  private func haveEqualWeights(_ one: TinyRun, _ other: TinyRun) -> Bool { one.weights == other.weights }

  @Test func theSequenceGivesTheNumbersOfTheLoop() async throws {
    let (loop, run) = (try TinyRun(), try TinyRun())
    let size = run.trainer.evaluator.latentSize
    var seen: [IterationMetrics] = []
    for try await metrics in run.trainer.iterations(3, prompts: { _ in [0, 1] }, reward: { Self.brightness($0, size: size) }) {
      seen.append(metrics)
    }
    let expected = try (0..<3).map { _ in try loop.iterate() }
    #expect(seen.map(\.policy) == expected.map(\.policy) && seen.map(\.iteration) == [0, 1, 2])
    #expect(haveEqualWeights(run, loop))
  }

  @Test func promptsFollowTheIterationAndTheSequenceMayBeLeft() async throws {
    let run = try TinyRun()
    let size = run.trainer.evaluator.latentSize
    var chosen: [Int] = []
    let iterations = run.trainer.iterations(prompts: {
      chosen.append($0)
      return [Int32($0)]
    }) { Self.brightness($0, size: size) }
    for try await metrics in iterations where metrics.iteration == 1 { break }
    #expect(chosen == [0, 1] && run.trainer.iteration == 2)
  }

  @Test func aCancelledTaskLeavesTheTrainerAsBeforeTheIteration() async throws {
    let (run, other) = (try TinyRun(), try TinyRun())
    let size = run.trainer.evaluator.latentSize
    try run.iterate()
    try other.iterate()
    nonisolated(unsafe) let trainer = run.trainer  // this test waits for the task
    let scoring = AsyncStream<Void>.makeStream()
    let task = Task {
      for try await _ in trainer.iterations(
        1, prompts: { _ in [0, 1] },
        reward: { part in
          scoring.continuation.yield()
          try await Task.sleep(for: .seconds(600))  // ends at once when it is cancelled with the iteration
          return Self.brightness(part, size: size)
        })
      {}
    }
    for await _ in scoring.stream { break }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(haveEqualWeights(run, other) && run.trainer.iteration == 1 && run.trainer.inbox.openTickets.isEmpty)
    #expect(!run.context.isCancelled)
    #expect(try run.iterate().policy == other.iterate().policy)
  }

  @Test func whatARewardThrowsComesOutAndAnotherSequenceGoesOn() async throws {
    struct ScorerIsDown: Error {}
    let (run, other) = (try TinyRun(), try TinyRun())
    let size = run.trainer.evaluator.latentSize
    await #expect(throws: ScorerIsDown.self) {
      for try await _ in run.trainer.iterations(
        prompts: { _ in [0, 1] },
        reward: { part in
          if part.prompts == [1] { throw ScorerIsDown() }
          return Self.brightness(part, size: size)
        })
      {}
    }
    #expect(run.trainer.iteration == 0 && run.trainer.inbox.openTickets.isEmpty)
    for try await _ in run.trainer.iterations(1, prompts: { _ in [0, 1] }, reward: { Self.brightness($0, size: size) }) {}
    try other.iterate()
    #expect(haveEqualWeights(run, other))
  }

  @Test func aCancelOfTheContextIsTheHostsOwn() async throws {
    let run = try TinyRun()
    let size = run.trainer.evaluator.latentSize
    run.context.cancel()
    let error = await #expect(throws: MixGRPOError.self) {
      for try await _ in run.trainer.iterations(1, prompts: { _ in [0] }, reward: { Self.brightness($0, size: size) }) {}
    }
    #expect(error?.code == .cancelled && run.context.isCancelled)
  }
}
