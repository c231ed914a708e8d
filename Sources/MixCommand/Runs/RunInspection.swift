import MixGRPO
import MixTerminal

/// A run's folder: what it has reached, where its models are, and the settings in short.
struct RunInspection {
  private let folder: RunFolder
  private let settings: JSONObject
  private let results: RunResults
  private let checkpoint: (path: String, iteration: JSONValue)?

  /// - Throws: `inputOutput`, `invalidFormat`.
  init(_ folder: RunFolder) throws(MixGRPOError) {
    self.folder = folder
    let document = try JSONParser.parse(try FileAccess.readText(folder.settings, limit: 16 << 20), source: folder.settings)
    guard let settings = document.object else {
      throw MixGRPOError(.invalidFormat, "\(printable(folder.settings)): expected an object, got \(document.kind)")
    }
    self.settings = settings
    results = try RunResults(folder, settings: settings)
    let path = try Inspection.checkpointFile(in: folder.checkpoints)
    checkpoint = try path.map { (path) throws(MixGRPOError) in (path, try Inspection.iteration(of: SafetensorsFile(path: path)))
    }
  }

  var json: JSONObject {
    get throws(MixGRPOError) {
      var report: JSONObject = ["kind": "run", "path": .string(folder.path)]
      for member in results.json.members { report[member.name] = member.value }
      if let checkpoint {
        report["checkpoint"] = .string(checkpoint.path)
        report["iteration"] = checkpoint.iteration
      }
      if try WeightFolder.holdsModel(folder.model) { report["model"] = .string(folder.model) }
      report["settings"] = .object(settings)
      return report
    }
  }

  /// For people.
  func lines() throws(MixGRPOError) -> [String] {
    let planned = results.planned.map { " of \($0)" } ?? ""
    var lines = [
      entry("kind", "run"), entry("path", folder.path), entry("\(results.unit)s", "\(results.done)\(planned)"),
    ]
    lines += results.lines(columns: StandardError.columnsOfOutput)
    if let model = results.bestModel { lines.append(entry("best model", model)) }
    if results.bestModel != folder.model, try WeightFolder.holdsModel(folder.model) {
      lines.append(entry("latest model", folder.model))
    }
    if let checkpoint { lines.append(entry("checkpoint", checkpoint.path)) }
    lines.append("settings that differ from the defaults (all are in \(folder.settings)):")
    return lines + (try changes().map { "  " + entry($0.path, $0.value) })
  }

  private func entry(_ name: String, _ value: String) -> String {
    column(Printable.text(name), 24) + Printable.text(value)
  }

  /// Settings that differ from the defaults, and those that have none, such as the model.
  private func changes() throws(MixGRPOError) -> [(path: String, value: String)] {
    let usual = settings["steps"] != nil ? PretrainSettings().json : AlignSettings().json
    return try Self.changes(settings, usual, "")
  }

  private static func changes(
    _ object: JSONObject, _ usual: JSONObject, _ prefix: String
  ) throws(MixGRPOError) -> [(path: String, value: String)] {
    var changes: [(path: String, value: String)] = []
    for member in object.members where member.value != usual[member.name] {
      let path = prefix + member.name
      if let section = member.value.object, let usual = usual[member.name]?.object {
        changes += try Self.changes(section, usual, path + ".")
      } else {
        changes.append((path, try text(member.value)))
      }
    }
    return changes
  }

  /// Rewards by name; other values as they are.
  private static func text(_ value: JSONValue) throws(MixGRPOError) -> String {
    if let text = value.string { return text }
    let names = (value.array ?? []).compactMap { $0.object?["name"]?.string }
    return try names.isEmpty ? value.text() : names.joined(separator: ", ")
  }
}
