import ArgumentParser
import MixGRPO

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

  @Argument(help: "What to explain.") var topic: Topic

  func run() throws {
    switch topic {
    case .align: explain(AlignSettings().list)
    case .pretrain: explain(PretrainSettings().list)
    case .sample: explain(SampleSettings().list)
    case .rewards: for reward in PictureStatistic.allCases { show("\(column(reward.rawValue, 18))\(reward.summary)") }
    case .presets: try explainPresets()
    }
  }

  private func explain(_ list: [(name: String, value: JSONValue, summary: String)]) {
    for setting in list {
      let value = (try? setting.value.text()) ?? ""
      show("\(column(setting.name, 36))\(column(value, 24))\(setting.summary)")
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
