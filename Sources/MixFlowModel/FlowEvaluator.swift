import MixBasics
import MixNumerics

/// Runs a flow transformer on batches: velocities, and gradients of whatever depends on them.
///
/// A sample is the unit of every product, so its velocity has the same bits in every batch, saved or not, with any number of
/// threads. All memory is taken at creation, or at the first call that saves activations of so many samples.
///
/// Thread rule: one call at a time per evaluator; several evaluators may share a model whose weights nobody writes.
public final class FlowEvaluator {
  /// Whose weights are read, and whose gradients are written.
  public let model: FlowTransformer
  /// Where the image tokens stand.
  public let geometry: TokenGeometry
  /// Text tokens of every prompt, L.
  public let textLength: Int
  /// Most samples whose activations can be saved at once; larger batches without saving are cut. Less than asked for where a
  /// budget demands it.
  public var maxBatch: Int { memory.maxBatch }
  /// What this evaluator takes.
  public let memory: EvaluatorMemory
  /// Most bytes of model, evaluator and all that training holds; 0 for no limit.
  public let maxBytes: Int
  /// What a model with `guidance_embeds` is told when a call gives no guidance of its own; others ignore it.
  public var guidance: Float = 3.5 { didSet { defaultGuidance.update(repeating: guidance, count: maxBatch) } }

  let shape: EvaluationShape
  let workers: Workers
  let rotary: RotaryEmbedding
  let attention: Attention
  /// Of the last single block, of which only image rows are read.
  private let lastAttention: Attention
  let conditioning: Conditioning
  private let packed: PackedWeights
  private let forwardStorage: FloatStorage
  private let textStorage: FloatStorage
  private var promptRow: [Int]
  /// The rows of a call that are not remembered.
  private var newRows: [Int] = []
  /// Rows that were answered from memory since the evaluator was made.
  package private(set) var recalledRows = 0
  private let guidanceStorage: FloatStorage
  private var defaultGuidance: UnsafeMutablePointer<Float> { guidanceStorage.base }
  private var answers: FloatStorage?
  var training: TrainingBuffers?
  /// What the saved activations belong to.
  var saved: SavedBatch?

  /// - Parameters:
  ///   - model: whose weights are read, and whose gradients are written.
  ///   - geometry: where the image tokens stand.
  ///   - textLength: tokens of every prompt, 1…65536.
  ///   - maxBatch: 1…65536.
  ///   - threads: 1…1024; more than there are cores is allowed and slower.
  ///   - recomputesActivations: save the blocks' inputs alone, and compute each block again in the backward: less memory, a
  ///     forward more, the same bits.
  ///   - maxBytes: a budget for model, evaluator and all that training holds, 0 for none. Batches are split to stay within it,
  ///     which changes no bit of a result.
  /// - Throws: `invalidArgument`; `outOfMemory`, also when a single sample is over the budget.
  public init(
    model: FlowTransformer, geometry: TokenGeometry, textLength: Int, maxBatch: Int, threads: Int,
    recomputesActivations: Bool = false, maxBytes: Int = 0
  ) throws(MixGRPOError) {
    try require(maxBytes >= 0, "max_bytes", expected: "0 (no limit) or more", got: maxBytes)
    memory = try EvaluatorMemory(
      configuration: model.configuration, tokens: geometry.tokens, textLength: textLength, maxBatch: maxBatch,
      threads: threads, recomputesActivations: recomputesActivations, within: maxBytes)
    let maxBatch = memory.maxBatch
    // Positions, tables and names; the large blocks ask for themselves.
    try Memory.require(geometry.tokens + textLength + maxBatch, of: 128 + 8 * model.configuration.attentionHeadDim)
    (self.model, self.geometry, self.textLength, self.maxBytes) = (model, geometry, textLength, maxBytes)
    shape = EvaluationShape(model.configuration, model.layout, imageTokens: geometry.tokens, textTokens: textLength)
    workers = Workers(threads: threads)
    rotary = try RotaryEmbedding(
      positions: Array(repeating: 0, count: 3 * textLength) + geometry.positions, axesDims: model.configuration.axesDimsRope)
    attention = Attention(tokens: shape.tokens, heads: shape.heads, headDim: shape.headDim)
    lastAttention = Attention(
      tokens: shape.tokens, heads: shape.heads, headDim: shape.headDim, firstQuery: shape.textTokens)
    conditioning = try Conditioning(shape, model.layout, capacity: maxBatch)
    packed = try PackedWeights(model.layout)
    forwardStorage = try FloatStorage(
      count: workers.count * (ForwardScratch.floats(shape) + WorkerScratch.floats(attention)))
    textStorage = try FloatStorage(count: maxBatch * textLength * shape.width)
    promptRow = Array(repeating: 0, count: maxBatch)
    newRows.reserveCapacity(maxBatch)
    guidanceStorage = try FloatStorage(count: maxBatch)
    defaultGuidance.update(repeating: guidance, count: maxBatch)
  }

  /// Floats of one latent, D = tokens · in_channels.
  public var latentSize: Int { shape.latentSize }
  /// Floats of one velocity, tokens · out_channels.
  public var velocitySize: Int { shape.outputSize }

  /// Rows whose activations are kept for `backward`; 0 if none are.
  public var keptRows: Int { saved?.count ?? 0 }

  /// Discards the kept activations; a later `backward` is an error.
  package func discardActivations() { saved = nil }

  /// Room for `count` velocities that belongs to the evaluator, grown when needed.
  package func answerBuffer(count: Int) throws(MixGRPOError) -> UnsafeMutablePointer<Float> {
    if let answers, answers.count >= count * velocitySize { return answers.base }
    answers = nil
    let made = try FloatStorage(count: count * velocitySize)
    answers = made
    return made.base
  }

  /// velocity ← v(latents, σ, prompt).
  /// - Parameters:
  ///   - latents: (count, tokens, in_channels).
  ///   - count: samples, 1 or more; cut into batches where nothing is saved.
  ///   - sigmas: (count), each in [0, 1].
  ///   - promptIndex: (count), rows of `prompts`.
  ///   - prompts: embeddings with the evaluator's text length.
  ///   - guidance: (count), for models with `guidance_embeds`; nil: `guidance` for all.
  ///   - velocity: (count, tokens, out_channels).
  ///   - savingActivations: keep what `backward` needs; count ≤ `maxBatch`.
  /// - Throws: `invalidArgument`; `outOfMemory` at the first call that saves.
  public func velocity(
    latents: UnsafePointer<Float>, count: Int, sigmas: UnsafePointer<Float>, promptIndex: UnsafePointer<Int32>,
    prompts: PromptEmbeddings, guidance: UnsafePointer<Float>? = nil, into velocity: UnsafeMutablePointer<Float>,
    savingActivations: Bool = false
  ) throws(MixGRPOError) {
    try check(count, sigmas, promptIndex, guidance, prompts)
    saved = nil
    if savingActivations {
      try require(count <= maxBatch, "count", expected: "at most max_batch = \(maxBatch) to save activations", got: count)
      try reserveTraining(count)
    }
    var first = 0
    while first < count {
      let inputs = EvaluationInputs(
        count: min(maxBatch, count - first), latents: latents + first * latentSize, sigmas: sigmas + first,
        promptIndex: promptIndex + first, prompts: prompts,
        guidance: guidance.map { $0 + first } ?? UnsafePointer(defaultGuidance))
      evaluate(inputs, into: velocity + first * velocitySize, saving: savingActivations ? .everyRow : .noRow)
      first += inputs.count
    }
    if savingActivations { saved = training?.keep(count, latents, promptIndex, prompts, latentSize: latentSize) }
  }

  /// The same for rows of which some will be asked for again, to be trained on with the weights of now: their activations stay,
  /// and a call that saves activations takes them where it has the same row in the same place. All bits are as without it, and
  /// where there is no memory for activations none stay.
  /// - Parameters:
  ///   - count: samples, 1…`maxBatch`.
  ///   - places: (count), the row of the call to come, below `capacity`; −1 for rows that will not be asked for.
  ///   - capacity: rows of that call, at most `maxBatch`.
  /// - Throws: `invalidArgument`.
  package func velocity(
    latents: UnsafePointer<Float>, count: Int, sigmas: UnsafePointer<Float>, promptIndex: UnsafePointer<Int32>,
    prompts: PromptEmbeddings, into velocity: UnsafeMutablePointer<Float>, remembering places: UnsafePointer<Int32>,
    capacity: Int
  ) throws(MixGRPOError) {
    try check(count, sigmas, promptIndex, nil, prompts)
    try require(count <= maxBatch, "count", expected: "at most max_batch = \(maxBatch) to save activations", got: count)
    saved = nil
    let keeps = (try? reserveTraining(capacity)) != nil
    let inputs = EvaluationInputs(
      count: count, latents: latents, sigmas: sigmas, promptIndex: promptIndex, prompts: prompts,
      guidance: UnsafePointer(defaultGuidance))
    evaluate(inputs, into: velocity, saving: keeps ? .places(places) : .noRow)
    for row in 0..<count where keeps && places[row] >= 0 {
      training?.remembered.remember(
        Int(places[row]), condition(inputs, row), latents: latents + row * latentSize,
        velocity: velocity + row * velocitySize)
    }
  }

  /// Room for the activations of `count` samples, made when there is less.
  private func reserveTraining(_ count: Int) throws(MixGRPOError) {
    if let training, training.capacity >= count { return }
    if maxBytes > 0 {
      let needed = memory.inferenceBytes + 2 * memory.weightBytes + memory.trainingBytes(samples: count)
      guard needed <= maxBytes else {
        throw MixGRPOError(
          .outOfMemory, "max_bytes: expected at least \(needed) bytes to save activations of \(count) samples, got \(maxBytes)")
      }
    }
    training = nil
    training = try TrainingBuffers(shape, capacity: count, recomputes: memory.recomputesActivations)
  }

  /// - Throws: `invalidArgument` when the embeddings' sizes are not the model's.
  package func check(_ prompts: PromptEmbeddings) throws(MixGRPOError) {
    var check = Validation()
    check.require(prompts.textLength == textLength, "prompts", expected: "text_length \(textLength)", got: prompts.textLength)
    check.require(
      prompts.textWidth == shape.textWidth, "prompts", expected: "text width \(shape.textWidth)", got: prompts.textWidth)
    check.require(
      prompts.pooledWidth == shape.pooledWidth, "prompts", expected: "pooled width \(shape.pooledWidth)",
      got: prompts.pooledWidth)
    try check.throwIfAny()
  }

  private func check(
    _ count: Int, _ sigmas: UnsafePointer<Float>, _ promptIndex: UnsafePointer<Int32>, _ guidance: UnsafePointer<Float>?,
    _ prompts: PromptEmbeddings
  ) throws(MixGRPOError) {
    try require(count > 0, "count", expected: "at least 1", got: count)
    try check(prompts)
    for sample in 0..<count {
      try require(sigmas[sample] >= 0 && sigmas[sample] <= 1, "sigma[\(sample)]", expected: "0…1", got: sigmas[sample])
      try require(
        promptIndex[sample] >= 0 && Int(promptIndex[sample]) < prompts.count, "prompt_index[\(sample)]",
        expected: "0…\(prompts.count - 1)", got: promptIndex[sample])
      try require(guidance?[sample].isFinite ?? true, "guidance[\(sample)]", expected: "a finite value", got: "NaN or infinity")
    }
  }

  // MARK: - Forward

  private func evaluate(_ inputs: EvaluationInputs, into velocity: UnsafeMutablePointer<Float>, saving: SavedRows) {
    recall(inputs, into: velocity, saving)
    let (activations, newRows) = (training?.saved, newRows)
    Team.lead(threads: workers.count) { team in
      packed.refresh(model, team: team)
      conditioning.prepare(
        count: inputs.count, sigmas: inputs.sigmas, promptIndex: inputs.promptIndex, prompts: inputs.prompts,
        guidance: model.layout.guidance == nil ? nil : inputs.guidance, weights: weights, team: team)
      projectTexts(inputs.count, inputs.promptIndex, inputs.prompts)
      forEachSample(newRows.count, team) { index, worker, team in
        let sample = newRows[index]
        let place = saving.place(of: sample).flatMap { place in activations.map { SavedPlace(activations: $0, sample: place) } }
        forward(
          sample, latents: UnsafeMutablePointer(mutating: inputs.latents) + sample * latentSize,
          velocity: velocity + sample * velocitySize, saving: place, scratch: forwardScratch(worker),
          workerScratch: workerScratch(team === Team.alone ? worker : 0), team: team)
      }
    }
  }

  /// Answers what is remembered; the other rows are in `newRows` then.
  private func recall(_ inputs: EvaluationInputs, into velocity: UnsafeMutablePointer<Float>, _ saving: SavedRows) {
    newRows.removeAll(keepingCapacity: true)
    for row in 0..<inputs.count {
      if case .everyRow = saving, let known = training?.remembered.velocity(
        row, condition(inputs, row), latents: inputs.latents + row * latentSize)
      {
        (velocity + row * velocitySize).update(from: known, count: velocitySize)
      } else {
        newRows.append(row)
      }
    }
    recalledRows += inputs.count - newRows.count
    if case .everyRow = saving { training?.remembered.forget() }
  }

  private func condition(_ inputs: EvaluationInputs, _ row: Int) -> RememberedRows.Condition {
    RememberedRows.Condition(
      weightsVersion: model.weightsVersion, prompts: inputs.prompts.identity, prompt: inputs.promptIndex[row],
      sigma: inputs.sigmas[row], guidance: inputs.guidance[row])
  }

  /// Whole rounds of samples go one to a thread; what is left over is shared by all threads.
  func forEachSample(_ count: Int, _ team: Team, _ body: (_ sample: Int, _ worker: Int, _ team: Team) -> Void) {
    let rounds = count / workers.count * workers.count
    team.forEach(rounds) { sample, worker in body(sample, worker, .alone) }
    for sample in rounds..<count { body(sample, 0, team) }
  }

  private func forward(
    _ sample: Int, latents: UnsafeMutablePointer<Float>, velocity: UnsafeMutablePointer<Float>, saving: SavedPlace?,
    scratch: ForwardScratch, workerScratch: WorkerScratch, team: Team
  ) {
    let modulation = conditioning.modulation(sample)
    let stream = ResidualStream(shape: shape, saving: saving, scratch: scratch)
    embed(sample, latents, stream.input, team)
    for index in 0..<shape.doubleBlocks {
      let target = stream.output(ofDouble: index)
      doubleBlock(index).forward(
        stream.double(index), modulation: modulation, weights: weights, scratch: scratch,
        workerScratch: workerScratch, team: team, intoText: target.text, image: target.image)
    }
    for index in 0..<shape.singleBlocks {
      singleBlock(index).forward(
        stream.single(index), modulation: modulation, weights: weights, scratch: scratch,
        workerScratch: workerScratch, team: team, into: stream.output(ofSingle: index))
    }
    outputLayer.forward(
      stream.final.rows(shape.textTokens..<shape.tokens), modulation: modulation, weights: weights,
      normalized: scratch.normalized.rows(0..<shape.imageTokens),
      into: Matrix(velocity, rows: shape.imageTokens, columns: shape.outChannels), team: team)
  }

  /// The first layer: latents and text to the model's width.
  private func embed(
    _ sample: Int, _ latents: UnsafeMutablePointer<Float>, _ input: (text: Matrix, image: Matrix), _ team: Team
  ) {
    Reduction.copy(projectedText(promptRow[sample]), into: input.text)
    team.project(
      Matrix(latents, rows: shape.imageTokens, columns: shape.latentChannels), weights.packed(model.layout.imageIn),
      into: input.image)
    Reduction.addBias(weights.bias(model.layout.imageIn), to: input.image)
  }

  /// Text through the first layer, once per distinct prompt of the batch.
  private func projectTexts(_ count: Int, _ promptIndex: UnsafePointer<Int32>, _ prompts: PromptEmbeddings) {
    for sample in 0..<count {
      let prompt = promptIndex[sample]
      var first = 0
      while promptIndex[first] != prompt { first += 1 }
      promptRow[sample] = first
      guard first == sample else { continue }
      let target = projectedText(sample)
      Team.alone.project(promptText(prompts, prompt), weights.packed(model.layout.textIn), into: target)
      Reduction.addBias(weights.bias(model.layout.textIn), to: target)
    }
  }

  func promptText(_ prompts: PromptEmbeddings, _ prompt: Int32) -> Matrix {
    let size = textLength * shape.textWidth
    return Matrix(prompts.text.base + Int(prompt) * size, rows: textLength, columns: shape.textWidth)
  }

  private func projectedText(_ row: Int) -> Matrix {
    Matrix(textStorage.base + row * textLength * shape.width, rows: textLength, columns: shape.width)
  }

  // MARK: - Parts

  var weights: ParameterView {
    ParameterView(base: UnsafeMutablePointer(mutating: model.weights), packedBase: packed.base)
  }

  func doubleBlock(_ index: Int) -> DoubleStreamBlock {
    DoubleStreamBlock(
      shape: shape, layout: model.layout.doubleBlocks[index], attention: attention,
      queryKey: QueryKeyNormalization(heads: shape.heads, rotary: rotary))
  }

  func singleBlock(_ index: Int) -> SingleStreamBlock {
    let isLast = index == shape.singleBlocks - 1
    return SingleStreamBlock(
      shape: shape, layout: model.layout.singleBlocks[index], attention: isLast ? lastAttention : attention,
      queryKey: QueryKeyNormalization(heads: shape.heads, rotary: rotary),
      outputRows: (isLast ? shape.textTokens : 0)..<shape.tokens)
  }

  var outputLayer: OutputLayer {
    OutputLayer(shape: shape, layer: model.layout.out, modulation: model.layout.outModulation)
  }

  func forwardScratch(_ worker: Int) -> ForwardScratch {
    ForwardScratch(shape, base: forwardStorage.base + worker * ForwardScratch.floats(shape))
  }

  func workerScratch(_ worker: Int) -> WorkerScratch {
    let first = forwardStorage.base + workers.count * ForwardScratch.floats(shape)
    let stride = WorkerScratch.floats(attention)
    return WorkerScratch(base: first + worker * stride, stride: stride)
  }
}

/// What a call evaluates, as it was given.
private struct EvaluationInputs {
  let count: Int
  let latents: UnsafePointer<Float>  // (count, tokens, in_channels)
  let sigmas: UnsafePointer<Float>  // (count)
  let promptIndex: UnsafePointer<Int32>  // (count)
  let prompts: PromptEmbeddings
  let guidance: UnsafePointer<Float>  // (count)
}

/// Which rows of a call leave their activations, and at which place among the saved ones.
private enum SavedRows {
  case noRow
  case everyRow
  /// (count); −1: not this row.
  case places(UnsafePointer<Int32>)

  func place(of row: Int) -> Int? {
    switch self {
    case .noRow: nil
    case .everyRow: row
    case .places(let places): places[row] < 0 ? nil : Int(places[row])
    }
  }
}
