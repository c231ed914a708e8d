import MixGRPO

/// The memory of an alignment, computed from the headers of its model.
struct AlignmentMemory {
  struct Part {
    let name: String
    let bytes: Int
    let meaning: String
  }

  let parts: [Part]

  /// - Parameter prompts: prompts per iteration.
  /// - Throws: the errors of reading the model's configuration; `invalidArgument` for settings that do not match the model.
  init(_ settings: AlignSettings, prompts: Int) throws(MixGRPOError) {
    let folder = try WeightFolder(path: settings.model)
    let configuration = try FlowTransformerConfiguration(json: folder.configuration, source: settings.model)
    let pictures = try settings.pictures.resolved(model: settings.model)
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
      Part(
        name: "weights", bytes: memory.weightBytes, meaning: "weights, gradients, moments, and copies from before the update"),
      Part(name: "activations", bytes: memory.evaluatorBytes, meaning: "activations of max_batch pictures"),
      Part(name: "trajectories", bytes: memory.trajectoryBytes, meaning: "latents of one iteration"),
    ]
    // The best weights, and the latest weights until they are scored.
    let copies = settings.evaluation.isOn && settings.evaluation.keepBest ? 2 : 0
    if copies > 0 {
      parts.append(
        Part(name: "evaluation", bytes: copies * evaluator.weightBytes, meaning: "copies of the best and the latest weights"))
    }
    parts.append(
      Part(name: "peak", bytes: memory.peakBytes + copies * evaluator.weightBytes, meaning: "sum of the above"))
    self.parts = parts
  }

  var json: JSONObject {
    var object = JSONObject()
    for part in parts { object["\(part.name)_bytes"] = .integer(Int64(part.bytes)) }
    return object
  }
}
