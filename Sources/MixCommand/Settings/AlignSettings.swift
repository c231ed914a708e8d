import MixGRPO

/// All settings of `mixgrpo align`.
struct AlignSettings: SettingsTable {
  var model = ""
  var out = ""
  var pictures = PictureSettings()
  var rewards: [RewardSetting] = []
  var iterations = 100
  /// 0: `usualPrompts`, or all where there are fewer.
  var promptsPerIteration = 0
  var saveEvery = 10
  var keepCheckpoints = 3
  var picturesEvery = 25
  var picturePrompts = 4
  var picturesPerPrompt = 4
  var precision = PrecisionName.f32
  var tensorBoard = true
  var threads = 0
  var sampling = SamplingSettings()
  var learning = LearningSettings()
  var evaluation = EvaluationSettings()

  static var settings: [Setting<AlignSettings>] {
    [
      .text("model", \.model, "folder of the model to align, as diffusers keeps it"),
      .text("out", \.out, "folder for all that the run leaves"),
    ] + PictureSettings.settings.map { $0.within(\.pictures) } + [
      .rewards("rewards", \.rewards, "what pictures are scored by"),
      .integer("iterations", \.iterations, "rollouts, each followed by an update"),
      .integer(
        "prompts_per_iteration", \.promptsPerIteration, "prompts, each drawn group_size times; 0 for 4, or all of fewer"),
      .integer("save_every", \.saveEvery, "iterations between checkpoints; there is one at the end in any case"),
      .integer("keep_checkpoints", \.keepCheckpoints, "so many of the newest are kept"),
      .integer("pictures_every", \.picturesEvery, "iterations between picture grids; 0 for none at all"),
      .integer("picture_prompts", \.picturePrompts, "prompts in a grid, a row each"),
      .integer("pictures_per_prompt", \.picturesPerPrompt, "pictures in a row"),
      .choice("precision", \.precision, "of the saved model"),
      .flag("tensorboard", \.tensorBoard, "write event files"),
      .integer("threads", \.threads, "worker threads, 0 for one per core; changes no result"),
      .section("sampling", \.sampling, "how pictures are sampled in training"),
      .section("learning", \.learning, "how the model learns from rewards"),
      .section("evaluation", \.evaluation, "how the model in training is evaluated"),
    ]
  }

  var groupSize: Int { sampling.groupSize }

  static let usualPrompts = 4

  /// Prompts of an iteration when there are so many; nil where their number is not known.
  func promptsPerIteration(of count: Int?) -> Int {
    promptsPerIteration > 0 ? promptsPerIteration : min(Self.usualPrompts, count ?? Self.usualPrompts)
  }

  /// - Throws: `invalidArgument` naming every unfit setting.
  func validate() throws(MixGRPOError) {
    var check = Validation()
    check.require(!model.isEmpty, "model", expected: "a model's folder (--model)", got: "none")
    check.require(!out.isEmpty, "out", expected: "a folder for the run (--out)", got: "none")
    check.require(
      !pictures.prompts.isEmpty || !pictures.embeddings.isEmpty, "prompts",
      expected: "a file of prompts (--prompts) or of embeddings (--embeddings)", got: "none")
    check.require(!rewards.isEmpty, "rewards", expected: "at least one (--reward, --reward-program)", got: "none")
    let names = (rewards + evaluation.heldOut).map(\.name)
    check.require(Set(names).count == names.count, "rewards", expected: "a name of its own for each", got: names)
    validateCounts(&check)
    pictures.validate(&check)
    evaluation.validate(&check, trained: rewards)
    check.include { () throws(MixGRPOError) in _ = try sampling.configuration() }
    check.include { () throws(MixGRPOError) in
      _ = try learning.configuration(weights: rewards.map(\.weight), groupSize: groupSize)
    }
    try check.throwIfAny()
  }

  private func validateCounts(_ check: inout Validation) {
    check.require((0...1_000_000_000).contains(iterations), "iterations", expected: "0…1000000000", got: iterations)
    check.require(
      (0...65_536).contains(promptsPerIteration), "prompts_per_iteration", expected: "0…65536", got: promptsPerIteration)
    check.require((1...1_000_000).contains(saveEvery), "save_every", expected: "1…1000000", got: saveEvery)
    check.require(
      (1...1_000_000).contains(keepCheckpoints), "keep_checkpoints", expected: "1…1000000", got: keepCheckpoints)
    check.require((0...1_000_000).contains(picturesEvery), "pictures_every", expected: "0…1000000", got: picturesEvery)
    check.require((1...256).contains(picturePrompts), "picture_prompts", expected: "1…256", got: picturePrompts)
    check.require((1...64).contains(picturesPerPrompt), "pictures_per_prompt", expected: "1…64", got: picturesPerPrompt)
    check.require((0...1_024).contains(threads), "threads", expected: "0…1024", got: threads)
  }
}

/// How a model's weights are stored.
enum PrecisionName: String, CaseIterable {
  case f32, bf16

  var stored: StoredPrecision { self == .f32 ? .float32 : .bfloat16 }
}
