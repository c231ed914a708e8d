import MixBasics

extension JSONValue {
  package enum Layout: Sendable {
    /// One line without spaces.
    case compact
    /// Two spaces per level and a line per member, as in configuration files.
    case indented
  }

  /// The document as text. Numbers read back by `JSONParser` have the same bits.
  /// - Throws: `notFinite` for a NaN or an infinity, which JSON cannot hold; `invalidArgument` above 64 levels.
  package func text(_ layout: Layout = .compact) throws(MixGRPOError) -> String {
    var writer = JSONWriter(layout: layout)
    try writer.append(self, depth: 0)
    return writer.text
  }
}

private struct JSONWriter {
  let layout: JSONValue.Layout
  var text = ""

  mutating func append(_ value: JSONValue, depth: Int) throws(MixGRPOError) {
    try require(depth <= JSONParser.maximumDepth, "json", expected: "at most \(JSONParser.maximumDepth) levels", got: depth)
    switch value {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    case .number(let value): try append(value)
    case .string(let value): append(value)
    case .array(let elements): try append(elements, depth: depth)
    case .object(let object): try append(object, depth: depth)
    }
  }

  /// Swift's description of a finite Double is the shortest decimal that reads back as the same bits, and valid JSON.
  private mutating func append(_ number: Double) throws(MixGRPOError) {
    guard number.isFinite else { throw MixGRPOError(.notFinite, "json: expected a finite number, got \(number)") }
    text += number.description
  }

  private mutating func append(_ elements: [JSONValue], depth: Int) throws(MixGRPOError) {
    text += "["
    for (index, element) in elements.enumerated() {
      startItem(isFirst: index == 0, depth: depth + 1)
      try append(element, depth: depth + 1)
    }
    if !elements.isEmpty { startLine(depth: depth) }
    text += "]"
  }

  private mutating func append(_ object: JSONObject, depth: Int) throws(MixGRPOError) {
    text += "{"
    for (index, member) in object.members.enumerated() {
      startItem(isFirst: index == 0, depth: depth + 1)
      append(member.name)
      text += layout == .compact ? ":" : ": "
      try append(member.value, depth: depth + 1)
    }
    if !object.members.isEmpty { startLine(depth: depth) }
    text += "}"
  }

  private mutating func append(_ string: String) {
    text += "\""
    for scalar in string.unicodeScalars { append(scalar) }
    text += "\""
  }

  private mutating func append(_ scalar: Unicode.Scalar) {
    switch scalar {
    case "\"": text += "\\\""
    case "\\": text += "\\\\"
    case "\n": text += "\\n"
    case "\r": text += "\\r"
    case "\t": text += "\\t"
    case _ where Printable.isUnsafe(scalar):  // all of them have at most four digits
      let digits = String(scalar.value, radix: 16)
      text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    default: text.unicodeScalars.append(scalar)
    }
  }

  private mutating func startItem(isFirst: Bool, depth: Int) {
    if !isFirst { text += "," }
    startLine(depth: depth)
  }

  private mutating func startLine(depth: Int) {
    if layout == .indented { text += "\n" + String(repeating: "  ", count: depth) }
  }
}
