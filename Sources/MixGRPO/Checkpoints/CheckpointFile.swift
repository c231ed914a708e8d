import MixBasics
import MixStorage

/// A checkpoint on disk: one safetensors file of sections, with the settings and the library's version in its header and a
/// checksum of everything at its end. The file is replaced atomically, so that it is always complete.
struct CheckpointFile {
  /// Identifies the kind of run and the version of the file format.
  let format: String
  let settings: CheckpointSettings
  let sections: [CheckpointSection]

  /// - Throws: `inputOutput`.
  func write(to path: String) throws(MixGRPOError) {
    var metadata = [("format", format), ("library_version", libraryVersion)]
    metadata.append(("settings", try JSONValue.object(settings.json).text()))
    for section in sections { metadata.append((section.name, try JSONValue.object(section.state).text())) }
    try SafetensorsWriter.write(
      sections.flatMap(\.entries), precision: .float32, metadata: metadata, checksum: true, to: path)
  }

  /// Restores the state of all sections. State is replaced only after the whole file has been validated.
  /// - Throws: `inputOutput`, `invalidFormat`, `invalidArgument` naming the settings that differ.
  func read(from path: String) throws(MixGRPOError) {
    let file = try SafetensorsFile(path: path)
    guard file.metadata["format"] == format else {
      throw MixGRPOError(.invalidFormat, "\(path): format: expected \(format), got \(file.metadata["format"] ?? "none")")
    }
    try file.verifyChecksum()
    try settings.compare(saved: savedSettings(file))
    var takeOver: [() -> Void] = []
    for section in sections { takeOver.append(try section.prepare(SavedSection(section.name, in: file))) }
    for take in takeOver { take() }
  }

  private func savedSettings(_ file: SafetensorsFile) throws(MixGRPOError) -> [String: String] {
    var settings: [String: String] = [:]
    for member in try SavedSection("settings", in: file).state.members { settings[member.name] = member.value.string }
    return settings
  }
}
