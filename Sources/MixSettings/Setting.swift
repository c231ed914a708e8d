import MixBasics
import MixStorage

/// One row of a settings table: the key, type, range, meaning and location in `Root` of one value.
///
/// Validation, defaults, JSON, the command line, descriptions, checkpoints and `mixgrpo_setting_info` follow from it.
package struct Setting<Root>: @unchecked Sendable {
  /// The name in the header, in JSON and in checkpoints.
  package let key: String
  /// One sentence for people.
  package let summary: String
  package let kind: SettingKind
  package var unit = ""
  /// Whether the value affects results, so that a resumed run must keep it.
  package var changesResults = true
  /// The byte offset of the field in its C struct; nil for a value that is not a field.
  package var offset: Int?
  /// The default of a field of the header; nil for others, whose default is the initial value of a Swift property.
  var standard: JSONValue?
  package let read: (Root) -> JSONValue
  /// Stores a value that has passed `kind`.
  let store: (inout Root, JSONValue) throws(MixGRPOError) -> Void
  /// The nested settings, for a section.
  var section: SettingSection<Root>?
  /// For a list: changes the elements that an object names by their number or name, and returns the problems.
  var changeElements: ((inout Root, JSONObject, SettingsPath) -> [SettingProblem])?

  /// Writes a valid value.
  /// - Throws: `invalidArgument` with a message `expected …, got …`, without the key.
  package func write(_ root: inout Root, _ value: JSONValue) throws(MixGRPOError) {
    if let expected = kind.refusal(of: value) { throw mismatch(expected, value) }
    try store(&root, value)
  }

  /// Adds the problem of the value in `root`, if any.
  package func check(_ root: Root, _ check: inout Validation, prefix: String = "") {
    let value = read(root)
    if let expected = kind.refusal(of: value) { check.require(false, prefix + key, expected: expected, got: value.shown) }
  }

  /// The same setting, reached through a part of `Whole`.
  package func within<Whole>(_ part: WritableKeyPath<Whole, Root>) -> Setting<Whole> {
    let (read, store) = (read, store)
    var setting = Setting<Whole>(key: key, summary: summary, kind: kind) {
      read($0[keyPath: part])
    } store: { (whole, value) throws(MixGRPOError) in
      try store(&whole[keyPath: part], value)
    }
    (setting.unit, setting.changesResults) = (unit, changesResults)
    if let changeElements { setting.changeElements = { changeElements(&$0[keyPath: part], $1, $2) } }
    return setting
  }

  /// The same setting, marked so that a run may be resumed with another value.
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

/// A nested object of a configuration. A class, because few of a table's rows have one and all are built at once on the stack.
final class SettingSection<Root> {
  /// Writes the members of an object and returns the problems of each.
  let apply: (inout Root, JSONObject, SettingsPath) -> [SettingProblem]
  /// The keys of the nested rows.
  let names: [String]
  /// All nested rows with their values.
  let list: (Root) -> [SettingLine]

  init(
    apply: @escaping (inout Root, JSONObject, SettingsPath) -> [SettingProblem], names: [String],
    list: @escaping (Root) -> [SettingLine]
  ) {
    (self.apply, self.names, self.list) = (apply, names, list)
  }
}

/// A row and its value, independent of the configuration's type.
package struct SettingLine {
  package let path: String
  package let value: JSONValue
  package let kind: SettingKind
  package let unit: String
  package let summary: String
  package let changesResults: Bool
}
