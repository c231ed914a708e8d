import MixNumerics

/// The weights of the current block as its backward reads them, dx = dy·W, packed once for all samples of a call.
///
/// There is room for one block; the next block overwrites it.
struct BackwardWeights {
  let single: SingleWeights
  let double: (text: StreamWeights, image: StreamWeights)

  init(_ shape: EvaluationShape, _ arena: inout Arena) {
    let first = arena.position
    single = SingleWeights(shape, shape.singleBlocks, &arena)
    arena.reuse(from: first)
    double.text = StreamWeights(shape, shape.doubleBlocks, &arena)
    double.image = StreamWeights(shape, shape.doubleBlocks, &arena)
    arena.continueBehindAll()
  }
}

extension Arena {
  /// W of a layer, (outputs, inputs); empty in a model without such blocks.
  fileprivate mutating func packed(outputs: Int, inputs: Int, _ shape: EvaluationShape, blocks: Int) -> PackedMatrix {
    packed(depth: blocks > 0 ? outputs : 0, columns: inputs, shape.precision)
  }
}

/// W of a single block's layers, packed.
struct SingleWeights {
  let qkvFeedForward: PackedMatrix  // (3d + 4d, d)
  let attentionOut: PackedMatrix  // (d, d)
  let feedForwardOut: PackedMatrix  // (d, 4d)

  fileprivate init(_ shape: EvaluationShape, _ blocks: Int, _ arena: inout Arena) {
    let (d, wide) = (shape.width, shape.feedForward)
    qkvFeedForward = arena.packed(outputs: 3 * d + wide, inputs: d, shape, blocks: blocks)
    attentionOut = arena.packed(outputs: d, inputs: d, shape, blocks: blocks)
    feedForwardOut = arena.packed(outputs: d, inputs: wide, shape, blocks: blocks)
  }
}

/// W of the layers of one stream of a double block, packed.
struct StreamWeights {
  let qkv: PackedMatrix  // (3d, d)
  let attentionOut: PackedMatrix  // (d, d)
  let feedForwardIn: PackedMatrix  // (4d, d)
  let feedForwardOut: PackedMatrix  // (d, 4d)

  fileprivate init(_ shape: EvaluationShape, _ blocks: Int, _ arena: inout Arena) {
    let (d, wide) = (shape.width, shape.feedForward)
    qkv = arena.packed(outputs: 3 * d, inputs: d, shape, blocks: blocks)
    attentionOut = arena.packed(outputs: d, inputs: d, shape, blocks: blocks)
    feedForwardIn = arena.packed(outputs: wide, inputs: d, shape, blocks: blocks)
    feedForwardOut = arena.packed(outputs: d, inputs: wide, shape, blocks: blocks)
  }
}

extension SingleStreamBlock {
  /// Fills `packed` for `backward`.
  @inline(never)
  func pack(_ weights: ParameterView, into packed: SingleWeights, team: Team) {
    let out = weights.weight(layout.out)
    team.pack(weights.weight(layout.qkvFeedForward), into: packed.qkvFeedForward)
    team.pack(out.columns(attentionColumns), into: packed.attentionOut)
    team.pack(out.columns(feedForwardColumns), into: packed.feedForwardOut)
  }
}

extension DoubleStreamBlock {
  /// Fills `packed` for `backward`.
  @inline(never)
  func pack(_ weights: ParameterView, into packed: (text: StreamWeights, image: StreamWeights), team: Team) {
    pack(weights, layout.text, into: packed.text, team)
    pack(weights, layout.image, into: packed.image, team)
  }

  private func pack(_ weights: ParameterView, _ layout: StreamLayout, into packed: StreamWeights, _ team: Team) {
    team.pack(weights.weight(layout.qkv), into: packed.qkv)
    team.pack(weights.weight(layout.attentionOut), into: packed.attentionOut)
    team.pack(weights.weight(layout.feedForwardIn), into: packed.feedForwardIn)
    team.pack(weights.weight(layout.feedForwardOut), into: packed.feedForwardOut)
  }
}

extension Team {
  fileprivate func pack(_ matrix: Matrix, into packed: PackedMatrix) {
    forEachRows(matrix.rows) { packed.pack(matrix, rows: $0) }
  }
}
