#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// How well a picture shows its prompt: the distance to the nearest render of the prompt, with any sky.
///
/// Create one instance and keep it: it holds the coverage of all 75 offsets and sizes of every shape and place. Safe to use
/// from several threads at once.
public struct PromptMatch: Sendable {
  private static let sharpness = 12.0
  private let candidates: [[Coverage]]  // (shape, place) → 75

  public init() {
    candidates = World.Shape.allCases.flatMap { shape in
      World.Place.allCases.map { place in Self.coverages(shape, place) }
    }
  }

  private static func coverages(_ shape: World.Shape, _ place: World.Place) -> [Coverage] {
    Jitter.radii.flatMap { radius in
      Jitter.offsets.flatMap { dy in
        Jitter.offsets.map { dx in Coverage(shape: shape, place: place, dx: dx, dy: dy, radius: radius) }
      }
    }
  }

  /// exp(−12 · MSE) to the nearest render, pixels scaled to [−1, 1]: in (0, 1], 1 for a clean render of the scene.
  /// - Throws: `invalidArgument` unless the picture is 32 × 32.
  public func score(_ picture: RGBImage, of scene: Scene) throws(MixGRPOError) -> Double {
    // A difference of 8-bit values is 2/255 of that on [−1, 1].
    let mean = Double(4 * (try smallestError(picture, of: scene))) / (Double(picture.pixels.count) * 255 * 255)
    return exp(-Self.sharpness * mean)
  }

  /// The sum of squared differences of 8-bit values to the nearest render.
  /// - Throws: `invalidArgument` unless the picture is 32 × 32.
  public func smallestError(_ picture: RGBImage, of scene: Scene) throws(MixGRPOError) -> Int {
    try World.checkSize(of: picture)
    var smallest = Int.max
    for coverage in candidates[scene.shape.rawValue * World.Place.allCases.count + scene.place.rawValue] {
      let sky = World.Sky.colour(level: Self.nearestSky(picture.pixels, coverage))
      var error = 0
      picture.pixels.withUnsafeBufferPointer { pixels in
        coverage.paint(scene.colour.rgb, over: sky) { index, value in
          let difference = Int(pixels[index]) - value
          error += difference * difference
        }
      }
      smallest = min(smallest, error)
    }
    return smallest
  }

  /// The scene among all 90 with the smallest `smallestError`; ties go to the first in `Scene.all`.
  /// - Throws: `invalidArgument` unless the picture is 32 × 32.
  public func nearestScene(to picture: RGBImage) throws(MixGRPOError) -> Scene {
    try World.checkSize(of: picture)
    var nearest = (scene: Scene.all[0], error: Int.max)
    for (index, coverages) in candidates.enumerated() {
      let (shape, place) = index.quotientAndRemainder(dividingBy: World.Place.allCases.count)
      for coverage in coverages {
        let sky = World.Sky.colour(level: Self.nearestSky(picture.pixels, coverage))
        let free = Self.skyError(picture.pixels, coverage, sky)
        guard free <= nearest.error else { continue }
        for colour in World.Colour.allCases {
          let error = free + Self.objectError(picture.pixels, coverage, colour.rgb, sky)
          let scene = Scene(colour: colour, shape: World.Shape.allCases[shape], place: World.Place.allCases[place])
          if (error, scene.number) < (nearest.error, nearest.scene.number) { nearest = (scene, error) }
        }
      }
    }
    return nearest.scene
  }

  /// The error of the pixels that a coverage leaves free, which is the same for every colour of the object.
  private static func skyError(_ pixels: [UInt8], _ coverage: Coverage, _ sky: World.RGB) -> Int {
    var sum = World.RGB()
    for (pixel, covered) in coverage.sixteenths.enumerated() where covered == 0 {
      let difference = World.RGB(Int(pixels[3 * pixel]), Int(pixels[3 * pixel + 1]), Int(pixels[3 * pixel + 2])) &- sky
      sum &+= difference &* difference
    }
    return sum.wrappedSum()
  }

  /// The error of the pixels that an object covers, wholly or partly.
  private static func objectError(
    _ pixels: [UInt8], _ coverage: Coverage, _ object: World.RGB, _ sky: World.RGB
  ) -> Int {
    var sum = World.RGB()
    for (pixel, covered) in coverage.sixteenths.enumerated() where covered != 0 {
      let painted = (sky &* (16 - Int(covered)) &+ object &* Int(covered) &+ World.RGB(repeating: 8)) &>> 4
      let difference = World.RGB(Int(pixels[3 * pixel]), Int(pixels[3 * pixel + 1]), Int(pixels[3 * pixel + 2])) &- painted
      sum &+= difference &* difference
    }
    return sum.wrappedSum()
  }

  /// The sky level nearest to the mean of the pixels that a coverage leaves free: the mean projected on the line from night to
  /// day. With s the sum of n free pixels and d = day − night, level = 255·(s − n·night)·d / (n·d·d), rounded and clamped to
  /// 0…255.
  private static func nearestSky(_ pixels: [UInt8], _ coverage: Coverage) -> Int {
    var count = 0
    var sum = World.RGB()
    for (pixel, covered) in coverage.sixteenths.enumerated() where covered == 0 {
      count += 1
      sum &+= World.RGB(Int(pixels[3 * pixel]), Int(pixels[3 * pixel + 1]), Int(pixels[3 * pixel + 2]))
    }
    let direction = World.Sky.day &- World.Sky.night
    let along = 255 * ((sum &- count &* World.Sky.night) &* direction).wrappedSum()
    let whole = count * (direction &* direction).wrappedSum()
    return along <= 0 ? 0 : min(255, (2 * along + whole) / (2 * whole))
  }
}

extension World {
  static func checkSize(of picture: RGBImage) throws(MixGRPOError) {
    try require(
      picture.width == size && picture.height == size, "picture", expected: "\(size)×\(size)",
      got: "\(picture.width)×\(picture.height)")
  }
}
