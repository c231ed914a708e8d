import CPNG
import MixBasics

/// PNG files in memory and on disk.
///
/// Uses only libpng's simplified interface, which reports failures by return value, so that no `longjmp` crosses Swift frames.
public enum PNG {
  private static let maximumFileBytes = 1 << 29
  private static let maximumTexts = 1024
  /// Memory of libpng and zlib besides the image: rows, window, tables.
  private static let decoderBytes = 4 << 20

  // MARK: Encoding

  /// Encodes an 8-bit RGB PNG (sRGB) with `text` before the image data.
  /// - Throws: `outOfMemory`, `internalFault`.
  public static func encode(_ image: RGBImage, text: [PNGText] = []) throws(MixGRPOError) -> [UInt8] {
    // The file is held twice, without and with the texts, which take up to four bytes per character in several forms.
    try Memory.require(bytes: 2 * roomForFile(of: image) + 16 * text.reduce(0) { $0 + $1.text.utf8.count })
    var file = try compress(image)
    file.insert(contentsOf: text.flatMap(\.chunk), at: PNGChunks.headerBytes)
    return file
  }

  /// Encodes into a file, which is replaced atomically.
  /// - Throws: the errors of `encode`; `inputOutput` naming the path.
  public static func write(_ image: RGBImage, text: [PNGText] = [], to path: String) throws(MixGRPOError) {
    try AtomicFile.write(try encode(image, text: text), to: path)
  }

  private static func compress(_ image: RGBImage) throws(MixGRPOError) -> [UInt8] {
    var header = png_image()
    header.version = png_uint_32(PNG_IMAGE_VERSION)
    header.width = png_uint_32(image.width)
    header.height = png_uint_32(image.height)
    header.format = png_uint_32(PNG_FORMAT_RGB)
    var size = roomForFile(of: image)
    var file = [UInt8](repeating: 0, count: size)
    let isWritten = image.pixels.withUnsafeBytes { pixels in
      png_image_write_to_memory(&header, &file, &size, 0, pixels.baseAddress, 0, nil) != 0
    }
    guard isWritten, size <= file.count else { throw failure(header, otherwise: .internalFault, expected: "a file") }
    file.removeLast(file.count - size)
    return file
  }

  /// An upper bound: deflate grows incompressible rows by 5 bytes per 16 KiB, and some chunks have a fixed size.
  private static func roomForFile(of image: RGBImage) -> Int {
    let rows = image.height * (3 * image.width + 1)
    return rows + rows / 64 + 4096
  }

  // MARK: Decoding

  /// Decodes any PNG as 8-bit RGB: grey and palettes are expanded, 16 bits reduced, other gammas converted to sRGB, and
  /// transparency is composited on white in sRGB values, as browsers and Pillow do. Colour profiles (iCCP) are ignored.
  /// - Parameters:
  ///   - file: all bytes of the file.
  ///   - maximumPixels: a larger image is rejected from its header, before memory is allocated for it.
  /// - Throws: `invalidFormat` when the file is not a PNG, is incomplete or corrupt (all checksums are checked), or is too
  ///   large.
  public static func decode(
    _ file: UnsafeRawBufferPointer, maximumPixels: Int = RGBImage.maximumPixels
  ) throws(MixGRPOError) -> RGBImage {
    let needed = try PNGChunks.neededForPixels(in: file)
    let (width, height) = try PNGChunks.size(of: file)
    let byteCount: Int
    do throws(MixGRPOError) {
      let limit = min(maximumPixels, RGBImage.maximumPixels)
      byteCount = try RGBImage.byteCount(width: width, height: height, maximumPixels: limit)
    } catch {
      throw MixGRPOError(.invalidFormat, "png: \(error.message)")
    }
    let pixels = try needed.withUnsafeBufferPointer { (needed) throws(MixGRPOError) in
      try expand(UnsafeRawBufferPointer(needed), byteCount: byteCount)
    }
    return try RGBImage(width: width, height: height, pixels: pixels)
  }

  /// Decodes any PNG as 8-bit RGB from an array of bytes.
  public static func decode(
    _ file: [UInt8], maximumPixels: Int = RGBImage.maximumPixels
  ) throws(MixGRPOError) -> RGBImage {
    try file.withUnsafeBufferPointer { (file) throws(MixGRPOError) in
      try decode(UnsafeRawBufferPointer(file), maximumPixels: maximumPixels)
    }
  }

  /// Decodes a file.
  /// - Throws: the errors of `decode` and `inputOutput`, naming the path.
  public static func read(path: String, maximumPixels: Int = RGBImage.maximumPixels) throws(MixGRPOError) -> RGBImage {
    let file = try FileAccess.read(path, limit: maximumFileBytes)
    do throws(MixGRPOError) {
      return try decode(file, maximumPixels: maximumPixels)
    } catch {
      throw MixGRPOError(error.code, "\(printable(path)): \(error.message)")
    }
  }

  private static func expand(_ file: UnsafeRawBufferPointer, byteCount: Int) throws(MixGRPOError) -> [UInt8] {
    var header = png_image()
    header.version = png_uint_32(PNG_IMAGE_VERSION)
    defer { png_image_free(&header) }
    guard png_image_begin_read_from_memory(&header, file.baseAddress, file.count) != 0 else { throw damaged(header) }
    let hasAlpha = header.format & png_uint_32(PNG_FORMAT_FLAG_ALPHA) != 0
    header.format = png_uint_32(PNG_FORMAT_RGB) | (hasAlpha ? png_uint_32(PNG_FORMAT_FLAG_ALPHA) : 0)
    // Without this flag libpng treats 16-bit files without a colour space as linear light.
    header.flags |= png_uint_32(PNG_IMAGE_FLAG_16BIT_sRGB)
    guard 3 * Int(header.width) * Int(header.height) == byteCount else { throw damaged(header) }
    let roomBytes = hasAlpha ? byteCount / 3 * 4 : byteCount
    try Memory.require(bytes: roomBytes + decoderBytes)
    var pixels = [UInt8](repeating: 0, count: roomBytes)
    guard png_image_finish_read(&header, nil, &pixels, 0, nil) != 0 else { throw damaged(header) }
    if hasAlpha { layOnWhite(&pixels) }
    return pixels
  }

  /// RGBA becomes RGB in the same memory: c′ = (c·α + 255·(255 − α)) / 255, rounded, for each sRGB value c.
  private static func layOnWhite(_ pixels: inout [UInt8]) {
    let count = pixels.count / 4
    for pixel in 0..<count {
      let alpha = Int(pixels[4 * pixel + 3])
      for channel in 0..<3 {
        let value = Int(pixels[4 * pixel + channel]) * alpha + 255 * (255 - alpha)
        pixels[3 * pixel + channel] = UInt8((value + 127) / 255)
      }
    }
    pixels.removeLast(count)
  }

  // MARK: Text

  /// The texts of a PNG in file order: tEXt and uncompressed iTXt chunks, the first 1024 of them.
  /// - Throws: `invalidFormat` when the file is not a PNG, or is incomplete or corrupt.
  public static func text(in file: UnsafeRawBufferPointer) throws(MixGRPOError) -> [PNGText] {
    var texts: [PNGText] = []
    try PNGChunks.forEach(in: file) { (type, data) throws(MixGRPOError) in
      guard texts.count < maximumTexts, PNGText.isText(type, data) else { return }
      try Memory.require(data.count, of: 16)
      if let text = PNGText.read(type: type, data: data) { texts.append(text) }
    }
    return texts
  }

  /// The texts of a PNG in file order, from an array of bytes.
  public static func text(in file: [UInt8]) throws(MixGRPOError) -> [PNGText] {
    try file.withUnsafeBufferPointer { (file) throws(MixGRPOError) in try text(in: UnsafeRawBufferPointer(file)) }
  }

  // MARK: Errors

  private static func damaged(_ header: png_image) -> MixGRPOError {
    failure(header, otherwise: .invalidFormat, expected: "picture data")
  }

  /// libpng reports its reason only as text; both libpng and zlib mention "memory" when it is exhausted.
  private static func failure(
    _ header: png_image, otherwise code: MixGRPOError.Code, expected: String
  ) -> MixGRPOError {
    let reason = message(of: header)
    let isMemory = reason.contains("memory")
    return MixGRPOError(isMemory ? .outOfMemory : code, "png: expected \(isMemory ? "free memory" : expected), got \(reason)")
  }

  private static func message(of header: png_image) -> String {
    let text = withUnsafeBytes(of: header.message) { excerpt(String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)) }
    return text.isEmpty ? "no reason from libpng" : text
  }
}
