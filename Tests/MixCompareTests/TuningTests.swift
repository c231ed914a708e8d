import Foundation
import ProceduralWorld
import Testing

@testable import MixCompare

struct TuningTests {
  private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("compare-\(UUID().uuidString)").path

  private func stage() throws -> Stage {
    var size = ComparisonSize()
    (size.iterations, size.evaluations, size.evaluationSteps, size.evaluationPictures) = (1, 1, 1, 1)
    (size.prompts, size.groupSize, size.steps) = (1, 4, 6)
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    return try Stage(model: root.appending(path: "examples/base").path, size: size)
  }

  private func tuning() throws -> Tuning {
    let stage = try stage()
    return Tuning(stage: stage, out: folder, arms: [Method.flashStar.arm(stage.size)], grid: TunedRates.grid)
  }

  @Test func everyRateIsTriedAndTheBestIsNamed() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try tuning().run(workers: 2, stop: RunContext(threads: 1)) { _ in }
    let runs = try FileManager.default.contentsOfDirectory(atPath: folder + "/runs").filter { $0.hasSuffix(".json") }
    #expect(runs.count == TunedRates.grid.count)
    let rewards = try TunedRates.grid.map { rate in
      let name = try #require(runs.first { $0.contains("-\(rate)-") })
      return try RunResult(path: folder + "/runs/" + name).trainedReward
    }
    let best = try #require(rewards.indices.max { rewards[$0] < rewards[$1] })
    let table = try String(contentsOfFile: folder + "/tuning.md", encoding: .utf8).split(separator: "\n")
    #expect(table.count == 3 && table[2].hasSuffix(" \(TunedRates.grid[best]) |"))
    for reward in rewards { #expect(table[2].contains(" \(fixed(reward, 4)) ")) }
  }

  @Test func theFirstErrorEndsAllRuns() throws {
    let stage = try stage()
    let campaign = Campaign(
      stage: stage, out: "/proc/nowhere", arms: [Method.flash.arm(stage.size)], seeds: [1, 2, 3])
    let error = #expect(throws: MixGRPOError.self) {
      try RunQueue().run(campaign.runs, workers: 2, stop: RunContext(threads: 1)) { _, _ in }
    }
    #expect(error?.code == .inputOutput && error?.message.contains("/proc/nowhere") == true)
    let none = #expect(throws: MixGRPOError.self) {
      try Campaign(stage: stage, out: folder, arms: [], seeds: []).evaluateBase(RunContext(threads: 1))
    }
    #expect(none?.code == .invalidArgument && none?.message == "methods: expected at least one, got 0")
    try? FileManager.default.removeItem(atPath: folder)
  }

  @Test func everyAblationHasATitleOfItsOwn() {
    let titles = Ablation.allCases.map(\.title)
    #expect(Set(titles).count == Ablation.allCases.count && !titles.contains(""))
  }

  @Test(arguments: [
    #"{"arm":"a","seed":1,"settings":"s","points":[{}],"training":[]}"#,
    #"{"arm":"a","seed":1,"settings":"s","points":[{"iteration":1,"rewards":[1]}],"training":[]}"#,
    #"{"arm":"a","seed":1,"settings":"s","points":[],"training":[{"rewards":[1,2,3]}]}"#,
  ])
  func aMalformedResultIsNamed(text: String) throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(filePath: folder + "/result.json"))
    let error = #expect(throws: MixGRPOError.self) { try RunResult(path: folder + "/result.json") }
    #expect(error?.code == .invalidFormat && error?.message.contains("remove it to run again") == true)
    let other = #expect(throws: MixGRPOError.self) { try Timing(path: folder + "/result.json") }
    #expect(other?.message.contains("remove it to measure again") == true)
  }

  @Test func missingFiguresAreNaN() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let text =
      #"{"arm":"a","seed":1,"settings":"s","points":[],"training":[{"rewards":[null,2]}],"#
      + #""processor":"p","threads":1,"turns":1,"arms":[{}]}"#
    try Data(text.utf8).write(to: URL(filePath: folder + "/both.json"))
    let result = try RunResult(path: folder + "/both.json")
    #expect(result.trainedReward.isNaN && result.steps[0].rewards[0].isNaN && result.steps[0].gradientNorm.isNaN)
    let timing = try Timing(path: folder + "/both.json")
    #expect(timing.load.isNaN && timing.entries[0].arm.isEmpty && timing.entries[0].seconds.isNaN)
    #expect(median([]).isNaN)
  }

  @Test func aPictureOfAnotherSizeIsNotJudged() throws {
    let picture = try RGBImage(width: 8, height: 8, pixels: [UInt8](repeating: 90, count: 192))
    let error = #expect(throws: MixGRPOError.self) { try CleanSky.score(picture) }
    #expect(error?.code == .invalidArgument && error?.message == "picture: expected 32×32, got 8×8")
  }
}
