import Foundation
import MixGRPO
import TestSupport
import Testing

@testable import MixCommand

/// A folder with files to find again.
private final class Place {
  let path = FileManager.default.temporaryDirectory.appendingPathComponent("mixgrpo-\(UUID().uuidString)").path

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) throws -> String {
    let file = path + "/" + name
    let folder = (file as NSString).deletingLastPathComponent
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Data().write(to: URL(fileURLWithPath: file))
    return file
  }
}

@Suite struct RunSettingsTests {
  @Test func anEvaluationsMeanLeavesThePersonOut() throws {
    var settings = AlignSettings()
    settings.rewards = [try RewardSetting(builtIn: "darkness"), try RewardSetting(builtIn: "contrast:3")]
    #expect(settings.evaluatedMean([0.5, 0.25, 9]) == 0.3125)
    settings.rewards[0].name = RewardSetting.person
    #expect(settings.evaluatedMean([0.25, 9]) == 0.25)
    settings.rewards.removeLast()
    settings.evaluation.heldOut = [try RewardSetting(builtIn: "symmetry")]
    #expect(settings.evaluatedMean([0.75]) == 0.75)
  }

  @Test func savedPathsAreAbsolute() throws {
    var settings = AlignSettings()
    (settings.model, settings.out, settings.pictures.prompts) = ("", "run", "/p/prompts.txt")
    settings.rewards = [try RewardSetting(builtIn: "contrast"), try RewardSetting(program: "score a.py", number: 0)]
    let saved = try settings.withAbsolutePaths()
    let here = try FileAccess.absolute(".")
    #expect(saved.model == "" && saved.pictures.prompts == "/p/prompts.txt" && saved.out == here + "/run")
    #expect(saved.rewards.map(\.directory) == ["", here])
    #expect(saved.rewards.map(\.program) == [[], ["score", "a.py"]])
    #expect(try saved.withAbsolutePaths().json == saved.json)
  }

  @Test func anInputThatMovedWithTheRunIsFound() throws {
    let place = Place()
    let moved = try place.file("new/inputs/prompts.txt")
    let move = FolderMove(from: place.path + "/old/runs/first", to: place.path + "/new/runs/first")
    #expect(try move.applied(to: place.path + "/old/inputs/prompts.txt") == moved)
  }

  @Test func anInputThatStayedIsKept() throws {
    let place = Place()
    let stayed = try place.file("old/prompts.txt")
    _ = try place.file("new/prompts.txt")
    #expect(try FolderMove(from: place.path + "/old/run", to: place.path + "/new/run").applied(to: stayed) == stayed)
  }

  @Test func whatIsNowhereOrNoPathIsKept() throws {
    let place = Place()
    _ = try place.file("new/prompts.txt")
    let move = FolderMove(from: place.path + "/old/run", to: place.path + "/new/run")
    for path in ["", "prompts.txt", "--flag", place.path + "/old/other.txt", "/", "/a\0b"] {
      #expect(try move.applied(to: path) == path)
    }
    let relative = FolderMove(from: "run", to: place.path + "/new/run")
    #expect(try relative.applied(to: place.path + "/old/prompts.txt") == place.path + "/old/prompts.txt")
  }
}
