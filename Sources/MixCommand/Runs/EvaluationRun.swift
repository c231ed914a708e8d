import MixGRPO

/// The evaluations of an alignment: writes results to evaluations.jsonl and TensorBoard, and the best model to best/.
final class EvaluationRun {
  private let settings: AlignSettings
  private let folder: RunFolder
  private let model: PixelModel
  private let evaluation: Evaluation
  private let rewards: [any PictureReward]
  private let ranks: RunRanks
  /// Nil on ranks that are not the first.
  private let log: MetricsLog?

  /// - Parameters:
  ///   - rewards: the training rewards that are computed, then the held-out ones.
  ///   - resumedAt: the iteration of the checkpoint from which the trainer resumes; then the evaluations resume too, if they were
  ///     saved with it. Otherwise they restart; what is reported about earlier iterations is kept.
  ///   - warn: receives warnings.
  /// - Throws: `invalidArgument` also for settings that differ from those of the resumed run.
  init(
    _ settings: AlignSettings, _ folder: RunFolder, _ model: PixelModel, rewards: [any PictureReward], resumedAt: Int?,
    ranks: RunRanks, warn: (String) -> Void
  ) throws(MixGRPOError) {
    (self.settings, self.folder, self.model, self.rewards, self.ranks) = (settings, folder, model, rewards, ranks)
    var configuration = try settings.evaluation.configuration()
    configuration.keepBest = configuration.keepBest && ranks.isFirst
    configuration.weights = settings.learning.record.ema_decay > 0 ? .average : .trained
    let plan = try settings.repeatedPlan(samplesPerPrompt: settings.evaluation.samplesPerPrompt)
    evaluation = try Evaluation(
      prompts: settings.evaluation.rows(of: model.embeddings.count), plan: plan,
      rewards: settings.evaluation.rewards(trained: settings.computedRewards), configuration: configuration)
    let problem = resumedAt == nil ? nil : try Self.load(evaluation, folder)
    try ranks.meet(same: RankDescription(["evaluations": "\(problem ?? "after iteration \(evaluation.latestIteration)")"]))
    guard ranks.isFirst else {
      log = nil
      return
    }
    if let resumedAt, let problem { try Self.restart(folder, at: resumedAt, because: problem, warn: warn) }
    try folder.cut(folder.evaluations, before: max(evaluation.latestIteration + 1, resumedAt ?? 0))
    log = try MetricsLog(path: folder.evaluations)
  }

  /// - Returns: why the evaluations must restart; nil if they resume.
  private static func load(_ evaluation: Evaluation, _ folder: RunFolder) throws(MixGRPOError) -> String? {
    guard try folder.hasEvaluation else { return "there are no saved ones" }
    do throws(MixGRPOError) {
      try evaluation.restore(folder: folder.checkpoints)
      return nil
    } catch  where error.code == .invalidFormat {
      return "the saved ones are damaged: \(error.message)"
    }
  }

  /// What restarted evaluations would overwrite is kept under another name.
  private static func restart(
    _ folder: RunFolder, at iteration: Int, because problem: String, warn: (String) -> Void
  ) throws(MixGRPOError) {
    let kept = try folder.setEvaluationsAside(iteration: iteration)
    let earlier = try folder.lines(folder.evaluations)
    guard !kept.isEmpty || !earlier.isEmpty else { return }
    warn(
      "evaluations restart because \(problem)" + (kept.isEmpty ? "" : "; kept: \(kept.joined(separator: ", "))"))
  }

  /// Saves the evaluations. Call before the trainer's checkpoint is saved: saved evaluations may be ahead of it, but not
  /// behind.
  func save() throws(MixGRPOError) { try evaluation.save(folder: folder.checkpoints) }

  /// In the order of an evaluation's means.
  var rewardList: [EvaluationReward] { evaluation.record.rewards }

  /// Whether the latest evaluation is of this iteration and stopped training. Survives saving and resuming.
  func hasStopped(at iteration: Int) -> Bool {
    iteration == evaluation.latestIteration && evaluation.verdict == .stop
  }

  /// TensorBoard discards earlier events from the resumed iteration on, so these evaluations are written again from
  /// evaluations.jsonl.
  func showEarlier(since iteration: Int, _ journal: RunJournal) throws(MixGRPOError) {
    for line in try folder.lines(folder.evaluations) where line.iteration >= iteration {
      guard let score = line.object["score"], let means = line.object["means"]?.object else { continue }
      let names = evaluation.record.rewards.map(\.name)
      try journal.append(
        evaluation: line.iteration, score: score.double ?? .nan, means: names.map { ($0, means[$0]?.double ?? .nan) })
    }
  }

  /// Evaluates the trainer when an evaluation is due, or with `always` unless this iteration has been evaluated.
  /// - Returns: nil when nothing was evaluated.
  func evaluate(
    _ trainer: Trainer, always: Bool, _ journal: RunJournal?, begin: () -> Void, progress: (_ done: Int, _ total: Int) -> Void
  ) throws(MixGRPOError) -> EvaluationResult? {
    let iteration = trainer.iteration
    guard iteration > evaluation.latestIteration, always || evaluation.isDue(iteration) else { return nil }
    begin()
    let samples = try ranks.together { () throws(MixGRPOError) in try evaluation.sampleShare(trainer, progress: progress) }
    let scores = try ranks.gather(
      score(samples, iteration), prompts: evaluation.prompts.count, samples: settings.evaluation.samplesPerPrompt)
    let result = try evaluation.submit(iteration: iteration, scores: scores)
    let names = evaluation.record.rewards.map(\.name)
    try log?.append(Self.json(result, names))
    try journal?.append(evaluation: iteration, score: result.score, means: Array(zip(names, result.means)))
    if result.isBest, evaluation.configuration.keepBest {
      try evaluation.bestModel().save(folder: folder.best, precision: settings.precision.stored)
      try model.format.write(to: folder.best)
    }
    return result
  }

  /// The scores of the samples of this rank's share of the prompts, (K, samples).
  private func score(_ samples: [Float], _ iteration: Int) throws(MixGRPOError) -> [[Double]] {
    let own = ranks.rank.share(ofPrompts: evaluation.prompts.count)
    guard !own.isEmpty else { return rewards.map { _ in [] } }
    let perPrompt = settings.evaluation.samplesPerPrompt
    let pictures = try model.codec.decode(samples, count: own.count * perPrompt)
    let entries = pictures.enumerated().map { index, image in
      let row = Int(evaluation.prompts[own.lowerBound + index / perPrompt])
      return PictureBatch.Entry(image: image, prompt: model.prompts.prompts[row])
    }
    var scores: [[Double]] = []
    for reward in rewards { scores.append(try reward.score(PictureBatch(iteration: iteration, entries: entries))) }
    return scores
  }

  private static func json(_ result: EvaluationResult, _ names: [String]) -> JSONObject {
    var means = JSONObject()
    for (name, mean) in zip(names, result.means) { means[name] = .measurement(mean) }
    return [
      "iteration": .integer(Int64(result.iteration)), "score": .measurement(result.score), "means": .object(means),
      "not_scored": .integer(Int64(result.failures)), "best": .bool(result.isBest),
      "best_iteration": .integer(Int64(result.bestIteration)), "suspicious_in_a_row": .integer(Int64(result.worsening)),
    ]
  }
}
