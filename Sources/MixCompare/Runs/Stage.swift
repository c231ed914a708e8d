import ProceduralWorld

/// The parts that all runs share: the base model, the encoded prompts, and the judges. Safe to use from several threads at
/// once.
final class Stage: Sendable {
  /// D, the number of values in one picture.
  static let latentSize = 3 * World.size * World.size
  private static let textLength = 16
  private static let evaluationSeed: UInt64 = 2024

  let folder: String
  let size: ComparisonSize
  let judges = Judges()
  /// A hash of the base model's weights.
  let modelHash: UInt64
  private let codec: PixelCodec

  init(model folder: String, size: ComparisonSize) throws(MixGRPOError) {
    try size.validate()
    (self.folder, self.size) = (folder, size)
    codec = try PixelCodec(height: World.size, width: World.size, patch: 4)
    let model = try FlowTransformer(folder: folder)
    modelHash = FNV1a.hash(UnsafeRawBufferPointer(UnsafeBufferPointer(start: model.weights, count: model.parameterCount)))
  }

  /// An evaluator with a copy of the base model to train, or with a new adapter of the base model.
  func evaluator(_ context: RunContext, _ choice: EvaluatorChoice = .init()) throws(MixGRPOError) -> FlowEvaluator {
    try FlowEvaluator(
      model: model(adapterRank: choice.adapterRank),
      geometry: TokenGeometry(height: codec.tokenRows, width: codec.tokenColumns), textLength: Self.textLength,
      maxBatch: size.groupSize, threads: context.threads, precision: choice.precision)
  }

  private func model(adapterRank: Int) throws(MixGRPOError) -> FlowTransformer {
    let base = try FlowTransformer(folder: folder)
    guard adapterRank > 0 else { return base }
    var lora = LoRAConfiguration()
    (lora.rank, lora.alpha) = (adapterRank, Double(adapterRank))
    return try FlowTransformer(adapting: base, lora)
  }

  /// A trainer for the evaluator's model.
  func trainer(
    _ arm: Arm, seed: Int, evaluator: FlowEvaluator, context: RunContext
  ) throws(MixGRPOError) -> Trainer {
    let widths = evaluator.model.configuration
    let encoder = try HashedWordEncoder(
      textLength: Self.textLength, textWidth: widths.jointAttentionDim, pooledWidth: widths.pooledProjectionDim)
    var sampling = arm.sampling
    sampling.seed = UInt64(seed)
    return try Trainer(
      evaluator: evaluator, prompts: encoder.embeddings(of: Scene.all.map(\.caption)), sampling: sampling,
      learning: arm.learning, rewardNames: Array(Judges.names.prefix(Judges.trained)), context: context)
  }

  /// Runs one iteration: samples groups of pictures, scores them, updates the model.
  func step(_ trainer: Trainer, seed: Int) throws(MixGRPOError) -> IterationMetrics {
    let scenes = scenes(iteration: trainer.iteration, seed: seed)
    let samples = try trainer.rollout(prompts: scenes.map { Int32($0.number) })
    let pictures = try codec.decode(samples, count: scenes.count * trainer.sampling.groupSize)
    let shown = scenes.flatMap { Array(repeating: $0, count: trainer.sampling.groupSize) }
    return try trainer.update(rewards: judges.trainedScores(pictures, of: shown))
  }

  /// The prompts of an iteration. All training scenes are used once per turn, in an order that the seed shuffles for each turn.
  func scenes(iteration: Int, seed: Int) -> [Scene] {
    let scenes = World.trainingScenes
    return (iteration * size.prompts..<(iteration + 1) * size.prompts).map { number in
      let (turn, place) = number.quotientAndRemainder(dividingBy: scenes.count)
      var random = SplitMix64(key: "turn \(turn) of \(seed)".utf8)
      var order = Array(scenes.indices)
      for last in order.indices.reversed() { order.swapAt(last, random.below(UInt32(last + 1))) }
      return scenes[order[place]]
    }
  }

  /// Samples the evaluation scenes deterministically, from noise that is the same for every run, and scores the pictures.
  func evaluate(_ trainer: Trainer) throws(MixGRPOError) -> Evaluation {
    let scenes = World.evaluationScenes
    let plan = try SamplingPlan.deterministic(
      .shifted(steps: size.evaluationSteps, shift: 3), samplesPerPrompt: size.evaluationPictures,
      seed: Self.evaluationSeed)
    let samples = try trainer.sample(plan, chosen: scenes.map { Int32($0.number) })
    let count = scenes.count * size.evaluationPictures
    let pictures = try codec.decode(samples, count: count)
    var sums = Judges.names.map { _ in 0.0 }
    for (index, picture) in pictures.enumerated() {
      let scores = try judges.scores(picture, of: scenes[index / size.evaluationPictures])
      for (reward, score) in scores.enumerated() { sums[reward] += score }
    }
    return Evaluation(iteration: trainer.iteration, rewards: sums.map { $0 / Double(count) }, pictures: pictures)
  }
}

/// The evaluation pictures of one model.
struct Evaluation: Sendable {
  let iteration: Int
  /// Mean over the pictures of each reward, in the order of `Judges.names`.
  let rewards: [Double]
  let pictures: [RGBImage]  // (evaluation scenes, pictures per prompt)

  /// A grid of the first picture of every second scene, enlarged twofold.
  func grid(picturesPerScene: Int) throws(MixGRPOError) -> RGBImage {
    let shown = stride(from: 0, to: pictures.count, by: 2 * picturesPerScene).map { pictures[$0] }
    return try ImageGrid.compose(shown, columns: 5, gap: 3, scale: 2)
  }
}
