import Foundation
import TestSupport
import Testing

@testable import MixGRPO

/// Fails one call after it was made, as a callback of the host may.
private final class FailingCollective: Collective {
  private let inner: any Collective
  /// −1 for none.
  var failing: Int
  private(set) var calls = 0
  var rank: Rank { inner.rank }

  init(_ inner: any Collective, failing: Int = -1) { (self.inner, self.failing) = (inner, failing) }

  private func count() throws(MixGRPOError) {
    defer { calls += 1 }
    if calls == failing { throw MixGRPOError(.inputOutput, "collective: expected 0, got 7") }
  }

  func allGather(_ sent: UnsafeRawBufferPointer, into received: UnsafeMutableRawBufferPointer) throws(MixGRPOError) {
    try inner.allGather(sent, into: received)
    try count()
  }

  func allToAll(
    _ sent: UnsafeRawBufferPointer, sizes sentSizes: [Int], into received: UnsafeMutableRawBufferPointer,
    sizes receivedSizes: [Int]
  ) throws(MixGRPOError) {
    try inner.allToAll(sent, sizes: sentSizes, into: received, sizes: receivedSizes)
    try count()
  }
}

@Suite struct RankFailureTests {
  /// The error and the weights before and after of each rank in an iteration that `spoil` disturbs, and the weights after it is
  /// repeated.
  private func disturb(
    _ run: RankedRun, ranks count: Int = 3, _ spoil: @escaping @Sendable (Int, TinyRun) throws -> Void
  ) throws -> [(error: MixGRPOError?, isUnchanged: Bool, repeated: RankedRun.Outcome)] {
    let ranks = try LocalRanks(count: count, timeLimit: 60)
    return try onThreads(count) { rank in
      let tiny = try run.makeRun()
      try tiny.trainer.setCollective(ranks[rank])
      let before = run.outcome(of: tiny)
      var failure: MixGRPOError?
      do {
        try spoil(rank, tiny)
        try run.iterate(tiny)
      } catch let error as MixGRPOError { failure = error }
      let isUnchanged = run.outcome(of: tiny) == before && tiny.trainer.iteration == 0
      tiny.context.resetCancel()
      try run.iterate(tiny)
      return (failure, isUnchanged, run.outcome(of: tiny))
    }
  }

  @Test func theRankOfALongErrorHasItInFullAndTheOthersWithAMark() throws {
    let ranks = try LocalRanks(count: 2, timeLimit: 60)
    let message = String(repeating: "ä", count: 400)
    let errors = try onThreads(2) { rank in
      try RankAgreement(ranks[rank]).vote(rank == 1 ? MixGRPOError(.invalidArgument, message) : nil)?.message ?? ""
    }
    #expect(errors[1] == "rank 1: " + message)
    #expect(errors[0].hasPrefix("rank 1: ää") && errors[0].hasSuffix("ä…") && errors[0].utf8.count <= 8 + 488)
  }

  private func repeatsAlike(_ results: [(error: MixGRPOError?, isUnchanged: Bool, repeated: RankedRun.Outcome)]) throws -> Bool
  {
    var run = RankedRun()
    run.iterations = 1
    let expected = try run.outcomes(ranks: 1)[0]
    return results.allSatisfy { $0.repeated == expected }
  }

  @Test func aCancelOnOneRankCancelsAll() throws {
    let results = try disturb(RankedRun()) { rank, tiny in if rank == 1 { tiny.context.cancel() } }
    for result in results {
      #expect(result.error?.code == .cancelled)
      #expect(result.error?.message.hasPrefix("rank 1: ") == true, "\(result.error?.message ?? "none")")
      #expect(result.isUnchanged)
    }
    #expect(try repeatsAlike(results))
  }

  @Test(arguments: [0, 2]) func aCancelInTheMiddleOfAnUpdateLeavesAllRanksBeforeIt(rank cancelling: Int) throws {
    let run = RankedRun()
    let ranks = try LocalRanks(count: 3, timeLimit: 60)
    let alike = try onThreads(3) { rank in
      let tiny = try run.makeRun()
      try tiny.trainer.setCollective(ranks[rank])
      let before = run.outcome(of: tiny)
      let samples = Array(try tiny.trainer.rollout(prompts: [0, 1, 2, 3, 4]))
      let scores = run.scores(tiny, samples, run.share(tiny, 0..<5))
      var calls = 0
      var code: MixGRPOError.Code?
      do {
        try tiny.trainer.update(rewards: scores) { _, _ in
          calls += 1
          if rank == cancelling, calls == 4 { tiny.context.cancel() }
        }
      } catch let error as MixGRPOError { code = error.code }
      #expect(code == .cancelled)
      let isUnchanged = run.outcome(of: tiny) == before
      #expect(isUnchanged)
      tiny.context.resetCancel()
      try tiny.trainer.update(rewards: scores)
      return run.outcome(of: tiny)
    }
    var once = run
    once.iterations = 1
    let expected = try once.outcomes(ranks: 1)[0]
    let isAlike = alike.allSatisfy { $0 == expected }
    #expect(isAlike)
  }

  /// The calls of one iteration, except the last: each fails once.
  @Test(arguments: 0..<27) func aCallbackThatFailsOnOneRankLeavesAllAsTheyWere(call: Int) throws {
    let results = try disturb(RankedRun()) { rank, tiny in
      guard rank == 2, let collective = tiny.trainer.collective else { return }
      tiny.trainer.owner.ranks = TrainingRanks(
        RankAgreement(FailingCollective(collective, failing: call)), count: tiny.trainer.evaluator.model.parameterCount)
    }
    for result in results {
      #expect(result.error?.message == "rank 2: collective: expected 0, got 7", "\(result.error?.message ?? "none")")
      #expect(result.isUnchanged)
    }
    #expect(try repeatsAlike(results))
  }

  /// The last call of a vote, whose failure the other rank cannot hear of in it.
  @Test func aFailureThatTheOthersDoNotKnowYetEndsTheNextCallOfTheTrainer() throws {
    let ranks = try LocalRanks(count: 2, timeLimit: 60)
    let run = RankedRun()
    let errors = try onThreads(2) { rank in
      let tiny = try run.makeRun()
      let collective = FailingCollective(try ranks[rank])
      let agreement = RankAgreement(collective)
      try tiny.trainer.join(agreement)
      if rank == 1 { collective.failing = collective.calls + 1 }
      #expect(agreement.vote(nil) == nil)
      return failure { () throws(MixGRPOError) in _ = try tiny.trainer.rollout(prompts: [0, 1]) }
    }
    for error in errors { #expect(error?.message == "rank 1: collective: expected 0, got 7") }
  }

  @Test func twoTrainersWithTheCollectiveOfOneRankEndAll() throws {
    let ranks = try LocalRanks(count: 2, timeLimit: 60)
    let run = RankedRun()
    let errors = try onThreads(2) { _ in error(ranks, 0, run) }
    for error in errors { #expect(error?.message.contains("expected one trainer with the collective of rank 0") == true) }
    #expect(error(ranks, 1, run)?.message.contains("of rank 0, got calls of two at once") == true)
  }

  @Test func anUpdateThatChangesTheModelTooMuchIsRolledBackOnAllRanks() throws {
    var run = RankedRun()
    run.learning.safety.faultPolicy = .rollBack
    run.learning.safety.maxVelocityChange = 1e-9
    let start = try run.outcome(of: run.makeRun()).weights
    let one = try run.outcomes(ranks: 1)[0]
    #expect(one.weights == start && one.metrics[0].contains(#""rolled_back":true"#))
    for outcome in try run.outcomes(ranks: 3) {
      let isSame = outcome == one
      #expect(isSame)
    }
  }

  @Test func otherSettingsAreRefusedWithRankAndField() throws {
    let ranks = try LocalRanks(count: 3, timeLimit: 60)
    let errors = try onThreads(3) { rank in
      var run = RankedRun()
      if rank == 2 { run.sampling.seed = 99 }
      return error(ranks, rank, run)
    }
    for error in errors {
      #expect(error?.code == .invalidArgument)
      #expect(error?.message == "rank 2: seed: expected 5, as on rank 0, got 99")
    }
  }

  @Test(arguments: ["prompts", "reward_names", "group_size", "prompt_count"])
  func whatDiffersIsNamed(field: String) throws {
    let ranks = try LocalRanks(count: 2, timeLimit: 60)
    let errors = try onThreads(2) { rank in
      var run = RankedRun()
      if rank == 1, field == "reward_names" { run.rewards = ["darkness"] }
      if rank == 1, field == "group_size" { run.sampling.groupSize = 5 }
      if rank == 1, field == "prompt_count" { run.prompts = 6 }
      guard rank == 1, field == "prompts" else { return error(ranks, rank, run) }
      let trainer = try otherPrompts(run)
      return failure { () throws(MixGRPOError) in try trainer.setCollective(ranks[rank]) }
    }
    for error in errors { #expect(error?.message.hasPrefix("rank 1: \(field):") == true, "\(error?.message ?? "none")") }
  }

  private func otherPrompts(_ run: RankedRun) throws -> Trainer {
    let tiny = try run.makeRun()
    let embeddings = try PromptEmbeddings(
      text: [Float](repeating: 1, count: run.prompts * 12), pooled: [Float](repeating: 1, count: run.prompts * 5),
      count: run.prompts, textLength: 2)
    return try Trainer(
      evaluator: tiny.trainer.evaluator, prompts: embeddings, sampling: run.sampling, learning: run.learning,
      rewardNames: run.rewards, context: tiny.context)
  }

  private func error(_ ranks: LocalRanks, _ rank: Int, _ run: RankedRun) -> MixGRPOError? {
    do {
      try run.makeRun().trainer.setCollective(ranks[rank])
      return nil
    } catch { return error as? MixGRPOError }
  }

  @Test func otherWeightsAreRefusedAtTheNextRollout() throws {
    let ranks = try LocalRanks(count: 2, timeLimit: 60)
    let run = RankedRun()
    let errors = try onThreads(2) { rank in
      let tiny = try run.makeRun()
      try tiny.trainer.setCollective(ranks[rank])
      let model = tiny.trainer.evaluator.model
      if rank == 1 { model.writeWeights(model.parameters[0], from: [Float](repeating: 0, count: model.parameters[0].count)) }
      return failure { () throws(MixGRPOError) in _ = try tiny.trainer.rollout(prompts: [0, 1]) }
    }
    for error in errors { #expect(error?.message.hasPrefix("rank 1: model weights:") == true) }
  }

  @Test func aRankThatLeavesEndsTheOthersWithinTheTimeLimit() throws {
    let ranks = try LocalRanks(count: 2, timeLimit: 0.2)
    let run = RankedRun()
    let error = error(ranks, 0, run)
    #expect(error?.code == .inputOutput)
    #expect(error?.message.contains("got no call of ranks [1]") == true)
  }

  @Test func wrongRewardsOnOneRankAreRefusedOnAll() throws {
    let ranks = try LocalRanks(count: 2, timeLimit: 60)
    let run = RankedRun()
    let errors = try onThreads(2) { rank in
      let tiny = try run.makeRun()
      try tiny.trainer.setCollective(ranks[rank])
      let samples = Array(try tiny.trainer.rollout(prompts: [0, 1, 2, 3, 4]))
      var scores = run.scores(tiny, samples, run.share(tiny, 0..<5))
      if rank == 1 { scores[0].removeLast() }
      return failure { () throws(MixGRPOError) in try tiny.trainer.update(rewards: scores) }
    }
    for error in errors { #expect(error?.message.hasPrefix("rank 1: rewards:") == true) }
  }
}
