import MixNumerics

/// Both factors of every weight gradient of one block, dW = dyᵀ·x, for all samples, in panels.
///
/// Room for one block, or for the first or the last layer; what follows takes its place.
struct GradientFactors {
  private let shape: EvaluationShape
  private let base: UnsafeMutablePointer<Float>
  private let capacity: Int

  /// - Parameter capacity: samples.
  static func floats(_ shape: EvaluationShape, capacity: Int) -> Int {
    let (d, wide) = (shape.width, shape.feedForward)
    func floats(_ tokens: Int, _ columns: Int...) -> Int {
      columns.reduce(0) { $0 + PackedMatrix.floats(depth: capacity * tokens, columns: $1) }
    }
    func stream(_ tokens: Int) -> Int { floats(tokens, d, wide, wide, d, d, 3 * d, d, d) }
    return max(
      shape.singleBlocks > 0 ? floats(shape.tokens, d, wide, 3 * d + wide, d, d) : 0,
      shape.doubleBlocks > 0 ? stream(shape.textTokens) + stream(shape.imageTokens) : 0,
      floats(shape.textTokens, d, shape.textWidth) + floats(shape.imageTokens, d, shape.latentChannels),
      floats(shape.imageTokens, shape.outChannels, d))
  }

  /// - Parameter base: `floats`, a multiple of 64 bytes.
  init(_ shape: EvaluationShape, capacity: Int, base: UnsafeMutablePointer<Float>) {
    (self.shape, self.capacity, self.base) = (shape, capacity, base)
  }

  func single(samples: Range<Int>) -> SingleFactors {
    var cursor = cursor(base, shape.tokens, samples)
    let (d, wide) = (shape.width, shape.feedForward)
    return SingleFactors(
      branch: cursor.take(d), activated: cursor.take(wide), raw: cursor.take(3 * d + wide), normalized: cursor.take(d),
      attended: cursor.take(d))
  }

  func double(samples: Range<Int>) -> (text: StreamFactors, image: StreamFactors) {
    var cursor = cursor(base, shape.textTokens, samples)
    let text = stream(&cursor)
    cursor = self.cursor(cursor.base, shape.imageTokens, samples)
    return (text, stream(&cursor))
  }

  private func stream(_ cursor: inout PanelCursor) -> StreamFactors {
    let (d, wide) = (shape.width, shape.feedForward)
    return StreamFactors(
      feedForward: cursor.take(d), activated: cursor.take(wide), hidden: cursor.take(wide), normalizedMiddle: cursor.take(d),
      branch: cursor.take(d), raw: cursor.take(3 * d), normalized: cursor.take(d), attended: cursor.take(d))
  }

  /// Of the first layer, stream by stream.
  func firstLayer(samples: Range<Int>) -> (text: LayerFactors, image: LayerFactors) {
    var cursor = cursor(base, shape.textTokens, samples)
    let text = LayerFactors(dy: cursor.take(shape.width), x: cursor.take(shape.textWidth))
    cursor = self.cursor(cursor.base, shape.imageTokens, samples)
    return (text, LayerFactors(dy: cursor.take(shape.width), x: cursor.take(shape.latentChannels)))
  }

  /// Of the last layer, image tokens alone.
  func outputLayer(samples: Range<Int>) -> LayerFactors {
    var cursor = cursor(base, shape.imageTokens, samples)
    return LayerFactors(dy: cursor.take(shape.outChannels), x: cursor.take(shape.width))
  }

  private func cursor(_ base: UnsafeMutablePointer<Float>, _ tokens: Int, _ samples: Range<Int>) -> PanelCursor {
    PanelCursor(
      base: base, totalRows: capacity * tokens, rows: samples.lowerBound * tokens..<samples.upperBound * tokens)
  }
}

/// Walks over packed matrices that follow each other, each with `totalRows` rows.
private struct PanelCursor {
  var base: UnsafeMutablePointer<Float>
  let totalRows: Int
  let rows: Range<Int>

  mutating func take(_ columns: Int) -> PackedMatrix {
    defer { base += PackedMatrix.floats(depth: totalRows, columns: columns) }
    return PackedMatrix(base, depth: totalRows, columns: columns).rows(rows)
  }
}

struct LayerFactors {
  let dy: PackedMatrix  // (rows, outputs)
  let x: PackedMatrix  // (rows, inputs)
}

struct SingleFactors {
  let branch: PackedMatrix  // (rows, d): gradient of the projection
  let activated: PackedMatrix  // (rows, 4d): GELU's output, computed again
  let raw: PackedMatrix  // (rows, 7d): gradient of q, k, v and the feed-forward
  let normalized: PackedMatrix  // (rows, d): the modulated norm, computed again
  let attended: PackedMatrix  // (rows, d): attention's output
}

struct StreamFactors {
  let feedForward: PackedMatrix  // (rows, d): gradient of the feed-forward's output
  let activated: PackedMatrix  // (rows, 4d): GELU's output, computed again
  let hidden: PackedMatrix  // (rows, 4d): gradient before GELU
  let normalizedMiddle: PackedMatrix  // (rows, d): the second modulated norm, computed again
  let branch: PackedMatrix  // (rows, d): gradient of attention's projection
  let raw: PackedMatrix  // (rows, 3d): gradient of q, k, v
  let normalized: PackedMatrix  // (rows, d): the first modulated norm, computed again
  let attended: PackedMatrix  // (rows, d): attention's output
}
