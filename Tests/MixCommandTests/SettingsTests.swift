import MixGRPO
import MixSettings
import TestSupport
import Testing

@testable import MixCommand

@Suite struct SettingsTests {
  @Test func everySettingComesBackFromJSON() throws {
    var settings = AlignSettings()
    settings.rewards = [try RewardSetting(builtIn: "contrast:0.25")]
    settings.sampling.record.dynamics = 2
    settings.learning.record.learning_rate = 2e-5
    settings.pictures.height = 64
    settings.learning.record.fault_policy = 2
    settings.learning.record.undo = 1
    settings.evaluation.heldOut = [try RewardSetting(builtIn: "warmth")]
    settings.evaluation.record.watchdog = 1  // warn
    var read = AlignSettings()
    #expect(read.apply(settings.json).isEmpty)
    #expect(read.json == settings.json)
    #expect(read.rewards == settings.rewards)
    #expect(read.learning.record.learning_rate == 2e-5)
    #expect(read.evaluation.heldOut == settings.evaluation.heldOut && read.evaluation.record.watchdog == 1)
  }

  @Test func defaultsAreTheLibrarys() throws {
    #expect(try SamplingSettings().configuration() == SamplingConfiguration())
    #expect(try LearningSettings().configuration(weights: [], groupSize: 12) == LearningConfiguration())
  }

  @Test func aWindowThatNobodyGivesIsRefused() throws {
    var settings = SamplingSettings()
    #expect(settings.apply(["window_mode": "given"]).isEmpty)
    let error = #expect(throws: MixGRPOError.self) { try settings.configuration() }
    #expect(error?.message == "window_mode: expected a mode that schedules windows, got given")
  }

  @Test func fewPromptsAreAllTakenUnlessANumberIsSet() {
    var settings = AlignSettings()
    #expect([nil, 1, 3, 4, 9].map(settings.promptsPerIteration(of:)) == [4, 1, 3, 4, 4])
    settings.promptsPerIteration = 5
    #expect([nil, 3, 9].map(settings.promptsPerIteration(of:)) == [5, 5, 5])
  }

  @Test func theWindowFollowsTheStepsUnlessItsLengthIsSet() throws {
    var settings = SamplingSettings()
    func length(steps: Int32) throws -> Int {
      settings.record.steps = steps
      return try settings.configuration().windowLength
    }
    #expect(try [2, 4, 5, 25].map(length) == [1, 3, 4, 4])
    settings.record.window_length = 4
    #expect(try errorCode { try length(steps: 4) } == .invalidArgument)
    settings.record.window_length = 0
    settings.sigmas = [1, 0.5, 0.2, 0]
    #expect(try length(steps: 25) == 2)
  }

  @Test func theMinibatchesFollowTheGroupUnlessTheirNumberIsSet() throws {
    var settings = LearningSettings()
    #expect([2, 3, 4, 12].map { settings.resolved(groupSize: $0).updates_per_iteration } == [2, 3, 4, 4])
    settings.record.updates_per_iteration = 3
    #expect(settings.resolved(groupSize: 2).updates_per_iteration == 3)
    #expect(try errorCode { try settings.configuration(weights: [], groupSize: 2) } == .invalidArgument)
  }

  @Test func evaluatedPromptsAreSpreadOverTheFile() {
    var settings = EvaluationSettings()
    #expect(settings.rows(of: 3) == [0, 1, 2])
    settings.prompts = 4
    #expect(settings.rows(of: 10) == [0, 2, 5, 7])
    #expect(settings.rows(of: 2) == [0, 1])
  }

  @Test func theBestModelIsThatOfTheHeldOutRewardsWhereThereAreSome() throws {
    let trained = [try RewardSetting(builtIn: "darkness:0.5")]
    var settings = EvaluationSettings()
    #expect(settings.rewards(trained: trained).map(\.weight) == [0.5])
    settings.heldOut = [try RewardSetting(builtIn: "contrast:2")]
    #expect(settings.rewards(trained: trained).map(\.weight) == [0, 2])
    #expect(settings.rewards(trained: trained).map(\.isHeldOut) == [false, true])
  }

  @Test(arguments: Preset.allCases) func presetsComeBackFromSettings(preset: Preset) throws {
    #expect(try SamplingSettings(preset.sampling).configuration() == preset.sampling)
    #expect(try LearningSettings(preset.learning).configuration(weights: [], groupSize: 12) == preset.learning)
  }

  @Test(arguments: Preset.methods) func aMethodReplacesAnother(method: Preset) {
    var changed = SamplingSettings(Preset.danceGRPO.sampling)
    #expect(changed.apply(method.changes.sampling).isEmpty)
    #expect(changed == SamplingSettings(method.sampling))
  }

  @Test func thePresetOfAPersonChangesOnlyItsOwnSettings() {
    var settings = AlignSettings()
    settings.apply(.danceGRPO)
    settings.apply(.person)
    var expected = Preset.danceGRPO.sampling
    expected.schedule = Preset.person.sampling.schedule
    expected.windowLength = Preset.person.sampling.windowLength
    #expect(settings.sampling == SamplingSettings(expected))
    #expect(settings.learning == LearningSettings(Preset.person.learning))
  }

  @Test func problemsOfAllSettingsAreReported() throws {
    let object = try #require(
      JSONParser.parse(
        "{\"iteration\": 3, \"sampling\": {\"seed\": -1, \"solver\": \"eular\"}, \"learning\": 4}", source: "test"
      ).object)
    var settings = AlignSettings()
    let problems = settings.apply(object)
    #expect(problems.map(\.path.description) == ["iteration", "sampling.seed", "sampling.solver", "learning"])
    #expect(problems[0].message.contains("such as \"iterations\""))
    #expect(problems[3].message == "expected an object, got 4")
    #expect(problems[1].position == 30)
  }

  @Test func assignmentsReachSections() throws {
    var settings = AlignSettings()
    try SettingsSource.apply(assignment: "sampling.window_mode=random", to: &settings)
    try SettingsSource.apply(assignment: "learning.learning_rate=0.5", to: &settings)
    #expect(settings.sampling.record.window_mode == 4)
    #expect(settings.learning.record.learning_rate == 0.5)
    #expect(try errorCode { try SettingsSource.apply(assignment: "sampling=3", to: &settings) } == .invalidArgument)
    #expect(try errorCode { try SettingsSource.apply(assignment: "=3", to: &settings) } == .invalidArgument)
  }

  @Test(arguments: [("sampling", "mixgrpo_sampling_config"), ("learning", "mixgrpo_learning_config")])
  func everyRowIsReachedByAnAssignmentAndPrintedBack(section: String, config: String) throws {
    for entry in SettingsCatalog.all where entry.config == config {
      let value = try #require(entry.kind.another(than: entry.standard))
      var settings = AlignSettings()
      try SettingsSource.apply(assignment: "\(section).\(entry.key)=\(value.text())", to: &settings)
      var read = AlignSettings()
      #expect(read.apply(settings.json).isEmpty)
      let line = read.lines().first { $0.path == "\(section).\(entry.key)" }
      #expect(line?.value == value, "\(entry.key)")
    }
  }

  @Test func assignmentsReachTheRewardsOfAList() throws {
    var settings = AlignSettings()
    settings.rewards = [try RewardSetting(builtIn: "contrast"), try RewardSetting(program: "mine=score", number: 0)]
    settings.evaluation.heldOut = [try RewardSetting(builtIn: "warmth")]
    try SettingsSource.apply(assignment: "rewards.1.timeout_seconds=5", to: &settings)
    try SettingsSource.apply(assignment: "rewards.contrast.weight=2", to: &settings)
    try SettingsSource.apply(assignment: "evaluation.held_out.0.weight=3", to: &settings)
    #expect(settings.rewards.map(\.timeout) == [300, 5])
    #expect(settings.rewards.map(\.weight) == [2, 1])
    #expect(settings.evaluation.heldOut.map(\.weight) == [3])
    let before = settings.json
    for wrong in ["rewards.2.weight=1", "rewards.-1.weight=1", "rewards.nobody.weight=1", "rewards.0=1", "rewards.0.weight=-1"]
    {
      #expect(try errorCode { try SettingsSource.apply(assignment: wrong, to: &settings) } == .invalidArgument, "\(wrong)")
    }
    #expect(settings.json == before)
  }

  @Test func aNameOfAnotherSectionIsSuggestedWithItsSection() throws {
    var settings = AlignSettings()
    for (name, path) in [
      ("learning_rate", "learning.learning_rate"), ("lerning-rate", "learning.learning_rate"), ("stpes", "sampling.steps"),
      ("watchdgo", "evaluation.watchdog"),
    ] {
      #expect(settings.apply([name: 1]).first?.message.contains("such as \"\(path)\"") == true, "\(name)")
    }
  }

  @Test func nearNamesAreSuggested() {
    #expect(editDistance("kitten", "sitting") == 3)
    #expect(editDistance("stpes", "steps") == 1)
    #expect(editDistance("", "abc") == 3)
    #expect(suggestion(for: "iteratons", among: ["iterations", "seed"]) == " such as \"iterations\"")
    #expect(suggestion(for: "colour", among: ["iterations", "seed"]) == "")
  }

  @Test func wordsAreSplitAsAShellSplitsThem() throws {
    #expect(try CommandWords.split("python3  'a b.py' \"c \\\" d\" e\\ f ''") == ["python3", "a b.py", "c \" d", "e f", ""])
    #expect(try CommandWords.split("  ").isEmpty)
    #expect(try errorCode { try CommandWords.split("'a") } == .invalidArgument)
    #expect(try errorCode { try CommandWords.split("a\\") } == .invalidArgument)
  }

  @Test func wordsForAShellAreNamedWhenTheirCommandFails() throws {
    for (command, word) in [
      ("cat | head", "|"), ("~/score", "~/score"), ("score $HOME", "$HOME"), ("A=1 score", "A=1"), ("score > /tmp/x", ">"),
      ("cd x && score", "cd"), ("score *.png", "*.png"), ("score 2>&1", "2>&1"),
    ] {
      #expect(CommandWords.advice(try CommandWords.split(command)).contains("would read \"\(word)\""), "\(command)")
    }
    for command in ["python3 score.py", "score --scale=2 a=b", "sh -c 'cat | head'", "/bin/bash -c 'a $b'", ""] {
      #expect(CommandWords.advice(try CommandWords.split(command)) == "", "\(command)")
    }
    #expect(CommandWords.advice(["score", "'a b'"]).contains("would read \"'a b'\""))
  }

  @Test func aCommandIsShownAsALine() {
    #expect(CommandWords.line(["python3", "a b.py", ""]) == "python3 'a b.py' ''")
    #expect(CommandWords.line([String(repeating: "x", count: 300)]).count == 120)
  }

  @Test func misspeltSubcommandsAreRecognized() {
    #expect(MixgrpoCommand.misspelt(["algin", "--model", "m"])?.contains("did you mean \"mixgrpo align\"?") == true)
    #expect(MixgrpoCommand.misspelt(["frobnicate"])?.contains("did you mean") == false)
    #expect(MixgrpoCommand.misspelt(["help", "algin"])?.contains("did you mean \"mixgrpo align\"?") == true)
    for known in [["align", "--bogus"], ["help"], ["help", "align"], ["--bogus"], []] {
      #expect(MixgrpoCommand.misspelt(known) == nil)
    }
  }

  @Test func sizesAreReadFromTexts() throws {
    #expect(try PictureSize("") == nil)
    let square = try #require(try PictureSize("32"))
    let wide = try #require(try PictureSize("48x32"))
    #expect((square.width, square.height) == (32, 32) && (wide.width, wide.height) == (48, 32))
    for text in ["x", "0", "-1", "32x", "x32", "1x2x3", "65536", "large", "3.5"] {
      #expect(try errorCode { try PictureSize(text) } == .invalidArgument, "\(text)")
    }
  }

  @Test func rewardsAreReadFromFlags() throws {
    let reward = try RewardSetting(program: "taste:0.5=score --fast=1", number: 0)
    #expect(reward.name == "taste")
    #expect(reward.weight == 0.5)
    #expect(reward.program == ["score", "--fast=1"])
    #expect(try RewardSetting(program: "score a=b", number: 1).name == "program_2")
    #expect(try errorCode { try RewardSetting(builtIn: "brightness:-1") } == .invalidArgument)
    #expect(try errorCode { try RewardSetting(builtIn: "bright") } == .invalidArgument)
  }
}
