import MixNumerics

/// A single-stream block over [text; image]: attention and feed-forward side by side, one projection, one gate.
///
///   n = modulate(LN(x)); x += gate ∘ (W_out·[attention(n), GELU(W_in·n)] + b)
///
/// Behind the last one only image rows are read. There, text rows give their keys and values and nothing else is computed of them.
struct SingleStreamBlock {
  let shape: EvaluationShape
  let layout: SingleBlockLayout
  let attention: Attention
  let queryKey: QueryKeyNormalization
  /// Rows whose output is wanted: all of them, or those of the image.
  let outputRows: Range<Int>

  private var otherRows: Range<Int> { 0..<outputRows.lowerBound }
  private var queryColumns: Range<Int> { 0..<shape.width }
  private var jointColumns: Range<Int> { 0..<3 * shape.width }
  private var keyValueColumns: Range<Int> { shape.width..<3 * shape.width }
  var attentionColumns: Range<Int> { 0..<shape.width }
  var feedForwardColumns: Range<Int> { shape.width..<shape.width + shape.feedForward }
  private var hiddenColumns: Range<Int> { 3 * shape.width..<3 * shape.width + shape.feedForward }

  /// Computes the output rows of `output` (tokens, d) from `saved.x`; what the backward reads of `saved` is filled.
  func forward(
    _ saved: SingleActivations, modulation row: UnsafePointer<Float>, weights: ParameterView, scratch: ForwardScratch,
    workerScratch: WorkerScratch, team: Team, into output: Matrix
  ) {
    let d = shape.width
    let modulation = row + layout.modulation
    team.forEachRows(shape.tokens) { rows in
      LayerNormalization.modulate(
        saved.x.rows(rows), shift: modulation, scale: modulation + d, into: scratch.normalized.rows(rows))
    }
    projectIn(saved, weights, scratch, team)
    let bias = weights.bias(layout.qkvFeedForward)
    team.forEachRows(shape.tokens) { rows in
      let raw = saved.raw.rows(rows)
      queryKey.apply(
        raw: raw, bias: bias, queryWeight: weights.base + layout.queryNorm, keyWeight: weights.base + layout.keyNorm,
        firstToken: rows.lowerBound, into: scratch.joint.rows(rows))
      let rows = rows.clamped(to: outputRows)
      Activation.biasGELU(
        saved.raw.rows(rows).columns(hiddenColumns), bias: bias + 3 * d, into: scratch.activated.rows(rows))
    }
    team.forEach(attention.forwardTasks) { task, worker in
      attention.forward(task, qkv: scratch.joint, into: saved.attended, scratch: workerScratch[worker])
    }
    let out = weights.packed(layout.out)
    let branch = saved.branch.rows(outputRows)
    team.project(saved.attended.rows(outputRows), out.rows(attentionColumns), into: branch)
    team.project(scratch.activated.rows(outputRows), out.rows(feedForwardColumns), into: branch, accumulate: true)
    team.forEachRows(shape.tokens) { rows in
      let rows = rows.clamped(to: outputRows)
      GatedResidual.apply(
        saved.x.rows(rows), branch: saved.branch.rows(rows), bias: weights.bias(layout.out), gate: modulation + 2 * d,
        into: output.rows(rows))
    }
  }

  /// q, k, v and the feed-forward of output rows, k and v of the others, whose q is finite and of no use.
  private func projectIn(_ saved: SingleActivations, _ weights: ParameterView, _ scratch: ForwardScratch, _ team: Team) {
    let weight = weights.packed(layout.qkvFeedForward)
    team.project(scratch.normalized.rows(outputRows), weight, into: saved.raw.rows(outputRows))
    if otherRows.isEmpty { return }
    Reduction.clear(saved.raw.rows(otherRows).columns(queryColumns))
    let columns = PackedMatrix.panelStart(shape.width)..<3 * shape.width
    team.project(
      scratch.normalized.rows(otherRows), weight.columns(columns), into: saved.raw.rows(otherRows).columns(columns))
  }

  /// One sample's part of the backward: dx (tokens, d) goes from the gradient of the output to that of the input.
  func backward(
    _ saved: SingleActivations, dx: Matrix, modulation row: UnsafePointer<Float>,
    dmodulation drow: UnsafeMutablePointer<Float>, dqueryNorm: UnsafeMutablePointer<Float>,
    dkeyNorm: UnsafeMutablePointer<Float>, weights: ParameterView, packed: SingleWeights, factors: SingleFactors,
    scratch: ForwardScratch, workerScratch: WorkerScratch, team: Team
  ) {
    let d = shape.width
    let modulation = row + layout.modulation
    let dmodulation = drow + layout.modulation
    let (queryNorm, keyNorm) = (weights.base + layout.queryNorm, weights.base + layout.keyNorm)
    let draw = scratch.wide
    let (djoint, dhidden) = (draw.columns(jointColumns), draw.columns(hiddenColumns))
    let dbranch = scratch.branch
    clearOtherRows(saved, draw, dbranch, factors)
    GatedResidual.backward(
      dy: dx.rows(outputRows), branch: saved.branch.rows(outputRows), gate: modulation + 2 * d,
      into: dbranch.rows(outputRows), dgate: dmodulation + 2 * d)
    team.project(dbranch.rows(outputRows), packed.attentionOut, into: scratch.attended.rows(outputRows))
    team.project(dbranch.rows(outputRows), packed.feedForwardOut, into: dhidden.rows(outputRows))
    team.forEachRows(shape.tokens) { rows in
      factors.branch.pack(dbranch, rows: rows)
      factors.attended.pack(saved.attended, rows: rows)
      queryKey.reapply(
        raw: saved.raw.rows(rows), queryWeight: queryNorm, keyWeight: keyNorm, firstToken: rows.lowerBound,
        into: scratch.joint.rows(rows))
      let rows = rows.clamped(to: outputRows)
      Activation.geluBackward(
        hidden: saved.raw.rows(rows).columns(hiddenColumns), activated: factors.activated.rows(rows),
        gradient: dhidden.rows(rows))
    }
    team.forEach(shape.heads) { head, worker in
      attention.backward(
        head: head, qkv: scratch.joint, doutput: scratch.attended, into: djoint, scratch: workerScratch[worker])
    }
    queryKey.backward(
      raw: saved.raw, djoint: djoint, queryWeight: queryNorm, keyWeight: keyNorm, firstToken: 0, into: djoint,
      dQueryWeight: dqueryNorm, dKeyWeight: dkeyNorm)
    team.project(draw.rows(outputRows), packed.qkvFeedForward, into: scratch.normalized.rows(outputRows))
    if !otherRows.isEmpty {
      team.project(
        draw.rows(otherRows).columns(keyValueColumns), packed.qkvFeedForward.rows(keyValueColumns),
        into: scratch.normalized.rows(otherRows))
    }
    team.forEachRows(shape.tokens) { rows in factors.raw.pack(draw, rows: rows) }
    LayerNormalization.modulateBackward(
      saved.x, shift: modulation, scale: modulation + d, dy: scratch.normalized, into: dx, y: factors.normalized,
      dshift: dmodulation, dscale: dmodulation + d)
  }

  /// What the norm's backward and the weight gradients read of rows without output.
  private func clearOtherRows(_ saved: SingleActivations, _ draw: Matrix, _ dbranch: Matrix, _ factors: SingleFactors) {
    Reduction.clear(draw.rows(otherRows).columns(queryColumns))
    Reduction.clear(draw.rows(otherRows).columns(hiddenColumns))
    Reduction.clear(dbranch.rows(otherRows))
    Reduction.clear(saved.attended.rows(otherRows))
    factors.activated.clear(rows: otherRows)
  }

  /// Adds the block's weight gradients to `jobs`, once the backward of all samples has run.
  func weightGradients(_ factors: SingleFactors, into jobs: inout [WeightGradient]) {
    jobs.append(WeightGradient(layer: layout.qkvFeedForward, dy: factors.raw, x: factors.normalized))
    jobs.append(
      WeightGradient(
        layer: layout.out, dy: factors.branch, x: factors.activated, firstColumn: shape.width, hasBias: false))
    jobs.append(WeightGradient(layer: layout.out, dy: factors.branch, x: factors.attended))
  }
}
