import MixBasics

/// A text stored in a PNG, such as the prompt, the seed or the reward of the image.
public struct PNGText: Equatable, Sendable {
  /// 1…79 printable Latin-1 characters, without leading, trailing or consecutive spaces.
  public let keyword: String
  /// Any text without zero bytes.
  public let text: String

  /// - Throws: `invalidArgument` for a keyword or a text that PNG cannot hold.
  public init(keyword: String, text: String) throws(MixGRPOError) {
    try require(
      Self.isKeyword(keyword), "keyword", expected: "1…79 printable Latin-1 characters, no outer or double spaces",
      got: "\"\(excerpt(keyword))\"")
    try require(!text.utf8.contains(0), "text", expected: "no zero byte", got: "one")
    try require(
      text.utf8.count <= Self.maximumBytes, "text", expected: "at most \(Self.maximumBytes) bytes", got: text.utf8.count)
    self.init(checked: keyword, text)
  }

  private init(checked keyword: String, _ text: String) { (self.keyword, self.text) = (keyword, text) }

  /// Below libpng's limit for one chunk.
  private static let maximumBytes = 4 << 20

  private static func isKeyword(_ keyword: String) -> Bool {
    let isPrintable = keyword.unicodeScalars.allSatisfy { (32...126).contains($0.value) || (161...255).contains($0.value) }
    let isSpaced = !keyword.hasPrefix(" ") && !keyword.hasSuffix(" ") && !keyword.contains("  ")
    return isPrintable && isSpaced && (1...79).contains(keyword.unicodeScalars.count)
  }

  /// A tEXt chunk when the text is Latin-1, otherwise an uncompressed iTXt chunk in UTF-8 without language.
  var chunk: [UInt8] {
    let keyword = self.keyword.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) } + [0]
    if text.unicodeScalars.allSatisfy(Self.isPlain) {
      return PNGChunks.chunk("tEXt", keyword + text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) })
    }
    let noCompressionLanguageOrTranslation: [UInt8] = [0, 0, 0, 0]
    return PNGChunks.chunk("iTXt", keyword + noCompressionLanguageOrTranslation + Array(text.utf8))
  }

  /// The characters that the specification allows in tEXt.
  private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
    scalar == "\n" || (32...126).contains(scalar.value) || (161...255).contains(scalar.value)
  }

  /// True for a chunk of a type that holds text, within the size limit.
  static func isText(_ type: String, _ data: UnsafeRawBufferPointer) -> Bool {
    (type == "tEXt" || type == "iTXt") && data.count <= maximumBytes + 4096
  }

  /// The text of a chunk; nil for other chunks, compressed texts and malformed ones.
  static func read(type: String, data: UnsafeRawBufferPointer) -> PNGText? {
    guard type == "tEXt" || type == "iTXt", let end = data.firstIndex(of: 0) else { return nil }
    let keyword = latin1(data[..<end])
    let content = data[(end + 1)...]
    guard let text = type == "tEXt" ? latin1(content) : international(content) else { return nil }
    let isFit = isKeyword(keyword) && !text.utf8.contains(0) && text.utf8.count <= maximumBytes
    return isFit ? PNGText(checked: keyword, text) : nil
  }

  private static func latin1(_ bytes: Slice<UnsafeRawBufferPointer>) -> String {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: bytes.map { Unicode.Scalar($0) })
    return String(text)
  }

  /// Skips compression flag, compression method, language and translated keyword.
  private static func international(_ bytes: Slice<UnsafeRawBufferPointer>) -> String? {
    guard bytes.count >= 4, bytes.first == 0 else { return nil }
    let afterMethod = bytes.dropFirst(2)
    guard let languageEnd = afterMethod.firstIndex(of: 0) else { return nil }
    let afterLanguage = afterMethod[(languageEnd + 1)...]
    guard let keywordEnd = afterLanguage.firstIndex(of: 0) else { return nil }
    return String(validating: afterLanguage[(keywordEnd + 1)...], as: UTF8.self)
  }
}
