import MixGRPO
import MixSettings

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
      .integer("iterations", \.iterations, 0...1_000_000_000, default: 100, "rollouts, each followed by an update"),
      .integer(
        "prompts_per_iteration", \.promptsPerIteration, 0...65_536, default: 0,
        "prompts, each drawn group_size times; 0 for 4, or all of fewer"),
      .integer(
        "save_every", \.saveEvery, 1...1_000_000, default: 10, unit: "iterations",
        "between checkpoints; there is one at the end in any case"),
      .integer("keep_checkpoints", \.keepCheckpoints, 1...1_000_000, default: 3, "so many of the newest are kept"),
      .integer(
        "pictures_every", \.picturesEvery, 0...1_000_000, default: 25, unit: "iterations",
        "between picture grids; 0 for none at all"),
      .integer("picture_prompts", \.picturePrompts, 1...256, default: 4, "prompts in a grid, a row each"),
      .integer("pictures_per_prompt", \.picturesPerPrompt, 1...64, default: 4, "pictures in a row"),
      .choice("precision", \.precision, default: .f32, "of the saved model"),
      .flag("tensorboard", \.tensorBoard, default: true, "write event files"),
      .integer("threads", \.threads, 0...1_024, default: 0, "worker threads, 0 for one per core; changes no result")
        .withoutEffect,
      .section("sampling", \.sampling, "how pictures are sampled in training"),
      .section("learning", \.learning, "how the model learns from rewards"),
      .section("evaluation", \.evaluation, "how the model in training is evaluated"),
    ]
  }

  var groupSize: Int { Int(sampling.record.group_size) }

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
    self.check(&check)
    evaluation.validate(&check, trained: rewards)
    check.include { () throws(MixGRPOError) in _ = try sampling.configuration() }
    check.include { () throws(MixGRPOError) in
      _ = try learning.configuration(weights: rewards.map(\.weight), groupSize: groupSize)
    }
    try check.throwIfAny()
  }
}

/// How a model's weights are stored.
enum PrecisionName: String, CaseIterable {
  case f32, bf16

  var stored: StoredPrecision { self == .f32 ? .float32 : .bfloat16 }
}
