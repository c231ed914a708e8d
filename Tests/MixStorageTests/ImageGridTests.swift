import MixBasics
import Testing

@testable import MixStorage

@Suite struct ImageGridTests {
  /// One row of grey pixels.
  private func row(_ levels: UInt8...) throws -> RGBImage {
    try RGBImage(width: levels.count, height: 1, pixels: levels.flatMap { [$0, $0, $0] })
  }

  private func reds(_ image: RGBImage) -> [[UInt8]] {
    (0..<image.height).map { y in (0..<image.width).map { x in image.pixels[3 * (y * image.width + x)] } }
  }

  @Test func imagesFillRowsWithGapsBetween() throws {
    let grid = try ImageGrid.compose([row(1, 2), row(3, 4), row(5, 6)], columns: 2, gap: 1, background: (9, 8, 7))
    #expect(reds(grid) == [[1, 2, 9, 3, 4], [9, 9, 9, 9, 9], [5, 6, 9, 9, 9]])
    #expect(Array(grid.pixels[6..<9]) == [9, 8, 7])
  }

  @Test func pixelsBecomeSquares() throws {
    let grid = try ImageGrid.compose([row(1, 2), row(3, 4)], columns: 5, gap: 1, scale: 2, background: (0, 0, 0))
    #expect(reds(grid) == [[1, 1, 2, 2, 0, 3, 3, 4, 4], [1, 1, 2, 2, 0, 3, 3, 4, 4]])
  }

  @Test func impossibleGridsAreRefusedByName() throws {
    let image = try row(1)
    let other = try row(1, 2)
    let refusals: [(String, () throws -> RGBImage)] = [
      ("images", { try ImageGrid.compose([], columns: 1) }),
      ("images[1]", { try ImageGrid.compose([image, other], columns: 1) }),
      ("columns", { try ImageGrid.compose([image], columns: 0) }),
      ("gap", { try ImageGrid.compose([image], columns: 1, gap: -1) }),
      ("gap", { try ImageGrid.compose([image, image], columns: 2, gap: .max) }),
      ("scale", { try ImageGrid.compose([image], columns: 1, scale: 0) }),
      ("scale", { try ImageGrid.compose([image], columns: 1, scale: .max) }),
      ("width", { try ImageGrid.compose([other], columns: 1, scale: 65_535) }),
      ("size", { try ImageGrid.compose([image], columns: 1, scale: 65_535) }),
    ]
    for (field, compose) in refusals {
      let error = libraryError { _ = try compose() }
      #expect(error?.code == .invalidArgument && error?.message.hasPrefix(field + ":") == true)
    }
  }
}
