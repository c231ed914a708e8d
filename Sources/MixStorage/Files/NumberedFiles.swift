import MixBasics

/// Files in a folder whose names contain a number, such as `iteration-00000042.safetensors`.
package struct NumberedFiles: Sendable {
  package let folder: String
  private let prefix: String
  private let suffix: String
  private static let digits = 8

  package init(folder: String, prefix: String, suffix: String) {
    (self.folder, self.prefix, self.suffix) = (folder, prefix, suffix)
  }

  package func path(_ number: Int) -> String { FileAccess.join(folder, name(number)) }

  private func name(_ number: Int) -> String {
    let text = String(number)
    return prefix + String(repeating: "0", count: max(0, Self.digits - text.utf8.count)) + text + suffix
  }

  /// The existing numbers, ascending; empty when the folder is missing. Other files are ignored.
  /// - Throws: `inputOutput` when the folder exists and cannot be read, or when the system cannot say whether it exists.
  package func numbers() throws(MixGRPOError) -> [Int] {
    guard try FileAccess.isPresent(folder) else { return [] }
    return try FileAccess.names(in: folder).compactMap(number).sorted()
  }

  private func number(_ name: String) -> Int? {
    guard name.hasPrefix(prefix), name.hasSuffix(suffix), name.utf8.count > prefix.utf8.count + suffix.utf8.count else {
      return nil
    }
    guard let number = Int(name.dropFirst(prefix.count).dropLast(suffix.count)), number >= 0 else { return nil }
    return self.name(number) == name ? number : nil
  }
}
