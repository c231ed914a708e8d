import MixBasics
import MixNumerics

/// Runs a flow transformer on batches: velocities, and gradients through them.
///
/// Each sample is computed on its own, so its velocity has the same bits in every batch, with or without saved activations, and
/// with any number of threads. Memory is allocated at creation and by the first call that saves activations of so many samples.
///
/// Thread rule: one call at a time per evaluator; several evaluators may share a model while its weights are not written.
public final class FlowEvaluator {
  /// The model whose weights are read and whose gradients are written.
  public let model: FlowTransformer
  /// Positions of the image tokens.
  public let geometry: TokenGeometry
  /// Text tokens of every prompt, L.
  public let textLength: Int
  /// Most samples whose activations can be saved at once; larger requests without saving are split. A budget may reduce it.
  public var maxBatch: Int { memory.maxBatch }
  /// The memory this evaluator needs.
  public let memory: EvaluatorMemory
  /// Limit in bytes for model, evaluator and training together; 0 for no limit.
  public let maxBytes: Int
  /// Guidance for models with `guidance_embeds` when a request has none; other models ignore it.
  public var guidance: Float = 3.5 { didSet { defaultGuidance.update(repeating: guidance, count: maxBatch) } }

  /// Of the factors in the blocks' products.
  public var precision: Precision { shape.precision }

  let shape: EvaluationShape
  let workers: Workers
  let attention: Attention
  /// For the last single block, of which only image rows are read.
  private let lastAttention: Attention
  let conditioning: Conditioning
  let packed: PackedWeights
  let merged: MergedWeights?
  private let storage: FloatStorage
  let arena: InferenceArena
  /// The first row of a call with the same prompt, by row.
  var promptRow: [Int]
  /// The rows of a call that are not remembered.
  var newRows: [Int] = []
  /// Rows that were not computed because their activations were remembered, since the evaluator was created.
  package internal(set) var recalledRows = 0
  private var defaultGuidance: UnsafeMutablePointer<Float> { arena.guidance }
  /// For requests of more than `maxBatch` rows.
  private var largeAnswers: FloatStorage?
  var training: TrainingBuffers?
  /// What the saved activations belong to.
  var saved: SavedBatch? { didSet { savedVersion = model.weightsVersion } }
  /// The weights that the saved activations belong to.
  private var savedVersion = 0

  /// - Parameters:
  ///   - model: its weights are read and its gradients are written.
  ///   - geometry: positions of the image tokens.
  ///   - textLength: tokens of every prompt, 1…65536.
  ///   - maxBatch: 1…65536.
  ///   - threads: 1…1024; more threads than cores are allowed but slower.
  ///   - recomputesActivations: save only the blocks' inputs and compute each block again in the backward: less memory, one more
  ///     forward, the same bits.
  ///   - precision: of the factors in the blocks' products; it changes results.
  ///   - maxBytes: a budget for model, evaluator and training, 0 for none. Batches are split to stay within it; results are the
  ///     same to the bit.
  /// - Throws: `invalidArgument`; `outOfMemory`, also when the budget is too small for one sample.
  public init(
    model: FlowTransformer, geometry: TokenGeometry, textLength: Int, maxBatch: Int, threads: Int,
    recomputesActivations: Bool = false, precision: Precision = .float32, maxBytes: Int = 0
  ) throws(MixGRPOError) {
    try require(maxBytes >= 0, "max_bytes", expected: "0 (no limit) or more", got: maxBytes)
    memory = try EvaluatorMemory(
      configuration: model.configuration, tokens: geometry.tokens, textLength: textLength, maxBatch: maxBatch,
      threads: threads, recomputesActivations: recomputesActivations, precision: precision, adapter: model.adapter,
      roundsBlocks: model.layout.roundedCount > 0, within: maxBytes)
    let maxBatch = memory.maxBatch
    // Positions, tables and names; large blocks are checked when they are allocated.
    try Memory.require(geometry.tokens + textLength + maxBatch, of: 128 + 8 * model.configuration.attentionHeadDim)
    (self.model, self.geometry, self.textLength, self.maxBytes) = (model, geometry, textLength, maxBytes)
    shape = EvaluationShape(
      model.configuration, model.layout, imageTokens: geometry.tokens, textTokens: textLength, precision: precision)
    workers = Workers(threads: threads)
    (attention, lastAttention) = (shape.attention(), shape.attention(firstQuery: shape.textTokens))
    (storage, arena) = try Self.allocate(shape, model, attention, threads: threads, maxBatch: maxBatch)
    Self.fill(arena.rotary, model.configuration, geometry, textLength)
    conditioning = Conditioning(shape, model.layout, arena.conditioning, capacity: maxBatch)
    packed = PackedWeights(model.layout, in: arena.packedWeights, merging: arena.merged != nil)
    merged = arena.merged.map { MergedWeights(model, in: $0) }
    promptRow = Array(repeating: 0, count: maxBatch)
    newRows.reserveCapacity(maxBatch)
    defaultGuidance.update(repeating: guidance, count: maxBatch)
  }

  @inline(never)
  private static func allocate(
    _ shape: EvaluationShape, _ model: FlowTransformer, _ attention: Attention, threads: Int, maxBatch: Int
  ) throws(MixGRPOError) -> (FloatStorage, InferenceArena) {
    try Arena.allocate("max_batch") {
      InferenceArena(shape, model.layout, model.adapter, attention, threads: threads, maxBatch: maxBatch, &$0)
    }
  }

  @inline(never)
  private static func fill(
    _ rotary: RotaryEmbedding, _ configuration: FlowTransformerConfiguration, _ geometry: TokenGeometry, _ textLength: Int
  ) {
    let positions = Array(repeating: Float(0), count: 3 * textLength) + geometry.positions
    rotary.fill(positions: positions, axesDims: configuration.axesDimsRope)
  }

  /// Floats of one latent, D = tokens · in_channels.
  public var latentSize: Int { shape.latentSize }
  /// Floats of one velocity, tokens · out_channels.
  public var velocitySize: Int { shape.outputSize }

  /// Rows whose activations are kept for `backward`; 0 if none are, or if the model's weights have changed since.
  public var keptRows: Int { savedVersion == model.weightsVersion ? saved?.count ?? 0 : 0 }

  /// Discards the kept activations; a later `backward` is an error.
  package func discardActivations() { saved = nil }

  /// velocity ← v(latents, σ, prompt) for each row of a request.
  /// - Parameters:
  ///   - request: 1 or more rows, each σ in [0, 1]; evaluated in batches of at most `maxBatch`.
  ///   - prompts: embeddings with the evaluator's text length, one row for each prompt id.
  ///   - keep: the rows whose activations are kept.
  ///   - target: (B, tokens, out_channels); nil: memory of the evaluator, valid until its next call.
  /// - Returns: the velocities, (B, tokens, out_channels).
  /// - Throws: `invalidArgument`; `outOfMemory`, with `keep: .all` also when its activations do not fit.
  @discardableResult
  public func velocity(
    _ request: VelocityRequest, _ prompts: PromptEmbeddings, keep: KeptActivations = .none,
    into target: UnsafeMutablePointer<Float>? = nil
  ) throws(MixGRPOError) -> UnsafePointer<Float> {
    try check(request, prompts)
    let keep = try reserve(keep, for: request)
    saved = nil
    let velocity = if let target { target } else { try answerBuffer(count: request.count) }
    var first = 0
    while first < request.count {
      let rows = first..<min(first + maxBatch, request.count)
      evaluate(
        EvaluationBatch(request, rows, prompts, defaultGuidance: defaultGuidance), keep, into: velocity + first * velocitySize)
      first = rows.upperBound
    }
    if case .all = keep { saved = training?.copyInputs(of: request, prompts) }
    return UnsafePointer(velocity)
  }

  /// The same into a host's buffer, which is unchanged on failure; a failure keeps no activations.
  /// - Throws: also `notFinite`, when a velocity is NaN or infinite.
  package func finiteVelocity(
    _ request: VelocityRequest, _ prompts: PromptEmbeddings, keep: KeptActivations, into target: UnsafeMutablePointer<Float>
  ) throws(MixGRPOError) {
    let velocity = try self.velocity(request, prompts, keep: keep)
    guard Reduction.allFinite(velocity, count: request.count * velocitySize) else {
      discardActivations()
      throw MixGRPOError(.notFinite, "velocity: expected finite values of the model, got NaN or infinity")
    }
    target.update(from: velocity, count: request.count * velocitySize)
  }

  /// Memory for `count` velocities, enlarged when needed.
  private func answerBuffer(count: Int) throws(MixGRPOError) -> UnsafeMutablePointer<Float> {
    if count <= maxBatch { return arena.answers }
    if let largeAnswers, largeAnswers.count >= count * velocitySize { return largeAnswers.base }
    largeAnswers = nil
    let made = try FloatStorage(count: count * velocitySize)
    largeAnswers = made
    return made.base
  }

  /// Allocates memory for kept activations. Those of `rows` only save time: without enough memory none are kept.
  private func reserve(_ keep: KeptActivations, for request: VelocityRequest) throws(MixGRPOError) -> KeptActivations {
    if case .none = keep { return keep }
    try require(
      request.count <= maxBatch, "count", expected: "at most max_batch = \(maxBatch) to save activations", got: request.count)
    guard case .rows(_, let capacity) = keep else {
      try reserveTraining(request.count)
      return keep
    }
    do throws(MixGRPOError) { try reserveTraining(capacity) } catch {
      guard error.code == .outOfMemory else { throw error }
      return .none
    }
    return keep
  }

  /// Allocates memory for the activations of `count` samples unless there is enough.
  private func reserveTraining(_ count: Int) throws(MixGRPOError) {
    if let training, training.capacity >= count { return }
    if maxBytes > 0 {
      let needed = memory.inferenceBytes + memory.weightBytes + memory.trainedBytes + memory.trainingBytes(samples: count)
      guard needed <= maxBytes else {
        throw MixGRPOError(
          .outOfMemory, "max_bytes: expected at least \(needed) bytes to save activations of \(count) samples, got \(maxBytes)")
      }
    }
    (training, saved) = (nil, nil)
    training = try TrainingBuffers(
      shape, model.adapter, capacity: count, recomputes: memory.recomputesActivations)
  }

  /// Of the threads of a call that all share one task; a sample's own begins at its worker's.
  var workerScratch: WorkerScratch { arena.workers }

  // MARK: - Layers

  var weights: ParameterView {
    ParameterView(
      base: UnsafeMutablePointer(mutating: model.baseWeights), packedTable: UnsafePointer(packed.table),
      mergedTable: merged.map { UnsafePointer($0.table) })
  }

  /// Merges the weights of a block's layers before they are packed for the backward.
  func merge(_ layers: @autoclosure () -> [LinearLayer], team: Team) { merged?.merge(layers(), workerScratch, team: team) }

  @inline(never)
  func doubleBlock(_ index: Int) -> DoubleStreamBlock {
    DoubleStreamBlock(
      shape: shape, layout: model.layout.doubleBlocks[index], attention: attention,
      queryKey: QueryKeyNormalization(heads: shape.heads, rotary: arena.rotary))
  }

  @inline(never)
  func singleBlock(_ index: Int) -> SingleStreamBlock {
    let isLast = index == shape.singleBlocks - 1
    return SingleStreamBlock(
      shape: shape, layout: model.layout.singleBlocks[index], attention: isLast ? lastAttention : attention,
      queryKey: QueryKeyNormalization(heads: shape.heads, rotary: arena.rotary),
      outputRows: (isLast ? shape.textTokens : 0)..<shape.tokens)
  }

  var inputLayer: InputLayer { InputLayer(shape: shape, text: model.layout.textIn, image: model.layout.imageIn) }

  var outputLayer: OutputLayer {
    OutputLayer(shape: shape, layer: model.layout.out, modulation: model.layout.outModulation)
  }
}
