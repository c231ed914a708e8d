import MixGRPO

/// The sizes of the model that settings name, read from the headers of its files.
struct PlannedModel {
  let configuration: FlowTransformerConfiguration
  let codec: PixelCodec
  let textLength: Int
  let maxBatch: Int
  let threads: Int
  let precision: Precision
  /// Of the adapter that is trained.
  let lora: LoRAConfiguration?
  let isFrozen: Bool

  /// - Throws: the errors of reading the model's configuration; `invalidArgument` for settings that do not match the model.
  init(_ settings: AlignSettings) throws(MixGRPOError) {
    let folder = try WeightFolder(path: settings.model)
    configuration = try FlowTransformerConfiguration(json: folder.configuration, source: settings.model)
    let pictures = try settings.pictures.resolved(model: settings.model)
    codec = try PixelCodec(
      height: pictures.height, width: pictures.width, patch: PixelModel.patch(of: configuration, settings.model))
    textLength =
      try pictures.embeddings.isEmpty ? pictures.textLength : StoredEmbeddings.read(path: pictures.embeddings).textLength
    (maxBatch, precision) = (pictures.maxBatch, pictures.computePrecision.computed)
    lora = settings.lora.configuration(seed: 0)
    isFrozen = lora != nil && settings.lora.hasFrozenBase
    threads = try RunContext(threads: settings.threads).threads
  }

  /// - Throws: `outOfMemory`.
  func cost(of rank: Rank, prompts: Int) throws(MixGRPOError) -> RankCost {
    RankCost(rank, rollouts: [prompts], trained: try evaluatorMemory(maxBatch: 1).trainedBytes / MemoryLayout<Float>.stride)
  }

  /// The weights of the whole model in float32.
  func wholeBytes() throws(MixGRPOError) -> Int {
    try EvaluatorMemory(
      configuration: configuration, tokens: 1, textLength: 1, maxBatch: 1, threads: 1
    ).weightBytes
  }

  func evaluatorMemory(maxBatch: Int) throws(MixGRPOError) -> EvaluatorMemory {
    try EvaluatorMemory(
      configuration: configuration, tokens: codec.tokenCount, textLength: textLength, maxBatch: maxBatch, threads: threads,
      precision: precision, lora: lora, isFrozen: isFrozen)
  }
}
