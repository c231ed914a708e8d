import ArgumentParser
import MixGRPO
import MixSettings

/// The options for settings, shared by all subcommands that have settings.
struct ConfigOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Settings as JSON; flags override them.", valueName: "json"), completion: .file()) var config:
    String?
  @Option(
    name: .customLong("set"), parsing: .singleValue,
    help: ArgumentHelp("Any setting by its name, such as sampling.shift=1; repeatable.", valueName: "name=value"))
  var assignments: [String] = []
  @Flag(help: "Print all settings as JSON for --config, without running.") var printConfig = false

  /// Applies the given file, flags and `--set`, in this order.
  /// - Throws: `MixGRPOError`.
  func settings<Table: SettingsTable>(
    from start: Table, flags: (inout Table) throws(MixGRPOError) -> Void
  ) throws(MixGRPOError) -> Table {
    var settings = start
    if let config { try SettingsSource.apply(file: config, to: &settings) }
    try flags(&settings)
    for assignment in assignments { try SettingsSource.apply(assignment: assignment, to: &settings) }
    return settings
  }
}

extension ConfigOptions {
  /// The settings of an alignment. Where an adapter is trained and nothing gives a learning rate, it is the adapter's.
  func alignSettings(
    from start: AlignSettings, flags: (inout AlignSettings) throws(MixGRPOError) -> Void
  ) throws(MixGRPOError) -> AlignSettings {
    let settings = try settings(from: start, flags: flags)
    let rate = start.learning.record.learning_rate
    guard settings.lora.rank > 0, rate == AlignSettings().learning.record.learning_rate else { return settings }
    var adapterStart = start
    adapterStart.learning.record.learning_rate = LoRASettings.learningRate
    return try self.settings(from: adapterStart, flags: flags)
  }
}

/// Replaces the setting if the flag was given.
func replace<Value>(_ setting: inout Value, with flag: Value?) {
  if let flag { setting = flag }
}

/// Replaces a field of a header struct if the flag was given. A number outside the field's type is clamped, and then fails
/// validation.
func replace(_ setting: inout Int32, with flag: Int?) {
  if let flag { setting = Int32(clamping: flag) }
}

/// A choice of the header by its name in settings.
protocol ChoiceArgument: ExpressibleByArgument {
  init(number: Int32)
}

extension ChoiceArgument {
  init?(argument: String) {
    guard let index = Self.allValueStrings.firstIndex(of: argument) else { return nil }
    self.init(number: Int32(index))
  }

  static var defaultCompletionKind: CompletionKind { .list(allValueStrings) }
}

struct SolverArgument: ChoiceArgument {
  static let allValueStrings = Choices.solver
  let number: Int32
}

struct WatchdogArgument: ChoiceArgument {
  static let allValueStrings = Choices.watchdog
  let number: Int32
}

extension PrecisionName: ExpressibleByArgument {}

/// A `Preset` by its name, on the command line.
struct PresetName: ExpressibleByArgument {
  let preset: Preset

  init?(argument: String) {
    guard let preset = Preset(rawValue: argument.split(separator: "-").joined(separator: "_")) else { return nil }
    self.preset = preset
  }

  static var allValueStrings: [String] { Preset.allCases.map(\.rawValue) }
  static var defaultCompletionKind: CompletionKind { .list(allValueStrings) }
}

/// The prompts and the size of pictures.
struct PictureOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Prompts: one per line, or .jsonl with {\"prompt\": …}.", valueName: "file"), completion: .file())
  var prompts: String?
  @Option(
    help: ArgumentHelp("Precomputed embeddings: safetensors with prompt_embeds, pooled_prompt_embeds.", valueName: "file"),
    completion: .file())
  var embeddings: String?
  @Option(help: "Height in pixels (the model's, or 32).") var height: Int?
  @Option(help: "Width in pixels (the model's, or 32).") var width: Int?
  @Option(help: "Text tokens: words of a prompt that are encoded, as in pretraining (the model's, or 16).") var textLength: Int?
  @Option(help: "Number format of the factors in the model's products: f32 or bf16 (f32).") var computePrecision: PrecisionName?

  func apply(to settings: inout PictureSettings) {
    replace(&settings.prompts, with: prompts)
    replace(&settings.embeddings, with: embeddings)
    replace(&settings.height, with: height)
    replace(&settings.width, with: width)
    replace(&settings.textLength, with: textLength)
    replace(&settings.computePrecision, with: computePrecision)
  }
}
