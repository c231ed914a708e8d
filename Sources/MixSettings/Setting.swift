import MixBasics
import MixStorage

/// One row of a table of settings: what a value is called, what it may be, what it means, and where it stands in `Root`.
///
/// Validation, defaults, JSON, the command line, descriptions, checkpoints and `mixgrpo_setting_info` follow from it.
package struct Setting<Root>: @unchecked Sendable {
  /// As in the header, in JSON, and in checkpoints.
  package let key: String
  /// One sentence for people.
  package let summary: String
  package let kind: SettingKind
  package var unit = ""
  /// Whether a continued run must have it as it was.
  package var changesResults = true
  /// The field of a C struct, for hosts that find it by its place; nil for a value that is no field.
  package var offset: Int?
  /// Nil where there is none that a program could know, such as a file's name.
  package var standard: JSONValue?
  package let read: (Root) -> JSONValue
  /// The value has been accepted.
  let store: (inout Root, JSONValue) throws(MixGRPOError) -> Void
  /// The settings within, for a section.
  var section: SettingSection<Root>?

  /// Writes a value that fits.
  /// - Throws: `invalidArgument` with a message `expected …, got …`, without the key.
  package func write(_ root: inout Root, _ value: JSONValue) throws(MixGRPOError) {
    if let expected = kind.refusal(of: value) { throw unfit(expected, value) }
    try store(&root, value)
  }

  /// Adds what is wrong with the value in `root`.
  package func check(_ root: Root, _ check: inout Validation, prefix: String = "") {
    let value = read(root)
    if let expected = kind.refusal(of: value) { check.require(false, prefix + key, expected: expected, got: value.shown) }
  }

  /// The same setting of a part, as one of the whole.
  package func within<Whole>(_ part: WritableKeyPath<Whole, Root>) -> Setting<Whole> {
    let (read, store) = (read, store)
    var setting = Setting<Whole>(key: key, summary: summary, kind: kind) {
      read($0[keyPath: part])
    } store: { (whole, value) throws(MixGRPOError) in
      try store(&whole[keyPath: part], value)
    }
    (setting.unit, setting.changesResults, setting.standard) = (unit, changesResults, standard)
    return setting
  }

  /// The same setting; a run may be continued with another value.
  package var withoutEffect: Setting {
    var setting = self
    setting.changesResults = false
    return setting
  }

  init(
    key: String, summary: String, kind: SettingKind, read: @escaping (Root) -> JSONValue,
    store: @escaping (inout Root, JSONValue) throws(MixGRPOError) -> Void
  ) {
    (self.key, self.summary, self.kind, self.read, self.store) = (key, summary, kind, read, store)
  }
}

/// A part of a configuration that is an object of its own.
struct SettingSection<Root> {
  /// Writes the members of an object, and tells the problems of each.
  let apply: (inout Root, JSONObject, SettingsPath) -> [SettingProblem]
  /// All rows within, with their values.
  let list: (Root) -> [SettingLine]
}

/// A row and its value, of whatever configuration.
package struct SettingLine {
  package let path: String
  package let value: JSONValue
  package let kind: SettingKind
  package let unit: String
  package let summary: String
  package let changesResults: Bool
}
