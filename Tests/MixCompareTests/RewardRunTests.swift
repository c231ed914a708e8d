import Foundation
import ProceduralWorld
import Testing

@testable import MixCompare

/// A comparison of a few seconds on the shipped model.
private final class TinyCampaign {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("compare-\(UUID().uuidString)").path
  let stage: Stage
  let arm: Arm

  init() throws {
    var size = ComparisonSize()
    (size.iterations, size.evaluations, size.evaluationSteps, size.evaluationPictures) = (4, 2, 1, 1)
    (size.prompts, size.groupSize, size.steps) = (1, 4, 6)
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    stage = try Stage(model: root.appending(path: "examples/base").path, size: size)
    arm = Method.flash.arm(size)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  func run(_ name: String, seed: Int = 1) throws -> RewardRun {
    let folder = folder + "/" + name
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    return RewardRun(arm: arm, seed: seed, stage: stage, folder: folder)
  }
}

struct RewardRunTests {
  @Test func aResumedRunReachesTheSameResult() throws {
    let campaign = try TinyCampaign()
    let whole = try campaign.run("whole").run(RunContext(threads: 1)) { _ in }
    let ended = try campaign.run("ended")
    let context = try RunContext(threads: 2)
    let error = #expect(throws: MixGRPOError.self) { try ended.run(context) { _ in context.cancel() } }
    #expect(error?.code == .cancelled)
    #expect(try ended.finished() == nil)
    var evaluations = 0
    let resumed = try ended.run(RunContext(threads: 1)) { _ in evaluations += 1 }
    #expect(evaluations == 1)
    #expect(resumed == whole)
    #expect(whole.points.map(\.iteration) == [2, 4])
    #expect(whole.steps.count == 4)
    let left = try FileManager.default.contentsOfDirectory(atPath: campaign.folder + "/ended").sorted()
    #expect(left.count == 2 && left[0].hasSuffix(".json") && left[1].hasSuffix(".png"))
  }

  @Test func finishedRunsAreNotRepeated() throws {
    let campaign = try TinyCampaign()
    let run = try campaign.run("once")
    let result = try run.run(RunContext(threads: 2)) { _ in }
    let again = try run.run(RunContext(threads: 1)) { _ in Issue.record("evaluated again") }
    #expect(again == result)
  }

  @Test func runsOfOtherSettingsHaveOtherFiles() throws {
    let campaign = try TinyCampaign()
    let first = try campaign.run("runs")
    let otherRate = RewardRun(
      arm: campaign.arm.changed(campaign.arm.name, "") { $0.learning.optimizer.learningRate *= 2 }, seed: 1,
      stage: campaign.stage, folder: campaign.folder)
    #expect(first.resultPath != (try campaign.run("runs", seed: 2)).resultPath)
    #expect(first.settings != otherRate.settings)
  }

  @Test func aDamagedResultIsNamed() throws {
    let campaign = try TinyCampaign()
    let run = try campaign.run("damaged")
    try Data("{}".utf8).write(to: URL(filePath: run.resultPath))
    let error = #expect(throws: MixGRPOError.self) { try run.finished() }
    #expect(error?.message.contains(run.resultPath) == true)
  }

  @Test func seedsMixThePromptsAndEveryTurnHasAll() throws {
    let stage = try TinyCampaign().stage
    let turn = (0..<60).flatMap { stage.scenes(iteration: $0, seed: 1) }
    #expect(Set(turn) == Set(World.trainingScenes))
    #expect(turn != (0..<60).flatMap { stage.scenes(iteration: $0, seed: 2) })
    #expect(turn != (60..<120).flatMap { stage.scenes(iteration: $0, seed: 1) })
  }

  @Test func cleanPicturesHaveACleanSkyAndNoisyOnesNot() throws {
    for scene in World.evaluationScenes {
      let picture = try scene.render(Jitter(dx: 2, dy: -2, radius: 7, sky: 90))
      #expect(try Judges().scores(picture, of: scene)[1...] == [1, 1, 1])
    }
    let noise = try RGBImage(width: 32, height: 32, pixels: (0..<3_072).map { UInt8($0 * 89 % 251) })
    #expect(try CleanSky.score(noise) <= 1e-6)
  }
}
