import ArgumentParser
import MixGRPO
import MixSettings
import MixTerminal

struct SampleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sample",
    abstract: "Samples pictures from a model.",
    discussion: """
      Writes a PNG with one row per prompt. The noise of a picture depends on the seed, the row and the column, so that two \
      models can be compared on the same noise. The PNG contains its prompts ("prompt 1" is the top row) and settings as text: \
      mixgrpo inspect samples.png.

        mixgrpo sample "a red circle" --model run/model --out after.png
        mixgrpo sample --prompts prompts.txt --model run/model --each pictures
        mixgrpo sample "a red circle" --model second/model \\
          --base run/model --trained-share 0.8

        mixgrpo sample "a red circle" --lora run/adapter:0.7

      The command with --base evaluates the first 80 % of the steps with the aligned model and the rest with the base model, which \
      reduces artefacts of reward hacking.
      """)

  @Argument(help: "Prompts, such as \"a red circle at the left\".") var texts: [String] = []
  @OptionGroup(title: "Settings") var config: ConfigOptions
  @Option(help: ArgumentHelp("The model (the one that comes with the command).", valueName: "folder"), completion: .directory)
  var model: String?
  @Option(help: ArgumentHelp("A second model for the last steps.", valueName: "folder"), completion: .directory) var base:
    String?
  @Option(
    parsing: .singleValue,
    help: ArgumentHelp(
      "An adapter of PEFT, diffusers or kohya to apply to the model; repeatable.", valueName: "file[:strength]"),
    completion: .file())
  var lora: [String] = []
  @Option(help: "With --base: share of the steps that --model evaluates (0.8).") var trainedShare: Double?
  @Option(help: ArgumentHelp("The PNG to write (samples.png).", valueName: "png"), completion: .file()) var out: String?
  @Option(help: ArgumentHelp("Folder for each picture as a separate PNG.", valueName: "folder"), completion: .directory)
  var each: String?
  @OptionGroup(title: "Pictures") var pictures: PictureOptions
  @Option(help: "Pictures per prompt (6).") var samples: Int?
  @Option(help: "Steps from noise to picture (25).") var steps: Int?
  @Option(help: ArgumentHelp("ODE solver (euler).", valueName: "name")) var solver: SolverArgument?
  @Option(help: "Shift of the noise levels towards noise, 1 for none (3).") var shift: Double?
  @Option(help: "Seed of the initial noise (0).") var seed: UInt64?
  @Option(help: "Enlargement: each pixel becomes scale × scale pixels (3).") var scale: Int?
  @Option(help: "Worker threads, 0 for one per core (0).") var threads: Int?

  func run() throws {
    let settings = try settings()
    if config.printConfig { return show(try SettingsSource.text(settings)) }
    try settings.validate()
    let context = try RunContext(threads: settings.threads)
    StopSignals.watch(context) {}
    try SampleRun(settings: settings, context: context).run()
    show(settings.out)
  }

  func settings() throws(MixGRPOError) -> SampleSettings {
    try config.settings(from: SampleSettings()) { settings in
      if !texts.isEmpty { settings.texts = texts }
      replace(&settings.model, with: model)
      replace(&settings.base, with: base)
      if !lora.isEmpty { settings.lora = lora }
      replace(&settings.trainedShare, with: trainedShare)
      replace(&settings.out, with: out)
      replace(&settings.each, with: each)
      pictures.apply(to: &settings.pictures)
      replace(&settings.samples, with: samples)
      replace(&settings.steps, with: steps)
      replace(&settings.solver, with: solver?.number)
      replace(&settings.shift, with: shift)
      replace(&settings.seed, with: seed)
      replace(&settings.scale, with: scale)
      replace(&settings.threads, with: threads)
    }
  }
}
