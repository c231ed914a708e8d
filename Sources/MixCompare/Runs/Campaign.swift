import MixStorage
import ProceduralWorld

/// A set of arms, their runs, and the folder of all results.
struct Campaign: Sendable {
  let stage: Stage
  let out: String
  let arms: [Arm]
  let seeds: [Int]

  private var runsFolder: String { FileAccess.join(out, "runs") }

  /// Ordered by seed, so that an interrupted campaign has complete seeds.
  var runs: [RewardRun] { seeds.flatMap { seed in arms.map { run($0, seed) } } }

  func run(_ arm: Arm, _ seed: Int) -> RewardRun { RewardRun(arm: arm, seed: seed, stage: stage, folder: runsFolder) }

  /// Runs the missing runs, `workers` in parallel, until `stop` is cancelled.
  func runRewards(workers: Int, stop: RunContext, report: @Sendable (String) -> Void) throws(MixGRPOError) {
    try FileAccess.createFolder(runsFolder)
    var missing: [RewardRun] = []
    for run in runs where try run.finished() == nil { missing.append(run) }
    if missing.count < runs.count { report("\(runs.count - missing.count) of \(runs.count) runs are already done") }
    let total = stage.size.iterations
    // The most expensive arms come first; started last, they would leave cores idle at the end.
    try RunQueue().run(missing, workers: workers, stop: stop) { run, result in
      guard let point = result.last else { return }
      let rewards = zip(Judges.names, point.rewards).map { "\($0) \(fixed($1, 3))" }
      report("\(run.arm.label), seed \(run.seed), \(point.iteration)/\(total): " + rewards.joined(separator: ", "))
    }
  }

  /// The evaluation of the base model.
  func evaluateBase(_ context: RunContext) throws(MixGRPOError) -> Evaluation {
    try FileAccess.createFolder(out)
    guard let arm = arms.first else { throw .invalid("methods", expected: "at least one", got: 0) }
    let evaluator = try stage.evaluator(context)
    return try stage.evaluate(stage.trainer(arm, seed: 1, evaluator: evaluator, context: context))
  }

  /// The results so far.
  func comparison(
    _ title: String, base: Evaluation, timing: Timing?, reference: String
  ) throws(MixGRPOError) -> Comparison {
    let rows = try arms.map { (arm) throws(MixGRPOError) in try row(arm, timing) }
    return Comparison(title: title, size: stage.size, base: base, rows: rows, timing: timing, reference: reference)
  }

  private func row(_ arm: Arm, _ timing: Timing?) throws(MixGRPOError) -> Comparison.Row {
    let cost = try arm.cost(stage.size)
    var results: [RunResult] = []
    for seed in seeds { if let result = try run(arm, seed).finished() { results.append(result) } }
    var pictures = seeds.first.map { run(arm, $0).picturePath }
    if let path = pictures, try !FileAccess.isPresent(path) { pictures = nil }
    return Comparison.Row(
      arm: arm, calls: cost.calls, callsShared: cost.callsShared, trainedSteps: cost.trainedSteps, results: results,
      timing: timing?.entry(arm.name), pictures: pictures)
  }
}
