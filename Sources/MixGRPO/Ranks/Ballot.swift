import MixBasics

/// What one rank gives to all before they go on: its error, if it has one, and the hash of what must be the same on all ranks.
struct Ballot {
  /// Bytes of every ballot; longer messages are truncated, and end with an ellipsis.
  static let size = 512
  private static let head = 24

  let error: MixGRPOError?
  let hash: UInt64
  /// Bytes of the text with this hash.
  let length: Int

  init(_ error: MixGRPOError?, _ text: [UInt8]) {
    (self.error, hash, length) = (error, FNV1a.hash(text), text.count)
  }

  var bytes: [UInt8] {
    let words = [UInt64(bitPattern: Int64(error?.code.rawValue ?? 0)), hash, UInt64(length)]
    let head = words.flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) }
    let message = Self.shortened(error?.message ?? "")
    return head + message + Array(repeating: 0, count: Self.size - head.count - message.count)
  }

  private static func shortened(_ message: String) -> [UInt8] {
    let most = size - head
    guard message.utf8.count > most else { return Array(message.utf8) }
    let mark = "…"
    var kept = message.unicodeScalars.prefix(most)
    while String(kept).utf8.count + mark.utf8.count > most { kept = kept.dropLast() }
    return Array((String(kept) + mark).utf8)
  }

  init(_ bytes: ArraySlice<UInt8>) {
    func word(_ index: Int) -> UInt64 {
      let first = bytes.startIndex + 8 * index
      return bytes[first..<first + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    hash = word(1)
    length = Int(truncatingIfNeeded: word(2) & 0xFFFF_FFFF)
    let code = Int32(truncatingIfNeeded: word(0))
    let message = String(decoding: bytes.dropFirst(Self.head).prefix { $0 != 0 }, as: UTF8.self)
    error = code == 0 ? nil : MixGRPOError(MixGRPOError.Code(rawValue: code) ?? .internalFault, message)
  }
}
