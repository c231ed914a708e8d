import ProceduralWorld

/// A model in training, and the scores that this program gives its pictures.
struct Alignment {
  /// From noise to picture.
  static let steps = 16
  private static let promptsPerIteration = 4
  private static let groupSize = 12
  private static let picturesPerScene = 2
  private static let evaluationSeed: UInt64 = 2024

  let trainer: Trainer
  private let codec: PixelCodec
  private let match = PromptMatch()

  init(model folder: String, learningRate: Double, seed: UInt64, context: RunContext) throws {
    codec = try PixelCodec(height: World.size, width: World.size, patch: 4)
    let encoder = try HashedWordEncoder(textLength: 16, textWidth: 64, pooledWidth: 64)
    let evaluator = try FlowEvaluator(
      model: FlowTransformer(folder: folder),
      geometry: TokenGeometry(height: codec.tokenRows, width: codec.tokenColumns), textLength: encoder.textLength,
      maxBatch: 16, threads: context.threads)
    trainer = try Trainer(
      evaluator: evaluator, prompts: encoder.embeddings(of: Scene.all.map(\.caption)), sampling: Self.sampling(seed: seed),
      learning: Self.learning(rate: learningRate), rewardNames: ["night_taste"], context: context)
  }

  private static func sampling(seed: UInt64) -> SamplingConfiguration {
    var sampling = SamplingConfiguration()
    sampling.schedule = .shifted(steps: steps, shift: 3)
    sampling.groupSize = groupSize
    sampling.windowMode = .frozen(start: 0)
    sampling.sharedInitialNoise = false  // the noise decides the sky, so the rewards of a group differ more
    sampling.seed = seed
    return sampling
  }

  private static func learning(rate: Double) -> LearningConfiguration {
    var learning = LearningConfiguration()
    learning.optimizer.learningRate = rate
    return learning
  }

  /// One iteration: draw groups of pictures, score them, update the model.
  ///
  /// All prompts take turns in a shuffled order: 37 and 90 have no common factor.
  func step(_ iteration: Int) throws -> IterationMetrics {
    let first = iteration * Self.promptsPerIteration
    let prompts = (first..<first + Self.promptsPerIteration).map { Int32($0 * 37 % Scene.all.count) }
    let pictures = try codec.decode(trainer.rollout(prompts: prompts), count: prompts.count * Self.groupSize)
    return try trainer.update(rewards: [pictures.map(NightTaste.score)])
  }

  /// Draws deterministic pictures of every scene, always from the same noise, and scores them.
  func evaluate(steps: Int) throws -> Evaluation {
    let plan = try SamplingPlan.deterministic(
      .shifted(steps: steps, shift: 3), samplesPerPrompt: Self.picturesPerScene, seed: Self.evaluationSeed)
    let samples = try trainer.sample(plan, chosen: Scene.all.indices.map(Int32.init))
    let pictures = try codec.decode(samples, count: Scene.all.count * Self.picturesPerScene)
    let matches = try pictures.indices.map { try match.score(pictures[$0], of: Scene.all[$0 / Self.picturesPerScene]) }
    return Evaluation(
      taste: mean(try pictures.map(NightTaste.score)), match: mean(matches), pictures: pictures,
      picturesPerScene: Self.picturesPerScene)
  }

  private func mean(_ values: [Double]) -> Double {
    values.reduce(0, +) / Double(values.count)
  }
}

/// The fixed evaluation set, drawn by one model.
struct Evaluation {
  /// Means of the trained and of the held-out reward, in [0, 1].
  let taste: Double
  let match: Double
  let pictures: [RGBImage]  // (scenes, picturesPerScene)
  let picturesPerScene: Int

  /// A grid with one row per colour: the pictures of every place, with alternating shapes.
  func saveGrid(to path: String) throws {
    let shown = World.Colour.allCases.flatMap { colour in
      World.Place.allCases.flatMap { place in
        let shape = World.Shape.allCases[(colour.rawValue + place.rawValue) % World.Shape.allCases.count]
        let first = Scene(colour: colour, shape: shape, place: place).number * picturesPerScene
        return pictures[first..<first + picturesPerScene]
      }
    }
    let columns = World.Place.allCases.count * picturesPerScene
    let text = [
      try PNGText(keyword: "night taste", text: formatted("%.17g", taste)),
      try PNGText(keyword: "prompt match", text: formatted("%.17g", match)),
    ]
    try PNG.write(ImageGrid.compose(shown, columns: columns, gap: 4, scale: 3), text: text, to: path)
  }
}
