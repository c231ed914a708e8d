import Foundation
import MixGRPO
import MixSettings
import TestSupport
import Testing

@testable import MixCommand

/// Settings and files that the command refuses.
struct UnfitSettingsTests {
  private func message(_ body: () throws -> Void) -> String {
    do { try body() } catch { return (error as? MixGRPOError)?.message ?? "\(error)" }
    return ""
  }

  private func withFile(_ bytes: [UInt8], _ name: String, _ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("mixgrpo-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Data(bytes).write(to: URL(fileURLWithPath: folder + "/" + name))
    try body(folder + "/" + name)
  }

  @Test func pretrainingNeedsPicturesAndAFolder() {
    var settings = PretrainSettings()
    let found = message { try settings.validate() }
    #expect(
      found.contains("data: expected a folder with metadata.jsonl") && found.contains("out: expected a folder for the run"))
    (settings.data, settings.out, settings.maximumGradientNorm) = ("d", "o", 0)
    #expect(message { try settings.validate() } == "" && settings.pretraining.optimizer.maximumGradientNorm == .infinity)
  }

  @Test func samplingNeedsAFileAndOneSourceOfPrompts() throws {
    var settings = SampleSettings()
    settings.out = ""
    let found = message { try settings.validate() }
    #expect(found.contains("out: expected a PNG"))
    #expect(found.contains("or embeddings (--embeddings), got none"))
    (settings.texts, settings.pictures.prompts) = (["a"], "file")
    #expect(message { try settings.validate() }.contains("got two of these"))
    settings.solver = 9
    #expect(message { _ = try settings.typedSolver() }.contains("solver: expected a known solver, got 9"))
    settings.imageTokens = 1024
    #expect(settings.schedule == .resolutionShifted(steps: settings.steps, imageTokens: 1024))
  }

  @Test func aRewardHasANameOrAProgram() {
    #expect(message { _ = try RewardSetting(program: " ", number: 0) }.contains("expected a program and its arguments"))
    #expect(message { _ = try RewardSetting(program: "a:x=b", number: 0) }.contains("a weight of 0 or more"))
    #expect(message { _ = try RewardSetting(json: 3) }.contains("expected objects such as"))
    #expect(message { _ = try RewardSetting(json: ["nam": "a"]) }.contains("nam: expected a known setting such as \"name\""))
    #expect(message { _ = try RewardSetting(json: ["program": ["a"]]) }.contains("rewards: name: expected a name"))
    #expect(message { _ = try RewardSetting(json: ["program": [1]]) }.contains("a list of strings"))
    #expect(message { _ = try RewardSetting(json: ["program": "a"]) }.contains("a list of strings"))
    #expect(message { _ = try RewardSetting(json: ["name": 1]) }.contains("a string"))
  }

  @Test(arguments: [
    ("a b", ["a", "b"]), (#"a\ b"#, ["a b"]), (#""a b"c ''"#, ["a bc", ""]), (#"'a\' b"#, [#"a\"#, "b"]),
    (#""a\"b""#, [#"a"b"#]),
    (" \t", []),
  ])
  func wordsAreSplitAsByAShell(line: String, words: [String]) throws {
    #expect(try CommandWords.split(line) == words)
  }

  @Test(arguments: ["'a", "\"a", "a\\"])
  func anOpenQuoteIsAnError(line: String) {
    #expect(message { _ = try CommandWords.split(line) }.contains("expected closed quotes"))
  }

  @Test(arguments: [
    ("[1]\n", "expected an object, got an array"), ("{\"text\": \"a\"}\n", "prompt: expected a string, got none"),
    ("{\"prompt\": \"a\\u0000b\"}\n", "no zero byte"), ("\n\n", "expected 1…65536 prompts, got 0"),
  ])
  func aFileOfPromptsNamesItsFault(text: String, named: String) throws {
    try withFile(Array(text.utf8), "prompts.jsonl") { path in
      #expect(message { _ = try PromptList(path: path) }.contains(named), "\(message { _ = try PromptList(path: path) })")
    }
  }

  @Test func promptsAreCountedAndInUTF8() throws {
    #expect(message { _ = try PromptList(texts: []) }.contains("prompts: expected 1…65536, got 0"))
    try withFile([0x61, 0xC3, 0x28, 0x0A], "prompts.txt") { path in
      #expect(message { _ = try PromptList(path: path) }.contains("expected text in UTF-8"))
    }
  }

  @Test func aPlanHasCountableIterationsAndPrompts() {
    var settings = AlignSettings()
    settings.iterations = 100_001
    #expect(message { _ = try AlignmentPlan(settings) }.contains("iterations: expected 0…100000 to plan"))
    (settings.iterations, settings.promptsPerIteration) = (3, 65_537)
    #expect(message { _ = try AlignmentPlan(settings) }.contains("prompts_per_iteration: expected 0…65536"))
  }

  @Test func anAdaptiveWindowIsPlannedAtItsFirstPlace() throws {
    var settings = AlignSettings()
    (settings.iterations, settings.promptsPerIteration) = (40, 2)
    #expect(settings.sampling.apply(["window_mode": "adaptive"]).isEmpty)
    let plan = try AlignmentPlan(settings)
    #expect(plan.stages.map(\.iterations) == [0..<40] && plan.stages[0].window.lowerBound == 0)
  }

  @Test func aFileOfSettingsIsAnObject() throws {
    try withFile(Array("[1]".utf8), "settings.json") { path in
      var settings = AlignSettings()
      #expect(
        message { try SettingsSource.apply(file: path, to: &settings) }.contains("expected an object of settings, got an array")
      )
    }
    var settings = AlignSettings()
    #expect(message { try SettingsSource.apply(assignment: "=3", to: &settings) }.contains("--set: expected name=value"))
    #expect(message { try SettingsSource.apply(assignment: "rewards=3", to: &settings) }.contains("a list of rewards"))
    #expect(
      message { try SettingsSource.apply(assignment: "sampling.sigmas=[\"a\"]", to: &settings) }.contains("a list of numbers"))
    #expect(
      message { try SettingsSource.apply(assignment: "sampling.steps=null", to: &settings) }.contains(
        "a whole number, got null"))
    #expect(message { try SettingsSource.apply(assignment: "sampling.seed=\"18446744073709551615\"", to: &settings) } == "")
    #expect(settings.sampling.record.seed == .max)
    #expect(try JSONParser.parse(SettingsSource.text(settings), source: "text").object != nil)
  }

  @Test func solversAndPresetsHaveTheNamesOfTheSettings() {
    #expect(SolverArgument(argument: "dpm_2_midpoint")?.number == 2 && SolverArgument(argument: "eular") == nil)
    #expect(SolverArgument.allValueStrings == Choices.solver)
    #expect(PresetName(argument: "mixgrpo-flash")?.preset == .mixGRPOFlash && PresetName(argument: "grpo") == nil)
  }

  @Test func aTokenIsASquareOfPixels() throws {
    try withFile(Array("{}".utf8), "config.json") { file in
      let folder = String(file.dropLast("/config.json".count))
      func patch(_ channels: Int) throws -> Int {
        let configuration = FlowTransformerConfiguration(
          inChannels: channels, numLayers: 1, numSingleLayers: 1, attentionHeadDim: 8, numAttentionHeads: 2,
          jointAttentionDim: 6, pooledProjectionDim: 5, guidanceEmbeds: false, axesDimsRope: [2, 2, 4])
        return try PixelModel.patch(of: configuration, folder)
      }
      let found = try [3, 12, 48].map(patch)
      #expect(found == [1, 2, 4])
      for channels in [4, 64, 65_536] {
        #expect(message { _ = try patch(channels) }.contains("in_channels: expected 3·patch²"))
      }
    }
  }

  @Test func promptsAreCountedInTheFileThatHoldsThem() throws {
    var settings = PictureSettings()
    #expect(try PixelModel.promptCount(settings) == nil)
    settings.embeddings = "/nowhere.safetensors"
    #expect(message { _ = try PixelModel.promptCount(settings) }.contains("/nowhere.safetensors"))
  }
}
