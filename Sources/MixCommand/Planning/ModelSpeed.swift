import MixGRPO

/// The time of model calls on this machine: of a forward and a backward pass of a model of these sizes, with weights of 0.
///
/// A model that is too large to be tried is estimated: a small part of it is measured, and the time grows with the products.
struct ModelSpeed {
  /// Of one picture.
  let secondsForward: Double
  /// Of one picture, forward and backward.
  let secondsTrained: Double
  /// Whether the model of the full size was measured.
  let isMeasured: Bool

  /// Multiplications and additions of one picture that take some seconds.
  private static let tryableOperations = 5e11
  /// Sides of the picture, in tokens, and blocks of the part that stands for a larger model.
  private static let partSide = 16
  /// Calls shorter than this are measured again, with more pictures and without the first call's preparations.
  private static let shortSeconds = 0.2
  /// Pictures of a measured call at most: the time of one hardly depends on more, and the call takes longer.
  private static let mostPictures = 16

  /// - Throws: `outOfMemory` when even the part has no room; the errors of the evaluator.
  init(_ model: PlannedModel) throws(MixGRPOError) {
    let full = Part(
      configuration: model.configuration, rows: model.codec.tokenRows, columns: model.codec.tokenColumns,
      textLength: model.textLength, precision: model.precision)
    let hasRoom = try full.fits(threads: model.threads)
    isMeasured = hasRoom && full.operations <= Self.tryableOperations
    let part = isMeasured ? full : full.reduced(side: Self.partSide)
    let seconds = try Self.measure(part, maxBatch: min(model.maxBatch, Self.mostPictures), threads: model.threads)
    let growth = full.operations / part.operations
    (secondsForward, secondsTrained) = (seconds.forward * growth, seconds.trained * growth)
  }

  /// A model and the size of its pictures.
  private struct Part {
    var configuration: FlowTransformerConfiguration
    var rows: Int
    var columns: Int
    let textLength: Int
    let precision: Precision

    private var tokens: Int { rows * columns }

    /// In the matrix products of one picture's forward pass: 12·d² weights for each token and block, and attention.
    var operations: Double {
      let (sequence, width) = (Double(tokens + textLength), Double(configuration.width))
      let blocks = Double(configuration.numLayers + configuration.numSingleLayers)
      return max(1, blocks) * sequence * (24 * width * width + 4 * sequence * width)
    }

    func reduced(side: Int) -> Part {
      var part = self
      part.configuration.numLayers = min(1, configuration.numLayers)
      part.configuration.numSingleLayers = min(1, configuration.numSingleLayers)
      (part.rows, part.columns) = (min(rows, side), min(columns, side))
      return part
    }

    /// Whether weights, gradients and the activations of one picture have room.
    func fits(threads: Int) throws(MixGRPOError) -> Bool {
      let memory = try EvaluatorMemory(
        configuration: configuration, tokens: tokens, textLength: textLength, maxBatch: 1, threads: threads,
        precision: precision)
      do {
        try Memory.require(bytes: memory.inferenceBytes + 3 * memory.weightBytes + memory.trainingBytes(samples: 1))
        return true
      } catch  where error.code == .outOfMemory {
        return false
      }
    }

    func evaluator(maxBatch: Int, threads: Int) throws(MixGRPOError) -> FlowEvaluator {
      try FlowEvaluator(
        model: FlowTransformer(configuration: configuration), geometry: TokenGeometry(height: rows, width: columns),
        textLength: textLength, maxBatch: maxBatch, threads: threads, precision: precision)
    }
  }

  private static func measure(
    _ part: Part, maxBatch: Int, threads: Int
  ) throws(MixGRPOError) -> (forward: Double, trained: Double) {
    let first = try time(try part.evaluator(maxBatch: 1, threads: threads), part, pictures: 1)
    guard first.forward < shortSeconds, maxBatch > 1 else { return first }
    let evaluator = try part.evaluator(maxBatch: maxBatch, threads: threads)
    _ = try time(evaluator, part, pictures: maxBatch)
    return try time(evaluator, part, pictures: maxBatch)
  }

  /// Seconds of one picture.
  private static func time(
    _ evaluator: FlowEvaluator, _ part: Part, pictures: Int
  ) throws(MixGRPOError) -> (forward: Double, trained: Double) {
    let latents = [Float](repeating: 0.5, count: pictures * evaluator.latentSize)
    let configuration = part.configuration
    let prompts = try PromptEmbeddings(
      text: [Float](repeating: 0.5, count: part.textLength * configuration.jointAttentionDim),
      pooled: [Float](repeating: 0.5, count: configuration.pooledProjectionDim), count: 1, textLength: part.textLength)
    let (sigmas, rows) = ([Float](repeating: 0.5, count: pictures), [Int32](repeating: 0, count: pictures))
    let start = ContinuousClock.now
    let forward = try ask(evaluator, latents, sigmas, rows, prompts, isTrained: false)
    let middle = ContinuousClock.now
    _ = try ask(evaluator, latents, sigmas, rows, prompts, isTrained: true)
    evaluator.model.zeroGradients()
    let end = ContinuousClock.now
    _ = forward
    let count = Double(pictures)
    return ((middle - start) / .seconds(1) / count, (end - middle) / .seconds(1) / count)
  }

  private static func ask(
    _ evaluator: FlowEvaluator, _ latents: [Float], _ sigmas: [Float], _ rows: [Int32], _ prompts: PromptEmbeddings,
    isTrained: Bool
  ) throws(MixGRPOError) -> Float {
    try latents.withUnsafeBufferPointer { (latents) throws(MixGRPOError) in
      try sigmas.withUnsafeBufferPointer { (sigmas) throws(MixGRPOError) in
        try rows.withUnsafeBufferPointer { (rows) throws(MixGRPOError) in
          guard let base = latents.baseAddress else { return 0 }
          let request = VelocityRequest(latents: base, latentSize: evaluator.latentSize, sigmas: sigmas, promptIndex: rows)
          let velocity = try evaluator.velocity(request, prompts, keep: isTrained ? .all : .none)
          if isTrained { try evaluator.backward(dVelocity: velocity) }
          return velocity[0]
        }
      }
    }
  }
}
