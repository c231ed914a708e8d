import ArgumentParser
import MixGRPO
import MixSettings
import MixTerminal

struct SettingsCommand: ParsableCommand {
  enum Topic: String, CaseIterable, ExpressibleByArgument { case align, pretrain, sample, rewards, presets }

  static let configuration = CommandConfiguration(
    commandName: "settings",
    abstract: "Explains settings, rewards and presets.",
    discussion: """
      Prints one line per setting of a subcommand: its name for --config and --set, its default, and its meaning.

        mixgrpo settings align
        mixgrpo settings rewards
      """)

  @Argument(help: "The subcommand or topic to explain.") var topic: Topic?
  @Flag(help: "All settings of the library as JSON: key, type, cases, default, range, unit, meaning.") var json = false

  func validate() throws {
    if (topic == nil) != json { throw ValidationError("expected a topic or --json") }
  }

  func run() throws {
    guard let topic else { return try dump() }
    switch topic {
    case .align: try explain(AlignSettings().lines())
    case .pretrain: try explain(PretrainSettings().lines())
    case .sample: try explain(SampleSettings().lines())
    case .rewards:
      for reward in PictureStatistic.allCases { show("\(column(reward.rawValue, 18))\(reward.summary)") }
      show("\(column(RewardSetting.person, 18))votes of a person, on a page of this machine")
    case .presets: try explainPresets()
    }
  }

  /// Prints every setting of the library as JSON.
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

  /// Prints the settings that each preset changes.
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

/// Pads with spaces to a width, plus one space.
func column(_ text: String, _ width: Int) -> String { CellWidth.padded(text, width) + " " }
