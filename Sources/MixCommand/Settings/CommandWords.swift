import MixGRPO

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Splits a line into the words of a command, at spaces. '…' and "…" group words; a backslash escapes the next character.
enum CommandWords {
  /// The command as a line for people, at most 120 characters of it.
  static func line(_ words: [String]) -> String {
    let line = words.map { word in
      word.isEmpty || word.contains(where: \.isWhitespace) ? "'\(word)'" : word
    }.joined(separator: " ")
    return line.count <= 120 ? line : "\(line.prefix(119))…"
  }

  private static let operators: Set<String> = ["|", "||", "&", "&&", ";", "<", ">", ">>", "2>", "2>&1", "<<<", "cd", "source"]

  /// What a shell would have understood in a command that failed, and how to have it; empty for a plain command.
  static func advice(_ words: [String]) -> String {
    guard let first = words.first, !["sh", "bash", "zsh"].contains(where: { first == $0 || first.hasSuffix("/\($0)") }) else {
      return ""
    }
    guard let word = words.first(where: needsShell) else { return "" }
    return
      "; programs are started without a shell, which would read \"\(word.prefix(40))\" in its own way: if it is meant so, write "
      + "sh -c 'COMMAND'"
  }

  /// What keeps a program that exists from being started; empty where that cannot be seen.
  /// - Parameter directory: the folder in which it is started; empty for the current one.
  static func startAdvice(_ words: [String], in directory: String, code: Int32) -> String {
    guard let name = words.first, !name.isEmpty else { return "" }
    let path = name.hasPrefix("/") ? name : FileAccess.join(directory.isEmpty ? "." : directory, name)
    do throws(MixGRPOError) {
      guard try FileAccess.isPresent(path) else { return advice(words) }
    } catch {
      return ""
    }
    if code == EACCES || code == ENOEXEC {
      return "; name what runs it, such as python3 \(name), or begin it with #! and chmod +x"
    }
    return name.contains("/") ? "" : "; programs are looked for in PATH: the one in the current folder is ./\(name)"
  }

  private static func needsShell(_ word: String) -> Bool {
    let ends = (word.first, word.last)
    let isQuoted = word.count > 1 && (ends == ("'", "'") || ends == ("\"", "\""))
    return operators.contains(word) || word.hasPrefix("~") || word.hasPrefix("2>") || word.hasSuffix(";") || isQuoted
      || word.contains { "$`*".contains($0) } || isAssignment(word)
  }

  /// `NAME=value` before a program sets a variable in a shell.
  static func isAssignment(_ word: String) -> Bool {
    guard let sign = word.firstIndex(of: "="), sign != word.startIndex else { return false }
    return word[..<sign].allSatisfy { $0.isUppercase || $0 == "_" || $0.isNumber }
  }

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
