import MixGRPO
import ProceduralWorld
import Testing

/// The same pictures as `Tests/Golden/make_world.py` makes: clean, noisy and meaningless ones.
private struct GoldenPicture {
  let image: RGBImage
  let scene: Int
  let other: Int

  init(_ number: Int) throws {
    var random = SplitMix64(seed: UInt64(number))
    scene = random.below(90)
    other = (scene + 1 + random.below(89)) % 90
    let jitter = try Jitter(
      dx: random.below(5) - 2, dy: random.below(5) - 2, radius: 5 + random.below(3), sky: random.below(256))
    let clean = try Scene.all[scene].render(jitter)
    let amplitude = [0, 3, 40, 255][number % 4]
    let noisy = clean.pixels.map { pixel in
      UInt8(min(255, max(0, Int(pixel) + random.below(UInt32(2 * amplitude + 1)) - amplitude)))
    }
    image = try RGBImage(width: clean.width, height: clean.height, pixels: noisy)
  }
}

struct ProceduralWorldTests {
  static let match = PromptMatch()

  @Test(arguments: 0..<48)
  func scoresAPictureAsPythonDoesToTheLastBit(_ number: Int) throws {
    let picture = try GoldenPicture(number)
    var fields = ["\(number)", FNV1a.hash(picture.image.pixels).hexadecimal]
    for index in [picture.scene, picture.other] {
      let scene = Scene.all[index]
      fields += ["\(index)", "\(try Self.match.smallestError(picture.image, of: scene))"]
      fields.append(try Self.match.score(picture.image, of: scene).bitPattern.hexadecimal)
    }
    fields.append(try NightTaste.score(picture.image).bitPattern.hexadecimal)
    let row = try GoldenFile.rows("world.txt")[number]
    #expect(fields.joined(separator: " ") == row)
  }

  @Test(arguments: [1, 2, 3, 5, 6])
  func theNearestSceneHasTheSmallestErrorOfAll(_ number: Int) throws {
    let picture = try GoldenPicture(number).image
    let errors = try Scene.all.map { try Self.match.smallestError(picture, of: $0) }
    #expect(try Self.match.nearestScene(to: picture).number == errors.indices.min { errors[$0] < errors[$1] })
  }

  @Test func scenesAreNumberedByColourShapeAndPlace() {
    #expect(Scene.all.count == 90)
    #expect(Scene.all.map(\.number) == Array(0..<90))
    #expect(Set(Scene.all.map(\.caption)).count == 90)
    #expect(Scene.all[0].caption == "a red circle at the left")
    #expect(Scene.all[(1 * 3 + 2) * 5 + 4].caption == "an orange triangle in the middle")
  }

  @Test func anyJitterKeepsTheObjectInsideTheFrame() throws {
    for scene in Scene.all[..<15] {
      for (dx, dy) in [(-2, -2), (2, 2), (-2, 2), (2, -2)] {
        let picture = try scene.render(Jitter(dx: dx, dy: dy, radius: 7, sky: 0))
        #expect(try Self.match.score(picture, of: scene) == 1)
      }
    }
  }

  @Test func drawsAreAFunctionOfSeedAndNumber() {
    let (pictures, others) = (WorldPictures(seed: 1), WorldPictures(seed: 2))
    let draws = (0..<900).map { pictures.draw($0) }
    #expect(draws.map(\.jitter) == (0..<900).map { pictures.draw($0).jitter })
    #expect(draws.map(\.jitter) != (0..<900).map { others.draw($0).jitter })
    #expect(Set(draws.map(\.scene)).count == 90)
    #expect(Set(draws.map(\.jitter.dx)) == Set(Jitter.offsets))
    #expect(Set(draws.map(\.jitter.radius)) == Set(Jitter.radii))
    let meanSky = draws.reduce(0) { $0 + $1.jitter.sky } / draws.count
    #expect((115...140).contains(meanSky))
  }

  @Test func picturesOfAnotherSizeAreRefused() throws {
    let large = try RGBImage(width: 64, height: 32, pixels: [UInt8](repeating: 0, count: 64 * 32 * 3))
    let error = MixGRPOError(.invalidArgument, "picture: expected 32×32, got 64×32")
    #expect(throws: error) { try NightTaste.score(large) }
    #expect(throws: error) { try Self.match.score(large, of: Scene.all[0]) }
  }

  @Test func jitterOutsideTheWorldIsRefusedFieldByField() {
    #expect(
      throws: MixGRPOError(
        .invalidArgument, "dx: expected -2…2, got 3; radius: expected 5…7, got 8; sky: expected 0…255, got -1")
    ) { try Jitter(dx: 3, dy: 0, radius: 8, sky: -1) }
  }
}
