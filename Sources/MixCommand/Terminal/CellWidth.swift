/// Columns of a terminal that text takes.
enum CellWidth {
  /// An upper bound for the cells of a text: some terminals draw joined emoji in fewer.
  static func of(_ text: String) -> Int { text.unicodeScalars.reduce(0) { $0 + of($1) } }

  /// The longest beginning that fits in `cells`; a text that does not fit ends in "…".
  static func fit(_ text: String, _ cells: Int) -> String {
    guard of(text) > cells else { return text }
    guard cells > 0 else { return "" }
    var (kept, used) = ("", 0)
    for character in text {
      let width = of(String(character))
      if used + width > cells - 1 { break }
      kept.append(character)
      used += width
    }
    return kept + "…"
  }

  /// Filled with spaces to `cells`, at the right or, for numbers, at the left.
  static func padded(_ text: String, _ cells: Int, atLeft: Bool = false) -> String {
    let space = String(repeating: " ", count: max(0, cells - of(text)))
    return atLeft ? space + text : text + space
  }

  private static func of(_ scalar: Unicode.Scalar) -> Int {
    if scalar.value < 0x300 { return scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) ? 0 : 1 }
    // It makes the character before it an emoji, which is wide.
    if scalar.value == 0xFE0F { return 1 }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: return isWide(scalar) ? 2 : 1
    }
  }

  /// East Asian Wide and Fullwidth (Unicode annex 11), in blocks, and emoji.
  private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19,
      0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x17000...0x18DFF, 0x1B000...0x1B2FF, 0x1F300...0x1F64F,
      0x1F900...0x1FAFF, 0x20000...0x3FFFD:
      true
    default: scalar.properties.isEmojiPresentation
    }
  }
}
