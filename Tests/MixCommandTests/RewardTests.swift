import MixGRPO
import Testing

@testable import MixCommand

@Suite struct RewardTests {
  private func plain(_ red: UInt8, _ green: UInt8, _ blue: UInt8) throws -> RGBImage {
    try RGBImage(width: 8, height: 4, pixels: (0..<32).flatMap { _ in [red, green, blue] })
  }

  private func halves() throws -> RGBImage {
    try RGBImage(width: 8, height: 4, pixels: (0..<32).flatMap { [UInt8](repeating: $0 % 8 < 4 ? 0 : 255, count: 3) })
  }

  private func score(_ statistic: PictureStatistic, _ image: RGBImage, _ prompt: String = "") throws -> Double {
    try statistic.score(image, prompt: prompt)
  }

  @Test func extremesHaveExtremeScores() throws {
    let (black, white, red) = (try plain(0, 0, 0), try plain(255, 255, 255), try plain(255, 0, 0))
    #expect(try score(.brightness, black) == 0)
    #expect(try abs(score(.brightness, white) - 1) <= 1e-12)
    #expect(try abs(score(.darkness, white)) <= 1e-12)
    #expect(try score(.saturation, red) == 1)
    #expect(try score(.saturation, white) == 0)
    #expect(try score(.warmth, red) == 1)
    #expect(try score(.colourfulness, white) <= 1e-12)
    #expect(try score(.colourfulness, red) > 0.3)
  }

  @Test func shapeCounts() throws {
    let (halves, white) = (try halves(), try plain(255, 255, 255))
    #expect(try abs(score(.contrast, halves) - 1) <= 1e-12)
    #expect(try score(.contrast, white) <= 1e-12)
    #expect(try abs(score(.symmetry, halves)) <= 1e-12)
    #expect(try abs(score(.symmetry, white) - 1) <= 1e-12)
    #expect(try abs(score(.sharpness, halves) - 4.0 / 52) <= 1e-12)
    #expect(try abs(score(.sharpness, halves) + score(.smoothness, halves) - 1) <= 1e-12)
    #expect(try abs(score(.compressibility, halves) + score(.incompressibility, halves) - 1) <= 1e-12)
  }

  @Test func theFirstNamedColourCounts() throws {
    let (blue, red) = (try plain(25, 51, 242), try plain(230, 25, 25))
    #expect(try score(.promptColour, blue, "A BLUE circle, not red") > score(.promptColour, red, "A BLUE circle, not red"))
    #expect(try score(.promptColour, blue, "bluebells").isNaN)
    #expect(try abs(score(.promptColour, plain(0, 0, 0), "black") - 1) <= 1e-12)
  }

  @Test(arguments: PictureStatistic.allCases) func aSinglePixelHasAScore(statistic: PictureStatistic) throws {
    let pixel = try RGBImage(width: 1, height: 1, pixels: [10, 20, 30])
    #expect(try score(statistic, pixel, "red").isFinite)
    #expect(!statistic.summary.isEmpty)
  }
}
