import MixNumerics

/// A double-stream block: image and text, each with its own weights, joined in one attention over [text; image].
///
///   n = modulate(LN(x)); x += gate ∘ (W_o·attention(n) + b); m = modulate(LN(x)); x += gate_mlp ∘ (W_2·GELU(W_1·m) + b)
struct DoubleStreamBlock {
  let shape: EvaluationShape
  let layout: DoubleBlockLayout
  let attention: Attention
  let queryKey: QueryKeyNormalization

  private var textRows: Range<Int> { 0..<shape.textTokens }
  private var imageRows: Range<Int> { shape.textTokens..<shape.tokens }

  /// Computes `y` (tokens, d) of each stream from `saved.text.x` and `saved.image.x`, and fills the other places of `saved`.
  @inline(never)
  func forward(_ saved: DoubleActivations, into y: (text: Matrix, image: Matrix), _ pass: SamplePass) {
    let streams = streams(saved, pass)
    streams.forEachRow { stream, rows in stream.normalize(rows) }
    streams.project { ($0.normalized, $0.layout.qkv, $0.saved.raw) }
    streams.forEachRow { stream, rows in stream.rotate(rows) }
    pass.team.forEach(attention.forwardTasks) { task, worker in
      attention.forward(task, qkv: pass.scratch.joint, into: pass.scratch.attended, scratch: pass.workerScratch[worker])
    }
    keepAttended(saved, pass)
    streams.project { ($0.saved.attended, $0.layout.attentionOut, $0.saved.branch) }
    streams.forEachRow { stream, rows in stream.addAttention(rows) }
    streams.project { ($0.normalized, $0.layout.feedForwardIn, $0.saved.hidden) }
    streams.forEachRow { stream, rows in stream.activate(rows) }
    streams.project { ($0.activated, $0.layout.feedForwardOut, $0.saved.feedForward) }
    streams.forEachRow { stream, rows in
      stream.addFeedForward(rows, into: stream.isText ? y.text : y.image)
    }
  }

  /// Turns `gradients.dx` from the gradient of the streams' outputs into that of their inputs, for one sample.
  @inline(never)
  func backward(
    _ saved: DoubleActivations, _ gradients: SampleGradients, _ packed: (text: StreamWeights, image: StreamWeights),
    _ factors: (text: StreamFactors, image: StreamFactors), _ pass: SamplePass
  ) {
    let streams = streams(saved, pass)
    let (text, image) = (streams.text, streams.image)
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
  @inline(never)
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

extension DoubleStreamBlock {
  @inline(never)
  private func streams(_ saved: DoubleActivations, _ pass: SamplePass) -> Streams {
    Streams(
      text: StreamPass(layout: layout.text, queryKey: queryKey, saved: saved.text, isText: true, rows: textRows, pass: pass),
      image: StreamPass(
        layout: layout.image, queryKey: queryKey, saved: saved.image, isText: false, rows: imageRows, pass: pass))
  }

  /// Attention writes one joint matrix; saved activations are kept stream by stream.
  private func keepAttended(_ saved: DoubleActivations, _ pass: SamplePass) {
    let attended = pass.scratch.attended
    if saved.text.attended.base == attended.base { return }
    Reduction.copy(attended.rows(textRows), into: saved.text.attended)
    Reduction.copy(attended.rows(imageRows), into: saved.image.attended)
  }
}

// MARK: - Both streams in one stage

/// Both streams of one sample. The stages are not inlined: each would take its own copies of both streams on the stack.
private struct Streams {
  let text: StreamPass
  let image: StreamPass

  /// One stage over the rows of both streams, counted in each from 0.
  @inline(never)
  func forEachRow(_ body: (StreamPass, _ rows: Range<Int>) -> Void) {
    text.pass.team.forEachRows(text.rows.count + image.rows.count) { rows in
      let text = rows.clamped(to: self.text.rows)
      if !text.isEmpty { body(self.text, text) }
      let image = rows.clamped(to: self.image.rows)
      let first = self.image.rows.lowerBound
      if !image.isEmpty { body(self.image, image.lowerBound - first..<image.upperBound - first) }
    }
  }

  /// One stage that computes y = x·Wᵀ in both streams.
  @inline(never)
  func project(_ operands: (StreamPass) -> (x: Matrix, layer: LinearLayer, y: Matrix)) {
    let (text, image, weights) = (operands(text), operands(image), self.text.pass.weights)
    self.text.pass.project(
      (text.x, image.x), (weights.packed(text.layer), weights.packed(image.layer)), into: (text.y, image.y))
  }
}
