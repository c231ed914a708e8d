import MixGRPO

/// Splits a line into the words of a command, at spaces. '…' and "…" group words; a backslash escapes the next character.
enum CommandWords {
  /// - Throws: `invalidArgument` for a quote that is not closed or a backslash at the end.
  static func split(_ line: String) throws(MixGRPOError) -> [String] {
    var words: [String] = []
    var word: String?
    var quote: Character?
    var isEscaped = false
    for character in line {
      if isEscaped {
        word = (word ?? "") + String(character)
        isEscaped = false
      } else if character == "\\", quote != "'" {
        isEscaped = true
      } else if let open = quote {
        if character == open { quote = nil } else { word = (word ?? "") + String(character) }
      } else if character == "'" || character == "\"" {
        quote = character
        word = word ?? ""
      } else if character.isWhitespace {
        if let complete = word { words.append(complete) }
        word = nil
      } else {
        word = (word ?? "") + String(character)
      }
    }
    try require(quote == nil && !isEscaped, "program", expected: "closed quotes and no backslash at the end", got: line)
    return words + (word.map { [$0] } ?? [])
  }
}
