import MixBasics

/// The pictures and prompts that a model on pixels was trained with, remembered in `mixgrpo.json` beside its weights:
/// `{"height": 32, "width": 32, "patch": 4, "text_length": 16}`. Members of other names are ignored.
package struct PictureFormat: Equatable, Sendable {
  package static let fileName = "mixgrpo.json"
  private static let maximumBytes = 1 << 20

  /// Pixels.
  package var height: Int
  /// Pixels.
  package var width: Int
  /// Side of a token's square in pixels.
  package var patch: Int
  /// Text tokens of prompts that are encoded by hashing their words; nil when the prompts were embeddings of another encoder.
  package var textLength: Int?

  package init(height: Int, width: Int, patch: Int, textLength: Int?) {
    (self.height, self.width, self.patch, self.textLength) = (height, width, patch, textLength)
  }

  /// The file of a model folder, or of the transformer in a pipeline's folder.
  package static func path(of model: String) throws(MixGRPOError) -> String {
    FileAccess.join(try ModelFiles.folder(in: model), fileName)
  }

  /// Nil for a model without the file.
  /// - Throws: `inputOutput`; `invalidFormat` naming the member that is no size.
  package static func read(of model: String) throws(MixGRPOError) -> PictureFormat? {
    let path = try path(of: model)
    guard try FileAccess.isPresent(path) else { return nil }
    let document = try JSONParser.parse(try FileAccess.readText(path, limit: maximumBytes), source: path)
    guard let object = document.object else {
      throw MixGRPOError(.invalidFormat, "\(printable(path)): expected an object, got \(document.kind)")
    }
    func size(_ name: String) throws(MixGRPOError) -> Int {
      if let size = object[name]?.integer, (1...RGBImage.maximumSide).contains(size) { return size }
      throw MixGRPOError(
        .invalidFormat,
        "\(printable(path)): \(name): expected 1…\(RGBImage.maximumSide), got \(try object[name]?.text() ?? "none")")
    }
    return PictureFormat(
      height: try size("height"), width: try size("width"), patch: try size("patch"),
      textLength: object["text_length"] == nil ? nil : try size("text_length"))
  }

  /// Writes the file into a model folder, atomically.
  /// - Throws: `inputOutput`.
  package func write(to folder: String) throws(MixGRPOError) {
    var object: JSONObject = [
      "height": .integer(Int64(height)), "width": .integer(Int64(width)), "patch": .integer(Int64(patch)),
    ]
    if let textLength { object["text_length"] = .integer(Int64(textLength)) }
    let text = try JSONValue.object(object).text(.indented) + "\n"
    try AtomicFile.write(Array(text.utf8), to: FileAccess.join(folder, Self.fileName))
  }
}
