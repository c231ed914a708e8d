import MixBasics

/// Arranges images of one size as a grid in one image.
public enum ImageGrid {
  /// Places images row by row, from the left, the first row on top.
  /// - Parameters:
  ///   - images: at least one, all of the same size.
  ///   - columns: at least 1; with fewer images than columns the grid is as wide as the images.
  ///   - gap: pixels between neighbours, from 0; none around the border. Not scaled.
  ///   - scale: each pixel becomes a square of scale × scale, from 1.
  ///   - background: colour of the gaps and of empty places in the last row.
  /// - Throws: `invalidArgument` naming the value that is out of range, or when the result is too large for an `RGBImage`.
  public static func compose(
    _ images: [RGBImage], columns: Int, gap: Int = 2, scale: Int = 1,
    background: (red: UInt8, green: UInt8, blue: UInt8) = (255, 255, 255)
  ) throws(MixGRPOError) -> RGBImage {
    guard let first = images.first else { throw .invalid("images", expected: "at least one", got: 0) }
    try check(images, columns: columns, gap: gap, scale: scale)
    let columns = min(columns, images.count)
    let rows = (images.count - 1) / columns + 1
    let cellWidth = first.width * scale
    let cellHeight = first.height * scale
    let width = columns * cellWidth + (columns - 1) * gap
    let height = rows * cellHeight + (rows - 1) * gap
    var pixels = try canvas(width: width, height: height, background)
    for (index, image) in images.enumerated() {
      let x = index % columns * (cellWidth + gap)
      let y = index / columns * (cellHeight + gap)
      draw(image, scale: scale, atPixel: y * width + x, on: &pixels, width: width)
    }
    return try RGBImage(width: width, height: height, pixels: pixels)
  }

  /// The images of a grid that `compose` made, row by row, without their enlargement; empty for an image of another size.
  /// - Parameters:
  ///   - width: of each image before its enlargement, from 1.
  ///   - height: of each image before its enlargement, from 1.
  package static func split(
    _ grid: RGBImage, width: Int, height: Int, gap: Int, scale: Int
  ) throws(MixGRPOError) -> [[RGBImage]] {
    let (across, down) = (width * scale + gap, height * scale + gap)
    guard (grid.width + gap) % across == 0, (grid.height + gap) % down == 0 else { return [] }
    return try (0..<(grid.height + gap) / down).map { (row) throws(MixGRPOError) in
      try (0..<(grid.width + gap) / across).map { (column) throws(MixGRPOError) in
        var pixels: [UInt8] = []
        pixels.reserveCapacity(3 * width * height)
        for y in 0..<height {
          for x in 0..<width {
            let place = 3 * ((row * down + y * scale) * grid.width + column * across + x * scale)
            pixels += grid.pixels[place..<place + 3]
          }
        }
        return try RGBImage(width: width, height: height, pixels: pixels)
      }
    }
  }

  private static func check(_ images: [RGBImage], columns: Int, gap: Int, scale: Int) throws(MixGRPOError) {
    // These bounds, and the limits of RGBImage, keep every product below within 64 bits.
    let bound = RGBImage.maximumSide
    try require(images.count <= 1 << 24, "images", expected: "at most \(1 << 24)", got: images.count)
    try require(columns >= 1, "columns", expected: "at least 1", got: columns)
    try require((0...bound).contains(gap), "gap", expected: "0…\(bound)", got: gap)
    try require((1...bound).contains(scale), "scale", expected: "1…\(bound)", got: scale)
    for (index, image) in images.enumerated() {
      try require(
        image.width == images[0].width && image.height == images[0].height, "images[\(index)]",
        expected: "\(images[0].width)×\(images[0].height) as the first", got: "\(image.width)×\(image.height)")
    }
  }

  private static func canvas(
    width: Int, height: Int, _ background: (red: UInt8, green: UInt8, blue: UInt8)
  ) throws(MixGRPOError) -> [UInt8] {
    let byteCount = try RGBImage.byteCount(width: width, height: height)
    try Memory.require(bytes: byteCount)
    let color = [background.red, background.green, background.blue]
    return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      for index in 0..<byteCount { buffer[index] = color[index % 3] }
      count = byteCount
    }
  }

  private static func draw(_ image: RGBImage, scale: Int, atPixel origin: Int, on pixels: inout [UInt8], width: Int) {
    for y in 0..<image.height * scale {
      let source = y / scale * image.width
      let target = origin + y * width
      for x in 0..<image.width * scale {
        for channel in 0..<3 { pixels[3 * (target + x) + channel] = image.pixels[3 * (source + x / scale) + channel] }
      }
    }
  }
}
