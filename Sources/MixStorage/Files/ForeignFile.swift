/// Says by their first bytes what files are that often stand where weights or pictures are expected.
enum ForeignFile {
  private static let heads: [(head: [UInt8], name: String)] = [
    (Array("version https://git-lfs".utf8), "a Git LFS pointer; git lfs pull fetches the file itself"),
    (Array("PK\u{3}\u{4}".utf8), "a ZIP archive, as PyTorch and NumPy write it"),
    ([0x80, 0x02], "a Python pickle"), (Array("GGUF".utf8), "a GGUF file"), (Array("<!".utf8), "an HTML page"),
    (Array("<html".utf8), "an HTML page"),
  ]

  /// Nil for what is not known.
  static func name(of file: some Collection<UInt8>) -> String? {
    let head = Array(file.prefix(32))
    return heads.first { head.starts(with: $0.head) }?.name ?? (isText(head) ? "a text file" : nil)
  }

  /// Whether there is no byte that texts do not have: tabs, ends of lines, printable characters, and bytes of UTF-8.
  private static func isText(_ head: [UInt8]) -> Bool {
    !head.isEmpty && head.allSatisfy { (9...13).contains($0) || $0 >= 32 && $0 != 127 && $0 < 0xF8 }
  }
}
