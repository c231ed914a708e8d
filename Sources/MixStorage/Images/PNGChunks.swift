import MixBasics

/// The frame of a PNG file: a signature, then chunks of length, type, data and checksum (PNG specification §5).
enum PNGChunks {
  static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
  /// Signature and IHDR, which is always the first chunk and always 13 bytes long.
  static let headerBytes = 8 + 12 + 13

  /// Calls `body` with the type and data of each chunk up to IEND, after checking length and checksum. Bytes after IEND are
  /// ignored.
  /// - Throws: `invalidFormat` when the file is not a PNG, or is incomplete or corrupt.
  static func forEach(
    in file: UnsafeRawBufferPointer, _ body: (_ type: String, _ data: UnsafeRawBufferPointer) throws(MixGRPOError) -> Void
  ) throws(MixGRPOError) {
    guard file.count >= headerBytes, file.prefix(signature.count).elementsEqual(signature) else {
      let other = ForeignPicture.format(of: file).map { "that of a \($0) file" } ?? ForeignFile.name(of: file)
      throw failure("expected the signature of a PNG, got \(other ?? "something else")")
    }
    var position = signature.count
    var isFirst = true
    while true {
      guard file.count - position >= 12 else { throw failure("expected an IEND chunk, got the end of the file") }
      let length = Int(bigEndian(file, position))
      guard length <= file.count - position - 12 else {
        throw failure("expected a chunk of \(length) bytes at \(position), got \(file.count - position - 12)")
      }
      let checked = UnsafeRawBufferPointer(rebasing: file[position + 4..<position + 8 + length])
      guard CRC32.checksum(checked) == bigEndian(file, position + 8 + length) else {
        throw failure("expected an intact chunk at \(position), got a wrong checksum")
      }
      let type = String(decoding: checked.prefix(4), as: UTF8.self)
      if isFirst && (type != "IHDR" || length != 13) { throw failure("expected an IHDR chunk first, got \(excerpt(type))") }
      try body(type, UnsafeRawBufferPointer(rebasing: checked[4...]))
      if type == "IEND" { return }
      position += 12 + length
      isFirst = false
    }
  }

  /// The chunks besides the critical ones that decide how pixels look.
  private static let colourTypes: Set<String> = ["tRNS", "gAMA", "cHRM", "sRGB"]

  /// A PNG with the chunks of `file` that decide its pixels, for libpng. Texts, profiles and other chunks of an unknown file never
  /// reach it: they may be compressed and expand to any size.
  /// - Throws: the errors of `forEach`; `outOfMemory`.
  static func neededForPixels(in file: UnsafeRawBufferPointer) throws(MixGRPOError) -> [UInt8] {
    try Memory.require(bytes: file.count)
    var needed: [UInt8] = []
    needed.reserveCapacity(file.count)
    needed += signature
    try forEach(in: file) { (type, data) throws(MixGRPOError) in
      guard isNeeded(type), let start = file.baseAddress, let place = data.baseAddress else { return }
      let begin = place - start - 8
      needed += file[begin..<begin + 12 + data.count]
    }
    return needed
  }

  /// Critical chunks begin with a capital letter; the decoder refuses those that it does not know.
  private static func isNeeded(_ type: String) -> Bool {
    let first = type.utf8.first ?? 0
    return (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first) || colourTypes.contains(type)
  }

  /// Width and height from IHDR, read before memory is allocated for the pixels.
  static func size(of file: UnsafeRawBufferPointer) throws(MixGRPOError) -> (width: Int, height: Int) {
    guard file.count >= headerBytes else { throw failure("expected at least \(headerBytes) bytes, got \(file.count)") }
    return (Int(bigEndian(file, 16)), Int(bigEndian(file, 20)))
  }

  /// A complete chunk for a file. `type` has four letters.
  static func chunk(_ type: StaticString, _ data: [UInt8]) -> [UInt8] {
    let checked = type.withUTF8Buffer { Array($0) } + data
    let checksum = checked.withUnsafeBytes { CRC32.checksum($0) }
    return bigEndian(UInt32(data.count)) + checked + bigEndian(checksum)
  }

  private static func bigEndian(_ file: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
    UInt32(bigEndian: file.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  private static func bigEndian(_ number: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
  }

  private static func failure(_ message: String) -> MixGRPOError { MixGRPOError(.invalidFormat, "png: \(message)") }
}

/// The checksum of PNG chunks: ISO 3309, the polynomial 0xEDB88320 bit-reversed (PNG specification, annex D).
enum CRC32 {
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { remainder, _ in remainder & 1 == 1 ? 0xEDB8_8320 ^ remainder >> 1 : remainder >> 1 }
  }

  static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    table.withUnsafeBufferPointer { table in
      ~bytes.reduce(~0) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 }
    }
  }
}
