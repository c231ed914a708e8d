import MixGRPO
import MixSettings

/// All settings of `mixgrpo align`.
struct AlignSettings: SettingsTable {
  var model = ""
  var out = ""
  var pictures = PictureSettings()
  var rewards: [RewardSetting] = []
  var iterations = 100
  /// 0 for `usualPrompts`, or all prompts when there are fewer.
  var promptsPerIteration = 0
  var saveEvery = 10
  var keepCheckpoints = 3
  var picturesEvery = 25
  var picturePrompts = 4
  var picturesPerPrompt = 4
  var precision = PrecisionName.f32
  var tensorBoard = true
  var threads = 0
  var sumPerPrompt = false
  var sampling = SamplingSettings()
  var learning = LearningSettings()
  var lora = LoRASettings()
  var evaluation = EvaluationSettings()
  var person = PersonSettings()

  static var settings: [Setting<AlignSettings>] {
    [
      .text(
        "model", \.model,
        "folder of the model to align, in the layout of diffusers; empty for the model that comes with the command"),
      .text("out", \.out, "folder for all files of the run"),
    ] + PictureSettings.settings.map { $0.within(\.pictures) } + [
      .rewards("rewards", \.rewards, "rewards that score the pictures"),
      .integer("iterations", \.iterations, 0...1_000_000_000, "number of iterations: a rollout and an update each"),
      .integer(
        "prompts_per_iteration", \.promptsPerIteration, 0...65_536,
        "prompts per iteration, each sampled group_size times; 0 for 4, with the reward person 2, or all when there are fewer"),
      .integer(
        "save_every", \.saveEvery, 1...1_000_000, unit: "iterations",
        "iterations between checkpoints; the last iteration is always saved"),
      .integer(
        "keep_checkpoints", \.keepCheckpoints, 1...1_000_000,
        "number of newest checkpoints to keep while the run lasts; a finished run keeps the newest one"),
      .integer(
        "pictures_every", \.picturesEvery, 0...1_000_000, unit: "iterations",
        "iterations between picture grids; 0 for no grids"),
      .integer("picture_prompts", \.picturePrompts, 1...256, "rows of a grid, one per prompt"),
      .integer("pictures_per_prompt", \.picturesPerPrompt, 1...64, "columns of a grid"),
      .choice("precision", \.precision, "number format of the saved model"),
      .flag("tensorboard", \.tensorBoard, "write TensorBoard event files"),
      .integer("threads", \.threads, 0...1_024, "worker threads, 0 for one per core; results do not change")
        .withoutEffect,
      .flag(
        "sum_per_prompt", \.sumPerPrompt,
        "add up gradients prompt by prompt, so that any number of processes gives the same bits; always true under mpirun"),
      .section("sampling", \.sampling, "how pictures are sampled in training"),
      .section("learning", \.learning, "how the model learns from rewards"),
      .section("lora", \.lora, "the low-rank adapter that is trained in place of all weights"),
      .section("evaluation", \.evaluation, "how the model in training is evaluated"),
      .section("person", \.person, "how a person votes, with the reward person"),
    ]
  }

  var groupSize: Int { Int(sampling.record.group_size) }

  /// A person votes on one prompt while the next is drawn; after few votes the model learns.
  var usualPrompts: Int { hasPerson ? 2 : 4 }

  var hasPerson: Bool { rewards.contains(where: \.isPerson) }

  /// The rewards that score pictures by themselves, also those of evaluations.
  var computedRewards: [RewardSetting] { rewards.filter { !$0.isPerson } }

  /// Whether there are evaluations, and something to score them with.
  var isEvaluated: Bool { evaluation.isOn && !(hasPerson && (computedRewards + evaluation.heldOut).isEmpty) }

  /// The weighted mean of the rewards that are trained on and computed, or of the held-out ones where a person gives all others.
  /// - Parameter means: of an evaluation: `computedRewards`, then the held-out rewards.
  func evaluatedMean(_ means: [Double]) -> Double {
    let shown = computedRewards.isEmpty ? evaluation.heldOut : computedRewards
    return zip(shown, means).reduce(0) { $0 + $1.0.weight * $1.1 } / shown.reduce(0) { $0 + $1.weight }
  }

  /// Prompts per iteration, given the number of prompts; nil when it is unknown.
  func promptsPerIteration(of count: Int?) -> Int {
    promptsPerIteration > 0 ? promptsPerIteration : min(usualPrompts, count ?? usualPrompts)
  }

  /// - Throws: `invalidArgument` naming every invalid setting.
  func validate() throws(MixGRPOError) {
    var check = Validation()
    check.require(!out.isEmpty, "out", expected: "a folder for the run (--out)", got: "none")
    check.require(
      !pictures.prompts.isEmpty || !pictures.embeddings.isEmpty, "prompts",
      expected: "a file of prompts (--prompts) or of embeddings (--embeddings)", got: "none")
    check.require(
      !rewards.isEmpty, "rewards", expected: "at least one (--reward, --reward-program, --reward-person)", got: "none")
    let names = (rewards + evaluation.heldOut).map(\.name)
    check.require(Set(names).count == names.count, "rewards", expected: "a different name for each", got: names)
    self.check(&check)
    evaluation.validate(&check, trained: computedRewards)
    person.check(&check, prefix: "person.")
    lora.check(&check, prefix: "lora.")
    check.require(
      lora.rank > 0 || lora == LoRASettings(), "lora", expected: "a rank (--lora-rank) with the adapter's other settings",
      got: "none")
    check.require(
      hasPerson || person.votes.isEmpty, "person.votes", expected: "none without the reward person (--reward-person)",
      got: person.votes)
    check.require(
      !evaluation.heldOut.contains(where: \.isPerson), "evaluation.held_out",
      expected: "rewards that a program computes; a person votes in training only", got: RewardSetting.person)
    check.include { () throws(MixGRPOError) in _ = try sampling.configuration() }
    check.include { () throws(MixGRPOError) in
      _ = try learning.configuration(weights: rewards.map(\.weight), groupSize: groupSize)
    }
    try check.throwIfAny()
  }
}
