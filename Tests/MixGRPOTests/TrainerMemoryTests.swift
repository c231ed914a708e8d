import MixFlowModel
import MixGRPO
import TestSupport
import Testing

/// Budgets and undo: what a trainer holds changes no bit of what it learns.
@Suite struct TrainerMemoryTests {
  /// 198 tokens; two parts of 14 rows each.
  private static func run(threads: Int = 2, recomputes: Bool = false, maxBytes: Int = 0) throws -> TinyRun {
    try TinyRun(threads: threads, side: 14, maxBatch: 6, recomputes: recomputes, maxBytes: maxBytes)
  }

  /// The number behind the first `before` of a message.
  private static func number(in message: String, after before: String) throws -> Int {
    let range = try #require(message.firstRange(of: before))
    return try #require(Int(message[range.upperBound...].prefix { $0.isNumber }))
  }

  @Test func aBudgetSplitsBatchesAndChangesNoBit() throws {
    let free = try Self.run()
    let whole = try free.trainer.memory(prompts: 2)
    // With a budget fewer samples are evaluated at a time, which alone may do; a byte less than that takes.
    let fitting = try Self.run(maxBytes: whole.peakBytes).trainer.memory(prompts: 2).peakBytes
    let tight = try Self.run(maxBytes: fitting - 1)
    #expect(try tight.trainer.memory(prompts: 2).updateBatch < whole.updateBatch)
    #expect(try tight.trainer.memory(prompts: 2).peakBytes < whole.peakBytes)
    for _ in 0..<2 {
      try free.iterate()
      try tight.iterate()
    }
    #expect(tight.weights == free.weights)
  }

  @Test(arguments: [true, false]) func aRolloutThatWaitsStaysIfTheBudgetHoldsBoth(isTight: Bool) throws {
    let whole = try Self.run().trainer.memory(prompts: 2).peakBytes
    let run = try Self.run(maxBytes: isTight ? whole : 2 * whole)
    let rewards = run.brightness(try run.trainer.rollout(prompts: [0, 1]))
    #expect(try errorCode { try run.trainer.rollout(prompts: [1, 1]) } == .invalidArgument)  // refused before anything goes
    run.context.cancel()
    #expect(try errorCode { try run.trainer.rollout(prompts: [0, 1]) } == .cancelled)
    run.context.resetCancel()
    #expect(try run.trainer.machine.pendingSamples() == rewards.count)
    let error = #expect(throws: MixGRPOError.self) {
      try run.trainer.rollout(prompts: [0, 1]) { done, _ in if done > 0 { run.context.cancel() } }
    }
    #expect(error?.code == .cancelled)
    run.context.resetCancel()
    let update = Result { try run.trainer.update(rewards: [rewards]) }
    if isTight {
      #expect(try errorCode { try update.get() } == .invalidState)
      #expect(try run.brightness(run.trainer.rollout(prompts: [0, 1])) == rewards)
      try run.trainer.update(rewards: [rewards])
    }
    #expect(run.trainer.iteration == 1)
  }

  @Test func theNumberOfThreadsChangesNoBitOfLargeSamples() throws {
    let (one, three) = (try Self.run(threads: 1), try Self.run(threads: 3, recomputes: true))
    try one.iterate()
    try three.iterate()
    #expect(one.weights == three.weights)
  }

  @Test func aBudgetTooSmallToTrainNamesTheBytesNeeded() throws {
    let enough = try Self.run().trainer.memory(prompts: 1).peakBytes
    let error = #expect(throws: MixGRPOError.self) { try Self.run(maxBytes: enough / 2) }
    #expect(error?.code == .outOfMemory)
    let message = try #require(error?.message)
    let needed = try Self.number(in: message, after: "at least ")
    let recomputed = try Self.number(in: message, after: "to train, or ")
    #expect(recomputed < needed)
    for (bytes, recomputes) in [(needed, false), (recomputed, true)] {
      let run = try Self.run(recomputes: recomputes, maxBytes: bytes)
      #expect(try run.trainer.memory(prompts: 1).peakBytes <= bytes)
      #expect(try errorCode { try Self.run(recomputes: recomputes, maxBytes: bytes - 1) } == .outOfMemory)
    }
    let run = try Self.run(maxBytes: needed)
    let tooMany = #expect(throws: MixGRPOError.self) { try run.trainer.rollout(prompts: [0, 1, 2]) }
    #expect(tooMany?.message.contains("max_bytes") == true)
    _ = try run.trainer.rollout(prompts: [0])
  }

  @Test func withoutUndoACancelledUpdateStopsAtTheLastStepAndGoesOnFromThere() throws {
    let learning = TinyRun.learning {
      ($0.undo, $0.safety.maxVelocityChange) = (.none, 0)
      $0.averageDecay = 0.5
    }
    let (run, undisturbed) = (
      try TinyRun(learning: learning), try TinyRun(learning: TinyRun.learning { $0.averageDecay = 0.5 })
    )
    #expect(try run.trainer.memory(prompts: 1).weightBytes < undisturbed.trainer.memory(prompts: 1).weightBytes)
    let before = run.weights
    let rewards = run.brightness(try run.trainer.rollout(prompts: [0, 1]))
    let error = #expect(throws: MixGRPOError.self) {
      try run.trainer.update(rewards: [rewards]) { done, total in if done > total / 2 { run.context.cancel() } }
    }
    #expect(error?.code == .cancelled)
    #expect(error?.message.contains("1 of 2 optimizer steps are done and stay") == true)
    #expect(run.weights != before)
    #expect(run.trainer.iteration == 0)
    run.context.resetCancel()
    let others = #expect(throws: MixGRPOError.self) { try run.trainer.update(rewards: [rewards.reversed()]) }
    #expect(others?.message.contains("those of the update that was stopped") == true)
    let metrics = try run.trainer.update(rewards: [rewards])
    let expected = try undisturbed.iterate()
    #expect(run.weights == undisturbed.weights)
    #expect(metrics.policy == expected.policy)
    #expect(run.trainer.iteration == 1)
  }

  @Test func aRolloutLeavesAStoppedUpdateBehind() throws {
    let run = try TinyRun(learning: TinyRun.learning { ($0.undo, $0.safety.maxVelocityChange) = (.none, 0) })
    let rewards = run.brightness(try run.trainer.rollout(prompts: [0, 1]))
    let code = try errorCode {
      try run.trainer.update(rewards: [rewards]) { done, total in if done > total / 2 { run.context.cancel() } }
    }
    #expect(code == .cancelled)
    run.context.resetCancel()
    let fresh = try run.iterate()
    #expect(fresh.policy.firstRatioMin == 1 && fresh.policy.firstRatioMax == 1)
    #expect(run.trainer.iteration == 1)
  }
}
