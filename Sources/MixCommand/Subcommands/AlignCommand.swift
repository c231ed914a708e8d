import ArgumentParser
import MixGRPO
import MixSettings
import MixTerminal

struct AlignCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "align",
    abstract: "Aligns a model with rewards.",
    discussion: """
      Each iteration samples a group of pictures for each of some prompts, scores them, and updates the model. Scores need to be \
      comparable only within a group: what matters is which pictures of one prompt are better than the others.

      PROMPTS are a text file with one prompt per line, or a .jsonl file with {"prompt": "…"} in each line; other members are \
      passed to reward programs. Prompts are encoded by hashing words, as in `mixgrpo pretrain`. A model trained with another \
      text encoder needs that encoder's embeddings (--embeddings); --prompts then only names their rows.

      REWARDS are built in (listed by mixgrpo settings rewards, given as name:weight), or your own program: for each picture it \
      reads a line {"image": "/tmp/…/000012-0003.png", "prompt": "…", "iteration": 12, "index": 3, "count": 48} and prints a \
      line with a number, or nan for no score; messages belong on standard error. The command is started without a shell: for pipes and \
      variables write sh -c '…'. The program keeps running, and must flush its output after each line, unless \
      its setting per_batch is true. See examples/rewards/redness.py.

        mixgrpo align --prompts prompts.txt --out run \\
          --reward brightness:0.5 --reward symmetry
        mixgrpo align --model run/model --prompts prompts.txt --out further \\
          --reward-program "python3 score.py" \\
          --set rewards.0.timeout_seconds=60
        mixgrpo align --config run/settings.json --out second \\
          --preset mixgrpo_flash --print-config
        mixgrpo align --resume --out run --iterations 200

      A PERSON (--reward-person) votes on a page of this machine, whose address is printed: favourites, stars or pairs. While the \
      person votes, the next prompt is drawn. The settings are those of --preset person, which need the fewest votes, in \
      15 iterations of two votes; other flags change them. Votes are kept in votes.jsonl; --votes repeats them, to the same bits. \
      docs/guides/teach-a-model-your-taste.md shows how.

        mixgrpo align --prompts prompts.txt --out mine --reward-person
        mixgrpo align --prompts prompts.txt --out again --reward-person \
          --votes mine/votes.jsonl

      EVALUATION samples the same prompts (16 at most) from the same noise before the first iteration, every ten (--evaluate-every) \
      and after the last, so that its change is the model's. It scores them also with rewards that are not trained on (--held-out, \
      --held-out-program). The model with the best held-out rewards, or the best \
      training rewards when none is held out, is saved to best/. --watchdog detects reward hacking: training rewards rise \
      while held-out rewards fall.

        mixgrpo align --prompts prompts.txt --out run \\
          --reward darkness --held-out contrast --watchdog stop

      LORA: with --lora-rank 16 the run trains an adapter of a few megabytes and leaves the model's weights as they are; gradients, \
      moments and checkpoints have the adapter's size. The run then also writes adapter/, which peft and diffusers load, and model/ has \
      the adapter merged. The learning rate is then 1e-4, unless a preset, a file or a flag gives one. --set lora.alpha=32, --set 'lora.targets=["to_q","to_v"]'.

      SEVERAL PROCESSES: mpirun -n 4 mixgrpo align … shares out the prompts of each iteration, if the command was built with \
      MIXGRPO_MPI=1. Every process starts its own reward programs; the first one writes the folder, which all must see. Any number \
      of processes gives the same bits, also after --resume with another number.

      THE RUN writes to its folder report.html (open it in a browser, also while the run lasts), settings.json, model/ (a \
      diffusers folder), metrics.jsonl, pictures/ (the same prompts and noise each time), checkpoints, and event files for tensorboard --logdir run. Ctrl-C saves and stops; --resume continues \
      with bit-identical results. An update that is not finite or changes the model too much is never applied, and ends the \
      run; with --set learning.fault_policy=roll_back the run continues with a smaller learning rate, with skip it continues \
      without that update.
      """)

  @OptionGroup(title: "Settings") var config: ConfigOptions
  @Option(
    help: ArgumentHelp("The model to align (the one that comes with the command).", valueName: "folder"), completion: .directory
  ) var model: String?
  @Option(help: ArgumentHelp("Folder for all files of the run.", valueName: "folder"), completion: .directory) var out: String?
  @Flag(help: "Continue the run in --out, with its settings.") var resume = false
  @OptionGroup(title: "Pictures") var pictures: PictureOptions
  @Option(
    name: .customLong("reward"), parsing: .singleValue,
    help: ArgumentHelp("A built-in reward; repeatable.", valueName: "name[:weight]"))
  var rewards: [String] = []
  @Option(
    name: .customLong("reward-program"), parsing: .singleValue,
    help: ArgumentHelp("A program that scores pictures; repeatable.", valueName: "[name[:weight]=]command"))
  var programs: [String] = []
  @OptionGroup(title: "A person as the reward") var person: PersonOptions
  @OptionGroup(title: "Training") var training: TrainingOptions
  @OptionGroup(title: "Evaluation") var evaluation: EvaluationOptions

  func run() throws {
    if config.printConfig { return Launcher.isFirst ? show(try SettingsSource.text(settings())) : () }
    // An invalid setting is reported once, so the processes of mpirun find each other before it is.
    let settings = Result(catching: validSettings)
    let threads = if case .success(let valid) = settings { valid.threads } else { 0 }
    let context = try RunContext(threads: Launcher.threads(threads))
    StopSignals.watch(context) {
      if Launcher.isFirst { ProgressDisplay.note("stopping; press Ctrl-C again to stop at once without saving") }
    }
    let ranks = RunRanks(try Launcher.start())
    do throws(MixGRPOError) {
      let summary = try ranks.withdrawing { () throws(MixGRPOError) in
        try AlignRun(settings.get(), resuming: resume, context: context, ranks: ranks).run()
      }
      for line in summary?.lines(columns: StandardError.columnsOfOutput) ?? [] { show(line) }
    } catch {
      let isReported = ranks.isAgreed && !ranks.isFirst && !Launcher.hasLostOthers  // by the first rank
      throw isReported ? ExitCode(MixgrpoCommand.exitCode(of: error)) : error as any Error
    }
  }

  private func validSettings() throws(MixGRPOError) -> AlignSettings {
    let settings = try settings()
    try settings.validate()
    return settings
  }

  func settings() throws(MixGRPOError) -> AlignSettings {
    if let resumed = try resumed() { return try config.settings(from: resumed, flags: applyFlags) }
    return try config.alignSettings(from: person.start, flags: applyFlags)
  }

  private func applyFlags(to settings: inout AlignSettings) throws(MixGRPOError) {
    replace(&settings.model, with: model)
    replace(&settings.out, with: out)
    pictures.apply(to: &settings.pictures)
    let given = try RewardSetting.given(
      rewards + (person.rewardPerson ? [RewardSetting.person] : []), programs: programs, "--reward")
    if !given.isEmpty { settings.rewards = given }
    person.apply(to: &settings)
    training.apply(to: &settings)
    try evaluation.apply(to: &settings.evaluation)
  }

  /// A resumed run starts from the settings of the earlier run.
  private func resumed() throws(MixGRPOError) -> AlignSettings? {
    guard resume else { return nil }
    guard let out else { throw .invalid("--resume", expected: "also --out, the folder of the run", got: "none") }
    return try AlignSettings(resuming: RunFolder(path: out), from: AlignSettings())
  }
}

/// How a person votes.
struct PersonOptions: ParsableArguments {
  @Flag(
    help: """
      A person votes on the pictures, on a page of this machine whose address is printed. Applies --preset person with \
      \(PersonOptions.iterations) iterations first.
      """)
  var rewardPerson = false
  @Option(
    help: ArgumentHelp("The votes.jsonl of an earlier run, to repeat it without the person.", valueName: "file"),
    completion: .file())
  var votes: String?
  @Option(help: "Port of the page on 127.0.0.1, 0 for any that is free (0).") var port: Int?

  /// Two groups each: a taste is learned in as many votes.
  private static let iterations = 15

  /// What files and other flags change. The page shows what the model has become more often than other runs do.
  var start: AlignSettings {
    var settings = AlignSettings()
    guard rewardPerson else { return settings }
    settings.apply(.person)
    (settings.iterations, settings.picturesEvery) = (Self.iterations, 5)
    return settings
  }

  func apply(to settings: inout AlignSettings) {
    replace(&settings.person.votes, with: votes)
    replace(&settings.person.port, with: port)
  }
}

/// The training settings that are changed most often.
struct TrainingOptions: ParsableArguments {
  @Option(help: ArgumentHelp("A published method, or person.", valueName: "name")) var preset: PresetName?
  @Option(help: "Iterations: a rollout and an update each (100).") var iterations: Int?
  @Option(help: "Prompts per iteration (4, or all when there are fewer).") var promptsPerIteration: Int?
  @Option(help: "Pictures per prompt (12).") var groupSize: Int?
  @Option(help: "Steps from noise to picture (25).") var steps: Int?
  @Option(help: "Number of stochastic, trained steps (4, or steps − 1 when that is less).") var windowLength: Int?
  @Option(help: "Learning rate of AdamW (1e-5, with an adapter 1e-4).") var learningRate: Double?
  @Option(help: "Rank of a LoRA adapter that is trained in place of all weights (0: all weights).") var loraRank: Int?
  @Option(help: "Clip range of the probability ratio (1e-4).") var clipRange: Double?
  @Option(help: "Seed of all random numbers (0).") var seed: UInt64?
  @Option(help: "Iterations between checkpoints (10).") var saveEvery: Int?
  @Option(help: "Iterations between picture grids, 0 for none (25).") var picturesEvery: Int?
  @Option(help: "Number format of the saved model: f32 or bf16 (f32).") var precision: PrecisionName?
  @Option(help: "Worker threads, 0 for one per core (0).") var threads: Int?

  /// Applies the preset first, so that other flags override it.
  func apply(to settings: inout AlignSettings) {
    if let preset = preset?.preset { settings.apply(preset) }
    replace(&settings.iterations, with: iterations)
    replace(&settings.promptsPerIteration, with: promptsPerIteration)
    replace(&settings.sampling.record.group_size, with: groupSize)
    replace(&settings.sampling.record.steps, with: steps)
    replace(&settings.sampling.record.window_length, with: windowLength)
    replace(&settings.learning.record.learning_rate, with: learningRate)
    replace(&settings.lora.rank, with: loraRank)
    replace(&settings.learning.record.clip_range, with: clipRange)
    replace(&settings.sampling.record.seed, with: seed)
    replace(&settings.saveEvery, with: saveEvery)
    replace(&settings.picturesEvery, with: picturesEvery)
    replace(&settings.precision, with: precision)
    replace(&settings.threads, with: threads)
  }
}

extension AlignSettings {
  mutating func apply(_ preset: Preset) {
    let changes = preset.changes
    _ = sampling.apply(changes.sampling)
    _ = learning.apply(changes.learning)
  }
}

/// How the model is evaluated during training.
struct EvaluationOptions: ParsableArguments {
  @Option(help: "Iterations between evaluations, 0 for none (10).") var evaluateEvery: Int?
  @Option(
    name: .customLong("held-out"), parsing: .singleValue,
    help: ArgumentHelp("A built-in reward that is not trained on; repeatable.", valueName: "name[:weight]"))
  var heldOut: [String] = []
  @Option(
    name: .customLong("held-out-program"), parsing: .singleValue,
    help: ArgumentHelp("A reward program that is not trained on; repeatable.", valueName: "[name[:weight]=]command"))
  var heldOutPrograms: [String] = []
  @Option(help: "Reaction when training rewards rise while held-out rewards fall: off, warn or stop (off).")
  var watchdog: WatchdogArgument?

  func apply(to settings: inout EvaluationSettings) throws(MixGRPOError) {
    replace(&settings.record.every, with: evaluateEvery)
    let given = try RewardSetting.given(heldOut, programs: heldOutPrograms, "--held-out")
    if !given.isEmpty { settings.heldOut = given }
    replace(&settings.record.watchdog, with: watchdog?.number)
  }
}
