import ArgumentParser
import ProceduralWorld

@main
struct Pretrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains a flow model from scratch on captioned pictures.",
    discussion: """
      The model is a small FLUX transformer on patches of pixels, trained with flow matching; its captions are encoded by \
      hashing their words. The result is a diffusers folder, ready for alignment.

      Pictures are a procedural world ("a red circle at the left") or a folder of PNGs of one size with a metadata.jsonl, a \
      line {"file_name": "0001.png", "text": "a red circle"} for each.
      """)

  @Option(help: ArgumentHelp("world, or a folder with metadata.jsonl.", valueName: "world|folder"))
  var data = "world"

  @Option(help: "Folder for the model.")
  var out: String

  @OptionGroup(title: "Model") var model: ModelOptions
  @OptionGroup(title: "Training") var training: TrainingOptions

  @Flag(help: "Store weights as BF16, at half the size of F32.")
  var bf16 = false

  @Option(help: ArgumentHelp("Save the model every so many steps too.", valueName: "steps"))
  var saveEvery: Int?

  @Option(help: ArgumentHelp("Draw a grid of pictures with the finished model.", valueName: "png"))
  var sample: String?

  func validate() throws {
    try training.validate()
    if let saveEvery, saveEvery < 1 { throw ValidationError("--save-every: expected at least 1, got \(saveEvery)") }
  }

  func run() throws {
    let pictures: any CaptionedPictures =
      data == "world" ? WorldSource(seed: training.seed) : try FolderSource(path: data, seed: training.seed)
    let codec = try PixelCodec(height: pictures.height, width: pictures.width, patch: model.patch)
    let transformer = try FlowTransformer(configuration: model.configuration(channels: codec.channels))
    transformer.initializeWeights(seed: training.seed)
    print("\(transformer.parameterCount) weights, \(codec.tokenCount) tokens of \(codec.channels) channels")

    let run = try PretrainingRun(
      pictures: pictures, codec: codec, encoder: model.encoder(), transformer: transformer, options: training)
    try run.train { step in
      if let saveEvery, step % saveEvery == 0 { try save(transformer) }
    }
    try save(transformer)
    if let sample { try run.drawSamples(to: sample) }
  }

  private func save(_ transformer: FlowTransformer) throws {
    try transformer.save(folder: out, precision: bf16 ? .bfloat16 : .float32)
  }
}
