import ProceduralWorld

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The rewards of the comparison, all in [0, 1]: two are trained, two are held out.
///
/// Safe to use from several threads at once.
struct Judges: Sendable {
  /// In the order of `scores`, the trained rewards first.
  static let names = ["night taste", "prompt match", "read back", "clean sky"]
  static let trained = 2
  /// What each reward measures, for readers of a report.
  static let meanings = [
    "pictures taken at night; no prompt mentions the sky",
    "similarity to the nearest clean picture of the prompt, with any sky",
    "share of pictures whose nearest scene among all 90 is that of the prompt",
    "uniformity of the sky in the four corners, which no object reaches",
  ]

  private let match = PromptMatch()

  /// (rewards, pictures): the trained rewards of pictures; `scenes` has one scene per picture.
  func trainedScores(_ pictures: [RGBImage], of scenes: [Scene]) throws(MixGRPOError) -> [[Double]] {
    var tastes: [Double] = []
    var matches: [Double] = []
    for (picture, scene) in zip(pictures, scenes) {
      tastes.append(try NightTaste.score(picture))
      matches.append(try match.score(picture, of: scene))
    }
    return [tastes, matches]
  }

  /// (rewards): all rewards of one picture.
  func scores(_ picture: RGBImage, of scene: Scene) throws(MixGRPOError) -> [Double] {
    [
      try NightTaste.score(picture), try match.score(picture, of: scene),
      try match.nearestScene(to: picture) == scene ? 1 : 0, try CleanSky.score(picture),
    ]
  }
}

/// Uniformity of the sky.
enum CleanSky {
  /// Side, in pixels, of the square in each corner that no object of the world reaches.
  private static let side = 7
  private static let sharpness = 100.0

  /// exp(−100·variance) of the corner pixels about their common mean, scaled to [−1, 1] and averaged over the channels; 1 for
  /// every clean picture.
  /// - Throws: `invalidArgument` unless the picture is 32 × 32.
  static func score(_ picture: RGBImage) throws(MixGRPOError) -> Double {
    try require(
      picture.width == World.size && picture.height == World.size, "picture", expected: "\(World.size)×\(World.size)",
      got: "\(picture.width)×\(picture.height)")
    let ends = Array(0..<side) + Array(World.size - side..<World.size)
    var (count, sum, squares) = (0, SIMD3<Int>(), SIMD3<Int>())
    for y in ends {
      for x in ends {
        let first = 3 * (y * picture.width + x)
        let pixel = SIMD3(Int(picture.pixels[first]), Int(picture.pixels[first + 1]), Int(picture.pixels[first + 2]))
        (count, sum, squares) = (count + 1, sum &+ pixel, squares &+ pixel &* pixel)
      }
    }
    let spread = (count &* squares &- sum &* sum).wrappedSum()  // count² · variance, all channels
    return exp(-sharpness * Double(4 * spread) / Double(3 * count * count * 255 * 255))
  }
}

extension World {
  /// A third of the scenes is held out for evaluation. Every colour, shape and place occurs among them.
  static let evaluationScenes = Scene.all.filter { ($0.colour.rawValue + $0.shape.rawValue + $0.place.rawValue) % 3 == 0 }
  static let trainingScenes = Scene.all.filter { ($0.colour.rawValue + $0.shape.rawValue + $0.place.rawValue) % 3 != 0 }
}
