import MixCompare
import MixGRPO

/// A run of `mixgrpo align`: samples groups of pictures, scores them, updates the model. Of several ranks that run it together only
/// the first writes to the folder.
final class AlignRun {
  private let settings: AlignSettings
  private let ranks: RunRanks
  private let folder: RunFolder
  private let model: PixelModel
  private let trainer: Trainer
  private let order: PromptOrder
  private let rewards: [any PictureReward]
  private let person: PersonReward?
  private let evaluations: EvaluationRun?
  private let journal: RunJournal?
  private let report: AlignReport
  private let page: RunReport?
  private let checkpoints: CheckpointFolder
  private let lock: FolderLock?
  private var lastPictures = -1

  /// - Throws: for invalid settings or files, before an earlier run is modified.
  init(
    _ given: AlignSettings, resuming: Bool, context: RunContext, ranks: RunRanks = RunRanks()
  ) throws(MixGRPOError) {
    let settings = try given.agreed(by: ranks, resuming: resuming)
    (self.settings, self.ranks, folder) = (settings, ranks, RunFolder(path: settings.out))
    // NFS remembers for up to a minute that a file was not there, so the other ranks look only after rank 0 has made the folder.
    if ranks.isFirst { try OutputPlace.requireFolder(folder.path) }
    model = try settings.pixelModel(context)
    order = try settings.order(of: model.embeddings.count)
    trainer = try settings.trainer(of: model, context)
    checkpoints = try CheckpointFolder(path: folder.checkpoints, keepLast: settings.keepCheckpoints)
    try ranks.meet(same: RankDescription(["prompts": model.prompts.fingerprint()]))
    lock = try ranks.lock(folder, resuming: resuming)
    let start = try Self.start(trainer, checkpoints, folder, settings, resuming: resuming)
    report = try AlignReport(settings, folder, order, begun: trainer.iteration, ranks.rank)
    try ranks.join(trainer, settings)
    let sumsAnew = settings.sumPerPrompt && !given.sumPerPrompt && trainer.iteration > 0
    report.announce(start, promptsPerIteration: order.perIteration, sumsAnew: sumsAnew)
    person =
      try settings.hasPerson
      ? PersonReward(
        settings, folder, prompts: model.prompts.texts, order: order, begun: trainer.iteration, context: context,
        announce: report.announce) : nil
    let scorers = try settings.scorers(person, context, warn: report.warn)
    rewards = scorers.dropLast(settings.evaluation.heldOut.count)
    evaluations =
      try settings.isEvaluated
      ? EvaluationRun(
        settings, folder, model, rewards: scorers.filter { !($0 is PersonReward) },
        resumedAt: start.resumption?.iteration, ranks: ranks, warn: report.announce) : nil
    try ranks.meet()
    page = ranks.isFirst ? RunReport(folder, settings, model) : nil
    journal = ranks.isFirst ? try Self.journal(folder, settings, from: trainer.iteration, resuming: resuming) : nil
  }

  private static func start(
    _ trainer: Trainer, _ checkpoints: CheckpointFolder, _ folder: RunFolder, _ settings: AlignSettings, resuming: Bool
  ) throws(MixGRPOError) -> RunStart {
    let command = "mixgrpo align --config \(folder.settings) --model \(folder.model) --out NEW-FOLDER"
    return try RunStart(
      folder, resuming: resuming, saveEvery: settings.saveEvery,
      way: "to train its model on with others, start a new run: \(command)"
    ) { () throws(MixGRPOError) in try trainer.resume(from: checkpoints) }
  }

  private static func journal(
    _ folder: RunFolder, _ settings: AlignSettings, from iteration: Int, resuming: Bool
  ) throws(MixGRPOError) -> RunJournal {
    try SettingsSource.write(settings.withAbsolutePaths(), to: folder.settings)
    return try RunJournal(folder, from: iteration, resuming: resuming, tensorBoard: settings.tensorBoard)
  }

  /// Runs to the last iteration, or until it is cancelled or fails. Progress is saved, unless other ranks were lost.
  /// - Returns: what the run has reached; nil for a rank that is not the first.
  /// - Throws: `cancelled`, or the error of the run, after the checkpoint is written.
  func run() throws(MixGRPOError) -> AlignSummary? {
    do throws(MixGRPOError) {
      try ranks.withdrawing(iterate)
    } catch {
      report.finish()
      guard ranks.isFirst else { throw error }
      try save(in: checkpoints)
      try page?.write(.stopped)
      report.announce("saved at iteration \(trainer.iteration); to continue: mixgrpo align --resume --out \(settings.out)")
      throw error
    }
    report.finish()
    let summary = ranks.isFirst ? try finish() : nil
    try ranks.meet()
    return summary
  }

  private func iterate() throws(MixGRPOError) {
    if trainer.iteration == 0 { try drawPictures(everyTime: true) } else { try showEarlierPictures() }
    if let journal { try evaluations?.showEarlier(since: trainer.iteration, journal) }
    try page?.write(.running)
    while trainer.iteration < settings.iterations, person?.hasStopped != true, try evaluate(always: false) { try step() }
    _ = try evaluate(always: true)
    try drawPictures(everyTime: true)
  }

  private func finish() throws(MixGRPOError) -> AlignSummary {
    try save(in: CheckpointFolder(path: folder.checkpoints, keepLast: 1))
    try page?.write(.finished)
    let summary = AlignSummary(
      settings: settings, results: try RunResults(folder, settings: settings.json), prompt: model.prompts.texts.first ?? "",
      seconds: report.secondsSoFar)
    try person?.finish(summary.leftBehind, iteration: trainer.iteration)
    return summary
  }

  /// Whether the watchdog allows training to continue.
  private func evaluate(always: Bool) throws(MixGRPOError) -> Bool {
    let iteration = trainer.iteration
    let result = try evaluations?.evaluate(
      trainer, always: always, journal, begin: { report.begin(.evaluation, iteration: iteration) }
    ) { report.reached(.evaluation, iteration: iteration, $0, of: $1) }
    guard let result, let evaluations else {
      guard evaluations?.hasStopped(at: iteration) == true else { return true }
      if !always { report.announce("stopped by the watchdog at the evaluation of iteration \(iteration)") }
      return false
    }
    report.evaluated(result, evaluations.rewardList)
    return result.verdict != .stop
  }

  private func saveCheckpoint(in checkpoints: CheckpointFolder) throws(MixGRPOError) {
    guard ranks.isFirst else { return }
    try evaluations?.save()
    try trainer.save(in: checkpoints)
  }

  private func save(in checkpoints: CheckpointFolder) throws(MixGRPOError) {
    try saveCheckpoint(in: checkpoints)
    let trained = try trainer.model(settings.learning.record.ema_decay > 0 ? .average : .trained)
    try trained.save(folder: folder.model, precision: settings.precision.stored)
    try model.format.write(to: folder.model)
    if trained.frozen != nil { try trained.saveAdapter(folder.adapter) }
  }

  /// The checkpoint comes last: a run that resumes from it has everything before it on disk.
  private func step() throws(MixGRPOError) {
    let chosen = order.rows(iteration: trainer.iteration)
    let done: IterationMetrics?
    if let person { done = try update(chosen, person) } else { done = try update(chosen) }
    guard let metrics = done else { return }
    try journal?.append(metrics)
    report.finished(metrics)
    if trainer.iteration < settings.iterations { try drawPictures(everyTime: false) }
    if trainer.iteration % settings.saveEvery == 0 { try saveCheckpoint(in: checkpoints) }
    try page?.write(.running)
  }

  private func update(_ chosen: [Int32]) throws(MixGRPOError) -> IterationMetrics {
    let iteration = trainer.iteration
    report.begin(.rollout, iteration: iteration)
    let samples = try ranks.together { () throws(MixGRPOError) in
      try trainer.rollout(prompts: chosen) { report.reached(.rollout, iteration: iteration, $0, of: $1) }
    }
    let own = Array(chosen[ranks.rank.share(ofPrompts: chosen.count)])
    let pictures = try model.codec.decode(samples, count: own.count * settings.groupSize)
    report.scoring(iteration: iteration)
    let scores = try score(pictures, own, iteration)
    report.begin(.update, iteration: iteration)
    return try ranks.together { () throws(MixGRPOError) in
      try trainer.update(rewards: scores) { report.reached(.update, iteration: iteration, $0, of: $1) }
    }
  }

  /// A ticket for each prompt: the person votes on a group while the next one is sampled.
  /// - Returns: nil when the person has ended the run.
  private func update(_ chosen: [Int32], _ person: PersonReward) throws(MixGRPOError) -> IterationMetrics? {
    let iteration = trainer.iteration
    defer { trainer.dropTickets() }
    person.begin(iteration: iteration)
    var tickets: [RolloutTicket] = []
    var pictures: [RGBImage] = []
    for row in chosen where !person.hasStopped {
      report.begin(.rollout, iteration: iteration)
      let drawn = try trainer.ticketedRollout(prompts: [row]) { report.reached(.rollout, iteration: iteration, $0, of: $1) }
      let group = try model.codec.decode(drawn.samples, count: settings.groupSize)
      try person.show(group, prompt: model.prompts.prompts[Int(row)], row: Int(row), iteration: iteration)
      tickets.append(drawn.ticket)
      pictures += group
    }
    guard tickets.count == chosen.count else { return nil }
    report.voting(iteration: iteration)
    let scores = try score(pictures, chosen, iteration)
    if person.hasStopped { return nil }
    for (index, ticket) in tickets.enumerated() {
      let members = index * settings.groupSize..<(index + 1) * settings.groupSize
      try trainer.inbox.submit(scores.map { Array($0[members]) }, for: ticket)
    }
    report.begin(.update, iteration: iteration)
    return try trainer.updateFromTickets { report.reached(.update, iteration: iteration, $0, of: $1) }
  }

  private func score(_ pictures: [RGBImage], _ chosen: [Int32], _ iteration: Int) throws(MixGRPOError) -> [[Double]] {
    guard !pictures.isEmpty else { return rewards.map { _ in [] } }
    let batch = PictureBatch(
      iteration: iteration,
      entries: pictures.enumerated().map { index, image in
        PictureBatch.Entry(image: image, prompt: model.prompts.prompts[Int(chosen[index / settings.groupSize])])
      })
    var scores: [[Double]] = []
    for reward in rewards { scores.append(try reward.score(batch)) }
    return scores
  }

  /// Samples the same prompts from the same noise each time, so that grids are comparable.
  private func drawPictures(everyTime: Bool) throws(MixGRPOError) {
    let isDue = settings.picturesEvery > 0 && (everyTime || trainer.iteration % settings.picturesEvery == 0)
    guard isDue, lastPictures != trainer.iteration else { return }
    lastPictures = trainer.iteration
    let rows = min(settings.picturePrompts, model.embeddings.count)
    let plan = try settings.repeatedPlan(samplesPerPrompt: settings.picturesPerPrompt)
    let iteration = trainer.iteration
    report.begin(.pictures, iteration: iteration)
    person?.isDoing("pictures")
    let samples = try ranks.together { () throws(MixGRPOError) in
      try trainer.sampleForFirst(plan, weights: .trained, chosen: (0..<rows).map { Int32($0) }) {
        report.reached(.pictures, iteration: iteration, $0, of: $1)
      }
    }
    guard ranks.isFirst else { return }
    let pictures = try model.codec.decode(samples, count: rows * settings.picturesPerPrompt)
    let grid = try ImageGrid.compose(
      pictures, columns: settings.picturesPerPrompt, gap: PictureScale.gap, scale: PictureScale.fitting(model.codec))
    try PNG.write(
      grid, text: PictureText.prompts(model.prompts.texts.prefix(rows)), to: folder.pictures(iteration: trainer.iteration))
    try journal?.append(grid, iteration: trainer.iteration)
    try person?.add(grid: grid, iteration: trainer.iteration)
  }

  private func showEarlierPictures() throws(MixGRPOError) {
    if try journal?.appendEarlierPictures(folder, iteration: trainer.iteration) == true { lastPictures = trainer.iteration }
    lastPictures = try ranks.first(lastPictures)
    for iteration in try person == nil ? [] : folder.pictureIterations(until: trainer.iteration) {
      try person?.add(grid: PNG.read(path: folder.pictures(iteration: iteration)), iteration: iteration)
    }
  }
}
