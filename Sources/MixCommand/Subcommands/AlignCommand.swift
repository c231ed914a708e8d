import ArgumentParser
import MixGRPO
import MixSettings

struct AlignCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "align",
    abstract: "Aligns a model with rewards.",
    discussion: """
      Each iteration draws a group of pictures for some prompts, scores them, and updates the model. Scores need only be \
      comparable within a group: what counts is which picture of one prompt is better than the others.

      PROMPTS are a text file with a line each, or a .jsonl file with {"prompt": "…"} in each line; its other members go to \
      programs that score. A text file is encoded by hashing words, as `mixgrpo pretrain` does; a model trained with another \
      text encoder needs that encoder's embeddings (--embeddings), and then --prompts only tells what the rows mean.

      REWARDS are built in (mixgrpo settings rewards lists them), name:weight, or a program of yours: for each picture it \
      reads a line {"image": "/tmp/…/000012-0003.png", "prompt": "…", "iteration": 12, "index": 3, "count": 48} and prints a \
      line with a number, or nan for no score. It stays running unless its setting per_batch is true, and must then flush \
      after each line. examples/rewards/redness.py is one.

        mixgrpo align --model examples/base --prompts prompts.txt --out run \\
          --reward brightness:0.5 --reward symmetry
        mixgrpo align --model examples/base --prompts prompts.txt --out run \\
          --reward-program "python3 score.py"
        mixgrpo align --config run/settings.json --out second \\
          --preset mixgrpo_flash --print-config
        mixgrpo align --resume --out run --iterations 200

      EVALUATION (--evaluate-every) draws the same prompts from the same noise every few iterations and scores them also with \
      rewards that training does not see (--held-out, --held-out-program). The model that does best by these, or by the \
      trained rewards where none is held out, is left in best/. A model that learns to please its rewards instead of getting \
      better is noticed by --watchdog: the trained rewards rise while the held-out ones fall.

        mixgrpo align --model examples/base --prompts prompts.txt --out run \\
          --reward darkness --evaluate-every 5 --held-out contrast --watchdog stop

      THE RUN leaves in its folder settings.json, model/ (a diffusers folder), metrics.jsonl, pictures/ (the same prompts and \
      noise each time), checkpoints, and event files: tensorboard --logdir run. Ctrl-C saves and stops; --resume continues to \
      the same bits. An update that is not finite or changes the model too much is never applied; --set \
      learning.fault_policy=roll_back goes on with a smaller learning rate, skip without that iteration.
      """)

  @OptionGroup(title: "Settings") var config: ConfigOptions
  @Option(help: ArgumentHelp("The model to align.", valueName: "folder")) var model: String?
  @Option(help: ArgumentHelp("For all that the run leaves.", valueName: "folder")) var out: String?
  @Flag(help: "Continue the run in --out, with its settings.") var resume = false
  @OptionGroup(title: "Pictures") var pictures: PictureOptions
  @Option(
    name: .customLong("reward"), parsing: .singleValue,
    help: ArgumentHelp("A built-in reward; may be given again.", valueName: "name[:weight]"))
  var rewards: [String] = []
  @Option(
    name: .customLong("reward-program"), parsing: .singleValue,
    help: ArgumentHelp("A program that scores; may be given again.", valueName: "[name[:weight]=]command"))
  var programs: [String] = []
  @OptionGroup(title: "Training") var training: TrainingOptions
  @OptionGroup(title: "Evaluation") var evaluation: EvaluationOptions

  func run() throws {
    let settings = try settings()
    if config.printConfig { return show(try SettingsSource.text(settings)) }
    try settings.validate()
    let context = try RunContext(threads: settings.threads)
    StopSignals.watch(context) { ProgressDisplay.note("stopping; Ctrl-C again stops at once, without saving") }
    try AlignRun(settings, resuming: resume, context: context).run()
    show("model: \(RunFolder(path: settings.out).model)")
  }

  func settings() throws(MixGRPOError) -> AlignSettings {
    try config.settings(from: AlignSettings(), earlier: resumed()) { (settings) throws(MixGRPOError) in
      replace(&settings.model, with: model)
      replace(&settings.out, with: out)
      pictures.apply(to: &settings.pictures)
      let given = try RewardSetting.given(rewards, programs: programs, "--reward")
      if !given.isEmpty { settings.rewards = given }
      training.apply(to: &settings)
      try evaluation.apply(to: &settings.evaluation)
    }
  }

  /// A resumed run has the settings that it was begun with.
  private func resumed() throws(MixGRPOError) -> String? {
    guard resume else { return nil }
    guard let out else { throw .invalid("--resume", expected: "--out beside it, the folder of the run", got: "none") }
    return RunFolder(path: out).settings
  }
}

/// The settings of training that are changed most.
struct TrainingOptions: ParsableArguments {
  @Option(help: ArgumentHelp("A published method.", valueName: "name")) var preset: PresetName?
  @Option(help: "Rollouts, each followed by an update (100).") var iterations: Int?
  @Option(help: "Prompts per iteration (4, or all of fewer).") var promptsPerIteration: Int?
  @Option(help: "Pictures per prompt (12).") var groupSize: Int?
  @Option(help: "Steps from noise to picture (25).") var steps: Int?
  @Option(help: "Stochastic, trained steps (4).") var windowLength: Int?
  @Option(help: "Of AdamW (1e-5).") var learningRate: Double?
  @Option(help: "Range of the ratio (1e-4).") var clipRange: Double?
  @Option(help: "Of all random numbers (0).") var seed: UInt64?
  @Option(help: "Iterations between checkpoints (10).") var saveEvery: Int?
  @Option(help: "Iterations between picture grids, 0 for none (25).") var picturesEvery: Int?
  @Option(help: "Of the saved model: f32 or bf16.") var precision: PrecisionName?
  @Option(help: "Worker threads, 0 for one per core (0).") var threads: Int?

  /// The preset first, so that other flags can change it.
  func apply(to settings: inout AlignSettings) {
    if let method = preset?.preset.method {
      _ = settings.sampling.apply(method.sampling)
      _ = settings.learning.apply(method.learning)
    }
    replace(&settings.iterations, with: iterations)
    replace(&settings.promptsPerIteration, with: promptsPerIteration)
    replace(&settings.sampling.record.group_size, with: groupSize)
    replace(&settings.sampling.record.steps, with: steps)
    replace(&settings.sampling.record.window_length, with: windowLength)
    replace(&settings.learning.record.learning_rate, with: learningRate)
    replace(&settings.learning.record.clip_range, with: clipRange)
    replace(&settings.sampling.record.seed, with: seed)
    replace(&settings.saveEvery, with: saveEvery)
    replace(&settings.picturesEvery, with: picturesEvery)
    replace(&settings.precision, with: precision)
    replace(&settings.threads, with: threads)
  }
}

/// How the model in training is watched.
struct EvaluationOptions: ParsableArguments {
  @Option(help: "Iterations between evaluations, 0 for none (0).") var evaluateEvery: Int?
  @Option(
    name: .customLong("held-out"), parsing: .singleValue,
    help: ArgumentHelp("A built-in reward that training does not see; may be given again.", valueName: "name[:weight]"))
  var heldOut: [String] = []
  @Option(
    name: .customLong("held-out-program"), parsing: .singleValue,
    help: ArgumentHelp("A program of that kind; may be given again.", valueName: "[name[:weight]=]command"))
  var heldOutPrograms: [String] = []
  @Option(help: "When trained rewards rise while held-out ones fall: off, warn or stop.")
  var watchdog: EvaluationSettings.WatchdogName?

  func apply(to settings: inout EvaluationSettings) throws(MixGRPOError) {
    replace(&settings.every, with: evaluateEvery)
    let given = try RewardSetting.given(heldOut, programs: heldOutPrograms, "--held-out")
    if !given.isEmpty { settings.heldOut = given }
    replace(&settings.watchdog, with: watchdog)
  }
}

extension EvaluationSettings.WatchdogName: ExpressibleByArgument {}
