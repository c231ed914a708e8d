import MixBasics

/// A folder of PNGs with captions, by the imagefolder convention of Hugging Face datasets: `metadata.jsonl` has a line
/// `{"file_name": "0001.png", "text": "a red circle"}` per image; a line without `text` may have `caption` in its place, and other
/// keys are ignored.
///
/// Images are read on demand. Safe to use from several threads at once.
public struct CaptionedImageFolder: Sendable {
  /// One image and its caption.
  public struct Entry: Equatable, Sendable {
    /// Relative to the folder, and inside it.
    public let fileName: String
    /// As written in the metadata.
    public let caption: String
  }

  /// The file that lists the images: `metadata.jsonl`.
  public static let metadataName = "metadata.jsonl"
  private static let maximumMetadataBytes = 1 << 28

  /// The folder.
  public let path: String
  /// In the file's order, at least one.
  public let entries: [Entry]

  /// Reads the captions.
  /// - Throws: `inputOutput` when `metadata.jsonl` cannot be read; `invalidFormat` naming the lines that have another form or name
  ///   a file outside the folder, or when there are no lines.
  public init(path: String) throws(MixGRPOError) {
    let metadataPath = FileAccess.join(path, Self.metadataName)
    let bytes = try FileAccess.readText(metadataPath, limit: Self.maximumMetadataBytes)
    var entries: [Entry] = []
    try Memory.require(bytes.count, of: 4)
    var lines = bytes[...]
    var number = 0
    var problems = ProblemList()
    while !lines.isEmpty {
      let line = lines.prefix { $0 != UInt8(ascii: "\n") }
      lines = lines.dropFirst(line.count + 1)
      number += 1
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
      do throws(MixGRPOError) {
        entries.append(try Self.entry(Array(line), source: "\(printable(metadataPath)) line \(number)"))
      } catch {
        try problems.add(error)
      }
    }
    try problems.throwIfAny()
    guard !entries.isEmpty else {
      throw MixGRPOError(.invalidFormat, "\(printable(metadataPath)): expected at least one line, got none")
    }
    self.path = path
    self.entries = entries
  }

  private static func entry(_ line: [UInt8], source: String) throws(MixGRPOError) -> Entry {
    let document = try JSONParser.parse(line, source: source)
    guard let object = document.object else {
      throw MixGRPOError(.invalidFormat, "\(source): expected an object, got \(document.kind)")
    }
    let fileName = try string(["file_name"], of: object, source)
    guard FileAccess.staysInside(fileName) else {
      throw MixGRPOError(
        .invalidFormat, "\(source): file_name: expected a path inside the folder, got \"\(excerpt(fileName))\"")
    }
    return Entry(fileName: fileName, caption: try string(["text", "caption"], of: object, source))
  }

  /// The value of the first of `names` that the object has.
  private static func string(_ names: [String], of object: JSONObject, _ source: String) throws(MixGRPOError) -> String {
    let name = names.first { object[$0] != nil } ?? names[0]
    if let text = object[name]?.string { return text }
    let got = object[name].map(\.kind) ?? "none\(object.memberNames)"
    throw MixGRPOError(.invalidFormat, "\(source): \(name): expected a string, got \(got)")
  }

  /// Reads the image of `entries[index]`.
  /// - Throws: `invalidArgument` for an index out of range, and the errors of `PNG.read`.
  public func image(at index: Int, maximumPixels: Int = RGBImage.maximumPixels) throws(MixGRPOError) -> RGBImage {
    try require(entries.indices.contains(index), "index", expected: "0…\(entries.count - 1)", got: index)
    return try PNG.read(path: FileAccess.join(path, entries[index].fileName), maximumPixels: maximumPixels)
  }
}
