import MixGRPO
import MixSettings

/// The sources of settings besides a command's own flags: a file, and `--set name=value`.
struct SettingsSource {
  private static let maximumBytes = 16 << 20

  /// Applies the JSON file at `path`.
  /// - Throws: `inputOutput`, `invalidFormat` naming line and column, `invalidArgument` naming line and every invalid setting.
  static func apply(file path: String, to settings: inout some SettingsTable) throws(MixGRPOError) {
    let bytes = try FileAccess.readText(path, limit: maximumBytes)
    let document = try JSONParser.parse(bytes, source: path)
    guard let object = document.object else {
      throw MixGRPOError(.invalidFormat, "\(path): expected an object of settings, got \(document.kind)")
    }
    let problems = settings.apply(object).map { problem in
      "\(path): \(problem.path) at \(JSONParser.place(of: problem.position, in: bytes)): \(problem.message)"
    }
    if !problems.isEmpty { throw MixGRPOError(.invalidArgument, problems.joined(separator: "; ")) }
  }

  /// Applies one `sampling.steps=12`; the value is parsed as JSON, otherwise taken as a string.
  /// - Throws: `invalidArgument`; `outOfMemory`.
  static func apply(assignment: String, to settings: inout some SettingsTable) throws(MixGRPOError) {
    guard let sign = assignment.firstIndex(of: "="), sign != assignment.startIndex else {
      throw .invalid("--set", expected: "name=value", got: "\"\(assignment)\"")
    }
    let text = String(assignment[assignment.index(after: sign)...])
    let value = try JSONParser.parseIfJSON(text) ?? .string(text)
    let names = assignment[..<sign].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    let nested = names.reversed().reduce(value) { value, name in .object([name: value]) }
    let problems = settings.apply(nested.object ?? JSONObject()).map { "--set \($0.path): \($0.message)" }
    if !problems.isEmpty { throw MixGRPOError(.invalidArgument, problems.joined(separator: "; ")) }
  }

  /// Writes settings as a file that `apply` reads back.
  static func write(_ settings: some SettingsTable, to path: String) throws(MixGRPOError) {
    try AtomicFile.write(Array((try text(settings)).utf8), to: path)
  }

  static func text(_ settings: some SettingsTable) throws(MixGRPOError) -> String {
    try JSONValue.object(settings.json).text(.indented) + "\n"
  }
}
