/// The area that an object covers, in sixteenths of a pixel: each pixel is sampled at 4 × 4 points.
struct Coverage: Sendable {
  private(set) var sixteenths = [UInt8](repeating: 0, count: World.size * World.size)  // (size, size)

  init(shape: World.Shape, place: World.Place, dx: Int, dy: Int, radius: Int) {
    let left = place.centre.x + dx - radius
    let top = place.centre.y + dy - radius
    for y in 0..<2 * radius {
      for x in 0..<2 * radius {
        sixteenths[(top + y) * World.size + left + x] = Self.samples(shape, radius, x: x - radius, y: y - radius)
      }
    }
  }

  /// How many of a pixel's 16 points lie inside the shape; x and y are the pixel's offset from the centre.
  private static func samples(_ shape: World.Shape, _ radius: Int, x: Int, y: Int) -> UInt8 {
    var inside: UInt8 = 0
    for row in 0..<4 {
      for column in 0..<4 where shape.contains(u: 8 * x + 2 * column + 1, v: 8 * y + 2 * row + 1, radius: radius) {
        inside += 1
      }
    }
    return inside
  }

  /// Calls `body` with each value of the picture of an object with this coverage on a sky: (size, size, 3) in order.
  @inline(__always)
  func paint(_ object: World.RGB, over sky: World.RGB, _ body: (_ index: Int, _ value: Int) -> Void) {
    for (pixel, covered) in sixteenths.enumerated() {
      let covered = Int(covered)
      for channel in 0..<3 {
        body(3 * pixel + channel, (sky[channel] * (16 - covered) + object[channel] * covered + 8) >> 4)
      }
    }
  }
}

extension World.Shape {
  /// Whether a point belongs to the shape; u and v are its distance from the centre in eighths of a pixel, right and down.
  func contains(u: Int, v: Int, radius: Int) -> Bool {
    switch self {
    case .circle: u * u + v * v <= 64 * radius * radius
    case .square: abs(u) <= 7 * radius && abs(v) <= 7 * radius
    case .triangle: v <= 7 * radius && 15 * abs(u) <= 8 * (v + 8 * radius)
    }
  }
}

extension Scene {
  /// The picture of this scene, 32 × 32.
  public func render(_ jitter: Jitter) throws(MixGRPOError) -> RGBImage {
    let coverage = Coverage(shape: shape, place: place, dx: jitter.dx, dy: jitter.dy, radius: jitter.radius)
    var pixels = [UInt8](repeating: 0, count: 3 * World.size * World.size)
    coverage.paint(colour.rgb, over: World.Sky.colour(level: jitter.sky)) { pixels[$0] = UInt8($1) }
    return try RGBImage(width: World.size, height: World.size, pixels: pixels)
  }
}
