import MixBasics

/// Positions of the image tokens: one per token and rotary axis.
public struct TokenGeometry: Equatable, Sendable {
  /// (tokens, 3), row by row; FLUX uses (0, row, column).
  public let positions: [Float]
  /// N, image tokens of one latent.
  public var tokens: Int { positions.count / 3 }

  /// A grid of height × width tokens in row-major order.
  public init(height: Int, width: Int) throws(MixGRPOError) {
    let limit = 1...4_096
    try require(limit.contains(height), "token_height", expected: "1…4096", got: height)
    try require(limit.contains(width), "token_width", expected: "1…4096", got: width)
    try require(height * width <= 65_536, "token_height · token_width", expected: "at most 65536", got: height * width)
    try Memory.require(height * width, of: 96)
    positions = (0..<height * width).flatMap { [0, Float($0 / width), Float($0 % width)] }
  }

  /// Any positions, (tokens, 3) row by row.
  public init(positions: [Float]) throws(MixGRPOError) {
    try require(
      !positions.isEmpty && positions.count % 3 == 0 && positions.count <= 3 * 65_536, "image_ids",
      expected: "3 values for each of 1…65536 tokens", got: positions.count)
    try require(positions.allSatisfy(\.isFinite), "image_ids", expected: "finite values", got: "NaN or infinity")
    self.positions = positions
  }
}
