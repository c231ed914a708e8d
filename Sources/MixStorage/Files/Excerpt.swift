/// `text` for a one-line message: control characters escaped, truncated to `limit` characters.
func excerpt(_ text: String, limit: Int = 80) -> String {
  var line = ""
  for (index, scalar) in text.unicodeScalars.enumerated() {
    if index == limit { return line + "…" }
    if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || (0x2028...0x2029).contains(scalar.value) {
      line += "\\u{\(String(scalar.value, radix: 16))}"
    } else {
      line.unicodeScalars.append(scalar)
    }
  }
  return line
}

/// A path for a message: control characters escaped, never truncated, since system paths have at most 4096 bytes.
func printable(_ path: String) -> String { excerpt(path, limit: 4096) }
