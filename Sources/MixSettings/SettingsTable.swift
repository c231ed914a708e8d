import MixBasics
import MixStorage

/// A configuration that is a table of settings.
package protocol SettingsTable {
  static var settings: [Setting<Self>] { get }
}

/// The problem of one setting and its position in the document.
package struct SettingProblem {
  package let path: SettingsPath
  package let message: String
  /// Byte offset in the document.
  package let position: Int
}

/// The names that lead to a setting, such as `sampling.steps`.
package struct SettingsPath: CustomStringConvertible {
  var names: [String] = []
  package var description: String { names.joined(separator: ".") }

  package init() {}

  func appending(_ name: String) -> SettingsPath {
    var path = self
    path.names.append(name)
    return path
  }
}

extension SettingsTable {
  /// All settings, complete and in the order of the table.
  package var json: JSONObject {
    var object = JSONObject()
    for setting in Self.settings { object[setting.key] = setting.read(self) }
    return object
  }

  /// Writes every member of `object`. Invalid members are not written but reported.
  package mutating func apply(_ object: JSONObject, at path: SettingsPath = SettingsPath()) -> [SettingProblem] {
    let table = Self.settings
    var problems: [SettingProblem] = []
    for member in object.members {
      let place = path.appending(member.name)
      func report(_ message: String) {
        problems.append(SettingProblem(path: place, message: message, position: member.position))
      }
      guard let setting = table.first(where: { $0.key == member.name }) else {
        report("expected a known setting\(Self.suggestion(for: member.name)), got an unknown one")
        continue
      }
      if let section = setting.section, let object = member.value.object {
        problems += section.apply(&self, object, place)
        continue
      }
      if let change = setting.changeElements, let object = member.value.object {
        problems += change(&self, object, place)
        continue
      }
      do { try setting.write(&self, member.value) } catch { report(error.message) }
    }
    return problems
  }

  /// ` such as "learning.learning_rate"` also for a setting whose section is missing.
  private static func suggestion(for name: String) -> String {
    let word = name.split(separator: "-").joined(separator: "_")
    if let near = nearest(to: word, among: settings.map(\.key)) { return " such as \"\(near)\"" }
    for setting in settings {
      if let near = nearest(to: word, among: setting.section?.names ?? []) { return " such as \"\(setting.key).\(near)\"" }
    }
    return ""
  }

  /// Adds the problems of single values.
  package func check(_ check: inout Validation, prefix: String = "") {
    for setting in Self.settings where setting.section == nil { setting.check(self, &check, prefix: prefix) }
  }

  /// - Throws: one `invalidArgument` that names every invalid value.
  package func check() throws(MixGRPOError) {
    var validation = Validation()
    check(&validation)
    try validation.throwIfAny()
  }

  /// Every row with its value, sections flattened.
  package func lines(prefix: String = "") -> [SettingLine] {
    Self.settings.flatMap { setting in
      setting.section?.list(self).map { $0.within(prefix) } ?? [setting.line(of: self, prefix: prefix)]
    }
  }

  /// The members that differ from `other`.
  package func difference(from other: Self) -> JSONObject {
    let theirs = other.json
    var object = JSONObject()
    for member in json.members where theirs[member.name] != member.value { object[member.name] = member.value }
    return object
  }
}

extension Setting {
  fileprivate func line(of root: Root, prefix: String) -> SettingLine {
    SettingLine(
      path: prefix + key, value: read(root), kind: kind, unit: unit, summary: summary, changesResults: changesResults)
  }
}

extension SettingLine {
  fileprivate func within(_ prefix: String) -> SettingLine {
    SettingLine(
      path: prefix + path, value: value, kind: kind, unit: unit, summary: summary, changesResults: changesResults)
  }
}

/// A struct of the header: its first field is its size in bytes, and every bit pattern of its other fields is harmless.
package protocol SizedStruct {
  init()
  var struct_size: UInt32 { get set }
}

extension SizedStruct {
  package static var byteCount: Int { MemoryLayout<Self>.size }
}

/// A configuration of the header.
package protocol SettingsRecord: SettingsTable, SizedStruct {}

extension SettingsRecord {
  /// Every field at its row's default.
  package static var standard: Self {
    var record = Self()
    record.struct_size = UInt32(byteCount)
    for setting in settings {
      // A row's own default is valid; the tests check every row.
      if let standard = setting.standard { try? setting.store(&record, standard) }
    }
    return record
  }
}

extension SettingsRecord {
  /// The keys whose values matter given the other values: those that survive a conversion to the library's types and back.
  /// - Parameter kept: the record after that conversion; nil when it cannot be converted.
  package func keysInForce(_ kept: (Self) -> Self?) -> Set<String> {
    var keys: Set<String> = []
    for setting in Self.settings {
      guard let other = setting.kind.another(than: setting.read(self)) else { continue }
      var changed = self
      do { try setting.write(&changed, other) } catch { continue }
      if let after = kept(changed), setting.read(after) == other { keys.insert(setting.key) }
    }
    return keys
  }
}
