import MixBasics
import MixNumerics

extension FlowEvaluator {
  /// Adds ∂loss/∂weights to the model's gradients, for the batch of the last `velocity` that saved activations.
  ///
  /// Block by block: first each sample's own gradients, samples in parallel; then each weight's gradient, one product for all
  /// samples. Every sum runs over the samples in order and continues from the gradient so far, so the bits depend neither on the
  /// number of threads nor on how samples are split into calls. The activations are discarded.
  /// - Parameters:
  ///   - dVelocity: ∂loss/∂velocity, (count, tokens, out_channels).
  ///   - dLatents: receives ∂loss/∂latents, (count, tokens, in_channels), when not nil.
  /// - Throws: `invalidState` without saved activations, or for a frozen model, `outOfMemory` at the first call.
  public func backward(
    dVelocity: UnsafePointer<Float>, dLatents: UnsafeMutablePointer<Float>? = nil
  ) throws(MixGRPOError) {
    guard let batch = saved, let training else {
      throw MixGRPOError(.invalidState, "backward: expected a velocity call that saved activations before it, got none")
    }
    guard !model.isFrozen else {
      throw MixGRPOError(.invalidState, "backward: expected a model that is trained, got a frozen one; adapt it")
    }
    let gradients = gradientSink(try model.gradients().base, training)
    Team.lead(threads: workers.count) { team in
      let backward = BackwardPass(evaluator: self, batch: batch, training: training, gradients: gradients, team: team)
      backward.outputLayer(UnsafeMutablePointer(mutating: dVelocity))
      for index in (0..<shape.singleBlocks).reversed() { backward.singleBlock(index) }
      for index in (0..<shape.doubleBlocks).reversed() { backward.doubleBlock(index) }
      backward.inputLayer(dLatents)
      conditioning.backward(
        backward.dModulation, scratch: training.arena.conditioning, workerScratch: workerScratch, weights: weights,
        gradients: gradients, team: team)
    }
    saved = nil
  }
}

extension FlowEvaluator {
  fileprivate func gradientSink(_ base: UnsafeMutablePointer<Float>, _ training: TrainingBuffers) -> GradientSink {
    var sink = GradientSink(view: ParameterView(base: base))
    if let layout = model.adapter, let factors = training.arena.adapter {
      sink.adapter = AdapterGradient(
        layout: layout, strength: model.adapterStrength, weights: model.weights, gradients: base, factors: factors,
        scratch: workerScratch)
    }
    return sink
  }
}

/// Where gradients of weights are added: those of all weights, or of an adapter's alone.
struct GradientSink {
  /// Of all weights; unused with an adapter.
  let view: ParameterView
  var adapter: AdapterGradient?

  /// The gradients of a layer of the conditioning.
  /// - Parameters:
  ///   - dy: (samples, outputs).
  ///   - x: (samples, inputs).
  func add(_ layer: LinearLayer, dy: Matrix, x: Matrix, panel: UnsafeMutablePointer<Float>) {
    if let adapter { return adapter.add(layer, dy: dy, x: x) }
    MatrixProduct.transposedTimes(dy, x, into: view.weight(layer), accumulate: true, panel: panel)
    Reduction.addColumnSums(dy, to: view.bias(layer))
  }
}

/// The backward of a batch, layer by layer: first each sample's own gradients, then those of the layer's weights.
private struct BackwardPass {
  let evaluator: FlowEvaluator
  let batch: SavedBatch
  let training: TrainingBuffers
  let gradients: GradientSink
  let team: Team

  private var shape: EvaluationShape { evaluator.shape }
  private var arena: TrainingArena { training.arena }
  private var weights: ParameterView { evaluator.weights }
  private var samples: Range<Int> { 0..<batch.count }

  /// (count, modulationWidth)
  var dModulation: Matrix { arena.dModulation.rows(samples) }

  private func gradients(of sample: Int) -> SampleGradients {
    SampleGradients(
      dx: arena.dx.rows(sample * shape.tokens..<(sample + 1) * shape.tokens), dModulation: dModulation.row(sample),
      dNorms: arena.dNorms.row(sample))
  }

  @inline(never)
  func outputLayer(_ dVelocity: UnsafeMutablePointer<Float>) {
    let layer = evaluator.outputLayer
    evaluator.forEachSample(samples, team) { sample, pass in
      let gradients = gradients(of: sample)
      gradients.dModulation.update(repeating: 0, count: shape.modulationWidth)
      layer.backward(
        arena.saved.final(sample: sample), dVelocity: dVelocity + sample * shape.outputSize, gradients,
        arena.factors.outputLayer(samples: sample..<sample + 1), pass)
    }
    let factors = arena.factors.outputLayer(samples: samples)
    training.jobs.append(WeightGradient(layer: layer.layer, dy: factors.dy, x: factors.x))
    runJobs()
  }

  @inline(never)
  func singleBlock(_ index: Int) {
    let block = evaluator.singleBlock(index)
    evaluator.merge(block.layout.layers, team: team)
    block.pack(weights, into: arena.weights.single, team: team)
    forEachSample { sample, pass in
      let saved = arena.saved.single(index, samples: sample..<sample + 1)
      if arena.saved.recomputes { block.forward(saved, into: pass.scratch.stream, pass) }
      block.backward(
        saved, gradients(of: sample), arena.weights.single, arena.factors.single(samples: sample..<sample + 1), pass)
    }
    reduceNorm(0, block.layout.queryNorm)
    reduceNorm(1, block.layout.keyNorm)
    block.weightGradients(arena.factors.single(samples: samples), into: &training.jobs)
    runJobs()
  }

  @inline(never)
  func doubleBlock(_ index: Int) {
    let block = evaluator.doubleBlock(index)
    evaluator.merge(block.layout.layers, team: team)
    block.pack(weights, into: arena.weights.double, team: team)
    forEachSample { sample, pass in
      let saved = arena.saved.double(index, samples: sample..<sample + 1)
      if arena.saved.recomputes { block.forward(saved, into: shape.streams(of: pass.scratch.stream), pass) }
      block.backward(
        saved, gradients(of: sample), arena.weights.double, arena.factors.double(samples: sample..<sample + 1), pass)
    }
    reduceNorm(0, block.layout.text.queryNorm)
    reduceNorm(1, block.layout.text.keyNorm)
    reduceNorm(2, block.layout.image.queryNorm)
    reduceNorm(3, block.layout.image.keyNorm)
    block.weightGradients(arena.factors.double(samples: samples), into: &training.jobs)
    runJobs()
  }

  @inline(never)
  func inputLayer(_ dLatents: UnsafeMutablePointer<Float>?) {
    let layer = evaluator.inputLayer
    evaluator.forEachSample(samples, team) { sample, pass in
      layer.backward(
        batch.latents + sample * shape.latentSize,
        text: evaluator.promptText(batch.prompts, batch.promptIndex[sample]), gradients(of: sample),
        arena.factors.inputLayer(samples: sample..<sample + 1), into: dLatents.map { $0 + sample * shape.latentSize }, pass)
    }
    let factors = arena.factors.inputLayer(samples: samples)
    training.jobs.append(WeightGradient(layer: layer.image, dy: factors.image.dy, x: factors.image.x))
    training.jobs.append(WeightGradient(layer: layer.text, dy: factors.text.dy, x: factors.text.x))
    runJobs()
  }

  @inline(never)
  private func forEachSample(_ body: (_ sample: Int, SamplePass) -> Void) {
    evaluator.forEachSample(samples, team) { sample, pass in
      arena.dNorms.row(sample).update(repeating: 0, count: arena.dNorms.columns)
      body(sample, pass)
    }
  }

  /// Adds each sample's gradient of one RMSNorm weight, in the order of the samples.
  private func reduceNorm(_ index: Int, _ offset: Int) {
    guard gradients.adapter == nil else { return }
    for sample in samples {
      Reduction.add(
        arena.dNorms.row(sample) + index * shape.headDim, to: gradients.view.base + offset, count: shape.headDim)
    }
  }

  private func runJobs() {
    if let adapter = gradients.adapter {
      adapter.run(training.jobs, team: team)
    } else {
      WeightGradient.runAll(training.jobs, gradients: gradients.view, team: team)
    }
    training.jobs.removeAll(keepingCapacity: true)
  }
}
