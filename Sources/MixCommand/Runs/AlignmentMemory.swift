import MixGRPO

/// The memory that an alignment takes, known from the headers of its model.
struct AlignmentMemory {
  struct Part {
    let name: String
    let bytes: Int
    let meaning: String
  }

  let parts: [Part]

  /// - Parameter prompts: of an iteration.
  /// - Throws: what reading the model's configuration throws; `invalidArgument` for settings that do not fit it.
  init(_ settings: AlignSettings, prompts: Int) throws(MixGRPOError) {
    let folder = try WeightFolder(path: settings.model)
    let configuration = try FlowTransformerConfiguration(json: folder.configuration, source: settings.model)
    let pictures = settings.pictures
    let codec = try PixelCodec(
      height: pictures.height, width: pictures.width, patch: PixelModel.patch(of: configuration, settings.model))
    let textLength =
      try pictures.embeddings.isEmpty ? pictures.textLength : StoredEmbeddings.read(path: pictures.embeddings).textLength
    let learning = try settings.learning.configuration(weights: [], groupSize: settings.groupSize)
    let evaluator = try EvaluatorMemory(
      configuration: configuration, tokens: codec.tokenCount, textLength: textLength, maxBatch: pictures.maxBatch,
      threads: RunContext(threads: settings.threads).threads)
    let plan = try SamplingPlan(settings.sampling.configuration(), iteration: 0, window: AlignmentPlan.firstWindow(settings))
    let memory = try IterationMemory(
      plan: plan, prompts: prompts, latentSize: codec.valuesPerImage, evaluator: evaluator,
      learning: learning)
    var parts = [
      Part(name: "weights", bytes: memory.weightBytes, meaning: "the model's, gradients, moments, and all as before an update"),
      Part(name: "activations", bytes: memory.evaluatorBytes, meaning: "of pictures in memory at once (max_batch)"),
      Part(name: "trajectories", bytes: memory.trajectoryBytes, meaning: "latents of an iteration"),
    ]
    // The weights of the best evaluation, and those of the latest until it is scored.
    let copies = settings.evaluation.isOn && settings.evaluation.keepBest ? 2 : 0
    if copies > 0 {
      parts.append(Part(name: "evaluation", bytes: copies * evaluator.weightBytes, meaning: "the best weights, and the latest"))
    }
    parts.append(
      Part(name: "peak", bytes: memory.peakBytes + copies * evaluator.weightBytes, meaning: "all of these"))
    self.parts = parts
  }

  var json: JSONObject {
    var object = JSONObject()
    for part in parts { object["\(part.name)_bytes"] = .integer(Int64(part.bytes)) }
    return object
  }
}
