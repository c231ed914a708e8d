import MixNumerics

/// One sample's activations of one stream of a double block.
struct StreamActivations {
  var x: Matrix  // (rows, d): the block's input
  var raw: Matrix  // (rows, 3d): q, k, v before normalisation
  var attended: Matrix  // (rows, d): attention's output
  var branch: Matrix  // (rows, d): its projection, before the gate
  var middle: Matrix  // (rows, d): after the attention branch
  var hidden: Matrix  // (rows, 4d): feed-forward, before GELU
  var feedForward: Matrix  // (rows, d): feed-forward's output, before the gate

  /// Floats per row.
  static func floatsPerRow(_ shape: EvaluationShape) -> Int { 8 * shape.width + shape.feedForward }
}

struct DoubleActivations {
  var text: StreamActivations
  var image: StreamActivations

  func replacingInputs(by other: DoubleActivations) -> DoubleActivations {
    var result = self
    (result.text.x, result.image.x) = (other.text.x, other.image.x)
    return result
  }
}

/// One sample's activations of one single block.
struct SingleActivations {
  var x: Matrix  // (tokens, d)
  var raw: Matrix  // (tokens, 3d + 4d): q, k, v and the feed-forward before GELU
  var attended: Matrix  // (tokens, d)
  var branch: Matrix  // (tokens, d): the projection, before the gate

  static func floatsPerRow(_ shape: EvaluationShape) -> Int { 6 * shape.width + shape.feedForward }

  func replacingInput(by other: SingleActivations) -> SingleActivations {
    var result = self
    result.x = other.x
    return result
  }
}

/// The activations of all blocks for up to `capacity` samples, each kind contiguous over the samples so that a weight
/// gradient is one product.
///
/// Inputs of all blocks lie together, and behind them what else each block leaves. Where that is computed again in the backward,
/// all blocks share one place for it, in which all samples are in the same block.
struct SavedActivations {
  let recomputes: Bool
  private let shape: EvaluationShape
  private let base: UnsafeMutablePointer<Float>
  private let capacity: Int

  private static func doubleFloats(_ shape: EvaluationShape) -> Int { StreamActivations.floatsPerRow(shape) - shape.width }
  private static func singleFloats(_ shape: EvaluationShape) -> Int { SingleActivations.floatsPerRow(shape) - shape.width }

  /// Floats per row behind the blocks' inputs.
  private static func innerFloats(_ shape: EvaluationShape, recomputes: Bool) -> Int {
    let (double, single) = (doubleFloats(shape), singleFloats(shape))
    guard recomputes else { return double * shape.doubleBlocks + single * shape.singleBlocks }
    return max(shape.doubleBlocks > 0 ? double : 0, shape.singleBlocks > 0 ? single : 0)
  }

  static func floats(_ shape: EvaluationShape, capacity: Int, recomputes: Bool) -> Int {
    let inputs = (shape.doubleBlocks + shape.singleBlocks + 1) * shape.width
    return capacity * shape.tokens * (inputs + innerFloats(shape, recomputes: recomputes))
  }

  init(_ shape: EvaluationShape, capacity: Int, recomputes: Bool, base: UnsafeMutablePointer<Float>) {
    (self.shape, self.capacity, self.recomputes, self.base) = (shape, capacity, recomputes, base)
  }

  private var rows: Int { capacity * shape.tokens }

  /// The stream before block `block` of all blocks; behind the last: the final stream.
  private func input(_ block: Int) -> UnsafeMutablePointer<Float> { base + block * rows * shape.width }

  /// What double blocks leave beside their inputs, and single blocks behind them.
  private func inner(double: Int, single: Int) -> UnsafeMutablePointer<Float> {
    let first = input(shape.doubleBlocks + shape.singleBlocks + 1)
    return recomputes ? first : first + rows * (double * Self.doubleFloats(shape) + single * Self.singleFloats(shape))
  }

  /// Samples `samples` of double block `block`, their rows one after the other.
  func double(_ block: Int, samples: Range<Int>) -> DoubleActivations {
    let (x, inner) = (input(block), inner(double: block, single: 0))
    let textRows = capacity * shape.textTokens
    return DoubleActivations(
      text: stream(x, inner, shape.textTokens, samples),
      image: stream(
        x + textRows * shape.width, inner + textRows * Self.doubleFloats(shape), shape.imageTokens, samples))
  }

  private func stream(
    _ x: UnsafeMutablePointer<Float>, _ inner: UnsafeMutablePointer<Float>, _ tokens: Int, _ samples: Range<Int>
  ) -> StreamActivations {
    let rows = samples.lowerBound * tokens..<samples.upperBound * tokens
    var first = Cursor(base: x, totalRows: capacity * tokens, rows: rows)
    var cursor = Cursor(base: inner, totalRows: capacity * tokens, rows: rows)
    let d = shape.width
    return StreamActivations(
      x: first.take(d), raw: cursor.take(3 * d), attended: cursor.take(d), branch: cursor.take(d),
      middle: cursor.take(d), hidden: cursor.take(shape.feedForward), feedForward: cursor.take(d))
  }

  /// Samples `samples` of single block `block`.
  func single(_ block: Int, samples: Range<Int>) -> SingleActivations {
    let rows = samples.lowerBound * shape.tokens..<samples.upperBound * shape.tokens
    var first = Cursor(base: input(shape.doubleBlocks + block), totalRows: self.rows, rows: rows)
    var cursor = Cursor(base: inner(double: shape.doubleBlocks, single: block), totalRows: self.rows, rows: rows)
    let d = shape.width
    return SingleActivations(
      x: first.take(d), raw: cursor.take(3 * d + shape.feedForward), attended: cursor.take(d), branch: cursor.take(d))
  }

  /// The stream after the last block, (tokens, d).
  func final(sample: Int) -> Matrix {
    let last = input(shape.doubleBlocks + shape.singleBlocks)
    return Matrix(last + sample * shape.tokens * shape.width, rows: shape.tokens, columns: shape.width)
  }
}

/// Walks over arrays that follow each other, each with `totalRows` rows.
private struct Cursor {
  var base: UnsafeMutablePointer<Float>
  let totalRows: Int
  let rows: Range<Int>

  mutating func take(_ columns: Int) -> Matrix {
    defer { base += totalRows * columns }
    return Matrix(base + rows.lowerBound * columns, rows: rows.count, columns: columns)
  }
}

/// What one thread needs to take one sample through the model; on the way back the gradients of a block stand in its places.
struct ForwardScratch {
  let stream: Matrix  // (tokens, d): the residual stream when nothing is saved
  let normalized: Matrix  // (tokens, d)
  let joint: Matrix  // (tokens, 3d)
  let attended: Matrix  // (tokens, d)
  let wide: Matrix  // (tokens, 7d): raw projections when nothing is saved
  let activated: Matrix  // (tokens, 4d)
  let branch: Matrix  // (tokens, d)
  let feedForward: Matrix  // (tokens, d)

  static func floats(_ shape: EvaluationShape) -> Int {
    shape.tokens * (9 * shape.width + 2 * shape.feedForward + 3 * shape.width) + 8 * 16
  }

  init(_ shape: EvaluationShape, base: UnsafeMutablePointer<Float>) {
    var plan = ArenaPlan()
    func take(_ columns: Int) -> Matrix {
      Matrix(base + plan.reserve(shape.tokens * columns), rows: shape.tokens, columns: columns)
    }
    let d = shape.width
    stream = take(d)
    normalized = take(d)
    joint = take(3 * d)
    attended = take(d)
    wide = take(3 * d + shape.feedForward)
    activated = take(shape.feedForward)
    branch = take(d)
    feedForward = take(d)
  }

  /// The places a double block uses when nothing is saved.
  func double(_ shape: EvaluationShape) -> DoubleActivations {
    let text = 0..<shape.textTokens
    let image = shape.textTokens..<shape.tokens
    return DoubleActivations(text: part(text, shape), image: part(image, shape))
  }

  private func part(_ rows: Range<Int>, _ shape: EvaluationShape) -> StreamActivations {
    let d = shape.width
    let hidden = Matrix(wide.base + shape.tokens * 3 * d, rows: shape.tokens, columns: shape.feedForward)
    let raw = Matrix(wide.base, rows: shape.tokens, columns: 3 * d)
    return StreamActivations(
      x: stream.rows(rows), raw: raw.rows(rows), attended: attended.rows(rows), branch: branch.rows(rows),
      middle: stream.rows(rows), hidden: hidden.rows(rows), feedForward: feedForward.rows(rows))
  }

  /// The places a single block uses when nothing is saved.
  func single() -> SingleActivations {
    SingleActivations(x: stream, raw: wide, attended: attended, branch: branch)
  }
}
