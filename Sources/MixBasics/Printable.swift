/// Text from outside the library (a file, a path, another program), made fit for one line of a message, a log or a terminal.
///
/// What could move a terminal's cursor, break the line or reorder it becomes an escape such as `\u{1b}`: control characters (C0,
/// DEL, C1 with U+0085 and U+009B), the line and paragraph separators U+2028 and U+2029, and the controls of bidirectional text.
/// Everything else stays as it is. Text that is already escaped does not change.
package enum Printable {
  /// - Parameter limit: scalars to keep; the rest becomes "…".
  package static func text(_ text: String, limit: Int = .max) -> String {
    let scalars = text.unicodeScalars
    if text.utf8.count <= limit && !scalars.contains(where: isUnsafe) { return text }
    var line = ""
    for (index, scalar) in scalars.enumerated() {
      if index == limit { return line + "…" }
      if isUnsafe(scalar) {
        line += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        line.unicodeScalars.append(scalar)
      }
    }
    return line
  }

  /// The same for text of several lines, which keeps its line breaks.
  package static func lines(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { Self.text(String($0)) }.joined(separator: "\n")
  }

  package static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F...0x9F: true
    case 0x061C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}

/// `text` for a one-line message: unsafe characters escaped, truncated to `limit` characters.
package func excerpt(_ text: String, limit: Int = 80) -> String { Printable.text(text, limit: limit) }

/// A path for a message: unsafe characters escaped, never truncated, since system paths have at most 4096 bytes.
package func printable(_ path: String) -> String { Printable.text(path, limit: 4096) }
