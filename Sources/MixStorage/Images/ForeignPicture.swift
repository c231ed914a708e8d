import MixBasics

/// Names picture formats other than PNG by their first bytes, so that an error can say what a file is.
package enum ForeignPicture {
  /// Nil for a PNG and for anything unknown.
  package static func format(of file: some Collection<UInt8>) -> String? {
    let head = Array(file.prefix(12))
    if head.starts(with: [0xFF, 0xD8, 0xFF]) { return "JPEG" }
    if head.starts(with: "GIF8".utf8) { return "GIF" }
    if head.starts(with: "RIFF".utf8), head.dropFirst(8).elementsEqual("WEBP".utf8) { return "WebP" }
    if head.starts(with: "BM".utf8) { return "BMP" }
    if head.starts(with: [0x49, 0x49, 0x2A, 0]) || head.starts(with: [0x4D, 0x4D, 0, 0x2A]) { return "TIFF" }
    guard head.dropFirst(4).starts(with: "ftyp".utf8) else { return nil }
    return head.dropFirst(8).starts(with: "avi".utf8) ? "AVIF" : "HEIF"
  }

  /// Reads the first bytes of a file.
  package static func format(ofFile path: String) throws(MixGRPOError) -> String? {
    let file = try ReadableFile(path: path)
    return format(of: try file.bytes(at: 0, count: min(12, file.byteCount)))
  }
}
