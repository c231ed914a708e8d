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

  /// - Parameter x: the inputs of all samples; the other activations have as many rows.
  init(_ shape: EvaluationShape, x: Matrix, _ arena: inout Arena) {
    let (rows, d) = (x.rows, shape.width)
    self.x = x
    raw = arena.matrix(rows, 3 * d)
    attended = arena.matrix(rows, d)
    branch = arena.matrix(rows, d)
    middle = arena.matrix(rows, d)
    hidden = arena.matrix(rows, shape.feedForward)
    feedForward = arena.matrix(rows, d)
  }

  init(
    x: Matrix, raw: Matrix, attended: Matrix, branch: Matrix, middle: Matrix, hidden: Matrix, feedForward: Matrix
  ) {
    (self.x, self.raw, self.attended, self.branch) = (x, raw, attended, branch)
    (self.middle, self.hidden, self.feedForward) = (middle, hidden, feedForward)
  }

  func rows(_ rows: Range<Int>) -> StreamActivations {
    StreamActivations(
      x: x.rows(rows), raw: raw.rows(rows), attended: attended.rows(rows), branch: branch.rows(rows),
      middle: middle.rows(rows), hidden: hidden.rows(rows), feedForward: feedForward.rows(rows))
  }
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

  /// - Parameter x: the inputs of all samples; the other activations have as many rows.
  init(_ shape: EvaluationShape, x: Matrix, _ arena: inout Arena) {
    self.x = x
    raw = arena.matrix(x.rows, 3 * shape.width + shape.feedForward)
    attended = arena.matrix(x.rows, shape.width)
    branch = arena.matrix(x.rows, shape.width)
  }

  init(x: Matrix, raw: Matrix, attended: Matrix, branch: Matrix) {
    (self.x, self.raw, self.attended, self.branch) = (x, raw, attended, branch)
  }

  func rows(_ rows: Range<Int>) -> SingleActivations {
    SingleActivations(x: x.rows(rows), raw: raw.rows(rows), attended: attended.rows(rows), branch: branch.rows(rows))
  }

  func replacingInput(by other: SingleActivations) -> SingleActivations {
    var result = self
    result.x = other.x
    return result
  }
}

/// The activations of all blocks for up to `capacity` samples. Each kind is contiguous over the samples, so that a weight gradient
/// is one product.
///
/// The inputs of all blocks come first, then each block's other activations. With recomputation all blocks share the memory of
/// these other activations: the backward fills it for all samples of one block at a time.
struct SavedActivations {
  let recomputes: Bool
  private let shape: EvaluationShape
  private var doubles: [DoubleActivations] = []  // of all samples
  private var singles: [SingleActivations] = []  // of all samples
  private let last: Matrix  // (capacity · tokens, d): the stream after the last block

  init(_ shape: EvaluationShape, capacity: Int, recomputes: Bool, _ arena: inout Arena) {
    (self.shape, self.recomputes) = (shape, recomputes)
    func stream(_ tokens: Int, _ arena: inout Arena) -> Matrix { arena.matrix(capacity * tokens, shape.width) }
    let doubleInputs = (0..<shape.doubleBlocks).map { _ in
      (text: stream(shape.textTokens, &arena), image: stream(shape.imageTokens, &arena))
    }
    let singleInputs = (0..<shape.singleBlocks).map { _ in stream(shape.tokens, &arena) }
    last = stream(shape.tokens, &arena)
    let shared = arena.position
    for input in doubleInputs {
      if recomputes { arena.reuse(from: shared) }
      let text = StreamActivations(shape, x: input.text, &arena)
      doubles.append(DoubleActivations(text: text, image: StreamActivations(shape, x: input.image, &arena)))
    }
    for input in singleInputs {
      if recomputes { arena.reuse(from: shared) }
      singles.append(SingleActivations(shape, x: input, &arena))
    }
    arena.continueBehindAll()
  }

  /// The rows of some samples of double block `block`.
  func double(_ block: Int, samples: Range<Int>) -> DoubleActivations {
    DoubleActivations(
      text: doubles[block].text.rows(rows(shape.textTokens, samples)),
      image: doubles[block].image.rows(rows(shape.imageTokens, samples)))
  }

  /// The rows of some samples of single block `block`.
  func single(_ block: Int, samples: Range<Int>) -> SingleActivations {
    singles[block].rows(rows(shape.tokens, samples))
  }

  /// The stream after the last block, (tokens, d).
  func final(sample: Int) -> Matrix { last.rows(rows(shape.tokens, sample..<sample + 1)) }

  private func rows(_ tokens: Int, _ samples: Range<Int>) -> Range<Int> {
    samples.lowerBound * tokens..<samples.upperBound * tokens
  }
}

/// One thread's memory for one sample in the forward; the backward keeps the gradients of a block in it.
struct ForwardScratch {
  private let tokens: Int
  private let width: Int  // d
  private let feedForwardWidth: Int  // 4d
  private let places: Places

  /// The first float of each matrix. Matrices are made when they are asked for, because this struct is copied to every layer.
  private struct Places {
    let stream, normalized, joint, attended, wide, activated, branch, feedForward, rounded: UnsafeMutablePointer<Float>
  }

  init(_ shape: EvaluationShape, _ arena: inout Arena) {
    (tokens, width, feedForwardWidth) = (shape.tokens, shape.width, shape.feedForward)
    places = Places(
      stream: arena.floats(tokens, width), normalized: arena.floats(tokens, width), joint: arena.floats(tokens, 3 * width),
      attended: arena.floats(tokens, width), wide: arena.floats(tokens, 3 * width + feedForwardWidth),
      activated: arena.floats(tokens, feedForwardWidth), branch: arena.floats(tokens, width),
      feedForward: arena.floats(tokens, width),
      rounded: arena.floats(
        shape.precision == .float32 ? 0 : HalfRows.floats(rows: tokens, columns: 3 * width + feedForwardWidth)))
  }

  /// (tokens, d): the residual stream when nothing is saved
  var stream: Matrix { matrix(places.stream, width) }
  /// (tokens, d)
  var normalized: Matrix { matrix(places.normalized, width) }
  /// (tokens, 3d)
  var joint: Matrix { matrix(places.joint, 3 * width) }
  /// (tokens, d)
  var attended: Matrix { matrix(places.attended, width) }
  /// (tokens, 7d): raw projections when nothing is saved
  var wide: Matrix { matrix(places.wide, 3 * width + feedForwardWidth) }
  /// (tokens, 4d)
  var activated: Matrix { matrix(places.activated, feedForwardWidth) }
  /// (tokens, d)
  var branch: Matrix { matrix(places.branch, width) }
  /// (tokens, d)
  var feedForward: Matrix { matrix(places.feedForward, width) }

  /// Room for the left factor of a product in bfloat16, up to (tokens, 7d)
  func rounded(rows: Int, columns: Int) -> HalfRows { HalfRows(places.rounded, rows: rows, columns: columns) }

  /// Room for those of two streams, together up to (tokens, 7d)
  func rounded(rows: (Int, Int), columns: Int) -> (HalfRows, HalfRows) {
    let second = places.rounded + HalfRows.floats(rows: rows.0, columns: columns)
    return (rounded(rows: rows.0, columns: columns), HalfRows(second, rows: rows.1, columns: columns))
  }

  @inline(__always)
  private func matrix(_ base: UnsafeMutablePointer<Float>, _ columns: Int) -> Matrix {
    Matrix(base, rows: tokens, columns: columns)
  }

  /// The activations of a double block when nothing is saved.
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

  /// The activations of a single block when nothing is saved.
  func single() -> SingleActivations {
    SingleActivations(x: stream, raw: wide, attended: attended, branch: branch)
  }
}
