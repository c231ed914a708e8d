import MixNumerics

/// Weights of the block at hand as its backward reads them, dx = dy·W: packed once for all samples of a call.
///
/// Room for one block; the next one's weights take its place.
struct BackwardWeights {
  private let shape: EvaluationShape
  private let base: UnsafeMutablePointer<Float>

  init(_ shape: EvaluationShape, base: UnsafeMutablePointer<Float>) { (self.shape, self.base) = (shape, base) }

  static func floats(_ shape: EvaluationShape) -> Int {
    func packed(_ outputs: Int, _ inputs: Int) -> Int { PackedMatrix.floats(depth: outputs, columns: inputs) + 16 }
    let (d, wide) = (shape.width, shape.feedForward)
    let single = packed(3 * d + wide, d) + packed(d, d) + packed(d, wide)
    let stream = packed(3 * d, d) + packed(d, d) + packed(wide, d) + packed(d, wide)
    return max(shape.doubleBlocks > 0 ? 2 * stream : 0, shape.singleBlocks > 0 ? single : 0)
  }

  var single: SingleWeights {
    var plan = ArenaPlan()
    let (d, wide) = (shape.width, shape.feedForward)
    return SingleWeights(
      qkvFeedForward: take(3 * d + wide, d, &plan), attentionOut: take(d, d, &plan), feedForwardOut: take(d, wide, &plan))
  }

  var double: (text: StreamWeights, image: StreamWeights) {
    var plan = ArenaPlan()
    return (stream(&plan), stream(&plan))
  }

  private func stream(_ plan: inout ArenaPlan) -> StreamWeights {
    let (d, wide) = (shape.width, shape.feedForward)
    return StreamWeights(
      qkv: take(3 * d, d, &plan), attentionOut: take(d, d, &plan), feedForwardIn: take(wide, d, &plan),
      feedForwardOut: take(d, wide, &plan))
  }

  private func take(_ outputs: Int, _ inputs: Int, _ plan: inout ArenaPlan) -> PackedMatrix {
    let floats = PackedMatrix.floats(depth: outputs, columns: inputs)
    return PackedMatrix(base + plan.reserve(floats), depth: outputs, columns: inputs)
  }
}

/// W of a single block's layers, packed.
struct SingleWeights {
  let qkvFeedForward: PackedMatrix  // (3d + 4d, d)
  let attentionOut: PackedMatrix  // (d, d)
  let feedForwardOut: PackedMatrix  // (d, 4d)
}

/// W of the layers of one stream of a double block, packed.
struct StreamWeights {
  let qkv: PackedMatrix  // (3d, d)
  let attentionOut: PackedMatrix  // (d, d)
  let feedForwardIn: PackedMatrix  // (4d, d)
  let feedForwardOut: PackedMatrix  // (d, 4d)
}

extension SingleStreamBlock {
  /// Fills `packed` for `backward`.
  func pack(_ weights: ParameterView, into packed: SingleWeights, team: Team) {
    let out = weights.weight(layout.out)
    team.pack(weights.weight(layout.qkvFeedForward), into: packed.qkvFeedForward)
    team.pack(out.columns(attentionColumns), into: packed.attentionOut)
    team.pack(out.columns(feedForwardColumns), into: packed.feedForwardOut)
  }
}

extension DoubleStreamBlock {
  /// Fills `packed` for `backward`.
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
