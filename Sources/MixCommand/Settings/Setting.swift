import MixGRPO

/// One named value of a configuration: what it means, and how it goes to JSON and comes back.
struct Setting<Root> {
  let name: String
  /// A line for people.
  let summary: String
  let read: (Root) -> JSONValue
  /// Throws `MixGRPOError` with a message `expected …, got …`, without the name.
  let write: (inout Root, JSONValue) throws -> Void
  /// The settings within, for a section.
  var section: Section?

  /// A part of a configuration that is an object of its own.
  struct Section {
    /// Writes the members of an object, and tells the problems of each.
    let apply: (inout Root, JSONObject, SettingsPath) -> [SettingProblem]
    /// Name, default and meaning of each setting within.
    let list: (Root) -> [(name: String, value: JSONValue, summary: String)]
  }
}

/// A configuration that is a table of settings.
protocol SettingsTable {
  static var settings: [Setting<Self>] { get }
}

/// What is wrong with one setting, and where in its document it stands.
struct SettingProblem {
  let path: SettingsPath
  let message: String
  /// The byte of the document.
  let position: Int
}

/// The names that lead to a setting, such as `sampling.steps`.
struct SettingsPath: CustomStringConvertible {
  var names: [String] = []
  var description: String { names.joined(separator: ".") }

  func appending(_ name: String) -> SettingsPath { SettingsPath(names: names + [name]) }
}

extension SettingsTable {
  /// All of it, complete and in the order of the table.
  var json: JSONObject {
    var object = JSONObject()
    for setting in Self.settings { object[setting.name] = setting.read(self) }
    return object
  }

  /// Writes every member of `object`; what does not fit is left as it was and told.
  mutating func apply(_ object: JSONObject, at path: SettingsPath = SettingsPath()) -> [SettingProblem] {
    let table = Self.settings
    var problems: [SettingProblem] = []
    for member in object.members {
      let place = path.appending(member.name)
      func tell(_ message: String) { problems.append(SettingProblem(path: place, message: message, position: member.position)) }
      guard let setting = table.first(where: { $0.name == member.name }) else {
        tell("expected a known setting\(suggestion(for: member.name, among: table.map(\.name))), got an unknown one")
        continue
      }
      if let section = setting.section, let object = member.value.object {
        problems += section.apply(&self, object, place)
        continue
      }
      do { try setting.write(&self, member.value) } catch { tell("\(error)") }
    }
    return problems
  }

  /// Name, value and meaning of every setting, sections unfolded.
  var list: [(name: String, value: JSONValue, summary: String)] {
    Self.settings.flatMap { setting in
      setting.section.map { section in
        section.list(self).map { (name: "\(setting.name).\($0.name)", value: $0.value, summary: $0.summary) }
      } ?? [(name: setting.name, value: setting.read(self), summary: setting.summary)]
    }
  }
}
