import MixBasics

/// Parses one JSON document (RFC 8259) from untrusted bytes.
///
/// Rejects invalid UTF-8, lone surrogates, NaN and infinities, numbers beyond Double, duplicate names in an object, anything
/// after the document, nesting deeper than `maximumDepth`, and more than `maximumValues` values.
package struct JSONParser {
  package static let maximumDepth = 64
  /// Bounds the memory of a document, because a parsed value takes more memory than its text, such as `0,`.
  package static let maximumValues = 4_000_000

  /// Upper bound of the bytes of one value: parsed with its name, and while its array grows.
  private static let bytesPerValue = 192

  private let bytes: [UInt8]
  private let source: String
  private var position = 0
  private var valueCount = 0

  /// - Parameter source: the name of the document in error messages, such as its path.
  /// - Throws: `invalidFormat` with the position of the first invalid byte; `outOfMemory`.
  package static func parse(_ bytes: [UInt8], source: String) throws(MixGRPOError) -> JSONValue {
    // A value has at least two bytes of text. Its text is copied at most once.
    try Memory.require(bytes: min(bytes.count / 2, maximumValues) * bytesPerValue + 2 * bytes.count)
    var parser = JSONParser(bytes: bytes, source: source)
    let value = try parser.parseValue(depth: 0)
    parser.skipSpace()
    if parser.position < bytes.count { throw parser.failure(expected: "nothing after the document") }
    return value
  }

  package static func parse(_ text: String, source: String) throws(MixGRPOError) -> JSONValue {
    try parse(Array(text.utf8), source: source)
  }

  /// The value of a text that may be something else than JSON: nil where it is.
  /// - Throws: `outOfMemory`.
  package static func parseIfJSON(_ bytes: [UInt8]) throws(MixGRPOError) -> JSONValue? {
    do {
      return try parse(bytes, source: "text")
    } catch  where error.code == .invalidFormat {
      return nil
    }
  }

  package static func parseIfJSON(_ text: String) throws(MixGRPOError) -> JSONValue? { try parseIfJSON(Array(text.utf8)) }

  private init(bytes: [UInt8], source: String) {
    self.bytes = bytes
    self.source = source
  }

  // MARK: Values

  private mutating func parseValue(depth: Int) throws(MixGRPOError) -> JSONValue {
    skipSpace()
    valueCount += 1
    if valueCount > Self.maximumValues { throw failure(expected: "at most \(Self.maximumValues) values") }
    switch peek {
    case UInt8(ascii: "{"): return .object(try parseObject(depth: depth + 1))
    case UInt8(ascii: "["): return .array(try parseArray(depth: depth + 1))
    case UInt8(ascii: "\""): return .string(try parseString())
    case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
    case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
    case UInt8(ascii: "n"): return try parseWord("null", .null)
    default: return try parseNumber()
    }
  }

  private mutating func parseObject(depth: Int) throws(MixGRPOError) -> JSONObject {
    try enter(depth)
    var members: [JSONObject.Member] = []
    var names: Set<String> = []
    if takeAfterSpace("}") { return JSONObject() }
    repeat {
      skipSpace()
      let start = position
      let name = try parseString()
      if !names.insert(name).inserted { throw failure(expected: "each name once", got: "\"\(excerpt(name))\" again") }
      guard takeAfterSpace(":") else { throw failure(expected: "':'") }
      members.append(JSONObject.Member(name: name, value: try parseValue(depth: depth), position: start))
    } while takeAfterSpace(",")
    guard takeAfterSpace("}") else { throw failure(expected: "',' or '}'") }
    return JSONObject(uniqueMembers: members)
  }

  private mutating func parseArray(depth: Int) throws(MixGRPOError) -> [JSONValue] {
    try enter(depth)
    var elements: [JSONValue] = []
    if takeAfterSpace("]") { return elements }
    repeat { elements.append(try parseValue(depth: depth)) } while takeAfterSpace(",")
    guard takeAfterSpace("]") else { throw failure(expected: "',' or ']'") }
    return elements
  }

  /// Skips the opening bracket.
  private mutating func enter(_ depth: Int) throws(MixGRPOError) {
    if depth > Self.maximumDepth { throw failure(expected: "at most \(Self.maximumDepth) levels", got: "more") }
    position += 1
  }

  private mutating func parseWord(_ word: StaticString, _ value: JSONValue) throws(MixGRPOError) -> JSONValue {
    let end = position + word.utf8CodeUnitCount
    let matches = word.withUTF8Buffer { end <= bytes.count && bytes[position..<end].elementsEqual($0) }
    guard matches else { throw failure(expected: "\(word)") }
    position = end
    return value
  }

  // MARK: Numbers

  private mutating func parseNumber() throws(MixGRPOError) -> JSONValue {
    let start = position
    let isNegative = take("-")
    guard let first = peek, isDigit(first) else { throw failure(expected: "a value") }
    if !take("0") { skipDigits() }
    var isWhole = true
    if take(".") {
      isWhole = false
      try requireDigits()
    }
    if take("e") || take("E") {
      isWhole = false
      if !take("+") { _ = take("-") }
      try requireDigits()
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    let isNegativeZero = isNegative && text == "-0"
    if isWhole, !isNegativeZero, let value = Int64(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else { throw failure(expected: "a number in range", got: excerpt(text)) }
    return .number(value)
  }

  private mutating func requireDigits() throws(MixGRPOError) {
    guard let digit = peek, isDigit(digit) else { throw failure(expected: "a digit") }
    skipDigits()
  }

  private mutating func skipDigits() {
    while let digit = peek, isDigit(digit) { position += 1 }
  }

  private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  // MARK: Strings

  private mutating func parseString() throws(MixGRPOError) -> String {
    let start = position
    guard take("\"") else { throw failure(expected: "a string") }
    var content: [UInt8] = []
    while let byte = peek, byte != UInt8(ascii: "\"") {
      if byte < 0x20 { throw failure(expected: "control characters escaped") }
      position += 1
      if byte == UInt8(ascii: "\\") { content += try parseEscape() } else { content.append(byte) }
    }
    guard take("\"") else { throw failure(expected: "'\"'") }
    guard let text = String(validating: content, as: UTF8.self) else {
      position = start
      throw failure(expected: "valid UTF-8", got: "a string that is not")
    }
    return text
  }

  /// The characters that an escape stands for, in UTF-8.
  private mutating func parseEscape() throws(MixGRPOError) -> [UInt8] {
    guard let letter = peek else { throw failure(expected: "an escape") }
    position += 1
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [letter]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"): return Array(String(Character(try parseScalar())).utf8)
    default:
      position -= 1
      throw failure(expected: "an escape")
    }
  }

  /// One or, for a surrogate pair, two groups of four hexadecimal digits.
  private mutating func parseScalar() throws(MixGRPOError) -> Unicode.Scalar {
    let high = try parseHexadecimal()
    if let scalar = Unicode.Scalar(high) { return scalar }
    guard high < 0xDC00, take("\\"), take("u") else { throw failure(expected: "a surrogate pair") }
    let low = try parseHexadecimal()
    guard (0xDC00...0xDFFF).contains(low), let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
    else { throw failure(expected: "a surrogate pair") }
    return scalar
  }

  private mutating func parseHexadecimal() throws(MixGRPOError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw failure(expected: "four hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  // MARK: Bytes

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard peek == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func takeAfterSpace(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    return take(character)
  }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private func failure(expected: String, got: String? = nil) -> MixGRPOError {
    let here = peek.map { $0 > 0x20 && $0 < 0x7F ? "'\(Character(Unicode.Scalar($0)))'" : "byte \($0)" } ?? "the end"
    let place = Self.place(of: position, in: bytes)
    return MixGRPOError(.invalidFormat, "\(printable(source)): expected \(expected) at \(place), got \(got ?? here)")
  }

  /// The position of a byte for messages: in a document of several lines its line and column, both from 1, the column in bytes.
  package static func place(of position: Int, in bytes: [UInt8]) -> String {
    guard bytes.contains(UInt8(ascii: "\n")) else { return "byte \(position)" }
    let before = bytes.prefix(position)
    let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    let line = before.reduce(1) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 }
    return "line \(line), column \(position - lineStart + 1)"
  }
}
