import MixBasics

/// A checksum of everything before it, stored as the last tensor of a safetensors file: `checksum`, U64, shape [1], the XXH64
/// of header and data. The file remains readable for every safetensors loader, and is written and checked in one pass.
enum ContentChecksum {
  static let tensorName = "checksum"
  private static let byteCount = 8
  private static let pieceFloats = 1 << 18

  /// The header entry of the checksum, which is stored at `begin`.
  static func member(at begin: Int) -> JSONObject.Member {
    JSONObject.Member(
      name: tensorName,
      value: ["dtype": "U64", "shape": [1], "data_offsets": [.integer(Int64(begin)), .integer(Int64(begin + byteCount))]])
  }

  /// The digest in little-endian order.
  static func bytes(of digest: UInt64) -> [UInt8] {
    (0..<UInt64(byteCount)).map { UInt8(truncatingIfNeeded: digest >> (8 * $0)) }
  }

  /// - Parameter last: the last tensor of the file.
  static func verify(_ file: ReadableFile, _ last: StoredTensor?) throws(MixGRPOError) {
    guard let last, last.name == tensorName, last.type == TensorType(name: "U64"), last.shape == [1] else {
      throw failure(file, expected: "one of all content at the end of the file", got: "none")
    }
    let saved = try file.bytes(at: last.offset, count: byteCount)
    let found = bytes(of: try digest(of: file, count: last.offset))
    guard saved == found else { throw failure(file, expected: hexadecimal(saved), got: hexadecimal(found)) }
  }

  private static func digest(of file: ReadableFile, count: Int) throws(MixGRPOError) -> UInt64 {
    let piece = try FloatStorage(count: pieceFloats)
    let room = UnsafeMutableRawBufferPointer(piece.buffer)
    var hash = XXHash64()
    var place = 0
    while place < count {
      let part = UnsafeMutableRawBufferPointer(rebasing: room[..<min(room.count, count - place)])
      try file.read(into: part, at: place)
      hash.update(UnsafeRawBufferPointer(part))
      place += part.count
    }
    return hash.digest
  }

  private static func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.reversed().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  private static func failure(_ file: ReadableFile, expected: String, got: String) -> MixGRPOError {
    MixGRPOError(.invalidFormat, "\(printable(file.path)): \(tensorName): expected \(expected), got \(got)")
  }
}
