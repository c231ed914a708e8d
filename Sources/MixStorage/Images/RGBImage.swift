import MixBasics

/// An 8-bit RGB image.
public struct RGBImage: Equatable, Sendable {
  /// The longest side that this library creates or reads.
  public static let maximumSide = 65_535
  /// The most pixels that this library creates and, by default, reads: 192 MiB of them.
  public static let maximumPixels = 1 << 26

  /// Pixels, 1…65535.
  public let width: Int
  /// Pixels, 1…65535.
  public let height: Int
  /// (height, width, 3): rows from the top, pixels from the left, red, green, blue.
  public let pixels: [UInt8]

  /// - Throws: `invalidArgument` for a side outside 1…65535, too many pixels, or `pixels` of another size than 3·width·height.
  public init(width: Int, height: Int, pixels: [UInt8]) throws(MixGRPOError) {
    let byteCount = try Self.byteCount(width: width, height: height)
    try require(pixels.count == byteCount, "pixels", expected: "\(byteCount) bytes", got: pixels.count)
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  /// 3·width·height, after checking that the sides are in range.
  static func byteCount(
    width: Int, height: Int, maximumPixels: Int = Self.maximumPixels
  ) throws(MixGRPOError) -> Int {
    let sides = 1...maximumSide
    try require(sides.contains(width), "width", expected: "1…\(maximumSide)", got: width)
    try require(sides.contains(height), "height", expected: "1…\(maximumSide)", got: height)
    try require(width * height <= maximumPixels, "size", expected: "at most \(maximumPixels) pixels", got: "\(width)×\(height)")
    return 3 * width * height
  }
}
