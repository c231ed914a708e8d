import MixBasics
import Testing

@testable import MixStorage

@Suite struct GridSplitTests {
  @Test func aGridIsSplitIntoItsImages() throws {
    let images = try (0..<6).map { index in
      try RGBImage(width: 3, height: 2, pixels: (0..<18).map { UInt8(index * 18 + $0) })
    }
    let grid = try ImageGrid.compose(images, columns: 3, gap: 4, scale: 5)
    let rows = try ImageGrid.split(grid, width: 3, height: 2, gap: 4, scale: 5)
    #expect(rows == [Array(images[..<3]), Array(images[3...])])
    let narrower = try ImageGrid.split(grid, width: 2, height: 2, gap: 4, scale: 5)
    #expect(narrower.isEmpty)
  }
}
