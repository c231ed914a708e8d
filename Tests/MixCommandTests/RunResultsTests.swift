import Foundation
import MixGRPO
import TestSupport
import Testing

@testable import MixCommand

/// The results of a run, from the files that it left.
@Suite struct RunResultsTests {
  private final class Place {
    let folder: RunFolder

    init() throws {
      let path = FileManager.default.temporaryDirectory.appendingPathComponent("mixgrpo-\(UUID().uuidString)").path
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      folder = RunFolder(path: path)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder.path) }

    func write(_ lines: [String], to path: String) throws {
      try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: path))
    }

    func saveModel(_ path: String) throws {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      for name in ["config.json", "diffusion_pytorch_model.safetensors"] { try write(["{}"], to: path + "/" + name) }
    }

    func train(_ rewards: [Double]) throws {
      let lines = rewards.enumerated().map {
        #"{"iteration":\#($0),"reward_mean":\#($1),"rewards":{"darkness":{"mean":\#($1)}}}"#
      }
      try write(lines, to: folder.metrics)
    }

    func evaluate(_ scores: [(Int, Double, Double)], best: Int) throws {
      let lines = scores.map {
        #"{"iteration":\#($0),"score":\#($2),"means":{"darkness":\#($1),"contrast":\#($2)},"best_iteration":\#(best)}"#
      }
      try write(lines, to: folder.evaluations)
    }
  }

  private let settings: JSONObject = [
    "iterations": .integer(40), "evaluation": ["held_out": .array([["name": "contrast"]])],
  ]

  @Test(arguments: ["-1", "9223372036854775807", "-9223372036854775808"])
  func anIterationOutOfRangeIsRefused(iteration: String) throws {
    let place = try Place()
    try place.write([#"{"iteration":\#(iteration),"means":{}}"#], to: place.folder.evaluations)
    #expect {
      _ = try RunResults(place.folder, settings: settings)
    } throws: {
      ($0 as? MixGRPOError)?.code == .invalidFormat
    }
  }

  @Test func evaluationsAreComparedByNameBeforeBestAndAfter() throws {
    let place = try Place()
    try place.train([Double](repeating: 0.5, count: 20))
    try place.evaluate([(0, 0.5, 0.25), (10, 0.75, 0.5), (20, 1, 0.125)], best: 10)
    try place.saveModel(place.folder.model)
    try place.saveModel(place.folder.best)
    let results = try RunResults(place.folder, settings: settings)
    #expect(
      results.lines() == [
        "evaluation             before      best     after    change",
        "darkness               0.5000    0.7500     1.000    +0.500",
        "contrast [held out]    0.2500    0.5000    0.1250    -0.125", "best evaluation: iteration 10",
      ])
    #expect(results.bestModel == place.folder.best && results.done == 20 && results.planned == 40)
  }

  @Test func aNarrowTableShortensNamesAndKeepsNumbers() throws {
    let place = try Place()
    try place.train([1, 2, 3, 4])
    let lines = try RunResults(place.folder, settings: ["iterations": .integer(4)]).lines(columns: 40)
    #expect(lines == ["mean of 2…    before     after    change", "darkness       1.500     3.500     +2.00"])
  }

  @Test func aRunThatNeverImprovedSaysSo() throws {
    let place = try Place()
    try place.evaluate([(0, 0.5, 0.5), (5, 0.75, 0.25)], best: 0)
    #expect(
      try RunResults(place.folder, settings: settings).lines().last == "best evaluation: iteration 0; none after it was better")
  }

  @Test func withoutEvaluationsMeansOfSeveralIterationsAreCompared() throws {
    let place = try Place()
    try place.train([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    try place.saveModel(place.folder.model)
    let results = try RunResults(place.folder, settings: ["iterations": .integer(12)])
    #expect(results.lines().first?.hasPrefix("mean of 5 iterations") == true)
    #expect(results.figures[0].before == 3 && results.figures[0].after == 10 && results.figures[0].best == nil)
    #expect(results.bestModel == place.folder.model)
  }

  @Test func rewardsThatFailedAreADash() throws {
    let place = try Place()
    try place.write([#"{"iteration":0,"rewards":{"darkness":{"mean":null}}}"#], to: place.folder.metrics)
    let results = try RunResults(place.folder, settings: [:])
    #expect(results.lines().last == "darkness \(String(repeating: " ", count: 9))–         –         –")
  }

  @Test func aRunWithoutIterationsHasNoFigures() throws {
    let place = try Place()
    #expect(try RunResults(place.folder, settings: [:]).lines().isEmpty)
  }

  @Test func theLastLineOfAStoppedRunNamesItsBestModel() throws {
    let place = try Place()
    try place.train([Double](repeating: 0.5, count: 20))
    try place.evaluate([(0, 0.5, 0.25), (10, 0.75, 0.5), (20, 1, 0.125)], best: 10)
    for path in [place.folder.model, place.folder.best] { try place.saveModel(path) }
    var settings = AlignSettings()
    (settings.iterations, settings.out, settings.rewards) = (40, place.folder.path, [try RewardSetting(builtIn: "darkness")])
    let lines = AlignSummary(
      settings: settings, results: try RunResults(place.folder, settings: self.settings), prompt: "it's a red circle",
      seconds: 65
    ).lines()
    #expect(lines.first == "20 of 40 iterations, 1:05 in this run" && lines.last == "model: \(place.folder.best)")
    #expect(lines.contains("\(place.folder.model) is the model of the last iteration, not the best"))
    #expect(
      lines.contains(#"next: mixgrpo sample 'it'\''s a red circle' --model \#(place.folder.best) --out after.png"#))
  }

  @Test func aPromptThatLooksLikeAnOptionComesLast() throws {
    let place = try Place()
    try place.train([0.5])
    try place.saveModel(place.folder.model)
    var settings = AlignSettings()
    (settings.iterations, settings.out) = (1, place.folder.path)
    let lines = AlignSummary(
      settings: settings, results: try RunResults(place.folder, settings: self.settings), prompt: "-a circle", seconds: 1
    ).lines()
    #expect(lines.contains("next: mixgrpo sample --model \(place.folder.model) --out after.png -- '-a circle'"))
  }
}
