import MixGRPO

/// The evaluations of an alignment: what they find goes to evaluations.jsonl and TensorBoard, the best model to best/.
final class EvaluationRun {
  private let settings: AlignSettings
  private let folder: RunFolder
  private let model: PixelModel
  private let evaluation: Evaluation
  private let rewards: [any PictureReward]
  private let log: MetricsLog

  /// - Parameters:
  ///   - rewards: those of training, then those held out.
  ///   - resumed: whether the trainer goes on from a checkpoint; then so does this, where one was saved with it.
  ///   - warn: told what is odd and no error.
  /// - Throws: `invalidArgument` also for settings that differ from those of the run that is resumed.
  init(
    _ settings: AlignSettings, _ folder: RunFolder, _ model: PixelModel, rewards: [any PictureReward], resumed: Bool,
    warn: (String) -> Void
  ) throws(MixGRPOError) {
    (self.settings, self.folder, self.model, self.rewards) = (settings, folder, model, rewards)
    var configuration = settings.evaluation.configuration
    configuration.weights = settings.learning.record.ema_decay > 0 ? .average : .trained
    let plan = try SamplingPlan.deterministic(
      settings.sampling.configuration().schedule, samplesPerPrompt: settings.evaluation.samplesPerPrompt, seed: settings.sampling.record.seed)
    evaluation = try Evaluation(
      prompts: settings.evaluation.rows(of: model.embeddings.count), plan: plan,
      rewards: settings.evaluation.rewards(trained: settings.rewards), configuration: configuration)
    if resumed, try folder.hasEvaluation {
      do throws(MixGRPOError) { try evaluation.load(folder: folder.checkpoints) } catch  where error.code == .invalidFormat {
        warn("evaluations begin anew, as those before are damaged: \(error.message)")
      }
    }
    try folder.cut(folder.evaluations, before: evaluation.latestIteration + 1)
    log = try MetricsLog(path: folder.evaluations)
  }

  /// What a continuation needs, before the trainer's checkpoint: of evaluations it may know more than that, but not less.
  func save() throws(MixGRPOError) { try evaluation.save(folder: folder.checkpoints) }

  /// Whether the latest evaluation is that of this iteration and ended the training. Saved evaluations know it too.
  func hasStopped(at iteration: Int) -> Bool {
    iteration == evaluation.latestIteration && evaluation.verdict == .stop
  }

  /// TensorBoard forgets what an earlier part of the run says of the iteration at which this one begins and of later ones: they
  /// come again from evaluations.jsonl.
  func showEarlier(since iteration: Int, _ journal: RunJournal) throws(MixGRPOError) {
    for line in try folder.lines(folder.evaluations) where line.iteration >= iteration {
      guard let score = line.object["score"], let means = line.object["means"]?.object else { continue }
      let names = evaluation.record.rewards.map(\.name)
      try journal.append(
        evaluation: line.iteration, score: score.double ?? .nan, means: names.map { ($0, means[$0]?.double ?? .nan) })
    }
  }

  /// Evaluates the trainer when it is due, or always but not twice.
  /// - Returns: nil when nothing was evaluated.
  func evaluate(
    _ trainer: Trainer, always: Bool, _ journal: RunJournal, progress: (_ done: Int, _ total: Int) -> Void
  ) throws(MixGRPOError) -> EvaluationResult? {
    let iteration = trainer.iteration
    guard iteration > evaluation.latestIteration, always || evaluation.isDue(iteration) else { return nil }
    let scores = try score(evaluation.sample(trainer, progress: progress), iteration)
    let result = try evaluation.submit(iteration: iteration, scores: scores)
    let names = evaluation.record.rewards.map(\.name)
    try log.append(Self.json(result, names))
    try journal.append(evaluation: iteration, score: result.score, means: Array(zip(names, result.means)))
    if result.isBest, evaluation.configuration.keepBest {
      try evaluation.bestModel().save(folder: folder.best, precision: settings.precision.stored)
    }
    return result
  }

  private func score(_ samples: [Float], _ iteration: Int) throws(MixGRPOError) -> [[Double]] {
    let pictures = try samples.withUnsafeBufferPointer { (samples) throws(MixGRPOError) in
      try model.codec.decode(samples, count: evaluation.sampleCount)
    }
    let entries = pictures.enumerated().map { index, image in
      let row = Int(evaluation.prompts[index / settings.evaluation.samplesPerPrompt])
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
