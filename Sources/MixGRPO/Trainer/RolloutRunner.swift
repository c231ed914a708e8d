import MixBasics
import MixFlowModel
import MixLearning
import MixSampling

extension Rollout {
  /// Evaluates all remaining requests with the built-in model.
  ///
  /// After an error or a cancellation the rollout is at the unanswered request, and the call may be repeated.
  /// - Parameters:
  ///   - evaluator: evaluates requests for the trained model.
  ///   - base: evaluates requests of hybrid sampling for the base model.
  ///   - prompts: embeddings, one row per prompt index.
  ///   - context: cancels the rollout.
  ///   - afterRequest: called with the rows evaluated so far.
  /// - Throws: the errors of `FlowEvaluator.velocity`; `cancelled`; `invalidArgument` when the latent size differs from the
  ///   evaluator's.
  public func run(
    _ evaluator: FlowEvaluator, base: FlowEvaluator? = nil, prompts: PromptEmbeddings, context: RunContext,
    afterRequest: (Int) -> Void = { _ in }
  ) throws(MixGRPOError) {
    try run(evaluator, base: base, prompts: prompts, context: context, keeping: nil, afterRequest: afterRequest)
  }

  /// Also lets `evaluator` keep the activations of rows in the update's first request.
  func run(
    _ evaluator: FlowEvaluator, base: FlowEvaluator? = nil, prompts: PromptEmbeddings, context: RunContext,
    keeping first: FirstUpdateRequest?, afterRequest: (Int) -> Void
  ) throws(MixGRPOError) {
    try requireLatents(of: evaluator, latentSize)
    if let base { try requireLatents(of: base, latentSize) }
    let places = try Table<Int32>(count: first == nil ? 0 : self.prompts * plan.groupSize, filledWith: -1)
    while let request = try next() {
      try context.checkCancelled()
      let model = try chosen(request.model, evaluator, base)
      var keep = KeptActivations.none
      if let first, first.places(of: request, into: places.base) { keep = .rows(places: places.base, capacity: first.count) }
      let velocity = try model.velocity(request, prompts, keep: keep)
      try submit(velocity: velocity, count: request.velocityCount)
      afterRequest(modelCalls)
    }
  }

  private func chosen(
    _ choice: ModelChoice, _ evaluator: FlowEvaluator, _ base: FlowEvaluator?
  ) throws(MixGRPOError) -> FlowEvaluator {
    guard choice == .base else { return evaluator }
    guard let base else {
      throw .invalid("base", expected: "an evaluator of the base model (the plan mixes two models)", got: "none")
    }
    return base
  }
}

func requireTrainable(_ model: FlowTransformer) throws(MixGRPOError) {
  try require(!model.isFrozen, "model", expected: "one that can be trained (adapt the frozen one)", got: "a frozen model")
}

/// Checks that the model's latents and velocities have the size of the sampler's latents.
func requireLatents(of evaluator: FlowEvaluator, _ latentSize: Int) throws(MixGRPOError) {
  try require(
    evaluator.latentSize == latentSize, "latent_size", expected: "\(evaluator.latentSize), the model's", got: latentSize)
  try require(
    evaluator.velocitySize == evaluator.latentSize, "out_channels", expected: "in_channels, for a model that is sampled from",
    got: "\(evaluator.model.configuration.outChannels) for \(evaluator.model.configuration.inChannels)")
}
