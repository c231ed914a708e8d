import MixNumerics

/// One sample in one stream of a double block: all stages of the block except its products and the joint attention.
struct StreamPass {
  let layout: StreamLayout
  let queryKey: QueryKeyNormalization
  let saved: StreamActivations
  let isText: Bool
  /// The stream's rows among all tokens.
  let rows: Range<Int>
  let pass: SamplePass

  private var d: Int { saved.x.columns }
  private var modulation: UnsafePointer<Float> { pass.modulation + layout.modulation }
  private var queryWeight: UnsafePointer<Float> { UnsafePointer(pass.weights.base + layout.queryNorm) }
  private var keyWeight: UnsafePointer<Float> { UnsafePointer(pass.weights.base + layout.keyNorm) }
  var normalized: Matrix { pass.scratch.normalized.rows(rows) }
  var activated: Matrix { pass.scratch.activated.rows(rows) }

  private func joint(_ piece: Range<Int>) -> Range<Int> {
    rows.lowerBound + piece.lowerBound..<rows.lowerBound + piece.upperBound
  }
}

// MARK: - Forward, by rows of the stream

extension StreamPass {
  func normalize(_ piece: Range<Int>) {
    LayerNormalization.modulate(
      saved.x.rows(piece), shift: modulation, scale: modulation + d, into: normalized.rows(piece))
  }

  /// From the projection to attention's q, k, v.
  func rotate(_ piece: Range<Int>) {
    let joint = joint(piece)
    queryKey.apply(
      raw: saved.raw.rows(piece), bias: pass.weights.bias(layout.qkv), queryWeight: queryWeight, keyWeight: keyWeight,
      firstToken: joint.lowerBound, into: pass.scratch.joint.rows(joint))
  }

  /// The end of the attention branch and the norm that begins the feed-forward.
  func addAttention(_ piece: Range<Int>) {
    GatedResidual.apply(
      saved.x.rows(piece), branch: saved.branch.rows(piece), bias: pass.weights.bias(layout.attentionOut),
      gate: modulation + 2 * d, into: saved.middle.rows(piece))
    LayerNormalization.modulate(
      saved.middle.rows(piece), shift: modulation + 3 * d, scale: modulation + 4 * d, into: normalized.rows(piece))
  }

  func activate(_ piece: Range<Int>) {
    Activation.biasGELU(
      saved.hidden.rows(piece), bias: pass.weights.bias(layout.feedForwardIn), into: activated.rows(piece))
  }

  func addFeedForward(_ piece: Range<Int>, into y: Matrix) {
    GatedResidual.apply(
      saved.middle.rows(piece), branch: saved.feedForward.rows(piece), bias: pass.weights.bias(layout.feedForwardOut),
      gate: modulation + 5 * d, into: y.rows(piece))
  }
}

// MARK: - Backward, of the whole stream

extension StreamPass {
  /// The stream's own among a sample's gradients.
  func gradients(of sample: SampleGradients) -> SampleGradients {
    SampleGradients(
      dx: sample.dx.rows(rows), dModulation: sample.dModulation + layout.modulation,
      dNorms: sample.dNorms + (isText ? 0 : 2 * queryKey.headDim))
  }

  /// From the block's output to attention's output; leaves the joint q, k, v in `scratch.joint`.
  @inline(never)
  func backwardToAttention(_ gradients: SampleGradients, _ packed: StreamWeights, _ factors: StreamFactors) {
    feedForwardBackward(gradients, packed, factors)
    let (team, dBranch) = (pass.team, pass.scratch.branch.rows(rows))
    GatedResidual.backward(
      dy: gradients.dx, branch: saved.branch, gate: modulation + 2 * d, into: dBranch, dGate: gradients.dModulation + 2 * d)
    pass.project(dBranch, packed.attentionOut, into: pass.scratch.attended.rows(rows))
    team.forEachRows(rows.count) { piece in
      factors.branch.pack(dBranch, rows: piece)
      factors.attended.pack(saved.attended, rows: piece)
      let joint = joint(piece)
      queryKey.reapply(
        raw: saved.raw.rows(piece), queryWeight: queryWeight, keyWeight: keyWeight, firstToken: joint.lowerBound,
        into: pass.scratch.joint.rows(joint))
    }
  }

  private func feedForwardBackward(_ gradients: SampleGradients, _ packed: StreamWeights, _ factors: StreamFactors) {
    let (team, dModulation) = (pass.team, gradients.dModulation)
    let (dFeedForward, dHidden) = (pass.scratch.feedForward.rows(rows), activated)
    GatedResidual.backward(
      dy: gradients.dx, branch: saved.feedForward, gate: modulation + 5 * d, into: dFeedForward, dGate: dModulation + 5 * d)
    pass.project(dFeedForward, packed.feedForwardOut, into: dHidden)
    team.forEachRows(rows.count) { piece in
      factors.feedForward.pack(dFeedForward, rows: piece)
      Activation.geluBackward(
        hidden: saved.hidden.rows(piece), activated: factors.activated, firstRow: piece.lowerBound,
        gradient: dHidden.rows(piece))
      factors.hidden.pack(dHidden, rows: piece)
    }
    pass.project(dHidden, packed.feedForwardIn, into: normalized)
    LayerNormalization.modulateBackward(
      saved.middle, shift: modulation + 3 * d, scale: modulation + 4 * d, dy: normalized, into: gradients.dx,
      y: factors.normalizedMiddle, dShift: dModulation + 3 * d, dScale: dModulation + 4 * d)
  }

  /// From the gradient of the joint q, k, v to the block's input.
  @inline(never)
  func backwardFromAttention(
    _ dJoint: Matrix, _ gradients: SampleGradients, _ packed: StreamWeights, _ factors: StreamFactors
  ) {
    let (team, dRaw, dModulation) = (pass.team, dJoint.rows(rows), gradients.dModulation)
    queryKey.backward(
      raw: saved.raw, dJoint: dRaw, queryWeight: queryWeight, keyWeight: keyWeight, firstToken: rows.lowerBound,
      into: dRaw, dQueryWeight: gradients.dNorms, dKeyWeight: gradients.dNorms + queryKey.headDim)
    pass.project(dRaw, packed.qkv, into: normalized)
    team.forEachRows(rows.count) { piece in factors.raw.pack(dRaw, rows: piece) }
    LayerNormalization.modulateBackward(
      saved.x, shift: modulation, scale: modulation + d, dy: normalized, into: gradients.dx, y: factors.normalized,
      dShift: dModulation, dScale: dModulation + d)
  }
}
