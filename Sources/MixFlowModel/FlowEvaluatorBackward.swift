import MixBasics
import MixNumerics

/// The batch whose activations are saved; latents and prompt indices are copies in `TrainingBuffers`.
struct SavedBatch {
  let count: Int
  let latents: UnsafeMutablePointer<Float>
  let promptIndex: UnsafePointer<Int32>
  let prompts: PromptEmbeddings
}

/// Memory that training needs, taken by the first call that saves activations: of an update, or of the rollout before it.
final class TrainingBuffers {
  let capacity: Int  // samples
  let arena: TrainingArena
  var saved: SavedActivations { arena.saved }
  /// Which of the saved activations a rollout has left.
  var remembered: RememberedRows
  /// The weight gradients of the block at hand.
  var jobs: [WeightGradient] = []
  private let promptIndex: UnsafeMutablePointer<Int32>  // (capacity)
  private let storage: FloatStorage

  /// - Parameters:
  ///   - capacity: samples.
  ///   - recomputes: keep the blocks' inputs alone, and compute all else again in the backward.
  init(_ shape: EvaluationShape, capacity: Int, recomputes: Bool) throws(MixGRPOError) {
    self.capacity = capacity
    storage = try FloatStorage(count: TrainingArena.floats(shape, capacity: capacity, recomputes: recomputes))
    var place = Arena(storage.base)
    arena = TrainingArena(shape, capacity: capacity, recomputes: recomputes, &place)
    promptIndex = UnsafeMutableRawPointer(arena.promptIndex).bindMemory(to: Int32.self, capacity: capacity)
    remembered = RememberedRows(shape, capacity: capacity, latents: arena.latents, velocities: arena.velocities)
    jobs.reserveCapacity(8)
  }

  /// Copies what the first layer's gradient needs of a request.
  func copyInputs(of request: VelocityRequest, _ prompts: PromptEmbeddings) -> SavedBatch {
    arena.latents.update(from: request.latents, count: request.velocityCount)
    for row in 0..<request.count { promptIndex[row] = request.promptIndex[row] }
    return SavedBatch(count: request.count, latents: arena.latents, promptIndex: promptIndex, prompts: prompts)
  }
}

/// How that memory is laid out.
struct TrainingArena {
  let saved: SavedActivations
  let factors: GradientFactors
  let dx: Matrix  // (capacity · tokens, d)
  let dModulation: Matrix  // (capacity, modulationWidth)
  let normSums: UnsafeMutablePointer<Float>  // (capacity, 4, headDim)
  let latents: UnsafeMutablePointer<Float>  // (capacity, D): the batch, for the first layer's gradient, or remembered rows
  let promptIndex: UnsafeMutablePointer<Float>  // (capacity), as Int32
  let velocities: UnsafeMutablePointer<Float>  // (capacity, tokens · out_channels): of remembered rows
  let conditioning: ConditioningScratch
  let weights: BackwardWeights

  static func floats(_ shape: EvaluationShape, capacity: Int, recomputes: Bool) -> Int {
    Arena.count { _ = TrainingArena(shape, capacity: capacity, recomputes: recomputes, &$0) }
  }

  init(_ shape: EvaluationShape, capacity: Int, recomputes: Bool, _ arena: inout Arena) {
    saved = SavedActivations(shape, capacity: capacity, recomputes: recomputes, &arena)
    factors = GradientFactors(shape, capacity: capacity, &arena)
    dx = arena.matrix(capacity * shape.tokens, shape.width)
    dModulation = arena.matrix(capacity, shape.modulationWidth)
    normSums = arena.floats(capacity * 4 * shape.headDim)
    latents = arena.floats(capacity * shape.latentSize)
    promptIndex = arena.floats(capacity)
    velocities = arena.floats(capacity * shape.outputSize)
    conditioning = ConditioningScratch(shape, capacity: capacity, &arena)
    weights = BackwardWeights(shape, &arena)
  }
}

extension FlowEvaluator {
  /// Adds ∂loss/∂weights to the model's gradients, for the batch of the last `velocity` that saved activations.
  ///
  /// Block by block: first each sample's own gradients, samples side by side; then each weight's, all samples in one
  /// product. Every sum runs over the samples in order and goes on from what is there, so the bits depend neither on the number
  /// of threads nor on how samples are spread over calls. The activations are used up.
  /// - Parameters:
  ///   - dVelocity: ∂loss/∂velocity, (count, tokens, out_channels).
  ///   - dLatents: receives ∂loss/∂latents, (count, tokens, in_channels), when not nil.
  /// - Throws: `invalidState` without saved activations, `outOfMemory` at the first call.
  public func backward(
    dVelocity: UnsafePointer<Float>, dLatents: UnsafeMutablePointer<Float>? = nil
  ) throws(MixGRPOError) {
    guard let batch = saved, let training else {
      throw MixGRPOError(.invalidState, "backward: expected a velocity call that saved activations before it, got none")
    }
    let gradients = ParameterView(base: try model.gradients().base)
    Team.lead(threads: workers.count) { team in
      let pass = BackwardPass(evaluator: self, batch: batch, training: training, gradients: gradients, team: team)
      pass.outputLayer(UnsafeMutablePointer(mutating: dVelocity))
      for index in (0..<shape.singleBlocks).reversed() { pass.singleBlock(index) }
      for index in (0..<shape.doubleBlocks).reversed() { pass.doubleBlock(index) }
      pass.firstLayer(dLatents)
      conditioning.backward(
        dmodulation: pass.dmodulation, scratch: training.arena.conditioning, weights: weights, gradients: gradients, team: team)
    }
    saved = nil
  }
}

private struct BackwardPass {
  let evaluator: FlowEvaluator
  let batch: SavedBatch
  let training: TrainingBuffers
  let gradients: ParameterView
  let team: Team

  private var shape: EvaluationShape { evaluator.shape }
  private var layout: ParameterLayout { evaluator.model.layout }
  private var weights: ParameterView { evaluator.weights }
  private var samples: Range<Int> { 0..<batch.count }
  private var imageRows: Range<Int> { shape.textTokens..<shape.tokens }

  var dmodulation: Matrix { training.arena.dModulation.rows(0..<batch.count) }

  private func dx(_ sample: Int) -> Matrix {
    training.arena.dx.rows(sample * shape.tokens..<(sample + 1) * shape.tokens)
  }

  func outputLayer(_ dVelocity: UnsafeMutablePointer<Float>) {
    let factors = training.arena.factors.outputLayer(samples: samples)
    let dy = Matrix(dVelocity, rows: batch.count * shape.imageTokens, columns: shape.outChannels)
    evaluator.forEachSample(batch.count, team) { sample, worker, team in
      let drow = dmodulation.row(sample)
      drow.update(repeating: 0, count: shape.modulationWidth)
      let dx = dx(sample)
      dx.base.update(repeating: 0, count: shape.textTokens * shape.width)
      let rows = sample * shape.imageTokens..<(sample + 1) * shape.imageTokens
      factors.dy.pack(dy, rows: rows)
      evaluator.outputLayer.backward(
        training.saved.final(sample: sample).rows(imageRows),
        dVelocity: dy.rows(rows), modulation: evaluator.conditioning.modulation(sample), dmodulation: drow, weights: weights,
        dnormalized: evaluator.forwardScratch(worker).normalized.rows(0..<shape.imageTokens),
        normalized: factors.x.rows(rows),
        into: dx.rows(imageRows), team: team)
    }
    training.jobs.append(WeightGradient(layer: layout.out, dy: factors.dy, x: factors.x))
    runJobs()
  }

  func singleBlock(_ index: Int) {
    let block = evaluator.singleBlock(index)
    let packed = training.arena.weights.single
    block.pack(weights, into: packed, team: team)
    forEachSample { sample, scratch, workerScratch, team in
      let sums = normSums(sample)
      let saved = training.saved.single(index, samples: sample..<sample + 1)
      if training.saved.recomputes {
        block.forward(
          saved, modulation: evaluator.conditioning.modulation(sample), weights: weights, scratch: scratch,
          workerScratch: workerScratch, team: team, into: scratch.stream)
      }
      block.backward(
        saved, dx: dx(sample),
        modulation: evaluator.conditioning.modulation(sample), dmodulation: dmodulation.row(sample), dqueryNorm: sums,
        dkeyNorm: sums + shape.headDim, weights: weights, packed: packed,
        factors: training.arena.factors.single(samples: sample..<sample + 1), scratch: scratch,
        workerScratch: workerScratch, team: team)
    }
    reduceNorm(0, block.layout.queryNorm)
    reduceNorm(1, block.layout.keyNorm)
    block.weightGradients(training.arena.factors.single(samples: samples), into: &training.jobs)
    runJobs()
  }

  func doubleBlock(_ index: Int) {
    let block = evaluator.doubleBlock(index)
    let packed = training.arena.weights.double
    block.pack(weights, into: packed, team: team)
    forEachSample { sample, scratch, workerScratch, team in
      let (sums, drow) = (normSums(sample), dmodulation.row(sample))
      let saved = training.saved.double(index, samples: sample..<sample + 1)
      if training.saved.recomputes {
        block.forward(
          saved, modulation: evaluator.conditioning.modulation(sample), weights: weights, scratch: scratch,
          workerScratch: workerScratch, team: team, intoText: scratch.stream.rows(0..<shape.textTokens),
          image: scratch.stream.rows(imageRows))
      }
      block.backward(
        saved, dx: dx(sample),
        modulation: evaluator.conditioning.modulation(sample),
        text: StreamSums(
          modulation: drow + block.layout.text.modulation, queryNorm: sums, keyNorm: sums + shape.headDim),
        image: StreamSums(
          modulation: drow + block.layout.image.modulation, queryNorm: sums + 2 * shape.headDim,
          keyNorm: sums + 3 * shape.headDim),
        weights: weights, packed: packed, factors: training.arena.factors.double(samples: sample..<sample + 1),
        scratch: scratch,
        workerScratch: workerScratch, team: team)
    }
    reduceNorm(0, block.layout.text.queryNorm)
    reduceNorm(1, block.layout.text.keyNorm)
    reduceNorm(2, block.layout.image.queryNorm)
    reduceNorm(3, block.layout.image.keyNorm)
    block.weightGradients(training.arena.factors.double(samples: samples), into: &training.jobs)
    runJobs()
  }

  /// The first layer; dx of image and text rows is gathered stream by stream first.
  func firstLayer(_ dLatents: UnsafeMutablePointer<Float>?) {
    evaluator.forEachSample(batch.count, team) { sample, _, team in
      let own = training.arena.factors.firstLayer(samples: sample..<sample + 1)
      let dimage = dx(sample).rows(imageRows)
      own.image.dy.pack(dimage, rows: 0..<shape.imageTokens)
      own.image.x.pack(latents(batch.latents, sample), rows: 0..<shape.imageTokens)
      own.text.dy.pack(dx(sample), rows: 0..<shape.textTokens)
      own.text.x.pack(evaluator.promptText(batch.prompts, batch.promptIndex[sample]), rows: 0..<shape.textTokens)
      if let dLatents { team.projectBackward(dimage, weights.weight(layout.imageIn), into: latents(dLatents, sample)) }
    }
    let all = training.arena.factors.firstLayer(samples: samples)
    training.jobs.append(WeightGradient(layer: layout.imageIn, dy: all.image.dy, x: all.image.x))
    training.jobs.append(WeightGradient(layer: layout.textIn, dy: all.text.dy, x: all.text.x))
    runJobs()
  }

  private func latents(_ base: UnsafeMutablePointer<Float>, _ sample: Int) -> Matrix {
    Matrix(base + sample * shape.latentSize, rows: shape.imageTokens, columns: shape.latentChannels)
  }

  private func forEachSample(_ body: (Int, ForwardScratch, WorkerScratch, Team) -> Void) {
    evaluator.forEachSample(batch.count, team) { sample, worker, team in
      normSums(sample).update(repeating: 0, count: 4 * shape.headDim)
      body(
        sample, evaluator.forwardScratch(worker), evaluator.workerScratch(team === Team.alone ? worker : 0), team)
    }
  }

  private func normSums(_ sample: Int) -> UnsafeMutablePointer<Float> { training.arena.normSums + sample * 4 * shape.headDim }

  /// Adds each sample's gradient of one RMSNorm weight, sample by sample.
  private func reduceNorm(_ index: Int, _ offset: Int) {
    for sample in samples {
      Reduction.add(normSums(sample) + index * shape.headDim, to: gradients.base + offset, count: shape.headDim)
    }
  }

  private func runJobs() {
    WeightGradient.runAll(training.jobs, gradients: gradients, team: team)
    training.jobs.removeAll(keepingCapacity: true)
  }
}
