import CMixGRPO
import MixStorage

/// A row of one of the header's configuration structs.
package struct SettingEntry: Sendable {
  /// The struct's name.
  package let config: String
  package let key: String
  package let kind: SettingKind
  package let standard: JSONValue
  package let unit: String
  package let summary: String
  package let changesResults: Bool
  /// Byte offset of the field in the struct.
  package let offset: Int
}

/// All rows of all configurations of the header, in the order of `mixgrpo_setting_info`.
package enum SettingsCatalog {
  package static let all =
    entries("mixgrpo_model_config", mixgrpo_model_config.self)
    + entries("mixgrpo_lora_config", mixgrpo_lora_config.self)
    + entries("mixgrpo_evaluator_config", mixgrpo_evaluator_config.self)
    + entries("mixgrpo_sampling_config", mixgrpo_sampling_config.self)
    + entries("mixgrpo_learning_config", mixgrpo_learning_config.self)
    + entries("mixgrpo_rollout_config", mixgrpo_rollout_config.self)
    + entries("mixgrpo_host_config", mixgrpo_host_config.self)
    + entries("mixgrpo_sample_config", mixgrpo_sample_config.self)
    + entries("mixgrpo_evaluation_config", mixgrpo_evaluation_config.self)

  private static func entries<Record: SettingsRecord>(_ name: String, _: Record.Type) -> [SettingEntry] {
    let record = Record.standard
    return Record.settings.compactMap { setting in
      setting.offset.map { offset in
        SettingEntry(
          config: name, key: setting.key, kind: setting.kind, standard: setting.read(record), unit: setting.unit,
          summary: setting.summary, changesResults: setting.changesResults, offset: offset)
      }
    }
  }
}

extension SettingEntry {
  /// For `mixgrpo settings --json` and generators.
  package var json: JSONObject {
    var object = JSONObject()
    (object["config"], object["key"], object["type"]) = (.string(config), .string(key), .string(kind.name))
    object["default"] = standard
    if let range = kind.range {
      (object["minimum"], object["maximum"]) = (.number(range.minimum), .number(range.maximum))
      (object["minimum_open"], object["maximum_open"]) = (.bool(range.isMinimumOpen), .bool(range.isMaximumOpen))
    }
    if !kind.cases.isEmpty { object["cases"] = .array(kind.cases.map { .string($0) }) }
    (object["unit"], object["sentence"]) = (.string(unit), .string(summary))
    object["changes_results"] = .bool(changesResults)
    return object
  }
}

extension SettingKind {
  package var name: String {
    switch self {
    case .integer: "integer"
    case .number: "number"
    case .flag: "flag"
    case .choice: "choice"
    case .integers: "integers"
    case .text: "text"
    case .texts: "texts"
    case .numbers: "numbers"
    case .rewards: "rewards"
    case .section: "section"
    }
  }

  package var range: SettingRange? {
    switch self {
    case .integer(let range), .number(let range), .integers(_, let range): range
    case .flag: .closed(0, 1)
    case .choice(let names): .closed(0, Double(names.count - 1))
    case .text, .texts, .numbers, .rewards, .section: nil
    }
  }

  package var cases: [String] {
    if case .choice(let names) = self { return names }
    return []
  }
}
