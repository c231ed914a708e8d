import ArgumentParser
import MixGRPO
import MixSettings

struct SettingsCommand: ParsableCommand {
  enum Topic: String, CaseIterable, ExpressibleByArgument { case align, pretrain, sample, rewards, presets }

  static let configuration = CommandConfiguration(
    commandName: "settings",
    abstract: "Explains settings, rewards and presets.",
    discussion: """
      Each line of a subcommand's settings is a name as --config and --set take it, its default, and its meaning.

        mixgrpo settings align
        mixgrpo settings rewards
      """)

  @Argument(help: "What to explain.") var topic: Topic?
  @Flag(help: "All settings of the library as JSON: key, type, cases, default, range, unit, meaning.") var json = false

  func validate() throws {
    if (topic == nil) != json { throw ValidationError("expected what to explain, or --json") }
  }

  func run() throws {
    guard let topic else { return try dump() }
    switch topic {
    case .align: try explain(AlignSettings().lines())
    case .pretrain: try explain(PretrainSettings().lines())
    case .sample: try explain(SampleSettings().lines())
    case .rewards: for reward in PictureStatistic.allCases { show("\(column(reward.rawValue, 18))\(reward.summary)") }
    case .presets: try explainPresets()
    }
  }

  /// Every setting of the library, for programs.
  private func dump() throws(MixGRPOError) {
    show(try JSONValue.array(SettingsCatalog.all.map { .object($0.json) }).text(.indented))
  }

  private func explain(_ lines: [SettingLine]) throws(MixGRPOError) {
    for line in lines {
      let bounds = line.kind.bounds
      let value = try line.value.text() + (line.unit.isEmpty ? "" : " (\(line.unit))")
      show("\(column(line.path, 36))\(column(value, 24))\(line.summary)\(bounds.isEmpty ? "" : ": \(bounds)")")
    }
  }

  /// What each preset changes.
  private func explainPresets() throws(MixGRPOError) {
    for preset in Preset.allCases {
      let sampling = SamplingSettings(preset.sampling).difference(from: SamplingSettings())
      let learning = LearningSettings(preset.learning).difference(from: LearningSettings())
      var changes: [String] = []
      for member in sampling.members { changes.append("sampling.\(member.name) = \(try member.value.text())") }
      for member in learning.members { changes.append("learning.\(member.name) = \(try member.value.text())") }
      show("\(column(preset.rawValue, 20))\(changes.isEmpty ? "the defaults" : changes.joined(separator: ", "))")
    }
  }
}

/// Padded with spaces to a width, and one more.
func column(_ text: String, _ width: Int) -> String {
  text + String(repeating: " ", count: max(0, width - text.count) + 1)
}
