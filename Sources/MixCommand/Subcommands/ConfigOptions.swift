import ArgumentParser
import MixGRPO
import MixSettings

/// Where settings come from, for every subcommand that has some.
struct ConfigOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Settings as JSON; flags go over them.", valueName: "json")) var config: String?
  @Option(
    name: .customLong("set"), parsing: .singleValue,
    help: ArgumentHelp("Any setting by its name, such as sampling.shift=1; may be given again.", valueName: "name=value"))
  var assignments: [String] = []
  @Flag(help: "Print all settings as JSON, to be read with --config, and stop.") var printConfig = false

  /// Settings of an earlier run's file, the given file, flags and `--set`, in this order.
  /// - Throws: `MixGRPOError`.
  func settings<Table: SettingsTable>(
    from start: Table, earlier: String? = nil, flags: (inout Table) throws(MixGRPOError) -> Void
  ) throws(MixGRPOError) -> Table {
    var settings = start
    for file in [earlier, config].compactMap({ $0 }) { try SettingsSource.apply(file: file, to: &settings) }
    try flags(&settings)
    for assignment in assignments { try SettingsSource.apply(assignment: assignment, to: &settings) }
    return settings
  }
}

/// A flag that was given goes over the setting.
func replace<Value>(_ setting: inout Value, with flag: Value?) {
  if let flag { setting = flag }
}

/// The same for a field of the header's; a number that it does not hold becomes the nearest one, to be refused.
func replace(_ setting: inout Int32, with flag: Int?) {
  if let flag { setting = Int32(clamping: flag) }
}

/// A solver by its name in settings.
struct SolverArgument: ExpressibleByArgument {
  let number: Int32

  init?(argument: String) {
    guard let index = Choices.solver.firstIndex(of: argument) else { return nil }
    number = Int32(index)
  }

  static var allValueStrings: [String] { Choices.solver }
}

extension PrecisionName: ExpressibleByArgument {}

/// `Preset` by its name, on the command line.
struct PresetName: ExpressibleByArgument {
  let preset: Preset

  init?(argument: String) {
    guard let preset = Preset(rawValue: argument.split(separator: "-").joined(separator: "_")) else { return nil }
    self.preset = preset
  }

  static var allValueStrings: [String] { Preset.allCases.map(\.rawValue) }
}

/// What is drawn, and of what.
struct PictureOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Prompts: a line each, or .jsonl with {\"prompt\": …}.", valueName: "file")) var prompts: String?
  @Option(
    help: ArgumentHelp("Embeddings made elsewhere: safetensors with prompt_embeds, pooled_prompt_embeds.", valueName: "file"))
  var embeddings: String?
  @Option(help: "Pixels from top to bottom (32).") var height: Int?
  @Option(help: "Pixels from left to right (32).") var width: Int?
  @Option(help: "Words of a prompt that get a token, as in pretraining (16).") var textLength: Int?

  func apply(to settings: inout PictureSettings) {
    replace(&settings.prompts, with: prompts)
    replace(&settings.embeddings, with: embeddings)
    replace(&settings.height, with: height)
    replace(&settings.width, with: width)
    replace(&settings.textLength, with: textLength)
  }
}
