import MixBasics
import MixNumerics

/// The memory an evaluator needs, computed before anything is allocated. The evaluator uses it for its own limits.
public struct EvaluatorMemory: Equatable, Sendable {
  /// Allocated at creation.
  public let inferenceBytes: Int
  /// The model's weights, and the adapter's.
  public let weightBytes: Int
  /// The weights that are trained: all, or the adapter's. Gradients and moments are as large.
  public let trainedBytes: Int
  /// Samples per request of a trainer: enough to keep every thread busy and products at full speed.
  public let updateBatch: Int
  /// Most samples of one call.
  public let maxBatch: Int
  /// Whether the backward computes each block's activations again from the block's input.
  public let recomputesActivations: Bool
  private let shape: EvaluationShape
  private let adapter: AdapterLayout?

  /// - Parameters:
  ///   - configuration: the model's sizes.
  ///   - tokens: image tokens, N.
  ///   - textLength: L.
  ///   - maxBatch: most samples of one call, 1…65536.
  ///   - threads: 1…1024.
  ///   - recomputesActivations: see the property.
  ///   - precision: of the factors in the blocks' products.
  ///   - lora: of the adapter that is trained; nil for all weights.
  ///   - isFrozen: whether the model is a frozen one, whose blocks are stored in bfloat16.
  /// - Throws: `invalidArgument` for sizes out of bounds, or an adapter that does not fit the model.
  public init(
    configuration: FlowTransformerConfiguration, tokens: Int, textLength: Int, maxBatch: Int, threads: Int,
    recomputesActivations: Bool = false, precision: Precision = .float32, lora: LoRAConfiguration? = nil,
    isFrozen: Bool = false
  ) throws(MixGRPOError) {
    try self.init(
      configuration: configuration, tokens: tokens, textLength: textLength, maxBatch: maxBatch, threads: threads,
      recomputesActivations: recomputesActivations, precision: precision, adapter: AdapterLayout.of(configuration, lora),
      roundsBlocks: isFrozen)
  }

  package init(
    configuration: FlowTransformerConfiguration, tokens: Int, textLength: Int, maxBatch: Int, threads: Int,
    recomputesActivations: Bool, precision: Precision, adapter: AdapterLayout?, roundsBlocks: Bool
  ) throws(MixGRPOError) {
    try configuration.validate()
    try require((1...16_777_216).contains(tokens), "token_count", expected: "1…16777216", got: tokens)
    try require((1...65_536).contains(textLength), "text_length", expected: "1…65536", got: textLength)
    try require((1...65_536).contains(maxBatch), "max_batch", expected: "1…65536", got: maxBatch)
    try require((1...1_024).contains(threads), "threads", expected: "1…1024", got: threads)
    try Self.requireCountable(configuration, rows: Double(maxBatch) * Double(tokens + textLength), tokens: tokens + textLength)
    let layout = try ParameterLayout(configuration, roundsBlocks: roundsBlocks)
    shape = EvaluationShape(
      configuration, layout, imageTokens: tokens, textTokens: textLength, precision: precision)
    (self.maxBatch, self.recomputesActivations) = (maxBatch, recomputesActivations)
    updateBatch = Self.updateBatch(tokens: shape.tokens, maxBatch: maxBatch, threads: threads)
    (trainedBytes, self.adapter) = (4 * (adapter?.count ?? (roundsBlocks ? 0 : layout.count)), adapter)
    weightBytes = 4 * layout.count + 2 * layout.roundedCount + (adapter == nil ? 0 : trainedBytes)
    let (shape, attention) = (shape, shape.attention())
    inferenceBytes = try Arena.bytes("max_batch") {
      InferenceArena(shape, layout, adapter, attention, threads: threads, maxBatch: maxBatch, &$0)
    }
  }

  /// Allocated by the first call that saves activations of so many samples; kept for later calls.
  public func trainingBytes(samples: Int) -> Int {
    4 * Arena.count { TrainingArena(shape, adapter, capacity: samples, recomputes: recomputesActivations, &$0) }
  }

  /// The same evaluator with recomputation.
  var recomputing: EvaluatorMemory { EvaluatorMemory(self, recomputesActivations: true) }

  private init(_ other: EvaluatorMemory, recomputesActivations: Bool) {
    (inferenceBytes, weightBytes, trainedBytes) = (other.inferenceBytes, other.weightBytes, other.trainedBytes)
    adapter = other.adapter
    (maxBatch, updateBatch, shape) = (other.maxBatch, other.updateBatch, other.shape)
    self.recomputesActivations = recomputesActivations
  }

  /// About a thousand rows keep products at full speed; two samples per thread share the fixed cost of a block; a multiple of the
  /// thread count keeps all threads busy.
  private static func updateBatch(tokens: Int, maxBatch: Int, threads: Int) -> Int {
    min(max(2, 1_024 / tokens / threads) * threads, maxBatch)
  }

  /// Each size is within its bounds here; this checks their product, the activations of every block and row.
  private static func requireCountable(
    _ configuration: FlowTransformerConfiguration, rows: Double, tokens: Int
  ) throws(MixGRPOError) {
    let width = Double(configuration.width + configuration.inChannels + configuration.outChannels)
    let blocks = Double(configuration.numLayers + configuration.numSingleLayers + 4)
    let bytes = 4 * (rows * 32 * width * blocks + 2_048 * Double(tokens) * Double(tokens))
    try require(
      bytes < 0x1p60, "max_batch · (token_count + text_length) · width · blocks", expected: "a size in memory",
      got: "about \(bytes) bytes")
  }
}

// MARK: - Under a budget

extension EvaluatorMemory {
  /// The largest number of samples, at most `updateBatch`, whose activations fit in the budget together with `taken` bytes.
  /// - Parameters:
  ///   - budget: bytes, 0 for none.
  ///   - taken: bytes that do not depend on the batch.
  ///   - rows: most samples of one request.
  ///   - bytes: other memory that so many samples in flight need.
  /// - Throws: `outOfMemory` with the bytes that one sample needs, with and without recomputation.
  public func updateBatch(
    within budget: Int, taken: Int, rows: Int = .max, bytes: (_ samples: Int) throws(MixGRPOError) -> Int
  ) throws(MixGRPOError) -> Int {
    func needed(_ samples: Int) throws(MixGRPOError) -> Int {
      taken + trainingBytes(samples: samples) + (try bytes(samples))
    }
    var batch = min(updateBatch, rows)
    guard budget > 0 else { return batch }
    while batch > 1, try needed(batch) > budget { batch -= 1 }
    if try needed(batch) <= budget { return batch }
    let recomputed = taken + recomputing.trainingBytes(samples: batch) + (try bytes(batch))
    let way = recomputesActivations ? "" : ", or \(recomputed) with recomputed activations"
    throw MixGRPOError(
      .outOfMemory, "max_bytes: expected at least \(try needed(batch)) bytes to train\(way), got \(budget)")
  }

  /// The memory of an evaluator with a budget: `maxBatch` is reduced to the samples that keep all threads busy.
  /// - Parameters:
  ///   - configuration: the model's sizes.
  ///   - tokens: image tokens, N.
  ///   - textLength: L.
  ///   - maxBatch: most samples of one call, 1…65536; reduced if there is a budget.
  ///   - threads: 1…1024.
  ///   - recomputesActivations: see the property.
  ///   - precision: of the factors in the blocks' products.
  ///   - lora: of the adapter that is trained; nil for all weights.
  ///   - isFrozen: whether the model is a frozen one, whose blocks are stored in bfloat16.
  ///   - budget: bytes, 0 for none.
  /// - Throws: `invalidArgument`; `outOfMemory` with the bytes needed to evaluate.
  public init(
    configuration: FlowTransformerConfiguration, tokens: Int, textLength: Int, maxBatch: Int, threads: Int,
    recomputesActivations: Bool = false, precision: Precision = .float32, lora: LoRAConfiguration? = nil,
    isFrozen: Bool = false, within budget: Int
  ) throws(MixGRPOError) {
    try self.init(
      configuration: configuration, tokens: tokens, textLength: textLength, maxBatch: maxBatch, threads: threads,
      recomputesActivations: recomputesActivations, precision: precision, adapter: AdapterLayout.of(configuration, lora),
      roundsBlocks: isFrozen, within: budget)
  }

  package init(
    configuration: FlowTransformerConfiguration, tokens: Int, textLength: Int, maxBatch: Int, threads: Int,
    recomputesActivations: Bool, precision: Precision, adapter: AdapterLayout?, roundsBlocks: Bool, within budget: Int
  ) throws(MixGRPOError) {
    func memory(_ maxBatch: Int) throws(MixGRPOError) -> EvaluatorMemory {
      try EvaluatorMemory(
        configuration: configuration, tokens: tokens, textLength: textLength, maxBatch: maxBatch, threads: threads,
        recomputesActivations: recomputesActivations, precision: precision, adapter: adapter, roundsBlocks: roundsBlocks)
    }
    let whole = try memory(maxBatch)
    self = budget > 0 ? try memory(whole.updateBatch) : whole
    let needed = inferenceBytes + weightBytes
    guard budget == 0 || needed <= budget else {
      throw MixGRPOError(.outOfMemory, "max_bytes: expected at least \(needed) bytes to evaluate, got \(budget)")
    }
  }
}
