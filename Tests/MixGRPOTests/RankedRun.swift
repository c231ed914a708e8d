import Foundation
import TestSupport
import Testing

@testable import MixGRPO

/// A run of several ranks, each on a thread of its own.
struct RankedRun: Sendable {
  var prompts = 5
  var rewards = ["brightness"]
  var sampling = TinyRun.configuration { $0.groupSize = 4 }
  var learning = TinyRun.learning()
  var lora: LoRAConfiguration?
  var iterations = 3
  /// Drawn as tickets of these numbers of prompts; empty for one rollout.
  var tickets: [Int] = []
  /// The reward of a sample from its brightness.
  var reward: @Sendable (_ index: Int, _ prompt: Int, _ member: Int, _ brightness: Double) -> Double = {
    $3 + Double($0 * $2) * 0.01
  }

  /// What must be the same on all ranks, to the bit.
  struct Outcome: Equatable {
    var weights: [UInt32] = []
    var moments: [UInt32] = []
    var metrics: [String] = []
    var windows: [Int] = []
  }

  /// The outcomes of the ranks.
  func outcomes(
    ranks count: Int, before: @escaping @Sendable (TinyRun) throws -> Void = { _ in },
    after: @escaping @Sendable (_ rank: Int, TinyRun) throws -> Void = { _, _ in }
  ) throws -> [Outcome] {
    let ranks = try LocalRanks(count: count, timeLimit: 60)
    return try onThreads(count) { rank in
      do {
        let run = try makeRun()
        try before(run)
        try run.trainer.setCollective(ranks[rank])
        for _ in 0..<iterations { try iterate(run) }
        try after(rank, run)
        return outcome(of: run)
      } catch {
        ranks.abandon("\(error)")
        throw error
      }
    }
  }

  func makeRun() throws -> TinyRun {
    try TinyRun(
      threads: 1, maxBatch: 3, lora: lora, rewards: rewards, promptCount: prompts, sampling: sampling, learning: learning)
  }

  func outcome(of run: TinyRun) -> Outcome {
    let optimizer = run.trainer.learner.optimizer
    let moments = Array(optimizer.firstMoment.buffer) + Array(optimizer.secondMoment.buffer)
    let json = (try? run.trainer.metrics?.json) ?? ""
    return Outcome(
      weights: run.weights.map(\.bitPattern), moments: moments.map(\.bitPattern),
      metrics: [json.replacingOccurrences(of: #""seconds_[a-z]+":[^,}]+"#, with: "", options: .regularExpression)],
      windows: [run.trainer.metrics?.window.lowerBound ?? -1, run.trainer.adaptiveWindow?.start ?? -1])
  }

  @discardableResult func iterate(_ run: TinyRun) throws -> IterationMetrics {
    guard !tickets.isEmpty else {
      let samples = try run.trainer.rollout(prompts: (0..<Int32(prompts)).map { $0 })
      return try run.trainer.update(rewards: scores(run, Array(samples), share(run, 0..<prompts)))
    }
    var first = 0
    for count in tickets {
      let part = try run.trainer.ticketedRollout(prompts: (first..<first + count).map { Int32($0) })
      if !part.prompts.isEmpty {
        try run.trainer.inbox.submit(scores(run, part.samples, part.prompts.map { Int($0) }), for: part.ticket)
      }
      first += count
    }
    return try run.trainer.updateFromTickets()
  }

  func share(_ run: TinyRun, _ prompts: Range<Int>) -> [Int] {
    let rank = run.trainer.collective?.rank ?? .alone
    return Array(rank.share(ofPrompts: prompts.count))
  }

  func scores(_ run: TinyRun, _ samples: [Float], _ prompts: [Int]) -> [[Double]] {
    let brightness = samples.withUnsafeBufferPointer { run.brightness($0) }
    return rewards.indices.map { index in
      brightness.enumerated().map { sample, value in
        reward(index, prompts[sample / sampling.groupSize], sample % sampling.groupSize, value)
      }
    }
  }
}
