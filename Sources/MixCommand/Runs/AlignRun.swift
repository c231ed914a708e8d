import MixCompare
import MixGRPO

/// A run of `mixgrpo align`: samples groups of pictures, scores them, updates the model.
final class AlignRun {
  private let settings: AlignSettings
  private let folder: RunFolder
  private let model: PixelModel
  private let trainer: Trainer
  private let order: PromptOrder
  private let rewards: [any PictureReward]
  private let evaluations: EvaluationRun?
  private let journal: RunJournal
  private let progress: ProgressDisplay
  private let checkpoints: CheckpointFolder
  private let lock: FolderLock
  private var lastPictures = -1

  /// - Throws: for invalid settings or files, before an earlier run is modified.
  init(_ settings: AlignSettings, resuming: Bool, context: RunContext) throws(MixGRPOError) {
    try settings.validate()
    (self.settings, folder) = (settings, RunFolder(path: settings.out))
    model = try PixelModel(folder: ShippedModel.folder(unless: settings.model), settings.pictures, context: context)
    order = try PromptOrder(
      count: model.embeddings.count, perIteration: settings.promptsPerIteration(of: model.embeddings.count),
      seed: settings.sampling.record.seed)
    trainer = try Trainer(
      evaluator: model.evaluator, prompts: model.embeddings, sampling: settings.sampling.configuration(),
      learning: settings.learning.configuration(weights: settings.rewards.map(\.weight), groupSize: settings.groupSize),
      rewardNames: settings.rewards.map(\.name), context: context)
    checkpoints = try CheckpointFolder(path: folder.checkpoints, keepLast: settings.keepCheckpoints)
    lock = try folder.prepare(resuming: resuming)
    let resumption = resuming ? try Self.resume(trainer, checkpoints, folder) : nil
    let isRestarted = resuming && resumption == nil
    if isRestarted { try folder.requireBeforeFirstCheckpoint(saveEvery: settings.saveEvery) }
    let progress = ProgressDisplay(total: settings.iterations, begun: trainer.iteration)
    self.progress = progress
    for skipped in resumption?.skipped ?? [] { progress.announce("skipped a damaged checkpoint: \(skipped)") }
    if isRestarted { progress.announce("no checkpoint yet: the run starts from the beginning") }
    if settings.promptsPerIteration == 0, order.perIteration < AlignSettings.usualPrompts {
      progress.announce("prompts_per_iteration: using all \(order.perIteration) prompts")
    }
    let heldOut = settings.evaluation.heldOut
    var rewards: [any PictureReward] = []
    for setting in settings.rewards + heldOut { rewards.append(try setting.reward(context, warn: progress.announce)) }
    self.rewards = rewards.dropLast(heldOut.count)
    evaluations =
      settings.evaluation.isOn
      ? try EvaluationRun(
        settings, folder, model, rewards: rewards, resumedAt: resumption?.iteration, warn: progress.announce) : nil
    try SettingsSource.write(settings.withAbsolutePaths(), to: folder.settings)
    journal = try RunJournal(folder, from: trainer.iteration, resuming: resuming, tensorBoard: settings.tensorBoard)
  }

  private static func resume(
    _ trainer: Trainer, _ checkpoints: CheckpointFolder, _ folder: RunFolder
  ) throws(MixGRPOError) -> Resumption? {
    do {
      return try trainer.resume(from: checkpoints)
    } catch {
      let command = "mixgrpo align --config \(folder.settings) --model \(folder.model) --out NEW-FOLDER"
      throw folder.explained(error, way: "to train its model on with others, start a new run: \(command)")
    }
  }

  /// Runs to the last iteration, or until it is cancelled or fails. Progress is saved in every case.
  /// - Throws: `cancelled`, or the error of the run, after the checkpoint is written.
  func run() throws(MixGRPOError) {
    do throws(MixGRPOError) {
      if trainer.iteration == 0 { try drawPictures(everyTime: true) } else { try showEarlierPictures() }
      try evaluations?.showEarlier(since: trainer.iteration, journal)
      while trainer.iteration < settings.iterations, try evaluate(always: false) { try step() }
      _ = try evaluate(always: true)
      try drawPictures(everyTime: true)
    } catch {
      progress.finish()
      try save()
      progress.announce("saved at iteration \(trainer.iteration); to continue: mixgrpo align --resume --out \(settings.out)")
      throw error
    }
    progress.finish()
    try save()
  }

  /// Whether the watchdog allows training to continue.
  private func evaluate(always: Bool) throws(MixGRPOError) -> Bool {
    let result = try evaluations?.evaluate(trainer, always: always, journal) { report($0, of: $1, from: 0, "evaluating") }
    guard let result else {
      guard evaluations?.hasStopped(at: trainer.iteration) == true else { return true }
      if !always { progress.announce("stopped by the watchdog at the evaluation of iteration \(trainer.iteration)") }
      return false
    }
    let suffix = result.isBest ? ", best so far" : ""
    progress.announce("evaluation at iteration \(result.iteration): \(fixed(result.score, 4))\(suffix)")
    if !result.message.isEmpty { progress.announce("\(result.verdict == .stop ? "stopped" : "warning"): \(result.message)") }
    return result.verdict != .stop
  }

  private func saveCheckpoint() throws(MixGRPOError) {
    try evaluations?.save()
    try trainer.save(in: checkpoints)
  }

  private func save() throws(MixGRPOError) {
    try saveCheckpoint()
    let trained = try trainer.model(settings.learning.record.ema_decay > 0 ? .average : .trained)
    try trained.save(folder: folder.model, precision: settings.precision.stored)
    try model.format.write(to: folder.model)
  }

  /// The checkpoint comes last: a run that resumes from it has everything before it on disk.
  private func step() throws(MixGRPOError) {
    let iteration = trainer.iteration
    let chosen = order.rows(iteration: iteration)
    let samples = try trainer.rollout(prompts: chosen) { report($0, of: $1, from: 0, "drawing") }
    let pictures = try model.codec.decode(samples, count: chosen.count * settings.groupSize)
    let scores = try score(pictures, chosen, iteration)
    let metrics = try trainer.update(rewards: scores) { report($0, of: $1, from: 0.5, "learning") }
    try journal.append(metrics)
    progress.show(trainer.iteration, summary(metrics))
    if trainer.iteration < settings.iterations { try drawPictures(everyTime: false) }
    if trainer.iteration % settings.saveEvery == 0 { try saveCheckpoint() }
  }

  private func score(_ pictures: [RGBImage], _ chosen: [Int32], _ iteration: Int) throws(MixGRPOError) -> [[Double]] {
    let batch = PictureBatch(
      iteration: iteration,
      entries: pictures.enumerated().map { index, image in
        PictureBatch.Entry(image: image, prompt: model.prompts.prompts[Int(chosen[index / settings.groupSize])])
      })
    var scores: [[Double]] = []
    for reward in rewards { scores.append(try reward.score(batch)) }
    return scores
  }

  /// Shows rollout and update as half an iteration each.
  private func report(_ done: Int, of total: Int, from start: Double, _ what: String) {
    progress.show(trainer.iteration, share: max(1e-3, start + 0.5 * Double(done) / Double(max(total, 1))), what)
  }

  private func summary(_ metrics: IterationMetrics) -> String {
    let failed = metrics.failedRewards > 0 ? "  \(metrics.failedRewards) not scored" : ""
    let skipped = metrics.skippedSteps > 0 ? "  \(metrics.skippedSteps) steps skipped" : ""
    let undone = metrics.isRolledBack ? "  rolled back" : ""
    return metrics.rewards.map { "\($0.name) \(fixed($0.mean, 4))" }.joined(separator: "  ") + failed + skipped + undone
  }

  /// Samples the same prompts from the same noise each time, so that grids are comparable.
  private func drawPictures(everyTime: Bool) throws(MixGRPOError) {
    let isDue = settings.picturesEvery > 0 && (everyTime || trainer.iteration % settings.picturesEvery == 0)
    guard isDue, lastPictures != trainer.iteration else { return }
    lastPictures = trainer.iteration
    let rows = min(settings.picturePrompts, model.embeddings.count)
    let plan = try SamplingPlan.deterministic(
      settings.sampling.configuration().schedule, samplesPerPrompt: settings.picturesPerPrompt,
      seed: settings.sampling.record.seed)
    let samples = try trainer.sample(plan, chosen: (0..<rows).map { Int32($0) })
    let pictures = try decode(samples, count: rows * settings.picturesPerPrompt)
    let grid = try ImageGrid.compose(
      pictures, columns: settings.picturesPerPrompt, gap: 4, scale: PictureScale.fitting(model.codec))
    try PNG.write(
      grid, text: PictureText.prompts(model.prompts.texts.prefix(rows)), to: folder.pictures(iteration: trainer.iteration))
    try journal.append(grid, iteration: trainer.iteration)
  }

  private func showEarlierPictures() throws(MixGRPOError) {
    if try journal.appendEarlierPictures(folder, iteration: trainer.iteration) { lastPictures = trainer.iteration }
  }

  private func decode(_ samples: [Float], count: Int) throws(MixGRPOError) -> [RGBImage] {
    try samples.withUnsafeBufferPointer { (samples) throws(MixGRPOError) in try model.codec.decode(samples, count: count) }
  }
}
