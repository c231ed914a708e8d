import ArgumentParser
import ProceduralWorld

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@main
struct Sample: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Draws pictures with a flow model: a PNG with a row for each prompt.",
    discussion: """
      For models on patches of pixels whose prompts are encoded by hashing their words, as pretrain makes them and align \
      aligns them. A picture depends on the seed, the prompt's place and the picture's place in its row, so that two models \
      can be compared on the same noise. The PNG tells its prompts, from the top row down, and all settings as text.
      """)

  @Argument(help: "What to draw, such as \"a red circle at the left\".") var prompts: [String]
  @Option(help: "Folder of the model.") var model = "examples/base"
  @Option(help: "The PNG to write.") var out = "samples.png"
  @Option(help: "Pictures per prompt.") var samples = 6
  @Option(help: "Steps from noise to picture.") var steps = 25
  @Option(help: "How steps follow the flow.") var solver = SolverName.euler
  @Option(help: "Shift of the noise levels towards noise; 1 for none.") var shift = 3.0
  @Option(help: "Seed of the noise.") var seed: UInt64 = 0
  @Option(help: "Pixels from top to bottom.") var height = 32
  @Option(help: "Pixels from left to right.") var width = 32
  @Option(help: "Words of a prompt that get a token, as in pretraining.") var textLength = 16
  @Option(help: "Pixels along the side of a pixel in the PNG.") var scale = 3
  @Option(help: "Worker threads; 0 for one per core.") var threads = 0

  func validate() throws {
    guard threads >= 0 else { throw ValidationError("--threads: expected at least 0, got \(threads)") }
  }

  func run() throws {
    let context = try RunContext(threads: threads)
    let transformer = try FlowTransformer(folder: model)
    let codec = try PixelCodec(height: height, width: width, patch: patch(of: transformer))
    let evaluator = try FlowEvaluator(
      model: transformer, geometry: TokenGeometry(height: codec.tokenRows, width: codec.tokenColumns),
      textLength: textLength, maxBatch: 16, threads: context.threads)
    let plan = try SamplingPlan.deterministic(
      .shifted(steps: steps, shift: shift), solver: solver.solver, samplesPerPrompt: samples, seed: seed)
    let latents = try evaluator.sample(
      plan, prompts: encoder(of: transformer).embeddings(of: prompts), chosen: prompts.indices.map(Int32.init),
      context: context)
    let pictures = try latents.withUnsafeBufferPointer { try codec.decode($0, count: prompts.count * samples) }
    try PNG.write(ImageGrid.compose(pictures, columns: samples, gap: 4, scale: scale), text: text(), to: out)
  }

  /// A token is a square of pixels in three colours.
  private func patch(of transformer: FlowTransformer) throws -> Int {
    let channels = transformer.configuration.inChannels
    guard let patch = (1...channels).first(where: { 3 * $0 * $0 >= channels }), 3 * patch * patch == channels else {
      throw MixGRPOError.invalid("\(model): in_channels", expected: "3·patch² for a model of pixels", got: channels)
    }
    return patch
  }

  private func encoder(of transformer: FlowTransformer) throws -> HashedWordEncoder {
    try HashedWordEncoder(
      textLength: textLength, textWidth: transformer.configuration.jointAttentionDim,
      pooledWidth: transformer.configuration.pooledProjectionDim)
  }

  private func text() throws -> [PNGText] {
    let settings = [
      ("model", model), ("samples", "\(samples)"), ("steps", "\(steps)"), ("solver", solver.rawValue),
      ("shift", "\(shift)"), ("seed", "\(seed)"),
    ]
    return try (prompts.map { ("prompt", $0) } + settings).map { try PNGText(keyword: $0, text: $1) }
  }
}
