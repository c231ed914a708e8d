import MixGRPO

/// The memory of an alignment, computed from the headers of its model.
struct AlignmentMemory {
  struct Part {
    let name: String
    let bytes: Int
    let meaning: String
  }

  let parts: [Part]

  /// - Parameters:
  ///   - prompts: prompts per iteration, of all ranks.
  ///   - ranks: processes that train the model together; the memory is that of the one with most prompts.
  /// - Throws: `invalidArgument` for settings that do not match the model.
  init(_ settings: AlignSettings, _ model: PlannedModel, prompts: Int, ranks: Int = 1) throws(MixGRPOError) {
    let last = try Rank(ranks - 1, of: ranks)
    let learning = try settings.learning.configuration(weights: [], groupSize: settings.groupSize)
    let evaluator = try model.evaluatorMemory(maxBatch: model.maxBatch)
    let plan = try SamplingPlan(settings.sampling.configuration(), iteration: 0, window: AlignmentPlan.firstWindow(settings))
    let sums = ranks > 1 || settings.sumPerPrompt ? try model.cost(of: last, prompts: prompts) : nil
    let memory = try IterationMemory(
      plan: plan, prompts: last.share(ofPrompts: prompts).count, latentSize: model.codec.valuesPerImage,
      evaluator: evaluator, learning: learning, ranks: sums)
    var parts = [
      Part(
        name: "weights", bytes: memory.weightBytes, meaning: "weights, gradients, moments, and copies from before the update"),
      Part(name: "activations", bytes: memory.evaluatorBytes, meaning: "activations of max_batch pictures"),
      Part(name: "trajectories", bytes: memory.trajectoryBytes, meaning: "latents of one iteration"),
    ]
    // The best weights, and the latest weights until they are scored.
    let copies = settings.isEvaluated && settings.evaluation.record.keep_best == 1 ? 2 : 0
    if copies > 0 {
      parts.append(
        Part(name: "evaluation", bytes: copies * evaluator.trainedBytes, meaning: "copies of the best and the latest weights"))
    }
    // Saving merges the adapter into a model of its own.
    if model.lora != nil {
      parts.append(
        Part(name: "merged", bytes: try model.wholeBytes(), meaning: "the whole model in float32 while it is saved"))
    }
    parts.append(Part(name: "peak", bytes: parts.reduce(0) { $0 + $1.bytes }, meaning: "sum of the above"))
    self.parts = parts
  }

  var json: JSONObject {
    var object = JSONObject()
    for part in parts { object["\(part.name)_bytes"] = .integer(Int64(part.bytes)) }
    return object
  }
}
