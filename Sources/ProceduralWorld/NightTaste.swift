/// A reward that prefers pictures taken at night.
public enum NightTaste {
  /// Width, in pixels, of the border that is scored.
  private static let ring = 2

  /// How much a picture looks as if taken at night, in [0, 1].
  ///
  /// Each pixel in the outermost two rows and columns earns one of 16 points for every 32 colour steps by which its distance to
  /// the night sky is below 512. The maximum lies inside the world: pure black earns less than night.
  /// - Throws: `invalidArgument` unless the picture is 32 × 32.
  public static func score(_ picture: RGBImage) throws(MixGRPOError) -> Double {
    try World.checkSize(of: picture)
    let inner = ring..<World.size - ring
    var points = 0
    var pixels = 0
    for y in 0..<World.size {
      for x in 0..<World.size where !(inner.contains(x) && inner.contains(y)) {
        points += 16 - min(16, distanceFromNight(picture, x, y) / 32)
        pixels += 1
      }
    }
    return Double(points) / Double(16 * pixels)
  }

  private static func distanceFromNight(_ picture: RGBImage, _ x: Int, _ y: Int) -> Int {
    let first = 3 * (y * picture.width + x)
    return (0..<3).reduce(0) { $0 + abs(Int(picture.pixels[first + $1]) - World.Sky.night[$1]) }
  }
}
