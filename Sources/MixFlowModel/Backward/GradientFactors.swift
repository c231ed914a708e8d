import MixNumerics

/// Both factors of every weight gradient of one block, dW = dyᵀ·x, for all samples, in panels.
///
/// There is room for one block, or for the input or the output layer; the next one overwrites it.
struct GradientFactors {
  private let shape: EvaluationShape
  private let singleBlock: SingleFactors
  private let doubleBlock: (text: StreamFactors, image: StreamFactors)
  private let input: (text: LayerFactors, image: LayerFactors)
  private let output: LayerFactors

  /// - Parameter capacity: samples.
  init(_ shape: EvaluationShape, capacity: Int, _ arena: inout Arena) {
    self.shape = shape
    func rows(_ tokens: Int, blocks: Int) -> Int { blocks > 0 ? capacity * shape.factorRows(tokens) : 0 }
    let start = arena.position
    singleBlock = SingleFactors(shape, rows: rows(shape.tokens, blocks: shape.singleBlocks), &arena)
    arena.reuse(from: start)
    doubleBlock.text = StreamFactors(shape, rows: rows(shape.textTokens, blocks: shape.doubleBlocks), &arena)
    doubleBlock.image = StreamFactors(shape, rows: rows(shape.imageTokens, blocks: shape.doubleBlocks), &arena)
    arena.reuse(from: start)
    let (text, image) = (capacity * shape.textTokens, capacity * shape.imageTokens)
    input.text = LayerFactors(outputs: shape.width, inputs: shape.textWidth, rows: text, &arena)
    input.image = LayerFactors(outputs: shape.width, inputs: shape.latentChannels, rows: image, &arena)
    arena.reuse(from: start)
    output = LayerFactors(outputs: shape.outChannels, inputs: shape.width, rows: image, &arena)
    arena.continueBehindAll()
  }

  func single(samples: Range<Int>) -> SingleFactors { singleBlock.rows(rows(shape.factorRows(shape.tokens), samples)) }

  func double(samples: Range<Int>) -> (text: StreamFactors, image: StreamFactors) {
    (
      doubleBlock.text.rows(rows(shape.factorRows(shape.textTokens), samples)),
      doubleBlock.image.rows(rows(shape.factorRows(shape.imageTokens), samples))
    )
  }

  /// Of the input layer, stream by stream.
  func inputLayer(samples: Range<Int>) -> (text: LayerFactors, image: LayerFactors) {
    (input.text.rows(rows(shape.textTokens, samples)), input.image.rows(rows(shape.imageTokens, samples)))
  }

  /// Of the output layer, image tokens alone.
  func outputLayer(samples: Range<Int>) -> LayerFactors { output.rows(rows(shape.imageTokens, samples)) }

  private func rows(_ tokens: Int, _ samples: Range<Int>) -> Range<Int> {
    samples.lowerBound * tokens..<samples.upperBound * tokens
  }
}

extension EvaluationShape {
  /// Rows that a sample takes among a block's factors: in bfloat16 rows come in pairs, and no pair spans two samples.
  fileprivate func factorRows(_ tokens: Int) -> Int { precision == .float32 ? tokens : tokens + tokens % 2 }
}

struct LayerFactors {
  let dy: PackedMatrix  // (rows, outputs)
  let x: PackedMatrix  // (rows, inputs)

  fileprivate init(outputs: Int, inputs: Int, rows: Int, _ arena: inout Arena) {
    dy = arena.packed(depth: rows, columns: outputs)
    x = arena.packed(depth: rows, columns: inputs)
  }

  private init(dy: PackedMatrix, x: PackedMatrix) { (self.dy, self.x) = (dy, x) }

  fileprivate func rows(_ rows: Range<Int>) -> LayerFactors { LayerFactors(dy: dy.rows(rows), x: x.rows(rows)) }
}

struct SingleFactors {
  private(set) var branch: PackedMatrix  // (rows, d): gradient of the projection
  private(set) var activated: PackedMatrix  // (rows, 4d): GELU's output, computed again
  private(set) var raw: PackedMatrix  // (rows, 7d): gradient of q, k, v and the feed-forward
  private(set) var normalized: PackedMatrix  // (rows, d): the modulated norm, computed again
  private(set) var attended: PackedMatrix  // (rows, d): attention's output

  fileprivate init(_ shape: EvaluationShape, rows: Int, _ arena: inout Arena) {
    let (d, wide) = (shape.width, shape.feedForward)
    branch = arena.packed(depth: rows, columns: d, shape.precision)
    activated = arena.packed(depth: rows, columns: wide, shape.precision)
    raw = arena.packed(depth: rows, columns: 3 * d + wide, shape.precision)
    normalized = arena.packed(depth: rows, columns: d, shape.precision)
    attended = arena.packed(depth: rows, columns: d, shape.precision)
  }

  fileprivate func rows(_ rows: Range<Int>) -> SingleFactors {
    var result = self
    result.branch = branch.rows(rows)
    result.activated = activated.rows(rows)
    result.raw = raw.rows(rows)
    result.normalized = normalized.rows(rows)
    result.attended = attended.rows(rows)
    return result
  }
}

struct StreamFactors {
  private(set) var feedForward: PackedMatrix  // (rows, d): gradient of the feed-forward's output
  private(set) var activated: PackedMatrix  // (rows, 4d): GELU's output, computed again
  private(set) var hidden: PackedMatrix  // (rows, 4d): gradient before GELU
  private(set) var normalizedMiddle: PackedMatrix  // (rows, d): the second modulated norm, computed again
  private(set) var branch: PackedMatrix  // (rows, d): gradient of attention's projection
  private(set) var raw: PackedMatrix  // (rows, 3d): gradient of q, k, v
  private(set) var normalized: PackedMatrix  // (rows, d): the first modulated norm, computed again
  private(set) var attended: PackedMatrix  // (rows, d): attention's output

  fileprivate init(_ shape: EvaluationShape, rows: Int, _ arena: inout Arena) {
    let (d, wide) = (shape.width, shape.feedForward)
    feedForward = arena.packed(depth: rows, columns: d, shape.precision)
    activated = arena.packed(depth: rows, columns: wide, shape.precision)
    hidden = arena.packed(depth: rows, columns: wide, shape.precision)
    normalizedMiddle = arena.packed(depth: rows, columns: d, shape.precision)
    branch = arena.packed(depth: rows, columns: d, shape.precision)
    raw = arena.packed(depth: rows, columns: 3 * d, shape.precision)
    normalized = arena.packed(depth: rows, columns: d, shape.precision)
    attended = arena.packed(depth: rows, columns: d, shape.precision)
  }

  fileprivate func rows(_ rows: Range<Int>) -> StreamFactors {
    var result = self
    result.feedForward = feedForward.rows(rows)
    result.activated = activated.rows(rows)
    result.hidden = hidden.rows(rows)
    result.normalizedMiddle = normalizedMiddle.rows(rows)
    result.branch = branch.rows(rows)
    result.raw = raw.rows(rows)
    result.normalized = normalized.rows(rows)
    result.attended = attended.rows(rows)
    return result
  }
}
