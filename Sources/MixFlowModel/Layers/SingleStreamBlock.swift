import MixNumerics

/// A single-stream block over [text; image]: attention and feed-forward side by side, one projection, one gate.
///
///   n = modulate(LN(x)); x += gate ∘ (W_out·[attention(n), GELU(W_in·n)] + b)
///
/// After the last block only image rows are read. There, only the keys and values of text rows are computed.
struct SingleStreamBlock {
  let shape: EvaluationShape
  let layout: SingleBlockLayout
  let attention: Attention
  let queryKey: QueryKeyNormalization
  /// Rows whose output is needed: all rows, or the image rows.
  let outputRows: Range<Int>

  private var otherRows: Range<Int> { 0..<outputRows.lowerBound }
  private var queryColumns: Range<Int> { 0..<shape.width }
  private var jointColumns: Range<Int> { 0..<3 * shape.width }
  private var keyValueColumns: Range<Int> { shape.width..<3 * shape.width }
  var attentionColumns: Range<Int> { 0..<shape.width }
  var feedForwardColumns: Range<Int> { shape.width..<shape.width + shape.feedForward }
  private var hiddenColumns: Range<Int> { 3 * shape.width..<3 * shape.width + shape.feedForward }

  /// Computes the output rows of `y` (tokens, d) from `saved.x`, and fills all that `backward` reads of `saved`.
  @inline(never)
  func forward(_ saved: SingleActivations, into y: Matrix, _ pass: SamplePass) {
    let (team, scratch, d) = (pass.team, pass.scratch, shape.width)
    let modulation = pass.modulation + layout.modulation
    team.forEachRows(shape.tokens) { rows in
      LayerNormalization.modulate(
        saved.x.rows(rows), shift: modulation, scale: modulation + d, into: scratch.normalized.rows(rows))
    }
    projectIn(saved, pass)
    activate(saved, pass)
    team.forEach(attention.forwardTasks) { task, worker in
      attention.forward(task, qkv: scratch.joint, into: saved.attended, scratch: pass.workerScratch[worker])
    }
    let out = pass.weights.packed(layout.out)
    let branch = saved.branch.rows(outputRows)
    pass.project(saved.attended.rows(outputRows), out.rows(attentionColumns), into: branch)
    pass.project(scratch.activated.rows(outputRows), out.rows(feedForwardColumns), into: branch, accumulate: true)
    team.forEachRows(shape.tokens) { rows in
      let rows = rows.clamped(to: outputRows)
      GatedResidual.apply(
        saved.x.rows(rows), branch: saved.branch.rows(rows), bias: pass.weights.bias(layout.out), gate: modulation + 2 * d,
        into: y.rows(rows))
    }
  }

  /// q, k, v and the feed-forward of output rows, k and v of the others; q of those is set to 0 and not used.
  private func projectIn(_ saved: SingleActivations, _ pass: SamplePass) {
    let normalized = pass.scratch.normalized
    let weight = pass.weights.packed(layout.qkvFeedForward)
    pass.project(normalized.rows(outputRows), weight, into: saved.raw.rows(outputRows))
    if otherRows.isEmpty { return }
    Reduction.clear(saved.raw.rows(otherRows).columns(queryColumns))
    let columns = PackedMatrix.panelStart(shape.width)..<3 * shape.width
    pass.project(normalized.rows(otherRows), weight.columns(columns), into: saved.raw.rows(otherRows).columns(columns))
  }

  /// From the projections to attention's q, k, v and the activated feed-forward.
  private func activate(_ saved: SingleActivations, _ pass: SamplePass) {
    let (weights, scratch) = (pass.weights, pass.scratch)
    let bias = weights.bias(layout.qkvFeedForward)
    pass.team.forEachRows(shape.tokens) { rows in
      queryKey.apply(
        raw: saved.raw.rows(rows), bias: bias, queryWeight: weights.base + layout.queryNorm,
        keyWeight: weights.base + layout.keyNorm, firstToken: rows.lowerBound, into: scratch.joint.rows(rows))
      let rows = rows.clamped(to: outputRows)
      Activation.biasGELU(
        saved.raw.rows(rows).columns(hiddenColumns), bias: bias + 3 * shape.width, into: scratch.activated.rows(rows))
    }
  }

  /// Turns `gradients.dx` from the gradient of the block's output into that of its input, for one sample.
  @inline(never)
  func backward(
    _ saved: SingleActivations, _ gradients: SampleGradients, _ packed: SingleWeights, _ factors: SingleFactors,
    _ pass: SamplePass
  ) {
    let (team, scratch, d) = (pass.team, pass.scratch, shape.width)
    let (modulation, dModulation) = (pass.modulation + layout.modulation, gradients.dModulation + layout.modulation)
    let (dRaw, dBranch) = (scratch.wide, scratch.branch)
    clearOtherRows(saved, dRaw, dBranch, factors)
    GatedResidual.backward(
      dy: gradients.dx.rows(outputRows), branch: saved.branch.rows(outputRows), gate: modulation + 2 * d,
      into: dBranch.rows(outputRows), dGate: dModulation + 2 * d)
    pass.project(dBranch.rows(outputRows), packed.attentionOut, into: scratch.attended.rows(outputRows))
    pass.project(
      dBranch.rows(outputRows), packed.feedForwardOut, into: dRaw.columns(hiddenColumns).rows(outputRows))
    activateBackward(saved, dRaw, dBranch, factors, pass)
    attendBackward(saved, dRaw, gradients, pass)
    projectInBackward(dRaw, packed, pass)
    team.forEachRows(shape.tokens) { rows in factors.raw.pack(dRaw, rows: rows) }
    LayerNormalization.modulateBackward(
      saved.x, shift: modulation, scale: modulation + d, dy: scratch.normalized, into: gradients.dx, y: factors.normalized,
      dShift: dModulation, dScale: dModulation + d)
  }

  /// Computes q, k, v again, and the gradient of the feed-forward before GELU; keeps the factors of the output's weights.
  private func activateBackward(
    _ saved: SingleActivations, _ dRaw: Matrix, _ dBranch: Matrix, _ factors: SingleFactors, _ pass: SamplePass
  ) {
    let weights = pass.weights
    pass.team.forEachRows(shape.tokens) { rows in
      factors.branch.pack(dBranch, rows: rows)
      factors.attended.pack(saved.attended, rows: rows)
      queryKey.reapply(
        raw: saved.raw.rows(rows), queryWeight: weights.base + layout.queryNorm, keyWeight: weights.base + layout.keyNorm,
        firstToken: rows.lowerBound, into: pass.scratch.joint.rows(rows))
      let rows = rows.clamped(to: outputRows)
      Activation.geluBackward(
        hidden: saved.raw.rows(rows).columns(hiddenColumns), activated: factors.activated, firstRow: rows.lowerBound,
        gradient: dRaw.rows(rows).columns(hiddenColumns))
    }
  }

  /// Through attention, rotation and norm.
  private func attendBackward(_ saved: SingleActivations, _ dRaw: Matrix, _ gradients: SampleGradients, _ pass: SamplePass) {
    let (weights, scratch, dJoint) = (pass.weights, pass.scratch, dRaw.columns(jointColumns))
    pass.team.forEach(shape.heads) { head, worker in
      attention.backward(
        head: head, qkv: scratch.joint, dOutput: scratch.attended, into: dJoint, scratch: pass.workerScratch[worker])
    }
    queryKey.backward(
      raw: saved.raw, dJoint: dJoint, queryWeight: weights.base + layout.queryNorm,
      keyWeight: weights.base + layout.keyNorm, firstToken: 0, into: dJoint, dQueryWeight: gradients.dNorms,
      dKeyWeight: gradients.dNorms + shape.headDim)
  }

  /// The gradient of the modulated norm, in `scratch.normalized`.
  private func projectInBackward(_ dRaw: Matrix, _ packed: SingleWeights, _ pass: SamplePass) {
    let dNormalized = pass.scratch.normalized
    pass.project(dRaw.rows(outputRows), packed.qkvFeedForward, into: dNormalized.rows(outputRows))
    if otherRows.isEmpty { return }
    pass.project(
      dRaw.rows(otherRows).columns(keyValueColumns), packed.qkvFeedForward.rows(keyValueColumns),
      into: dNormalized.rows(otherRows))
  }

  /// Zeros where the norm's backward and the weight gradients read rows without output.
  private func clearOtherRows(_ saved: SingleActivations, _ dRaw: Matrix, _ dBranch: Matrix, _ factors: SingleFactors) {
    Reduction.clear(dRaw.rows(otherRows).columns(queryColumns))
    Reduction.clear(dRaw.rows(otherRows).columns(hiddenColumns))
    Reduction.clear(dBranch.rows(otherRows))
    Reduction.clear(saved.attended.rows(otherRows))
    factors.activated.clear(rows: otherRows)
  }

  /// Adds the block's weight gradients to `jobs`, after the backward of all samples.
  @inline(never)
  func weightGradients(_ factors: SingleFactors, into jobs: inout [WeightGradient]) {
    jobs.append(WeightGradient(layer: layout.qkvFeedForward, dy: factors.raw, x: factors.normalized))
    jobs.append(
      WeightGradient(
        layer: layout.out, dy: factors.branch, x: factors.activated, firstColumn: shape.width, hasBias: false))
    jobs.append(WeightGradient(layer: layout.out, dy: factors.branch, x: factors.attended))
  }
}
