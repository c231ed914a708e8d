import MixStorage
import ProceduralWorld

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// One run of one arm with one seed: training with periodic evaluations.
///
/// The result depends only on the settings, not on threads, load, or interruptions. Writes `NAME.json` and `NAME.png`; until
/// the run has finished, the folder `NAME` holds a checkpoint of the latest evaluation.
struct RewardRun: Sendable {
  let arm: Arm
  let seed: Int
  let stage: Stage
  /// The folder of all runs.
  let folder: String

  /// Everything that the result depends on, as text.
  var settings: String {
    let size = stage.size
    return """
      \(arm.settings); seed \(seed); iterations \(size.iterations); prompts \(size.prompts); evaluated \(size.evaluated) \
      in \(size.evaluationSteps) steps, \(size.evaluationPictures) per prompt; model \(stage.modelHash)
      """
  }

  /// Depends on all settings of the run, so that results of different sizes can share a folder.
  private var name: String {
    let hash = String(FNV1a.hash(settings.utf8) & 0xFFFF_FFFF, radix: 16)
    return "\(arm.name)-seed\(seed)-\(hash)"
  }

  var resultPath: String { FileAccess.join(folder, name + ".json") }
  var picturePath: String { FileAccess.join(folder, name + ".png") }
  private var checkpoint: String { FileAccess.join(folder, name) }
  private var progressPath: String { FileAccess.join(checkpoint, "progress.json") }

  /// The result, if the run has finished.
  func finished() throws(MixGRPOError) -> RunResult? {
    try FileAccess.isPresent(resultPath) ? try RunResult(path: resultPath) : nil
  }

  /// Runs to the end, resuming from the latest checkpoint.
  /// - Parameter report: called after each evaluation.
  func run(_ context: RunContext, report: (RunResult) -> Void) throws(MixGRPOError) -> RunResult {
    if let result = try finished() { return result }
    var trainer = try makeTrainer(context)
    var result = RunResult(arm: arm.name, seed: seed, settings: settings)
    if let saved = try resume(trainer) {
      result = saved
    } else {
      trainer = try makeTrainer(context)
    }
    for target in stage.size.evaluated where target > trainer.iteration {
      while trainer.iteration < target { result.steps.append(.init(try stage.step(trainer, seed: seed))) }
      let evaluation = try stage.evaluate(trainer)
      result.points.append(.init(iteration: evaluation.iteration, rewards: evaluation.rewards))
      try save(trainer, result, evaluation)
      report(result)
    }
    try result.write(to: resultPath)
    try removeCheckpoint()
    return result
  }

  private func makeTrainer(_ context: RunContext) throws(MixGRPOError) -> Trainer {
    try stage.trainer(arm, seed: seed, evaluator: stage.evaluator(context, arm.evaluator), context: context)
  }

  private func save(_ trainer: Trainer, _ result: RunResult, _ evaluation: Evaluation) throws(MixGRPOError) {
    try PNG.write(evaluation.grid(picturesPerScene: stage.size.evaluationPictures), to: picturePath)
    try trainer.save(folder: checkpoint)
    try result.write(to: progressPath)
  }

  /// Restores the trainer to the latest evaluation; nil when there is none, or when it was saved incompletely.
  private func resume(_ trainer: Trainer) throws(MixGRPOError) -> RunResult? {
    guard try FileAccess.isPresent(progressPath) else { return nil }
    let result = try RunResult(path: progressPath)
    try trainer.restore(folder: checkpoint)
    return trainer.iteration == result.last?.iteration ? result : nil
  }

  private func removeCheckpoint() throws(MixGRPOError) {
    for name in ["trainer.safetensors", "progress.json"] { try FileAccess.removeFile(FileAccess.join(checkpoint, name)) }
    rmdir(checkpoint)
  }
}

extension RunResult.Step {
  init(_ metrics: IterationMetrics) {
    self.init(
      rewards: metrics.rewards.map(\.mean), clippedFraction: metrics.policy.clippedFraction,
      logRatioNats: metrics.policy.logRatioNatsMax, gradientNorm: metrics.gradientNorm)
  }
}
