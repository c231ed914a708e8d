import Foundation
import TestSupport
import Testing

@testable import MixGRPO

/// What must not depend on the number of ranks.
enum RankedCase: String, CaseIterable, Sendable {
  case group, batch, decoupled, twoRewards, failedRewards, failedRank, reference, flash, adaptive, tickets, average, adapter

  var run: RankedRun {
    var run = RankedRun()
    switch self {
    case .group: break
    case .batch: run.learning.advantages.spread = .batch
    case .decoupled:
      run.rewards = ["brightness", "order"]
      run.learning.advantages.aggregation = .decoupled
    case .twoRewards:
      run.rewards = ["brightness", "order"]
      run.learning.advantages.weights = [1, 0.5]
    case .failedRewards: run.reward = { ($1 + $2) % 3 == 0 ? .nan : $3 }
    case .failedRank: run.reward = { $1 >= 3 ? .nan : $3 }
    case .reference: run.learning.policy.referencePenalty = 0.1
    case .flash: run.sampling.flash = FlashTail(ratio: 0.5, solver: .dpmSolver2Midpoint)
    case .adaptive: run.sampling.windowMode = .adaptive(AdaptiveInterval(), stride: 1, atEnd: .rollBack)
    case .tickets: run.tickets = [2, 1, 2]
    case .average: run.learning.averageDecay = 0.9
    case .adapter:
      var lora = LoRAConfiguration()
      (lora.rank, lora.targets) = (2, ["*"])
      run.lora = lora
    }
    return run
  }
}

@Suite struct RankTests {
  @Test(arguments: RankedCase.allCases)
  func weightsOptimizerAndMetricsHaveTheSameBitsForAnyNumberOfRanks(of kind: RankedCase) throws {
    let one = try kind.run.outcomes(ranks: 1)[0]
    let start = try kind.run.outcome(of: kind.run.makeRun())
    let hasLearned = one.weights != start.weights
    #expect(hasLearned)
    for ranks in [2, 3, 4, 8] {
      for (rank, outcome) in try kind.run.outcomes(ranks: ranks).enumerated() {
        let (weights, moments) = (outcome.weights == one.weights, outcome.moments == one.moments)
        #expect(weights && moments, "\(kind), rank \(rank) of \(ranks)")
        #expect(outcome.metrics == one.metrics && outcome.windows == one.windows, "\(kind), rank \(rank) of \(ranks)")
      }
    }
  }

  @Test func aTrainerWithoutACollectiveDiffersByRoundingOnly() throws {
    let run = RankedRun()
    let alone = try run.makeRun()
    try run.iterate(alone)
    let first = try run.makeRun().weights
    var once = run
    once.iterations = 1
    let ranked = try once.outcomes(ranks: 1)[0].weights.map(Float.init(bitPattern:))
    let step = zip(first, alone.weights).map { Double(abs($0 - $1)) }.reduce(0, +)
    let difference = zip(ranked, alone.weights).map { Double(abs($0 - $1)) }.reduce(0, +)
    #expect(step > 0)
    #expect(difference <= 0.01 * step, "\(difference) of \(step)")
  }

  @Test func moreRanksThanPromptsLeaveSomeWithoutWork() throws {
    var run = RankedRun()
    run.prompts = 2
    let one = try run.outcomes(ranks: 1)[0]
    for outcome in try run.outcomes(ranks: 7) {
      let isSame = outcome == one
      #expect(isSame)
    }
  }

  @Test(arguments: [1, 3]) func aCheckpointOfTwoRanksIsResumedByAnyNumber(ranks: Int) throws {
    var run = RankedRun()
    run.iterations = 4
    let whole = try run.outcomes(ranks: 1)[0]
    let place = try CheckpointPlace()
    let folder = place.path
    run.iterations = 2
    _ = try run.outcomes(ranks: 2, after: { if $0 == 0 { try $1.trainer.save(folder: folder) } })
    let resumed = try run.outcomes(ranks: ranks, before: { try $0.trainer.restore(folder: folder) })
    for outcome in resumed {
      let isSame = outcome == whole
      #expect(isSame)
    }
  }

  @Test(arguments: [1, 3]) func evaluationsGiveAllSamplesToEveryRank(ranks count: Int) throws {
    let run = RankedRun()
    @Sendable func samples(_ run: TinyRun) throws -> [Float] {
      let plan = try SamplingPlan.deterministic(.shifted(steps: 3, shift: 1), samplesPerPrompt: 2, seed: 4)
      let evaluation = try Evaluation(
        prompts: [4, 0, 0, 2], plan: plan, rewards: [EvaluationReward("brightness")])
      return try evaluation.sample(run.trainer)
    }
    let expected = try samples(run.makeRun())
    let ranks = try LocalRanks(count: count, timeLimit: 60)
    let all = try onThreads(count) { rank in
      let tiny = try run.makeRun()
      try tiny.trainer.setCollective(ranks[rank])
      return try samples(tiny)
    }
    for one in all {
      let isSame = one == expected
      #expect(isSame)
    }
  }

  @Test(arguments: [1, 3]) func samplesForTheFirstRankAreThoseOfOneProcess(ranks count: Int) throws {
    let run = RankedRun()
    @Sendable func samples(_ run: TinyRun) throws -> [Float] {
      let plan = try SamplingPlan.deterministic(.shifted(steps: 3, shift: 1), samplesPerPrompt: 2, seed: 4)
      return try run.trainer.sampleForFirst(plan, weights: .trained, chosen: [4, 0, 0, 2]) { _, _ in }
    }
    let expected = try samples(run.makeRun())
    let ranks = try LocalRanks(count: count, timeLimit: 60)
    let all = try onThreads(count) { rank in
      let tiny = try run.makeRun()
      try tiny.trainer.setCollective(ranks[rank])
      let before = ranks.traffic(of: rank).bytes
      let own = try samples(tiny)
      let planned = RankCost.bytesPerSamples(ranks: count, prompts: 4, values: expected.count / 4)
      #expect(rank < count - 1 || ranks.traffic(of: rank).bytes - before == planned)
      return own
    }
    let isSame = all[0] == expected
    #expect(isSame && all.dropFirst().allSatisfy(\.isEmpty))
  }

  @Test(arguments: [1, 40, 100, 1 << 20]) func messagesOfAnySizeGatherTheSameValues(bytes: Int) throws {
    let ranks = try LocalRanks(count: 3, timeLimit: 60)
    _ = try onThreads(3) { rank in
      let messages = RankMessages(try ranks[rank], messageBytes: bytes)
      let own = (0..<rank + 3).map { Double(10 * rank + $0) }
      let all = try messages.gather(own, count: 6, filler: -1)
      #expect(all == [0, 1, 2, -1, -1, -1, 10, 11, 12, 13, -1, -1, 20, 21, 22, 23, 24, -1])
      let first = try messages.gatherOnFirst(own, counts: [3, 4, 5], filler: 0)
      #expect(first == (rank == 0 ? [0, 1, 2, 10, 11, 12, 13, 20, 21, 22, 23, 24] : []))
    }
    let calls = ranks.traffic(of: 0).calls
    #expect(bytes < 1 << 20 ? calls > 2 : calls == 2)
  }

  @Test(arguments: [1, 7, 100, 2_000]) func gradientsInPiecesOfAnySizeHaveTheSameSum(mostValues: Int) throws {
    let (roots, count) = ([[0, 3], [1], []], 1_000)
    let ranks = try LocalRanks(count: 3, timeLimit: 60)
    let sums = try onThreads(3) { rank in
      let layout = GradientLayout(roots: roots, count: count, mostValues: mostValues)
      #expect(layout.sentCount(of: rank) <= max(mostValues, 6) && layout.receivedCount <= max(mostValues, 6))
      let own = try roots[rank].map { root in
        let storage = try FloatStorage(count: count)
        let divisor = Float(3 + root)
        for index in 0..<count { storage.base[index] = Float(index) / divisor }
        return storage
      }
      let sum = try FloatStorage(count: count)
      try GradientExchange(ranks[rank], layout).run(own, into: sum.base)
      return Array(sum.buffer)
    }
    let expected = (0..<count).map { (index: Int) -> Float in
      let value = Float(index)
      let lower: Float = value / 3 + value / 4
      return lower + value / 6
    }
    let isSame = sums.allSatisfy { $0 == expected }
    #expect(isSame)
  }

  @Test(arguments: [2, 3, 4, 8], [1, 4, 5, 8]) func ranksSendWhatThePlanSays(ranks count: Int, prompts: Int) throws {
    let run = {
      var run = RankedRun()
      run.prompts = prompts
      return run
    }()
    let ranks = try LocalRanks(count: count, timeLimit: 60)
    _ = try onThreads(count) { rank in
      let tiny = try run.makeRun()
      try tiny.trainer.setCollective(ranks[rank])
      let before = ranks.traffic(of: rank).bytes
      let cost = RankCost(try Rank(rank, of: count), prompts: run.prompts, model: tiny.trainer.evaluator.model)
      try run.iterate(tiny)
      let sent = ranks.traffic(of: rank).bytes - before
      let steps = run.learning.policy.updatesPerIteration
      let planned = cost.bytesPerIteration(steps: steps, rewards: 1, groupSize: run.sampling.groupSize)
      #expect(sent == planned, "rank \(rank) of \(count), \(prompts) prompts")
      return sent
    }
  }
}
