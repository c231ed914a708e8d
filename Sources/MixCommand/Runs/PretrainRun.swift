import MixCompare
import MixGRPO

/// A run of `mixgrpo pretrain`: trains a model on captioned pictures.
final class PretrainRun {
  private let settings: PretrainSettings
  private let folder: RunFolder
  private let pictures: CaptionedPictures
  private let codec: PixelCodec
  private let prompts: PromptEmbeddings
  private let pretrainer: FlowMatchingPretrainer
  private let checkpoints: CheckpointFolder
  private let lock: FolderLock
  private let context: RunContext
  private let journal: RunJournal
  private let progress: ProgressDisplay
  private var pace = Pace()
  private var hasSaidPace = false
  private var lastPictures = -1

  private var done: Int { pretrainer.optimizer.stepCount }

  /// - Throws: for invalid settings or files, before an earlier run is modified.
  init(_ settings: PretrainSettings, resuming: Bool, context: RunContext) throws(MixGRPOError) {
    try settings.validate()
    (self.settings, self.context, folder) = (settings, context, RunFolder(path: settings.out))
    try OutputPlace.requireFolder(folder.path)
    pictures = try CaptionedPictures(path: settings.data, seed: settings.seed, size: PictureSize(settings.resize))
    codec = try Self.codec(of: pictures, patch: settings.model.patch)
    try Self.requireRoom(for: settings, codec)
    let encoder = try settings.model.encoder()
    prompts = try encoder.embeddings(of: pictures.captions)
    let model = try Self.model(settings, codec, resuming: resuming)
    let evaluator = try FlowEvaluator(
      model: model, geometry: TokenGeometry(height: codec.tokenRows, width: codec.tokenColumns),
      textLength: encoder.textLength, maxBatch: min(settings.batch, settings.maxBatch), threads: context.threads,
      precision: settings.computePrecision.computed)
    pretrainer = try FlowMatchingPretrainer(evaluator: evaluator, configuration: settings.pretraining, context: context)
    checkpoints = try CheckpointFolder(path: folder.checkpoints, keepLast: settings.keepCheckpoints)
    lock = try folder.prepare(resuming: resuming)
    let start = try RunStart(
      folder, resuming: resuming, saveEvery: settings.saveEvery, way: "for others, start a new run with another --out"
    ) { [pretrainer, checkpoints] () throws(MixGRPOError) in try pretrainer.resume(from: checkpoints) }
    try SettingsSource.write(settings.withAbsolutePaths(), to: folder.settings)
    journal = try RunJournal(
      folder, from: pretrainer.optimizer.stepCount, resuming: resuming, tensorBoard: settings.tensorBoard)
    progress = ProgressDisplay(
      total: settings.steps, begun: pretrainer.optimizer.stepCount, lineEvery: settings.steps / 20, unit: "step")
    for remark in start.remarks { progress.announce(remark) }
    progress.announce(
      "\(pictures.count) pictures, \(pictures.captions.count) captions, \(model.parameterCount) weights, "
        + "\(codec.tokenCount) tokens of \(codec.channels) channels")
  }

  private static func codec(of pictures: CaptionedPictures, patch: Int) throws(MixGRPOError) -> PixelCodec {
    do {
      return try PixelCodec(height: pictures.height, width: pictures.width, patch: patch)
    } catch {
      throw MixGRPOError(error.code, "\(error.message); --resize scales the pictures, --patch cuts them into other patches")
    }
  }

  /// The weights that the first step changes. A resumed run replaces them.
  private static func model(
    _ settings: PretrainSettings, _ codec: PixelCodec, resuming: Bool
  ) throws(MixGRPOError) -> FlowTransformer {
    let sizes = settings.model.configuration(channels: codec.channels)
    guard !settings.startFrom.isEmpty, !resuming else {
      let model = try FlowTransformer(configuration: sizes)
      model.initializeWeights(seed: settings.seed)
      return model
    }
    let model = try FlowTransformer(folder: settings.startFrom)
    guard model.configuration == sizes else {
      throw .invalid("start_from", expected: "a model of \(words(sizes)), as set", got: words(model.configuration))
    }
    return model
  }

  private static func words(_ sizes: FlowTransformerConfiguration) -> String {
    "\(sizes.inChannels) channels, \(sizes.numAttentionHeads) heads of \(sizes.attentionHeadDim), \(sizes.numLayers) double and "
      + "\(sizes.numSingleLayers) single blocks, text of \(sizes.jointAttentionDim) and \(sizes.pooledProjectionDim)"
  }

  /// All pictures of a step are in memory as latents, even when fewer are trained at a time.
  private static func requireRoom(for settings: PretrainSettings, _ codec: PixelCodec) throws(MixGRPOError) {
    let perPicture = MemoryLayout<Float>.stride * codec.valuesPerImage + MemoryLayout<(RGBImage, Int)>.stride
    do throws(MixGRPOError) {
      try Memory.require(settings.batch, of: perPicture)
    } catch {
      throw MixGRPOError(
        error.code,
        "batch: expected as many pictures of \(codec.width)×\(codec.height) pixels as memory holds at "
          + "\(perPicture) bytes each, got \(settings.batch) (\(error.message))")
    }
  }

  /// Runs to the last step, or until it is cancelled or fails. Progress is saved in every case.
  /// - Throws: `cancelled`, or the error of the run, after the checkpoint is written.
  func run() throws(MixGRPOError) {
    do throws(MixGRPOError) {
      if done > 0, try journal.appendEarlierPictures(folder, iteration: done) { lastPictures = done }
      var recentLoss = 0.0
      var seen = 0
      while done < settings.steps {
        let loss = try step()
        // The loss of a single step is noisy, because noise levels differ from step to step.
        seen += 1
        recentLoss += (loss - recentLoss) / Double(min(seen, 50))
        progress.finished(done, [("loss", recentLoss)])
        progress.show(done, "loss \(significant(recentLoss))")
      }
      try drawPictures()
    } catch {
      progress.finish()
      try save(in: checkpoints)
      progress.announce("saved at step \(done); to continue: mixgrpo pretrain --resume --out \(settings.out)")
      throw error
    }
    progress.finish()
    try save(in: CheckpointFolder(path: folder.checkpoints, keepLast: 1))
  }

  /// The checkpoint comes last: a run that resumes from it has everything before it on disk.
  private func step() throws(MixGRPOError) -> Double {
    let step = done
    let drawn = (0..<settings.batch).map { pictures.draw(step &* settings.batch &+ $0) }
    var latents = [Float](repeating: 0, count: settings.batch * codec.valuesPerImage)
    try latents.withUnsafeMutableBufferPointer { (latents) throws(MixGRPOError) in
      try codec.encode(drawn.map(\.picture), into: latents)
    }
    pace.beginStage()
    let rate = settings.learningRate * settings.pretraining.optimizer.schedule.fraction(step: step)
    let loss = try pretrainer.step(
      latents: latents, prompts: prompts, promptIndex: drawn.map { Int32(truncatingIfNeeded: $0.caption) }, iteration: step
    ) { reached($0, of: $1) }
    sayPace()
    try journal.append(step: step, loss: loss, learningRate: rate)
    if settings.picturesEvery > 0, done % settings.picturesEvery == 0 { try drawPictures() }
    if done % settings.saveEvery == 0 { try pretrainer.save(in: checkpoints) }
    return loss
  }

  /// Shows the pictures of the current step that are done.
  private func reached(_ pictures: Int, of total: Int) {
    pace.reached(pictures, isTrained: true)
    sayPace()
    progress.show(done, share: Double(pictures) / Double(total), "picture \(pictures) of \(total)")
  }

  /// Says once how long a step takes, after half a second of measuring.
  private func sayPace() {
    guard !hasSaidPace, pace.seconds > 0.5, let one = pace.estimate(forward: 0, trained: settings.batch) else { return }
    hasSaidPace = true
    progress.announce(
      "a step takes about \(spokenDuration(one)), the run about \(spokenDuration(one * Double(settings.steps - done)))")
  }

  private func save(in checkpoints: CheckpointFolder) throws(MixGRPOError) {
    try pretrainer.save(in: checkpoints)
    try pretrainer.evaluator.model.save(folder: folder.model, precision: settings.precision.stored)
    let format = PictureFormat(
      height: codec.height, width: codec.width, patch: codec.patch, textLength: settings.model.textLength)
    try format.write(to: folder.model)
  }

  /// Samples a picture for each of some evenly chosen captions, from the same noise each time.
  private func drawPictures() throws(MixGRPOError) {
    guard settings.picturesEvery > 0, lastPictures != done else { return }
    lastPictures = done
    let shown = min(settings.pictureCaptions, pictures.captions.count)
    let chosen = (0..<shown).map { $0 * pictures.captions.count / shown }
    let plan = try SamplingPlan.deterministic(.shifted(steps: 25, shift: settings.noiseLevels.shift), seed: settings.seed)
    let samples = try pretrainer.evaluator.sample(
      plan, prompts: prompts, chosen: chosen.map { Int32(truncatingIfNeeded: $0) }, context: context)
    let images = try codec.decode(samples, count: shown)
    let grid = try ImageGrid.compose(images, columns: min(8, shown), gap: 4, scale: PictureScale.fitting(codec))
    try PNG.write(grid, text: PictureText.prompts(chosen.map { pictures.captions[$0] }), to: folder.pictures(iteration: done))
    try journal.append(grid, iteration: done)
  }
}
