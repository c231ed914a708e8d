import MixGRPO

/// A model on patches of pixels, with prompts, evaluator and pixel codec.
struct PixelModel {
  let evaluator: FlowEvaluator
  let embeddings: PromptEmbeddings
  let codec: PixelCodec
  let prompts: PromptList
  /// What a folder of this model's weights remembers.
  let format: PictureFormat

  /// - Parameters:
  ///   - given: used instead of the file in the settings.
  ///   - load: reads the model of a folder, perhaps with an adapter.
  /// - Throws: the errors of reading model, prompts and embeddings; `invalidArgument` when they do not match.
  init(
    folder: String, _ settings: PictureSettings, prompts given: PromptList? = nil, context: RunContext,
    load: (_ folder: String) throws(MixGRPOError) -> FlowTransformer
  ) throws(MixGRPOError) {
    let model = try load(folder)
    let settings = try settings.resolved(model: folder)
    codec = try PixelCodec(height: settings.height, width: settings.width, patch: Self.patch(of: model.configuration, folder))
    (embeddings, prompts) = try Self.prompts(given, settings, model.configuration)
    evaluator = try FlowEvaluator(
      model: model, geometry: TokenGeometry(height: codec.tokenRows, width: codec.tokenColumns),
      textLength: embeddings.textLength, maxBatch: settings.maxBatch, threads: context.threads,
      precision: settings.computePrecision.computed)
    format = PictureFormat(
      height: codec.height, width: codec.width, patch: codec.patch,
      textLength: settings.embeddings.isEmpty ? embeddings.textLength : nil)
    evaluator.guidance = Float(settings.guidance)
  }

  /// A token is a square of RGB pixels.
  static func patch(of configuration: FlowTransformerConfiguration, _ folder: String) throws(MixGRPOError) -> Int {
    let channels = configuration.inChannels
    let patch = (1...150).first { 3 * $0 * $0 >= channels } ?? 1
    guard 3 * patch * patch == channels else {
      throw MixGRPOError(
        .unsupported, "\(folder): in_channels: expected 3·patch² (a model on pixels), got \(channels)")
    }
    if let remembered = try PictureFormat.read(of: folder)?.patch, remembered != patch {
      throw MixGRPOError(
        .invalidFormat,
        "\(try PictureFormat.path(of: folder)): patch: expected \(patch), as config.json demands, got \(remembered)")
    }
    return patch
  }

  /// The number of prompts in the files of the settings; nil without such files.
  static func promptCount(_ settings: PictureSettings) throws(MixGRPOError) -> Int? {
    if !settings.embeddings.isEmpty { return try StoredEmbeddings.read(path: settings.embeddings).count }
    return settings.prompts.isEmpty ? nil : try PromptList(path: settings.prompts).prompts.count
  }

  private static func prompts(
    _ given: PromptList?, _ settings: PictureSettings, _ configuration: FlowTransformerConfiguration
  ) throws(MixGRPOError) -> (PromptEmbeddings, PromptList) {
    var list = given
    if list == nil, !settings.prompts.isEmpty { list = try PromptList(path: settings.prompts) }
    if settings.embeddings.isEmpty {
      guard let list else { throw .invalid("prompts", expected: "prompts or embeddings", got: "neither") }
      let encoder = try HashedWordEncoder(
        textLength: settings.textLength, textWidth: configuration.jointAttentionDim,
        pooledWidth: configuration.pooledProjectionDim)
      return (try encoder.embeddings(of: list.texts), list)
    }
    let embeddings = try StoredEmbeddings.read(path: settings.embeddings)
    try require(
      list == nil || list?.prompts.count == embeddings.count, "prompts",
      expected: "\(embeddings.count), one for each row of \(settings.embeddings)", got: list?.prompts.count ?? 0)
    if let list { return (embeddings, list) }
    return (embeddings, try PromptList(texts: (0..<embeddings.count).map { "row \($0)" }))
  }
}
