import MixGRPO

/// Writes metrics and pictures of a run to metrics.jsonl and, optionally, to TensorBoard event files.
struct RunJournal {
  private let metrics: MetricsLog
  private let events: TensorBoardLog?

  /// - Parameter iteration: the next iteration; entries of an interrupted run from this iteration on are removed.
  init(_ folder: RunFolder, from iteration: Int, resuming: Bool, tensorBoard: Bool) throws(MixGRPOError) {
    if resuming { try folder.cut(folder.metrics, before: iteration) }
    metrics = try MetricsLog(path: folder.metrics)
    events = tensorBoard ? try TensorBoardLog(folder: folder.path, continuedFrom: resuming ? iteration : nil) : nil
  }

  func append(_ iteration: IterationMetrics) throws(MixGRPOError) {
    try metrics.append(iteration.json)
    try events?.append(scalars: Self.curves(iteration), step: iteration.iteration)
  }

  func append(_ picture: RGBImage, iteration: Int) throws(MixGRPOError) {
    try events?.append(picture, tag: "pictures", step: iteration)
  }

  /// TensorBoard discards the earlier events of the iteration at which a run resumes, so its pictures are written again.
  /// - Returns: whether there are pictures of the iteration.
  func appendEarlierPictures(_ folder: RunFolder, iteration: Int) throws(MixGRPOError) -> Bool {
    let path = folder.pictures(iteration: iteration)
    guard try FileAccess.isPresent(path) else { return false }
    try append(try PNG.read(path: path), iteration: iteration)
    return true
  }

  /// - Parameters:
  ///   - iteration: iteration of the evaluation.
  ///   - means: mean of each reward, by name.
  func append(evaluation iteration: Int, score: Double, means: [(String, Double)]) throws(MixGRPOError) {
    let curves = means.map { (tag: "evaluation/\($0)", value: $1) }
    try events?.append(scalars: curves + [("evaluation/score", score)], step: iteration)
  }

  /// Appends a step of pretraining.
  func append(step: Int, loss: Double, learningRate: Double) throws(MixGRPOError) {
    try metrics.append(
      ["iteration": .integer(Int64(step)), "loss": .measurement(loss), "learning_rate": .measurement(learningRate)])
    try events?.append(scalars: [("loss", loss), ("optimizer/learning_rate", learningRate)], step: step)
  }

  private static func curves(_ metrics: IterationMetrics) -> [(tag: String, value: Double)] {
    let rewards = metrics.rewards.flatMap {
      [
        (tag: "reward/\($0.name)", value: $0.mean), (tag: "reward_std/\($0.name)", value: $0.standardDeviation),
        (tag: "reward_failed/\($0.name)", value: Double($0.failures)),
      ]
    }
    return rewards + [
      ("reward/weighted_mean", metrics.rewardMean), ("policy/loss", metrics.policy.loss),
      ("policy/clip_fraction", metrics.policy.clippedFraction), ("policy/ratio_min", metrics.policy.ratioMin),
      ("policy/ratio_max", metrics.policy.ratioMax), ("policy/kl_old_nats", metrics.policy.oldPolicyNats),
      ("policy/kl_reference_nats", metrics.policy.referenceNats),
      ("policy/degenerate_groups", Double(metrics.degenerateGroups)), ("optimizer/gradient_norm", metrics.gradientNorm),
      ("optimizer/learning_rate", metrics.learningRate), ("optimizer/velocity_change", metrics.velocityChange),
      ("optimizer/skipped_steps", Double(metrics.skippedSteps)), ("optimizer/rolled_back", metrics.isRolledBack ? 1 : 0),
      ("window/start", Double(metrics.window.lowerBound)),
      ("seconds/rollout", metrics.secondsRollout), ("seconds/update", metrics.secondsUpdate),
      ("model_calls/rollout", Double(metrics.modelCallsRollout)), ("model_calls/update", Double(metrics.modelCallsUpdate)),
    ]
  }
}
