import ProceduralWorld

/// A model, its pictures, and the steps that bring them together.
struct PretrainingRun {
  private let pictures: any CaptionedPictures
  private let codec: PixelCodec
  private let options: TrainingOptions
  private let prompts: PromptEmbeddings
  private let pretrainer: FlowMatchingPretrainer
  private let evaluator: FlowEvaluator
  private let context: RunContext

  init(
    pictures: any CaptionedPictures, codec: PixelCodec, encoder: HashedWordEncoder, transformer: FlowTransformer,
    options: TrainingOptions
  ) throws {
    self.pictures = pictures
    self.codec = codec
    self.options = options
    context = try options.context()
    prompts = try encoder.embeddings(of: pictures.captions)
    let geometry = try TokenGeometry(height: codec.tokenRows, width: codec.tokenColumns)
    evaluator = try FlowEvaluator(
      model: transformer, geometry: geometry, textLength: encoder.textLength, maxBatch: min(options.batch, 32),
      threads: context.threads)
    pretrainer = try FlowMatchingPretrainer(evaluator: evaluator, configuration: options.pretraining, context: context)
  }

  /// - Parameter afterStep: called with the number of steps done.
  func train(afterStep: (Int) throws -> Void) throws {
    let progress = ProgressLine(total: options.steps)
    var latents = [Float](repeating: 0, count: options.batch * codec.valuesPerImage)
    var recentLoss = 0.0
    for step in 0..<options.steps {
      let promptIndex = try draw(step, into: &latents)
      let loss = try pretrainer.step(latents: latents, prompts: prompts, promptIndex: promptIndex, iteration: step)
      // The loss of one step says little: noise levels differ from step to step.
      recentLoss += (loss - recentLoss) / Double(min(step + 1, 50))
      progress.show(step + 1, "loss \(rounded(recentLoss))")
      try afterStep(step + 1)
    }
  }

  /// Fills (batch, tokens, channels) and returns the index of each picture's caption.
  private func draw(_ step: Int, into latents: inout [Float]) throws -> [Int32] {
    let drawn = try (0..<options.batch).map { try pictures.draw(step * options.batch + $0) }
    try latents.withUnsafeMutableBufferPointer { try codec.encode(drawn.map(\.picture), into: $0) }
    return drawn.map { Int32($0.caption) }
  }

  /// Writes a grid of pictures, each of another caption.
  func drawSamples(to path: String) throws {
    let shown = min(30, pictures.captions.count)
    let chosen = (0..<shown).map { Int32($0 * pictures.captions.count / shown) }
    let plan = try SamplingPlan.deterministic(.shifted(steps: 25, shift: options.shift), seed: options.seed)
    let rollout = try Rollout(plan: plan, prompts: chosen, latentSize: codec.valuesPerImage, context: context)
    try rollout.run(evaluator, prompts: prompts, context: context)
    let images = try codec.decode(rollout.samples(), count: shown)
    let scale = max(1, 96 / codec.width)
    try PNG.write(ImageGrid.compose(images, columns: 10, scale: scale), to: path)
  }

  /// With three digits after the point.
  private func rounded(_ value: Double) -> String {
    guard value.isFinite, value < 1e9 else { return "\(value)" }
    let thousandths = Int((value * 1000).rounded())
    return "\(thousandths / 1000).\("\(thousandths % 1000 + 1000)".dropFirst())"
  }
}
