import MixStorage
import Testing

/// A table of `Tests/Golden`, made by the script beside it.
enum GoldenFile {
  static func rows(_ name: String) throws -> [String] {
    let here = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
    let bytes = try FileAccess.read("/\(here)/Golden/\(name)", limit: 1 << 20)
    let rows = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    try #require(!rows.isEmpty)
    return rows
  }
}

extension UInt64 {
  /// As the golden files write it: 16 hexadecimal digits.
  var hexadecimal: String {
    let digits = String(self, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
