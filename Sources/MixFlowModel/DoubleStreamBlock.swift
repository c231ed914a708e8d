import MixNumerics

/// A double-stream block: image and text each with own weights, joined in one attention over [text; image].
///
///   n = modulate(LN(x)); x += gate ∘ (W_o·attention(n) + b); m = modulate(LN(x)); x += gate_mlp ∘ (W_2·GELU(W_1·m) + b)
struct DoubleStreamBlock {
  let shape: EvaluationShape
  let layout: DoubleBlockLayout
  let attention: Attention
  let queryKey: QueryKeyNormalization

  private var textRows: Range<Int> { 0..<shape.textTokens }
  private var imageRows: Range<Int> { shape.textTokens..<shape.tokens }

  /// Computes both streams' outputs from `saved.text.x` and `saved.image.x`; the other places of `saved` are filled.
  func forward(
    _ saved: DoubleActivations, modulation row: UnsafePointer<Float>, weights: ParameterView, scratch: ForwardScratch,
    workerScratch: WorkerScratch, team: Team, intoText: Matrix, image intoImage: Matrix
  ) {
    let (text, image) = (saved.text, saved.image)
    let (textModulation, imageModulation) = (row + layout.text.modulation, row + layout.image.modulation)
    let normalized = (scratch.normalized.rows(textRows), scratch.normalized.rows(imageRows))
    forEachStreamRow(team) { isText, rows in
      let modulation = isText ? textModulation : imageModulation
      LayerNormalization.modulate(
        (isText ? text : image).x.rows(rows), shift: modulation, scale: modulation + shape.width,
        into: (isText ? normalized.0 : normalized.1).rows(rows))
    }
    team.project(
      normalized, (weights.packed(layout.text.qkv), weights.packed(layout.image.qkv)), into: (text.raw, image.raw))
    forEachStreamRow(team) { isText, rows in
      let stream = isText ? layout.text : layout.image
      let first = isText ? 0 : shape.textTokens
      queryKey.apply(
        raw: (isText ? text : image).raw.rows(rows), bias: weights.bias(stream.qkv),
        queryWeight: weights.base + stream.queryNorm, keyWeight: weights.base + stream.keyNorm,
        firstToken: first + rows.lowerBound, into: scratch.joint.rows(first + rows.lowerBound..<first + rows.upperBound))
    }
    team.forEach(attention.forwardTasks) { task, worker in
      attention.forward(task, qkv: scratch.joint, into: scratch.attended, scratch: workerScratch[worker])
    }
    keepAttended(scratch, saved)
    team.project(
      (text.attended, image.attended),
      (weights.packed(layout.text.attentionOut), weights.packed(layout.image.attentionOut)),
      into: (text.branch, image.branch))
    forEachStreamRow(team) { isText, rows in
      let (stream, part) = isText ? (layout.text, text) : (layout.image, image)
      let modulation = isText ? textModulation : imageModulation
      GatedResidual.apply(
        part.x.rows(rows), branch: part.branch.rows(rows), bias: weights.bias(stream.attentionOut),
        gate: modulation + 2 * shape.width, into: part.middle.rows(rows))
      LayerNormalization.modulate(
        part.middle.rows(rows), shift: modulation + 3 * shape.width, scale: modulation + 4 * shape.width,
        into: (isText ? normalized.0 : normalized.1).rows(rows))
    }
    team.project(
      normalized, (weights.packed(layout.text.feedForwardIn), weights.packed(layout.image.feedForwardIn)),
      into: (text.hidden, image.hidden))
    let activated = (scratch.activated.rows(textRows), scratch.activated.rows(imageRows))
    forEachStreamRow(team) { isText, rows in
      Activation.biasGELU(
        (isText ? text : image).hidden.rows(rows),
        bias: weights.bias((isText ? layout.text : layout.image).feedForwardIn),
        into: (isText ? activated.0 : activated.1).rows(rows))
    }
    team.project(
      activated, (weights.packed(layout.text.feedForwardOut), weights.packed(layout.image.feedForwardOut)),
      into: (text.feedForward, image.feedForward))
    forEachStreamRow(team) { isText, rows in
      let (stream, part) = isText ? (layout.text, text) : (layout.image, image)
      GatedResidual.apply(
        part.middle.rows(rows), branch: part.feedForward.rows(rows), bias: weights.bias(stream.feedForwardOut),
        gate: (isText ? textModulation : imageModulation) + 5 * shape.width,
        into: (isText ? intoText : intoImage).rows(rows))
    }
  }

  /// One stage over the rows of both streams.
  @inline(__always)
  private func forEachStreamRow(_ team: Team, _ body: (_ isText: Bool, _ rows: Range<Int>) -> Void) {
    team.forEachRows(shape.tokens) { rows in
      let text = rows.clamped(to: textRows)
      if !text.isEmpty { body(true, text) }
      let image = rows.clamped(to: imageRows)
      if !image.isEmpty { body(false, image.lowerBound - shape.textTokens..<image.upperBound - shape.textTokens) }
    }
  }

  /// Attention writes one joint matrix; saved activations are kept stream by stream.
  private func keepAttended(_ scratch: ForwardScratch, _ saved: DoubleActivations) {
    if saved.text.attended.base == scratch.attended.base { return }
    Reduction.copy(scratch.attended.rows(textRows), into: saved.text.attended)
    Reduction.copy(scratch.attended.rows(imageRows), into: saved.image.attended)
  }
}

// MARK: - Backward

/// Where a stream's gradients that are summed over rows go, for one sample.
struct StreamSums {
  let modulation: UnsafeMutablePointer<Float>
  let queryNorm: UnsafeMutablePointer<Float>
  let keyNorm: UnsafeMutablePointer<Float>
}

extension DoubleStreamBlock {
  /// One sample's part of the backward: dx (tokens, d), text first, goes from the outputs' gradient to the inputs'.
  func backward(
    _ saved: DoubleActivations, dx: Matrix, modulation row: UnsafePointer<Float>, text textSums: StreamSums,
    image imageSums: StreamSums, weights: ParameterView, packed: (text: StreamWeights, image: StreamWeights),
    factors: (text: StreamFactors, image: StreamFactors), scratch: ForwardScratch, workerScratch: WorkerScratch, team: Team
  ) {
    let text = StreamBackward(
      block: self, layout: layout.text, packed: packed.text, saved: saved.text, factors: factors.text, sums: textSums,
      modulation: row + layout.text.modulation, rows: textRows)
    let image = StreamBackward(
      block: self, layout: layout.image, packed: packed.image, saved: saved.image, factors: factors.image, sums: imageSums,
      modulation: row + layout.image.modulation, rows: imageRows)
    text.untilAttention(dx: dx, weights: weights, scratch: scratch, team: team)
    image.untilAttention(dx: dx, weights: weights, scratch: scratch, team: team)
    let djoint = Matrix(scratch.wide.base, rows: shape.tokens, columns: 3 * shape.width)
    team.forEach(shape.heads) { head, worker in
      attention.backward(
        head: head, qkv: scratch.joint, doutput: scratch.attended, into: djoint, scratch: workerScratch[worker])
    }
    text.fromAttention(djoint, dx: dx, weights: weights, scratch: scratch, team: team)
    image.fromAttention(djoint, dx: dx, weights: weights, scratch: scratch, team: team)
  }

  /// Adds the block's weight gradients to `jobs`, once the backward of all samples has run.
  func weightGradients(_ factors: (text: StreamFactors, image: StreamFactors), into jobs: inout [WeightGradient]) {
    streamGradients(layout.image, factors.image, &jobs)
    streamGradients(layout.text, factors.text, &jobs)
  }

  private func streamGradients(_ layout: StreamLayout, _ factors: StreamFactors, _ jobs: inout [WeightGradient]) {
    jobs.append(WeightGradient(layer: layout.feedForwardOut, dy: factors.feedForward, x: factors.activated))
    jobs.append(WeightGradient(layer: layout.feedForwardIn, dy: factors.hidden, x: factors.normalizedMiddle))
    jobs.append(WeightGradient(layer: layout.qkv, dy: factors.raw, x: factors.normalized))
    jobs.append(WeightGradient(layer: layout.attentionOut, dy: factors.branch, x: factors.attended))
  }
}

/// One stream of one sample on its way back: feed-forward and gates before the joint attention, projections after it.
private struct StreamBackward {
  let block: DoubleStreamBlock
  let layout: StreamLayout
  let packed: StreamWeights
  let saved: StreamActivations
  let factors: StreamFactors
  let sums: StreamSums
  let modulation: UnsafePointer<Float>
  let rows: Range<Int>

  private var d: Int { block.shape.width }

  /// From the block's output to attention's output; leaves the joint q, k, v in `scratch.joint`.
  func untilAttention(dx joint: Matrix, weights: ParameterView, scratch: ForwardScratch, team: Team) {
    let dx = joint.rows(rows)
    let (dfeedForward, dhidden) = (scratch.feedForward.rows(rows), scratch.activated.rows(rows))
    let (dbranch, dnormalized) = (scratch.branch.rows(rows), scratch.normalized.rows(rows))
    GatedResidual.backward(
      dy: dx, branch: saved.feedForward, gate: modulation + 5 * d, into: dfeedForward, dgate: sums.modulation + 5 * d)
    team.project(dfeedForward, packed.feedForwardOut, into: dhidden)
    team.forEachRows(rows.count) { piece in
      factors.feedForward.pack(dfeedForward, rows: piece)
      Activation.geluBackward(
        hidden: saved.hidden.rows(piece), activated: factors.activated.rows(piece), gradient: dhidden.rows(piece))
      factors.hidden.pack(dhidden, rows: piece)
    }
    team.project(dhidden, packed.feedForwardIn, into: dnormalized)
    LayerNormalization.modulateBackward(
      saved.middle, shift: modulation + 3 * d, scale: modulation + 4 * d, dy: dnormalized, into: dx,
      y: factors.normalizedMiddle, dshift: sums.modulation + 3 * d, dscale: sums.modulation + 4 * d)
    GatedResidual.backward(
      dy: dx, branch: saved.branch, gate: modulation + 2 * d, into: dbranch, dgate: sums.modulation + 2 * d)
    team.project(dbranch, packed.attentionOut, into: scratch.attended.rows(rows))
    team.forEachRows(rows.count) { piece in
      factors.branch.pack(dbranch, rows: piece)
      factors.attended.pack(saved.attended, rows: piece)
      let first = rows.lowerBound + piece.lowerBound
      block.queryKey.reapply(
        raw: saved.raw.rows(piece), queryWeight: weights.base + layout.queryNorm, keyWeight: weights.base + layout.keyNorm,
        firstToken: first, into: scratch.joint.rows(first..<first + piece.count))
    }
  }

  /// From the gradient of the joint q, k, v to the block's input.
  func fromAttention(_ djoint: Matrix, dx joint: Matrix, weights: ParameterView, scratch: ForwardScratch, team: Team) {
    let (draw, dnormalized) = (djoint.rows(rows), scratch.normalized.rows(rows))
    block.queryKey.backward(
      raw: saved.raw, djoint: draw, queryWeight: weights.base + layout.queryNorm,
      keyWeight: weights.base + layout.keyNorm, firstToken: rows.lowerBound, into: draw,
      dQueryWeight: sums.queryNorm, dKeyWeight: sums.keyNorm)
    team.project(draw, packed.qkv, into: dnormalized)
    team.forEachRows(rows.count) { piece in factors.raw.pack(draw, rows: piece) }
    LayerNormalization.modulateBackward(
      saved.x, shift: modulation, scale: modulation + d, dy: dnormalized, into: joint.rows(rows), y: factors.normalized,
      dshift: sums.modulation, dscale: sums.modulation + d)
  }
}
