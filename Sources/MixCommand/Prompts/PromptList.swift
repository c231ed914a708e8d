import MixGRPO

/// The prompts of a run, in file order.
struct PromptList {
  struct Prompt {
    let text: String
    /// Other members of the prompt's JSON line, passed to reward programs.
    let metadata: JSONObject
  }

  let prompts: [Prompt]

  static let maximumCount = 65_536
  private static let maximumBytes = 1 << 28
  private static let maximumBytesPerPrompt = 1 << 16

  /// Reads a file. A .jsonl file has an object with "prompt" in each line, any other file a prompt in each line. Empty lines
  /// are ignored, and so is white space around a plain prompt.
  /// - Throws: `inputOutput`; `invalidFormat` naming the line.
  init(path: String) throws(MixGRPOError) {
    let bytes = try FileAccess.readText(path, limit: Self.maximumBytes)
    var prompts: [Prompt] = []
    for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
      let source = "\(path) line \(index + 1)"
      prompts.append(try path.hasSuffix(".jsonl") ? Self.prompt(json: Array(line), source) : Self.prompt(plain: line, source))
    }
    guard (1...Self.maximumCount).contains(prompts.count) else {
      throw MixGRPOError(.invalidFormat, "\(path): expected 1…\(Self.maximumCount) prompts, got \(prompts.count)")
    }
    self.prompts = prompts
  }

  /// - Throws: `invalidArgument` unless there are 1…65536 texts.
  init(texts: [String]) throws(MixGRPOError) {
    try require((1...Self.maximumCount).contains(texts.count), "prompts", expected: "1…\(Self.maximumCount)", got: texts.count)
    prompts = texts.map { Prompt(text: $0, metadata: JSONObject()) }
  }

  var texts: [String] { prompts.map(\.text) }

  /// Differs for other texts or members.
  func fingerprint() throws(MixGRPOError) -> String {
    var all = ""
    for prompt in prompts { all += "\(prompt.text)\n\(try JSONValue.object(prompt.metadata).text())\n" }
    return "\(prompts.count) with the hash \(String(FNV1a.hash(all.utf8), radix: 16))"
  }

  private static func prompt(plain line: ArraySlice<UInt8>, _ source: String) throws(MixGRPOError) -> Prompt {
    guard let text = String(validating: line, as: UTF8.self) else {
      throw MixGRPOError(.invalidFormat, "\(source): expected text in UTF-8, got other bytes")
    }
    let trimmed = text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed()
    return try checked(Prompt(text: String(trimmed), metadata: JSONObject()), source)
  }

  private static func prompt(json line: [UInt8], _ source: String) throws(MixGRPOError) -> Prompt {
    let document = try JSONParser.parse(line, source: source)
    guard var object = document.object else {
      throw MixGRPOError(.invalidFormat, "\(source): expected an object, got \(document.kind)")
    }
    guard let text = object["prompt"]?.string else {
      throw MixGRPOError(
        .invalidFormat, "\(source): prompt: expected a string, got \(object["prompt"]?.kind ?? "none\(object.memberNames)")")
    }
    object["prompt"] = nil
    return try checked(Prompt(text: text, metadata: object), source)
  }

  /// Prompts are written into PNGs and passed to programs, so zero bytes and very long texts are rejected.
  private static func checked(_ prompt: Prompt, _ source: String) throws(MixGRPOError) -> Prompt {
    let isFit = prompt.text.utf8.count <= maximumBytesPerPrompt && !prompt.text.utf8.contains(0)
    guard isFit else {
      throw MixGRPOError(
        .invalidFormat,
        "\(source): expected at most \(maximumBytesPerPrompt) bytes and no zero byte, got a longer prompt or a zero byte")
    }
    return prompt
  }
}
