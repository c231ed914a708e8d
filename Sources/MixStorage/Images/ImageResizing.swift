import MixBasics

extension RGBImage {
  /// Scales the largest centred part of the target's shape to width × height, as Pillow's `ImageOps.fit` does with `BICUBIC`.
  ///
  /// A target pixel is the weighted mean of the source pixels around its place, by the cubic kernel with a = −½ (Keys 1981, eq. 4).
  /// When scaling down, the kernel is widened by the scale, so that every source pixel counts.
  /// - Throws: `invalidArgument` for a side out of range; `outOfMemory`.
  package func fitted(width target: Int, height targetHeight: Int) throws(MixGRPOError) -> RGBImage {
    let byteCount = try Self.byteCount(width: target, height: targetHeight)
    if target == width, targetHeight == height { return self }
    let part = centredPart(shape: Double(target) / Double(targetHeight))
    let columns = ResizedAxis(from: part.x, of: width, to: target)
    let rows = ResizedAxis(from: part.y, of: height, to: targetHeight)
    try Memory.require(bytes: 3 * target * height + byteCount + columns.bytes + rows.bytes)
    let narrowed = columns.apply(to: pixels, lines: height, values: 3)
    let resized = rows.apply(to: narrowed, lines: 1, values: 3 * target)
    return try RGBImage(width: target, height: targetHeight, pixels: resized)
  }

  /// The part of the image with this width per height.
  private func centredPart(shape: Double) -> (x: Range<Double>, y: Range<Double>) {
    let (width, height) = (Double(width), Double(height))
    let partWidth = min(width, shape * height)
    let partHeight = min(height, width / shape)
    let (x, y) = ((width - partWidth) / 2, (height - partHeight) / 2)
    return (x..<x + partWidth, y..<y + partHeight)
  }
}

/// Which source places, with which weights, make each target place along one axis.
private struct ResizedAxis {
  private struct Place {
    let first: Int
    let weights: [Double]  // sum 1
  }

  private let sourceCount: Int
  private let places: [Place]

  /// - Parameters:
  ///   - part: the part of the source that is scaled, from its edge at 0.
  ///   - sourceCount: pixels of the source.
  ///   - count: pixels of the target.
  init(from part: Range<Double>, of sourceCount: Int, to count: Int) {
    self.sourceCount = sourceCount
    let scale = (part.upperBound - part.lowerBound) / Double(count)
    let stretch = max(scale, 1)
    places = (0..<count).map { index in
      let centre = part.lowerBound + (Double(index) + 0.5) * scale
      let first = max(0, Int(centre - 2 * stretch + 0.5))
      let last = max(first, min(sourceCount, Int(centre + 2 * stretch + 0.5)) - 1)
      let weights = (first...last).map { Self.cubic((Double($0) + 0.5 - centre) / stretch) }
      let sum = weights.reduce(0, +)
      return Place(first: first, weights: weights.map { $0 / sum })
    }
  }

  var bytes: Int { places.reduce(0) { $0 + 8 * $1.weights.count + 64 } }

  /// Keys' kernel, 0 from distance 2 on.
  private static func cubic(_ offset: Double) -> Double {
    let x = abs(offset)
    if x < 1 { return (1.5 * x - 2.5) * x * x + 1 }
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0
  }

  /// - Parameters:
  ///   - source: (lines, source places, values).
  ///   - values: bytes of one place.
  /// - Returns: (lines, target places, values).
  func apply(to source: [UInt8], lines: Int, values: Int) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(lines * places.count * values)
    for line in 0..<lines {
      for place in places {
        let start = (line * sourceCount + place.first) * values
        for value in 0..<values {
          var sum = 0.5
          for (index, weight) in place.weights.enumerated() { sum += weight * Double(source[start + index * values + value]) }
          result.append(UInt8(min(max(sum, 0), 255)))
        }
      }
    }
    return result
  }
}
