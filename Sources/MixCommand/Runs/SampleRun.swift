import MixCompare
import MixGRPO
import MixSettings
import MixTerminal

/// A run of `mixgrpo sample`: pictures of prompts, in a grid and, optionally, one by one.
struct SampleRun {
  let settings: SampleSettings
  let context: RunContext

  func run() throws(MixGRPOError) {
    try settings.validate()
    try Self.requirePlaces(settings)
    let given = settings.texts.isEmpty ? nil : try PromptList(texts: settings.texts)
    let model = try PixelModel(
      folder: ShippedModel.folder(unless: settings.model), settings.pictures, prompts: given, context: context
    ) { (folder) throws(MixGRPOError) in try AppliedAdapter.apply(settings.lora, to: FlowTransformer(folder: folder)) }
    let pictures = try draw(model)
    if !settings.each.isEmpty { try writeEach(pictures, model.prompts.texts) }
    let grid = try ImageGrid.compose(pictures, columns: settings.samples, gap: 4, scale: settings.scale)
    try PNG.write(grid, text: PictureText.prompts(model.prompts.texts) + description(), to: settings.out)
  }

  /// Before anything is drawn.
  private static func requirePlaces(_ settings: SampleSettings) throws(MixGRPOError) {
    try require(
      settings.out.lowercased().hasSuffix(".png"), "out", expected: "a file name that ends in .png, the format that is written",
      got: settings.out)
    if try OutputPlace.requireFile(settings.out) { StandardError.write("\(printable(settings.out)) will be replaced\n") }
    if !settings.each.isEmpty { try OutputPlace.requireFolder(settings.each) }
  }

  private func draw(_ model: PixelModel) throws(MixGRPOError) -> [RGBImage] {
    let base = try settings.base.isEmpty ? nil : second(model)
    let plan = try SamplingPlan.deterministic(
      settings.schedule, solver: try settings.typedSolver(), samplesPerPrompt: settings.samples,
      trainedModelShare: base == nil ? 1 : settings.trainedShare, seed: settings.seed)
    let prompts = model.embeddings.count
    let progress = ProgressDisplay(total: plan.modelCalls(prompts: prompts))
    let latents = try model.evaluator.sample(
      plan, base: base, prompts: model.embeddings, chosen: (0..<prompts).map { Int32($0) }, context: context
    ) { done, _ in progress.show(done, "model calls") }
    progress.finish()
    return try model.codec.decode(latents, count: prompts * settings.samples)
  }

  private func second(_ model: PixelModel) throws(MixGRPOError) -> FlowEvaluator {
    let base = try FlowTransformer(folder: settings.base)
    try require(
      base.configuration == model.evaluator.model.configuration, "base",
      expected: "a model of the same sizes as \(settings.model)",
      got: base.configuration)
    return try model.evaluator.sibling(of: base, threads: context.threads)
  }

  private func writeEach(_ pictures: [RGBImage], _ prompts: [String]) throws(MixGRPOError) {
    try FileAccess.createFolder(settings.each)
    for (index, picture) in pictures.enumerated() {
      let (row, column) = (index / settings.samples, index % settings.samples)
      try PNG.write(
        picture, text: PictureText.prompt(prompts[row]) + description(),
        to: FileAccess.join(settings.each, "\(padded(row, 4))-\(padded(column, 4)).png"))
    }
  }

  private func description() throws(MixGRPOError) -> [PNGText] {
    var texts = [
      ("model", try ShippedModel.folder(unless: settings.model)), ("steps", "\(settings.steps)"),
      ("solver", Choices.solver[Int(settings.solver)]),
      ("shift", "\(settings.shift)"), ("seed", "\(settings.seed)"),
    ]
    if !settings.lora.isEmpty { texts.append(("lora", settings.lora.joined(separator: ", "))) }
    if !settings.base.isEmpty { texts += [("base", settings.base), ("trained share", "\(settings.trainedShare)")] }
    return try PictureText.settings(texts)
  }
}
