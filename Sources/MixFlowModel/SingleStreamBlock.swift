import MixNumerics

/// A single-stream block over [text; image]: attention and feed-forward side by side, one projection, one gate.
///
///   n = modulate(LN(x)); x += gate ∘ (W_out·[attention(n), GELU(W_in·n)] + b)
struct SingleStreamBlock {
  let shape: EvaluationShape
  let layout: SingleBlockLayout
  let attention: Attention
  let queryKey: QueryKeyNormalization

  var attentionColumns: Range<Int> { 0..<shape.width }
  var feedForwardColumns: Range<Int> { shape.width..<shape.width + shape.feedForward }
  private var hiddenColumns: Range<Int> { 3 * shape.width..<3 * shape.width + shape.feedForward }

  /// Computes `output` (tokens, d) from `saved.x`; the other places of `saved` are filled.
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
    team.project(scratch.normalized, weights.packed(layout.qkvFeedForward), into: saved.raw)
    let bias = weights.bias(layout.qkvFeedForward)
    team.forEachRows(shape.tokens) { rows in
      let raw = saved.raw.rows(rows)
      queryKey.apply(
        raw: raw, bias: bias, queryWeight: weights.base + layout.queryNorm, keyWeight: weights.base + layout.keyNorm,
        firstToken: rows.lowerBound, into: scratch.joint.rows(rows))
      Activation.biasGELU(raw.columns(hiddenColumns), bias: bias + 3 * d, into: scratch.activated.rows(rows))
    }
    team.forEach(attention.forwardTasks) { task, worker in
      attention.forward(task, qkv: scratch.joint, into: saved.attended, scratch: workerScratch[worker])
    }
    let out = weights.packed(layout.out)
    team.project(saved.attended, out.rows(attentionColumns), into: saved.branch)
    team.project(scratch.activated, out.rows(feedForwardColumns), into: saved.branch, accumulate: true)
    team.forEachRows(shape.tokens) { rows in
      GatedResidual.apply(
        saved.x.rows(rows), branch: saved.branch.rows(rows), bias: weights.bias(layout.out), gate: modulation + 2 * d,
        into: output.rows(rows))
    }
  }

  /// One sample's part of the backward: dx (tokens, d) goes from the gradient of the output to that of the input.
  func backward(
    _ saved: SingleActivations, dx: Matrix, modulation row: UnsafePointer<Float>,
    dmodulation drow: UnsafeMutablePointer<Float>, dqueryNorm: UnsafeMutablePointer<Float>,
    dkeyNorm: UnsafeMutablePointer<Float>, weights: ParameterView, packed: SingleWeights, gradients: SingleGradients,
    scratch: ForwardScratch, workerScratch: WorkerScratch, team: Team
  ) {
    let d = shape.width
    let modulation = row + layout.modulation
    let dmodulation = drow + layout.modulation
    let (queryNorm, keyNorm) = (weights.base + layout.queryNorm, weights.base + layout.keyNorm)
    GatedResidual.backward(
      dy: dx, branch: saved.branch, gate: modulation + 2 * d, into: gradients.branch, dgate: dmodulation + 2 * d)
    let dhidden = gradients.raw.columns(hiddenColumns)
    team.project(gradients.branch, packed.attentionOut, into: scratch.attended)
    team.project(gradients.branch, packed.feedForwardOut, into: dhidden)
    team.forEachRows(shape.tokens) { rows in
      Activation.geluBackward(
        hidden: saved.raw.rows(rows).columns(hiddenColumns), activated: gradients.activated.rows(rows),
        gradient: dhidden.rows(rows))
      queryKey.reapply(
        raw: saved.raw.rows(rows), queryWeight: queryNorm, keyWeight: keyNorm, firstToken: rows.lowerBound,
        into: scratch.joint.rows(rows))
    }
    let djoint = Matrix(scratch.wide.base, rows: shape.tokens, columns: 3 * d)
    team.forEach(shape.heads) { head, worker in
      attention.backward(
        head: head, qkv: scratch.joint, doutput: scratch.attended, into: djoint, scratch: workerScratch[worker])
    }
    queryKey.backward(
      raw: saved.raw, djoint: djoint, queryWeight: queryNorm, keyWeight: keyNorm, firstToken: 0, into: gradients.raw,
      dQueryWeight: dqueryNorm, dKeyWeight: dkeyNorm)
    team.project(gradients.raw, packed.qkvFeedForward, into: scratch.normalized)
    LayerNormalization.modulateBackward(
      saved.x, shift: modulation, scale: modulation + d, dy: scratch.normalized, into: dx, y: gradients.normalized,
      dshift: dmodulation, dscale: dmodulation + d)
  }

  /// Adds the block's weight gradients to `jobs`, once the backward of all samples has run.
  func weightGradients(
    _ saved: SingleActivations, _ gradients: SingleGradients, into jobs: inout [WeightGradient]
  ) {
    jobs.append(WeightGradient(layer: layout.qkvFeedForward, dy: gradients.raw, x: gradients.normalized))
    jobs.append(
      WeightGradient(
        layer: layout.out, dy: gradients.branch, x: gradients.activated, firstColumn: shape.width, hasBias: false))
    jobs.append(WeightGradient(layer: layout.out, dy: gradients.branch, x: saved.attended))
  }
}
