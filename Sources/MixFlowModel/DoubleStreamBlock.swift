import MixNumerics

/// A double-stream block: image and text, each with its own weights, joined in one attention over [text; image].
///
///   n = modulate(LN(x)); x += gate ∘ (W_o·attention(n) + b); m = modulate(LN(x)); x += gate_mlp ∘ (W_2·GELU(W_1·m) + b)
struct DoubleStreamBlock {
  private typealias Streams = (text: StreamPass, image: StreamPass)

  let shape: EvaluationShape
  let layout: DoubleBlockLayout
  let attention: Attention
  let queryKey: QueryKeyNormalization

  private var textRows: Range<Int> { 0..<shape.textTokens }
  private var imageRows: Range<Int> { shape.textTokens..<shape.tokens }

  /// Computes `y` (tokens, d) of each stream from `saved.text.x` and `saved.image.x`, and fills the other places of `saved`.
  func forward(_ saved: DoubleActivations, into y: (text: Matrix, image: Matrix), _ pass: SamplePass) {
    let streams = streams(saved, pass)
    forEachRow(streams, pass.team) { stream, rows in stream.normalize(rows) }
    project(streams, pass) { ($0.normalized, $0.layout.qkv, $0.saved.raw) }
    forEachRow(streams, pass.team) { stream, rows in stream.rotate(rows) }
    pass.team.forEach(attention.forwardTasks) { task, worker in
      attention.forward(task, qkv: pass.scratch.joint, into: pass.scratch.attended, scratch: pass.workerScratch[worker])
    }
    keepAttended(saved, pass)
    project(streams, pass) { ($0.saved.attended, $0.layout.attentionOut, $0.saved.branch) }
    forEachRow(streams, pass.team) { stream, rows in stream.addAttention(rows) }
    project(streams, pass) { ($0.normalized, $0.layout.feedForwardIn, $0.saved.hidden) }
    forEachRow(streams, pass.team) { stream, rows in stream.activate(rows) }
    project(streams, pass) { ($0.activated, $0.layout.feedForwardOut, $0.saved.feedForward) }
    forEachRow(streams, pass.team) { stream, rows in
      stream.addFeedForward(rows, into: stream.isText ? y.text : y.image)
    }
  }

  /// Turns `gradients.dx` from the gradient of the streams' outputs into that of their inputs, for one sample.
  func backward(
    _ saved: DoubleActivations, _ gradients: SampleGradients, _ packed: (text: StreamWeights, image: StreamWeights),
    _ factors: (text: StreamFactors, image: StreamFactors), _ pass: SamplePass
  ) {
    let (text, image) = streams(saved, pass)
    let (dText, dImage) = (text.gradients(of: gradients), image.gradients(of: gradients))
    text.backwardToAttention(dText, packed.text, factors.text)
    image.backwardToAttention(dImage, packed.image, factors.image)
    let dJoint = Matrix(pass.scratch.wide.base, rows: shape.tokens, columns: 3 * shape.width)
    pass.team.forEach(shape.heads) { head, worker in
      attention.backward(
        head: head, qkv: pass.scratch.joint, dOutput: pass.scratch.attended, into: dJoint,
        scratch: pass.workerScratch[worker])
    }
    text.backwardFromAttention(dJoint, dText, packed.text, factors.text)
    image.backwardFromAttention(dJoint, dImage, packed.image, factors.image)
  }

  /// Adds the block's weight gradients to `jobs`, after the backward of all samples.
  func weightGradients(_ factors: (text: StreamFactors, image: StreamFactors), into jobs: inout [WeightGradient]) {
    append(layout.image, factors.image, to: &jobs)
    append(layout.text, factors.text, to: &jobs)
  }

  private func append(_ layout: StreamLayout, _ factors: StreamFactors, to jobs: inout [WeightGradient]) {
    jobs.append(WeightGradient(layer: layout.feedForwardOut, dy: factors.feedForward, x: factors.activated))
    jobs.append(WeightGradient(layer: layout.feedForwardIn, dy: factors.hidden, x: factors.normalizedMiddle))
    jobs.append(WeightGradient(layer: layout.qkv, dy: factors.raw, x: factors.normalized))
    jobs.append(WeightGradient(layer: layout.attentionOut, dy: factors.branch, x: factors.attended))
  }
}

// MARK: - Both streams in one stage

extension DoubleStreamBlock {
  private func streams(_ saved: DoubleActivations, _ pass: SamplePass) -> Streams {
    (
      StreamPass(layout: layout.text, queryKey: queryKey, saved: saved.text, isText: true, rows: textRows, pass: pass),
      StreamPass(layout: layout.image, queryKey: queryKey, saved: saved.image, isText: false, rows: imageRows, pass: pass)
    )
  }

  /// One stage over the rows of both streams, counted in each from 0.
  @inline(__always)
  private func forEachRow(_ streams: Streams, _ team: Team, _ body: (StreamPass, _ rows: Range<Int>) -> Void) {
    team.forEachRows(shape.tokens) { rows in
      let text = rows.clamped(to: textRows)
      if !text.isEmpty { body(streams.text, text) }
      let image = rows.clamped(to: imageRows)
      if !image.isEmpty { body(streams.image, image.lowerBound - shape.textTokens..<image.upperBound - shape.textTokens) }
    }
  }

  /// One stage that computes y = x·Wᵀ in both streams.
  @inline(__always)
  private func project(
    _ streams: Streams, _ pass: SamplePass, _ operands: (StreamPass) -> (x: Matrix, layer: LinearLayer, y: Matrix)
  ) {
    let (text, image) = (operands(streams.text), operands(streams.image))
    pass.team.project(
      (text.x, image.x), (pass.weights.packed(text.layer), pass.weights.packed(image.layer)), into: (text.y, image.y))
  }

  /// Attention writes one joint matrix; saved activations are kept stream by stream.
  private func keepAttended(_ saved: DoubleActivations, _ pass: SamplePass) {
    let attended = pass.scratch.attended
    if saved.text.attended.base == attended.base { return }
    Reduction.copy(attended.rows(textRows), into: saved.text.attended)
    Reduction.copy(attended.rows(imageRows), into: saved.image.attended)
  }
}
