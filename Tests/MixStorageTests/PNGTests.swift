import MixBasics
import Testing

@testable import MixStorage

@Suite struct PNGTests {
  private let folder = TemporaryFolder()

  /// The fixtures' picture: red 40x, green 60y, blue 10(x + y).
  private func reference() throws -> RGBImage {
    var pixels: [UInt8] = []
    for y in 0..<4 {
      for x in 0..<5 { pixels += [UInt8(40 * x), UInt8(60 * y), UInt8(10 * (x + y))] }
    }
    return try RGBImage(width: 5, height: 4, pixels: pixels)
  }

  private func noise(width: Int, height: Int) throws -> RGBImage {
    var random = SystemRandomNumberGenerator()
    return try RGBImage(width: width, height: height, pixels: (0..<3 * width * height).map { _ in random.next() })
  }

  @Test(
    arguments: [
      ([0xFF, 0xD8, 0xFF, 0xE0], "JPEG"), (Array("GIF89a".utf8), "GIF"), (Array("RIFF0000WEBPVP8 ".utf8), "WebP"),
      (Array("BM".utf8), "BMP"), ([0x49, 0x49, 0x2A, 0], "TIFF"), ([0x4D, 0x4D, 0, 0x2A], "TIFF"),
      (Array("\0\0\0\u{20}ftypavif".utf8), "AVIF"), (Array("\0\0\0\u{20}ftypheic".utf8), "HEIF"),
    ] as [([UInt8], String)])
  func picturesOfOtherFormatsAreRefusedByName(head: [UInt8], format: String) {
    for file in [head, head + [UInt8](repeating: 0, count: 99)] {
      let error = libraryError { _ = try PNG.decode(file) }
      #expect(error?.message == "png: expected the signature of a PNG, got that of a \(format) file")
    }
  }

  @Test func picturesOfPillowAreRead() throws {
    #expect(try PNG.read(path: fixture("rgb.png")) == reference())
    let grey = (0..<60).map { (index: Int) -> UInt8 in UInt8(40 * (index / 3 % 5) + index / 15) }
    #expect(try PNG.read(path: fixture("grey.png")).pixels == grey)
    #expect(try PNG.read(path: fixture("grey16.png")).pixels == grey)
    let colors: [[UInt8]] = [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    #expect(try PNG.read(path: fixture("palette.png")).pixels == (0..<20).flatMap { colors[$0 % 5 % 3] })
  }

  @Test func transparentPixelsBecomeWhite() throws {
    var pixels = try reference().pixels
    for y in 0..<4 { pixels.replaceSubrange(15 * y..<15 * y + 3, with: [255, 255, 255]) }
    #expect(try PNG.read(path: fixture("alpha.png")).pixels == pixels)
  }

  /// IHDR, and one stored row of red with alpha 0, 64, 128, 255, as an uncompressed zlib stream.
  @Test func translucentPixelsAreBlendedInSRGBValues() throws {
    let row: [UInt8] = [0, 255, 0, 0, 0, 255, 0, 0, 64, 255, 0, 0, 128, 255, 0, 0, 255]
    let (low, high) = row.reduce((UInt32(1), UInt32(0))) { sums, byte in
      let low = (sums.0 + UInt32(byte)) % 65521
      return (low, (sums.1 + low) % 65521)
    }
    let adler = [high >> 8, high, low >> 8, low].map { UInt8(truncatingIfNeeded: $0) }
    let stored: [UInt8] = [0x78, 0x01, 1, 17, 0, 238, 255] + row + adler
    let header: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 1, 8, 6, 0, 0, 0]
    let file =
      PNGChunks.signature + PNGChunks.chunk("IHDR", header) + PNGChunks.chunk("IDAT", stored) + PNGChunks.chunk("IEND", [])
    #expect(try PNG.decode(file).pixels == [255, 255, 255, 255, 191, 191, 255, 127, 127, 255, 0, 0])
  }

  @Test(arguments: [(1, 1), (1, 300), (300, 1), (33, 17), (256, 256)])
  func pixelsSurviveARoundTrip(width: Int, height: Int) throws {
    let image = try noise(width: width, height: height)
    #expect(try PNG.decode(try PNG.encode(image)) == image)
    try PNG.write(image, to: folder.file("a.png"))
    #expect(try PNG.read(path: folder.file("a.png")) == image)
  }

  @Test func textsOfPillowAreRead() throws {
    let texts = try PNG.text(in: try content(of: fixture("rgb.png")))
    let wanted = [
      try PNGText(keyword: "prompt", text: "a red circle"), try PNGText(keyword: "place", text: "Zürich"),
      try PNGText(keyword: "wish", text: "ein Kreis ● rot"),
    ]
    #expect(texts == wanted)
  }

  @Test func textsSurviveARoundTrip() throws {
    let texts = [
      try PNGText(keyword: "prompt", text: "a red circle\nat the left"), try PNGText(keyword: "Größe", text: "é"),
      try PNGText(keyword: "wish", text: "赤い丸 🔴\t"), try PNGText(keyword: "empty", text: ""),
      try PNGText(keyword: "prompt", text: "twice"),
    ]
    let file = try PNG.encode(try reference(), text: texts)
    #expect(try PNG.text(in: file) == texts)
    #expect(try PNG.decode(file) == reference())
  }

  /// Compressed texts and profiles would expand in the decoder; a chunk of garbage would be an error or a warning.
  @Test func onlyTheChunksOfThePixelsReachTheDecoder() throws {
    let file = try PNG.encode(try reference(), text: [try PNGText(keyword: "prompt", text: "a red circle")])
    var stuffed = file
    for type in ["zTXt", "iCCP", "eXIf", "sPLT", "hIST", "abcd"] as [StaticString] {
      stuffed.insert(contentsOf: PNGChunks.chunk(type, [UInt8](repeating: 7, count: 99)), at: PNGChunks.headerBytes)
    }
    let needed = try stuffed.withUnsafeBytes { try PNGChunks.neededForPixels(in: $0) }
    for type in ["zTXt", "iCCP", "eXIf", "sPLT", "hIST", "abcd", "tEXt"] {
      #expect(!needed.indices.contains { needed[$0...].starts(with: Array(type.utf8)) })
    }
    #expect(try PNG.decode(stuffed) == reference())
    #expect(try PNG.text(in: stuffed).count == 1)
    let unknown = Array(file[..<33]) + PNGChunks.chunk("ABCD", []) + file[33...]
    #expect(libraryError { _ = try PNG.decode(unknown) }?.code == .invalidFormat)
  }

  @Test func aTextChunkIsExactlyTheseBytes() throws {
    let chunk = try PNGText(keyword: "seed", text: "1").chunk
    #expect(chunk == [0, 0, 0, 6] + Array("tEXtseed\0".utf8) + [0x31, 0xD8, 0x55, 0xF4, 0x32])
  }

  @Test(arguments: ["", " a", "a ", "a  b", "a\n", "a\0", "●", String(repeating: "a", count: 80)])
  func keywordsThatPNGCannotHoldAreRefused(keyword: String) {
    #expect(libraryError { _ = try PNGText(keyword: keyword, text: "") }?.code == .invalidArgument)
  }

  @Test func textsThatPNGCannotHoldAreRefused() {
    #expect(libraryError { _ = try PNGText(keyword: "a", text: "a\0b") }?.code == .invalidArgument)
  }
}

@Suite struct PNGRefusalTests {
  private func code(_ file: [UInt8]) -> MixGRPOError.Code? { libraryError { _ = try PNG.decode(file) }?.code }

  /// A PNG whose header states these sides, with a sound checksum.
  private func picture(width: UInt32, height: UInt32) throws -> [UInt8] {
    let file = try content(of: fixture("rgb.png"))
    let sides = [width, height].flatMap { side in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: side >> $0) } }
    return PNGChunks.signature + PNGChunks.chunk("IHDR", sides + file[24..<29]) + file[33...]
  }

  @Test func everyTruncationIsRefused() throws {
    let file = try content(of: fixture("rgb.png"))
    for count in 0..<file.count { #expect(code(Array(file[..<count])) == .invalidFormat) }
    #expect(code(file) == nil)
  }

  @Test func everyChangedByteIsRefused() throws {
    let file = try content(of: fixture("rgb.png"))
    for index in file.indices {
      var changed = file
      changed[index] ^= 0x11
      #expect(code(changed) == .invalidFormat)
      #expect(libraryError { _ = try PNG.text(in: changed) }?.code == .invalidFormat)
    }
  }

  @Test func damagedPictureDataWithASoundChecksumAreRefused() throws {
    let image = try RGBImage(width: 16, height: 16, pixels: (0..<768).map { UInt8($0 * 7 % 251) })
    let file = try PNG.encode(image)
    let data = Array(file[(33 + 12)...])
    for chunk in [[], [0x78], [0x78, 0x9C, 0x03, 0x00], Array(data.prefix(40)), [UInt8](repeating: 0xFF, count: 100)] {
      let damaged = Array(file[..<33]) + PNGChunks.chunk("IDAT", chunk) + PNGChunks.chunk("IEND", [])
      #expect(code(damaged) == .invalidFormat)
    }
  }

  @Test(
    arguments: [
      (65_536, 1), (1, 65_536), (65_535, 65_535), (8193, 8192), (0x7FFF_FFFF, 0x7FFF_FFFF), (.max, .max), (0, 4), (5, 0),
    ] as [(UInt32, UInt32)])
  func hugeAndEmptySizesAreRefusedByTheHeader(width: UInt32, height: UInt32) throws {
    let file = try picture(width: width, height: height)
    let error = libraryError { _ = try PNG.decode(file) }
    #expect(error?.code == .invalidFormat)
    #expect(error?.message.contains("expected 1…65535") == true || error?.message.contains("at most 67108864 pixels") == true)
  }

  @Test func largerThanTheDataIsRefused() throws {
    #expect(code(try picture(width: 5, height: 5)) == .invalidFormat)
    #expect(code(try picture(width: 500, height: 500)) == .invalidFormat)
  }

  @Test func theCallersLimitCounts() throws {
    let file = try content(of: fixture("rgb.png"))
    #expect(libraryError { _ = try PNG.decode(file, maximumPixels: 19) }?.code == .invalidFormat)
    #expect(libraryError { _ = try PNG.decode(file, maximumPixels: -1) }?.code == .invalidFormat)
    #expect(throws: Never.self) { try PNG.decode(file, maximumPixels: 20) }
  }

  @Test func whatIsNoPNGIsRefusedByName() throws {
    let folder = TemporaryFolder()
    let path = try folder.write("GIF89a, and then some more bytes to be long enough", to: "a.png")
    let error = libraryError { _ = try PNG.read(path: path) }
    #expect(error?.code == .invalidFormat && error?.message.hasPrefix("\(path): png: expected the signature") == true)
    #expect(libraryError { _ = try PNG.read(path: folder.file("none.png")) }?.code == .inputOutput)
    #expect(code([]) == .invalidFormat)
  }

  @Test func imagesOfTheWrongSizeAreRefused() {
    for (width, height, count) in [
      (0, 1, 0), (1, -1, 3), (65_536, 1, 3), (Int.max, Int.max, 3), (2, 2, 11), (65_535, 65_535, 3),
    ] {
      let error = libraryError {
        _ = try RGBImage(width: width, height: height, pixels: [UInt8](repeating: 0, count: count))
      }
      #expect(error?.code == .invalidArgument)
    }
  }
}
