import ArgumentParser
import MixGRPO
import MixTerminal

struct PretrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pretrain",
    abstract: "Trains a model from scratch on captioned pictures.",
    discussion: """
      The model is a FLUX transformer on patches of pixels, trained with flow matching; captions are encoded by hashing their words.

      PICTURES are a folder of PNGs with metadata.jsonl, which has a line {"file_name": "0001.png", "text": "a red circle"} for \
      each, as in Hugging Face's imagefolder ("caption" in place of "text" will do). They have one size, unless --resize scales \
      them to one.

        mixgrpo pretrain --data pictures --out run --steps 6000 --batch 16
        mixgrpo pretrain --data photos --resize 64 --out run
        mixgrpo sample "a red circle" --model run/model
        mixgrpo pretrain --resume --out run

      The run writes the same files as `mixgrpo align`. Ctrl-C saves and stops; --resume continues with bit-identical results. \
      The number of steps cannot change on resume, because the learning rate schedule depends on it.
      """)

  @OptionGroup(title: "Settings") var config: ConfigOptions
  @Option(help: ArgumentHelp("Pictures with metadata.jsonl.", valueName: "folder"), completion: .directory) var data: String?
  @Option(
    help: ArgumentHelp("Scale all pictures to this size, cut at the edges to its shape (as they are).", valueName: "side|WxH"))
  var resize: String?
  @Option(help: ArgumentHelp("Folder for all files of the run.", valueName: "folder"), completion: .directory) var out: String?
  @Flag(help: "Continue the run in --out, with its settings.") var resume = false
  @Option(
    help: ArgumentHelp("A model of the same sizes to train further (random weights).", valueName: "folder"),
    completion: .directory
  ) var startFrom: String?
  @OptionGroup(title: "Model") var model: ModelOptions
  @Option(help: "Optimizer steps (1200).") var steps: Int?
  @Option(help: "Pictures per step (64).") var batch: Int?
  @Option(help: "Peak learning rate of AdamW (1e-3).") var learningRate: Double?
  @Option(help: "Seed of weights, picture order and noise (0).") var seed: UInt64?
  @Option(help: "Steps between checkpoints (200).") var saveEvery: Int?
  @Option(help: "Steps between picture grids, 0 for none (400).") var picturesEvery: Int?
  @Option(help: "Number format of the saved model: f32 or bf16 (f32).") var precision: PrecisionName?
  @Option(help: "Number format of the factors in the model's products: f32 or bf16 (f32).") var computePrecision: PrecisionName?
  @Option(help: "Worker threads, 0 for one per core (0).") var threads: Int?

  func run() throws {
    let settings = try settings()
    if config.printConfig { return show(try SettingsSource.text(settings)) }
    try settings.validate()
    let context = try RunContext(threads: settings.threads)
    StopSignals.watch(context) { ProgressDisplay.note("stopping; press Ctrl-C again to stop at once without saving") }
    try PretrainRun(settings, resuming: resume, context: context).run()
    let results = try RunResults(RunFolder(path: settings.out), settings: settings.json)
    for line in results.lines(columns: StandardError.columnsOfOutput) { show(line) }
    show("model: \(results.folder.model)")
  }

  func settings() throws(MixGRPOError) -> PretrainSettings {
    if resume && out == nil { throw .invalid("--resume", expected: "also --out, the folder of the run", got: "none") }
    let start = PretrainSettings()
    let earlier = resume ? try PretrainSettings(resuming: RunFolder(path: out ?? ""), from: start) : start
    return try config.settings(from: earlier) { settings in
      replace(&settings.data, with: data)
      replace(&settings.resize, with: resize)
      replace(&settings.startFrom, with: startFrom)
      replace(&settings.out, with: out)
      model.apply(to: &settings.model)
      replace(&settings.steps, with: steps)
      replace(&settings.batch, with: batch)
      replace(&settings.learningRate, with: learningRate)
      replace(&settings.seed, with: seed)
      replace(&settings.saveEvery, with: saveEvery)
      replace(&settings.picturesEvery, with: picturesEvery)
      replace(&settings.precision, with: precision)
      replace(&settings.computePrecision, with: computePrecision)
      replace(&settings.threads, with: threads)
    }
  }
}

/// The sizes of a new model.
struct ModelOptions: ParsableArguments {
  @Option(help: "Side of a token's patch in pixels (4).") var patch: Int?
  @Option(help: "Attention heads (4).") var heads: Int?
  @Option(help: "Channels per head, an even number (32).") var headDim: Int?
  @Option(help: "Double-stream blocks (2).") var doubleBlocks: Int?
  @Option(help: "Single-stream blocks (4).") var singleBlocks: Int?
  @Option(help: "Text tokens: words of a caption that are encoded (16).") var textLength: Int?

  func apply(to settings: inout ModelSettings) {
    replace(&settings.patch, with: patch)
    replace(&settings.heads, with: heads)
    replace(&settings.headDim, with: headDim)
    replace(&settings.doubleBlocks, with: doubleBlocks)
    replace(&settings.singleBlocks, with: singleBlocks)
    replace(&settings.textLength, with: textLength)
  }
}
