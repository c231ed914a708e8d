import MixBasics
import MixFlowModel
import MixSampling

extension FlowEvaluator {
  /// An evaluator for another model of the same sizes, with the same geometry and batches.
  public func sibling(of model: FlowTransformer, threads: Int) throws(MixGRPOError) -> FlowEvaluator {
    let made = try FlowEvaluator(
      model: model, geometry: geometry, textLength: textLength, maxBatch: maxBatch, threads: threads, precision: precision)
    made.guidance = guidance
    return made
  }

  /// Samples deterministically (`SamplingPlan.deterministic`) for each of `chosen`, rows of `prompts`.
  /// - Parameters:
  ///   - plan: made by `SamplingPlan.deterministic`.
  ///   - base: evaluates the last steps of a plan that mixes two models (Mix §5).
  ///   - prompts: embeddings of every prompt.
  ///   - chosen: rows of `prompts`; repetitions allowed.
  ///   - initialNoise: (chosen · samples per prompt, D), used instead of drawn noise.
  ///   - context: may cancel it.
  ///   - progress: called with the latents evaluated so far and in total.
  /// - Returns: (chosen · samples per prompt, tokens, channels) at σ = 0.
  /// - Throws: `invalidArgument`, `cancelled`, `notFinite`, `outOfMemory`.
  public func sample(
    _ plan: SamplingPlan, base: FlowEvaluator? = nil, prompts: PromptEmbeddings, chosen: [Int32],
    initialNoise: UnsafeBufferPointer<Float>? = nil, context: RunContext,
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(MixGRPOError) -> [Float] {
    try sample(
      plan, base: base, prompts: prompts, chosen: chosen, initialNoise: initialNoise, rank: .alone, context: context,
      progress: progress)
  }

  /// The same for the share of a rank.
  func sample(
    _ plan: SamplingPlan, base: FlowEvaluator?, prompts: PromptEmbeddings, chosen: [Int32],
    initialNoise: UnsafeBufferPointer<Float>?, rank: Rank, context: RunContext,
    progress: (_ done: Int, _ total: Int) -> Void
  ) throws(MixGRPOError) -> [Float] {
    try require(
      chosen.allSatisfy { $0 >= 0 && Int($0) < prompts.count }, "prompt_indices", expected: "0…\(prompts.count - 1)",
      got: chosen)
    let rollout = try Rollout(
      plan: plan, prompts: chosen, latentSize: latentSize, initialNoise: initialNoise, maxBatch: maxBatch, rank: rank,
      context: context)
    let total = plan.modelCalls(prompts: rollout.prompts)
    try rollout.run(self, base: base, prompts: prompts, context: context) { progress($0, total) }
    let samples = try rollout.samples()
    try Memory.require(samples.count, of: MemoryLayout<Float>.stride)
    return Array(samples)
  }
}

extension Trainer {
  /// Samples deterministically with one of the trainer's sets of weights. A pending rollout is kept.
  ///
  /// Works like `FlowEvaluator.sample`; throws `invalidState` when the requested base or average is not kept.
  public func sample(
    _ plan: SamplingPlan, weights: TrainerWeights = .trained, chosen: [Int32],
    initialNoise: UnsafeBufferPointer<Float>? = nil, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(MixGRPOError) -> [Float] {
    try sample(plan, weights: weights, chosen: chosen, initialNoise: initialNoise, rank: .alone, progress: progress)
  }

  /// The same for the share of a rank.
  func sample(
    _ plan: SamplingPlan, weights: TrainerWeights, chosen: [Int32], initialNoise: UnsafeBufferPointer<Float>? = nil,
    rank: Rank, progress: (_ done: Int, _ total: Int) -> Void
  ) throws(MixGRPOError) -> [Float] {
    if plan.trainedModelSteps < plan.transitions.count { _ = try model(.base) }
    return try self.evaluator(of: weights).sample(
      plan, base: base, prompts: prompts, chosen: chosen, initialNoise: initialNoise, rank: rank, context: context,
      progress: progress)
  }

  /// A model with one of the trainer's sets of weights: the trained model itself, the kept base, or a new one of the average.
  public func model(_ weights: TrainerWeights) throws(MixGRPOError) -> FlowTransformer {
    switch weights {
    case .trained: return evaluator.model
    case .base:
      guard let base else {
        throw MixGRPOError(.invalidState, "weights: expected a trainer that keeps its base, got one that does not")
      }
      return base.model
    case .average:
      guard let average = learner.average?.average else {
        throw MixGRPOError(.invalidState, "weights: expected a trainer with ema_decay above 0, got one without")
      }
      let model = try FlowTransformer(copying: evaluator.model)
      model.writableWeights().baseAddress?.update(from: average.base, count: average.count)
      return model
    }
  }

  private func evaluator(of weights: TrainerWeights) throws(MixGRPOError) -> FlowEvaluator {
    switch weights {
    case .trained: evaluator
    case .base, .average: try evaluator.sibling(of: model(weights), threads: context.threads)
    }
  }
}
