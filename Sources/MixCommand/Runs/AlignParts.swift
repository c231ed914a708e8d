import MixCompare
import MixGRPO

/// The parts of a run, made from its settings.
extension AlignSettings {
  /// The settings with which the ranks run together.
  /// - Throws: for invalid settings; `invalidArgument` naming a setting that differs between ranks.
  func agreed(by ranks: RunRanks, resuming: Bool) throws(MixGRPOError) -> AlignSettings {
    try validate()
    try ranks.meet(same: description(resuming: resuming))
    return try adapted(to: ranks)
  }

  func pixelModel(_ context: RunContext) throws(MixGRPOError) -> PixelModel {
    try PixelModel(folder: ShippedModel.folder(unless: model), pictures, context: context) { (folder) throws(MixGRPOError) in
      try lora.load(folder, seed: sampling.record.seed)
    }
  }

  func order(of prompts: Int) throws(MixGRPOError) -> PromptOrder {
    try PromptOrder(count: prompts, perIteration: promptsPerIteration(of: prompts), seed: sampling.record.seed)
  }

  func trainer(of model: PixelModel, _ context: RunContext) throws(MixGRPOError) -> Trainer {
    try Trainer(
      evaluator: model.evaluator, prompts: model.embeddings, sampling: sampling.configuration(),
      learning: learning.configuration(weights: rewards.map(\.weight), groupSize: groupSize),
      rewardNames: rewards.map(\.name), context: context)
  }

  /// Draws the same samples each time, from the same noise, so that their change is the model's.
  func repeatedPlan(samplesPerPrompt: Int) throws(MixGRPOError) -> SamplingPlan {
    try .deterministic(
      sampling.configuration().schedule, samplesPerPrompt: samplesPerPrompt, seed: sampling.record.seed)
  }

  /// What scores pictures: the rewards that are trained on, then the held-out ones.
  func scorers(
    _ person: PersonReward?, _ context: RunContext, warn: @escaping (String) -> Void
  ) throws(MixGRPOError) -> [any PictureReward] {
    var scorers: [any PictureReward] = []
    for setting in rewards + evaluation.heldOut {
      if let person, setting.isPerson {
        scorers.append(person)
      } else {
        scorers.append(try setting.reward(context, warn: warn))
      }
    }
    return scorers
  }
}

extension RunRanks {
  /// Prepares the folder on the first rank, and checks that the others see it.
  /// - Returns: the lock of the first rank, to be kept as long as the run uses the folder.
  func lock(_ folder: RunFolder, resuming: Bool) throws(MixGRPOError) -> FolderLock? {
    let lock = isFirst ? try folder.prepare(resuming: resuming) : nil
    try meet()
    try folder.requireLocked()
    return lock
  }

  /// Makes the trainer one of those of all ranks.
  func join(_ trainer: Trainer, _ settings: AlignSettings) throws(MixGRPOError) {
    guard let agreement = try settings.agreement(of: self) else { return }
    try together { () throws(MixGRPOError) in try trainer.join(agreement) }
  }
}
