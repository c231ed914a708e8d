import Foundation
import MixGRPO
import TestSupport
import Testing

@testable import MixCommand

/// Ranks of a command that are threads.
struct RunRanksTests {
  @Test func anErrorOfOneRankEndsAllWithItsNameWhereverTheyAre() throws {
    let errors = try asRanks(3) { ranks in
      error {
        try ranks.withdrawing { () throws(MixGRPOError) in
          try ranks.meet()
          if ranks.rank.index == 1 { throw MixGRPOError(.inputOutput, "the disk is full") }
          _ = try ranks.gather([[0.5]], prompts: 3, samples: 1)
        }
      }
    }
    #expect(errors.allSatisfy { $0?.code == .inputOutput && $0?.message == "rank 1: the disk is full" })
  }

  @Test func scoresOfAllRanksStandInTheOrderOfThePrompts() throws {
    for count in 1...4 {
      let all = try asRanks(count) { ranks in
        let own = ranks.rank.share(ofPrompts: 3).flatMap { [Double($0), Double($0) + 0.5] }
        return try ranks.gather([own, own.map { -$0 }], prompts: 3, samples: 2)
      }
      let expected = [0, 0.5, 1, 1.5, 2, 2.5]
      #expect(all.allSatisfy { $0 == [expected, expected.map { -$0 }] }, "\(count) ranks")
    }
    #expect(try RunRanks().gather([[1, 2]], prompts: 1, samples: 2) == [[1, 2]])
  }

  @Test func theValueOfTheFirstRankIsThatOfAll() throws {
    #expect(try asRanks(3) { ranks in try ranks.first(ranks.isFirst ? 7 : -1) } == [7, 7, 7])
    #expect(try RunRanks().first(3) == 3)
  }

  @Test func settingsThatDifferAreRefusedWithRankAndName() throws {
    let errors = try asRanks(2) { ranks in
      var settings = AlignSettings()
      settings.threads = ranks.rank.index  // may differ
      settings.saveEvery = 10 + ranks.rank.index
      return error { try ranks.meet(same: settings.description(resuming: false)) }
    }
    #expect(errors.allSatisfy { $0?.message == "rank 1: save_every: expected 10, as on rank 0, got 11" })
  }

  @Test func aRunOfSeveralRanksWritesTheModelOfOneThatSumsPerPrompt() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("mixgrpo-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let prompts = folder.appendingPathComponent("prompts.txt")
    try Data("a red circle\na blue square\na green triangle\n".utf8).write(to: prompts)
    var alone = try Self.settings(prompts: prompts.path, out: folder.appendingPathComponent("alone").path)
    alone.sumPerPrompt = true
    _ = try AlignRun(alone, resuming: false, context: RunContext(threads: 1)).run()
    let several = try Self.settings(prompts: prompts.path, out: folder.appendingPathComponent("several").path)
    let summaries = try asRanks(3) { ranks in
      try ranks.withdrawing { () throws(MixGRPOError) in
        try AlignRun(several, resuming: false, context: RunContext(threads: 1), ranks: ranks).run() != nil
      }
    }
    #expect(summaries == [true, false, false])
    for file in ["model/diffusion_pytorch_model.safetensors", "best/diffusion_pytorch_model.safetensors", "evaluations.jsonl"] {
      let isSame =
        try Data(contentsOf: folder.appendingPathComponent("alone/\(file)"))
        == Data(contentsOf: folder.appendingPathComponent("several/\(file)"))
      #expect(isSame, "\(file)")
    }
  }

  @Test func evaluationsAndPicturesSendWhatThePlanSays() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("mixgrpo-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let prompts = folder.appendingPathComponent("prompts.txt")
    try Data("a red circle\na blue square\na green triangle\n".utf8).write(to: prompts)
    var settings = try Self.settings(prompts: prompts.path, out: folder.appendingPathComponent("with").path)
    settings.picturesPerPrompt = 2
    var without = settings
    without.out = folder.appendingPathComponent("without").path
    (without.evaluation.record.every, without.evaluation.heldOut, without.picturesEvery) = (0, [], 0)
    let (more, fewer) = (try sent(settings), try sent(without))
    let traffic = try AlignmentTraffic(settings, PlannedModel(settings), AlignmentPlan(settings), ranks: 3)
    let vote = RankCost.bytesPerEvaluation(ranks: 3, prompts: 0, scores: 0) / 3  // when evaluations are made
    #expect(more - fewer == vote + 2 * (traffic.bytesPerEvaluation + traffic.bytesPerPictures))
  }

  /// Bytes of the last of three ranks in a run.
  private func sent(_ settings: AlignSettings) throws -> Int {
    let ranks = try LocalRanks(count: 3, timeLimit: 60)
    _ = try onThreads(3) { rank in
      let run = RunRanks(try ranks[rank])
      return try run.withdrawing { () throws(MixGRPOError) in
        try AlignRun(settings, resuming: false, context: RunContext(threads: 1), ranks: run).run() != nil
      }
    }
    return ranks.traffic(of: 2).bytes
  }

  @Test func aPersonWithSeveralProcessesIsRefused() throws {
    let errors = try asRanks(2) { ranks in
      var settings = AlignSettings()
      settings.rewards = [try RewardSetting(builtIn: RewardSetting.person)]
      return error { _ = try settings.adapted(to: ranks) }
    }
    #expect(errors.allSatisfy { $0?.code == .unsupported && $0?.message.contains("2 processes") == true })
  }

  private static func settings(prompts: String, out: String) throws -> AlignSettings {
    var settings = AlignSettings()
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    (settings.model, settings.out) = (root.appendingPathComponent("examples/base").path, out)
    settings.pictures.prompts = prompts
    settings.rewards = [try RewardSetting(builtIn: "darkness")]
    settings.evaluation.heldOut = [try RewardSetting(builtIn: "contrast")]
    (settings.iterations, settings.picturesPerPrompt, settings.tensorBoard) = (1, 1, false)
    settings.sampling.record.group_size = 2
    settings.sampling.record.steps = 3
    settings.learning.record.learning_rate = 1e-4
    return settings
  }

  private func asRanks<Result: Sendable>(
    _ count: Int, _ body: @escaping @Sendable (RunRanks) throws -> Result
  ) throws -> [Result] {
    let ranks = try LocalRanks(count: count, timeLimit: 60)
    return try onThreads(count) { index in try body(RunRanks(ranks[index])) }
  }
}

private func error(_ body: () throws -> Void) -> MixGRPOError? {
  do { try body() } catch { return error as? MixGRPOError }
  return nil
}
