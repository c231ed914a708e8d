#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A short text file provided by the kernel.
struct KernelFile {
  private static let largest = 8_192
  let text: String

  init(text: String) { self.text = text }

  /// nil when it cannot be opened, for example because the kernel has no such file.
  init?(_ path: String) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: Self.largest)
    var filled = 0
    while filled < bytes.count {
      let count = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress.map { $0 + filled }, $0.count - filled) }
      if count <= 0 { break }
      filled += count
    }
    text = String(decoding: bytes.prefix(filled), as: UTF8.self)
  }

  /// The whole content as a number; nil for "max".
  var number: Int? { Int(text.filter { $0 != "\n" }) }

  /// The numbers of the first line; nil for each word that is not a number, such as "max".
  var numbers: [Int?] {
    (text.split(separator: "\n").first ?? "").split(separator: " ").map { Int($0) }
  }

  /// The number that follows a name at the start of a line.
  func number(after name: String) -> Int? {
    for line in text.split(separator: "\n") where line.hasPrefix(name) {
      return Int(line.dropFirst(name.count).drop { $0 == " " }.prefix { $0.isNumber })
    }
    return nil
  }
}
