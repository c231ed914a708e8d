import MixBasics

/// Converts between pixels and latent tokens: an image is cut into square patches, and each patch is a token.
///
/// Tokens (N, C): N = (height/patch)·(width/patch), rows of patches from the top, each from the left; C = 3·patch·patch, within
/// a patch the rows from the top, the pixels from the left, red, green, blue. A byte u becomes the value u/127.5 − 1 in [−1,
/// 1]; a value x becomes the byte round((clamp(x, −1, 1) + 1)·127.5), halves rounded up. Bytes survive the round trip.
public struct PixelCodec: Equatable, Sendable {
  /// Size in pixels.
  public let height: Int
  /// Size in pixels.
  public let width: Int
  /// Side of a patch in pixels.
  public let patch: Int

  /// - Throws: `invalidArgument` unless the sides are in the range of `RGBImage` and multiples of `patch`, all at least 1.
  public init(height: Int, width: Int, patch: Int) throws(MixGRPOError) {
    _ = try RGBImage.byteCount(width: width, height: height)
    try require(patch >= 1, "patch", expected: "at least 1", got: patch)
    try require(height % patch == 0, "height", expected: "a multiple of patch \(patch)", got: height)
    try require(width % patch == 0, "width", expected: "a multiple of patch \(patch)", got: width)
    self.height = height
    self.width = width
    self.patch = patch
  }

  /// Number of patches from top to bottom.
  public var tokenRows: Int { height / patch }
  /// Number of patches from left to right.
  public var tokenColumns: Int { width / patch }
  /// N, tokens of one image.
  public var tokenCount: Int { tokenRows * tokenColumns }
  /// C, values of one token.
  public var channels: Int { 3 * patch * patch }
  /// N·C: the number of token values and of pixel bytes of one image.
  public var valuesPerImage: Int { 3 * height * width }

  // MARK: Tokens to pixels

  /// - Parameters:
  ///   - latents: (count, N, C).
  ///   - count: number of images.
  ///   - pixels: (count, height, width, 3). Untouched after an error.
  /// - Throws: `invalidArgument` for sizes that do not fit; `notFinite` naming the first NaN or infinity.
  public func decode(
    _ latents: UnsafeBufferPointer<Float>, count: Int, into pixels: UnsafeMutableBufferPointer<UInt8>
  ) throws(MixGRPOError) {
    try check(count: count, values: latents.count, bytes: pixels.count)
    if let index = latents.firstIndex(where: { !$0.isFinite }) {
      throw MixGRPOError(.notFinite, "latents[\(index)]: expected a finite value, got \(latents[index])")
    }
    forEachRun(count) { token, pixel, length in
      for index in 0..<length { pixels[pixel + index] = Self.byte(latents[token + index]) }
    }
  }

  /// Decodes latents into new images.
  public func decode(_ latents: UnsafeBufferPointer<Float>, count: Int) throws(MixGRPOError) -> [RGBImage] {
    try check(count: count, values: latents.count, bytes: latents.count)
    try Memory.require(count, of: valuesPerImage + 128)
    var images: [RGBImage] = []
    images.reserveCapacity(count)
    for index in 0..<count {
      let part = UnsafeBufferPointer(rebasing: latents[index * valuesPerImage..<(index + 1) * valuesPerImage])
      var pixels = [UInt8](repeating: 0, count: valuesPerImage)
      try pixels.withUnsafeMutableBufferPointer { (pixels) throws(MixGRPOError) in try decode(part, count: 1, into: pixels) }
      images.append(try RGBImage(width: width, height: height, pixels: pixels))
    }
    return images
  }

  /// Decodes latents into new images.
  public func decode(_ latents: [Float], count: Int) throws(MixGRPOError) -> [RGBImage] {
    try latents.withUnsafeBufferPointer { (latents) throws(MixGRPOError) in try decode(latents, count: count) }
  }

  static func byte(_ value: Float) -> UInt8 {
    UInt8(((min(max(value, -1), 1) + 1) * 127.5).rounded())
  }

  // MARK: Pixels to tokens

  /// - Parameters:
  ///   - pixels: (count, height, width, 3).
  ///   - count: number of images.
  ///   - latents: (count, N, C). Untouched after an error.
  /// - Throws: `invalidArgument` for sizes that do not fit.
  public func encode(
    _ pixels: UnsafeBufferPointer<UInt8>, count: Int, into latents: UnsafeMutableBufferPointer<Float>
  ) throws(MixGRPOError) {
    try check(count: count, values: latents.count, bytes: pixels.count)
    forEachRun(count) { token, pixel, length in
      for index in 0..<length { latents[token + index] = Self.value(pixels[pixel + index]) }
    }
  }

  /// Encodes images, which must have the codec's size.
  public func encode(_ images: [RGBImage], into latents: UnsafeMutableBufferPointer<Float>) throws(MixGRPOError) {
    try check(count: images.count, values: latents.count, bytes: latents.count)
    for (index, image) in images.enumerated() {
      try require(
        image.width == width && image.height == height, "images[\(index)]",
        expected: "\(width)×\(height)", got: "\(image.width)×\(image.height)")
    }
    for (index, image) in images.enumerated() {
      let part = UnsafeMutableBufferPointer(rebasing: latents[index * valuesPerImage..<(index + 1) * valuesPerImage])
      try image.pixels.withUnsafeBufferPointer { (pixels) throws(MixGRPOError) in try encode(pixels, count: 1, into: part) }
    }
  }

  static func value(_ byte: UInt8) -> Float { Float(byte) / 127.5 - 1 }

  // MARK: Layout

  private func check(count: Int, values: Int, bytes: Int) throws(MixGRPOError) {
    try require(count >= 0, "count", expected: "at least 0", got: count)
    let (wanted, overflow) = count.multipliedReportingOverflow(by: valuesPerImage)
    try require(!overflow && values == wanted, "latents", expected: "\(count) × \(valuesPerImage) values", got: values)
    try require(bytes == wanted, "pixels", expected: "\(count) × \(valuesPerImage) bytes", got: bytes)
  }

  /// A row of a patch is contiguous in both layouts: `body` gets its offset in the tokens, its offset in the pixels, and its
  /// length.
  private func forEachRun(_ count: Int, _ body: (_ token: Int, _ pixel: Int, _ length: Int) -> Void) {
    let length = 3 * patch
    var token = 0
    for image in 0..<count {
      for tokenRow in 0..<tokenRows {
        for tokenColumn in 0..<tokenColumns {
          for patchRow in 0..<patch {
            let row = (image * tokenRows + tokenRow) * patch + patchRow
            body(token, 3 * width * row + length * tokenColumn, length)
            token += length
          }
        }
      }
    }
  }
}
