import MixBasics
import Testing

@testable import MixStorage

@Suite struct ImageResizingTests {
  @Test(arguments: [(16, 16), (5, 20), (48, 32), (37, 10), (1, 1)])
  func aFittedImageIsPillowsWithinOneLevel(width: Int, height: Int) throws {
    let fitted = try PNG.read(path: fixture("resize.png")).fitted(width: width, height: height)
    let expected = try PNG.read(path: fixture("resize-\(width)x\(height).png"))
    #expect(fitted.width == width && fitted.height == height)
    let differences = zip(fitted.pixels, expected.pixels).map { abs(Int($0) - Int($1)) }
    #expect(differences.count == 3 * width * height)
    #expect(differences.allSatisfy { $0 <= 1 }, "largest difference \(differences.max() ?? 0)")
    #expect(differences.reduce(0) { $0 + min($1, 1) } <= differences.count / 50 + 1)
  }

  @Test func anImageOfTheWantedSizeStaysAsItIs() throws {
    let image = try PNG.read(path: fixture("resize.png"))
    #expect(try image.fitted(width: 37, height: 23) == image)
  }

  @Test func aPlainImageStaysPlain() throws {
    let image = try RGBImage(width: 7, height: 5, pixels: (0..<35).flatMap { _ in [9, 130, 255] as [UInt8] })
    let fitted = try image.fitted(width: 13, height: 3)
    #expect(fitted.pixels == (0..<39).flatMap { _ in [9, 130, 255] as [UInt8] })
  }

  @Test func sidesOutOfRangeAreRefused() throws {
    let image = try RGBImage(width: 1, height: 1, pixels: [1, 2, 3])
    for side in [0, -1, RGBImage.maximumSide + 1] {
      #expect(libraryError { _ = try image.fitted(width: side, height: 1) }?.code == .invalidArgument)
    }
  }
}
