import CMixGRPO
import MixBasics
import MixSettings
import MixStorage

@_cdecl("mixgrpo_setting_count") @implementation
public func mixgrpo_setting_count() -> Int { SettingTexts.all.count }

@_cdecl("mixgrpo_setting_info") @implementation
public func mixgrpo_setting_info(_ index: Int, _ out_setting: UnsafeMutablePointer<mixgrpo_setting>?) -> mixgrpo_status {
  withStatus {
    let result = try HostStruct(out_setting, "out_setting")
    let all = SettingTexts.all
    try requireRange(index, 0...all.count - 1, "index")
    result.write(try all[index].get().setting)
  }
}

/// A setting with its texts as C strings that live as long as the process.
private struct SettingTexts: Sendable {
  let entry: SettingEntry
  let config, key, cases, standard, unit, sentence: CText

  static let all: [Result<SettingTexts, MixGRPOError>] = SettingsCatalog.all.map { entry in
    Result { () throws(MixGRPOError) in try SettingTexts(entry) }
  }

  init(_ entry: SettingEntry) throws(MixGRPOError) {
    self.entry = entry
    (config, key) = (try CText(entry.config), try CText(entry.key))
    cases = try CText(entry.kind.cases.joined(separator: " "))
    standard = try CText(entry.standard.shown)
    (unit, sentence) = (try CText(entry.unit), try CText(entry.summary))
  }

  var setting: mixgrpo_setting {
    var setting = mixgrpo_setting()
    setting.kind = Int32(entry.kind.number)
    (setting.config, setting.key) = (UnsafePointer(config.pointer), UnsafePointer(key.pointer))
    (setting.cases, setting.default_text) = (UnsafePointer(cases.pointer), UnsafePointer(standard.pointer))
    (setting.unit, setting.sentence) = (UnsafePointer(unit.pointer), UnsafePointer(sentence.pointer))
    if let range = entry.kind.range {
      (setting.minimum, setting.maximum) = (range.minimum, range.maximum)
      (setting.minimum_open, setting.maximum_open) = (range.isMinimumOpen ? 1 : 0, range.isMaximumOpen ? 1 : 0)
    }
    setting.changes_results = entry.changesResults ? 1 : 0
    (setting.offset, setting.count) = (entry.offset, 1)
    if case .integers(let count, _) = entry.kind { setting.count = count }
    return setting
  }
}

extension SettingKind {
  fileprivate var number: Int {
    switch self {
    case .number: MIXGRPO_SETTING_KIND_NUMBER
    case .flag: MIXGRPO_SETTING_KIND_FLAG
    case .choice: MIXGRPO_SETTING_KIND_CHOICE
    case .integer, .integers, .text, .texts, .numbers, .rewards, .section: MIXGRPO_SETTING_KIND_INTEGER
    }
  }
}
