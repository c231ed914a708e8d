import MixBasics
import MixStorage

/// A checkpoint on disk: one safetensors file of sections, with the settings and the library's version in its header and a
/// checksum of all at its end. Written aside, synced and renamed, so that what is there is always whole.
struct CheckpointFile {
  /// Names the kind of run and the version of its file.
  let format: String
  let settings: CheckpointSettings
  let sections: [CheckpointSection]

  /// - Throws: `inputOutput`.
  func write(to path: String) throws(MixGRPOError) {
    try AtomicFile.removeLeftovers(in: FileAccess.folder(of: path))
    var metadata = [("format", format), ("library_version", libraryVersion)]
    metadata.append(("settings", try JSONValue.object(settings.json).text()))
    for section in sections { metadata.append((section.name, try JSONValue.object(section.state).text())) }
    try SafetensorsWriter.write(
      sections.flatMap(\.entries), precision: .float32, metadata: metadata, checksum: true, to: path)
  }

  /// Brings what the sections are of to the saved state. Everything is read and checked before anything changes.
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
