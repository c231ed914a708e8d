import MixCompare
import MixGRPO

/// What the processes of an alignment send to each other in an iteration, if no picture is excluded.
struct AlignmentTraffic {
  let ranks: Int
  /// Of the rank that sends most.
  let bytesPerIteration: Int
  /// In an evaluation, whose scores are exchanged; 0 without evaluations.
  let bytesPerEvaluation: Int
  /// For a grid of pictures, which the first process draws; 0 without grids.
  let bytesPerPictures: Int

  /// - Parameters:
  ///   - ranks: processes.
  /// - Throws: `invalidArgument` for a number outside 1…1024.
  init(_ settings: AlignSettings, _ model: PlannedModel, _ plan: AlignmentPlan, ranks: Int) throws(MixGRPOError) {
    try require((1...1_024).contains(ranks), "ranks", expected: "1…1024", got: ranks)
    self.ranks = ranks
    let steps = Int(settings.learning.resolved(groupSize: settings.groupSize).updates_per_iteration)
    let rewards = max(settings.rewards.count, 1)
    var most = 0
    for rank in 0..<ranks {
      let cost = try model.cost(of: Rank(rank, of: ranks), prompts: plan.promptsPerIteration)
      most = max(most, cost.bytesPerIteration(steps: steps, rewards: rewards, groupSize: settings.groupSize))
    }
    bytesPerIteration = most
    let evaluated = settings.evaluation.rows(of: plan.promptCount).count
    let scores = settings.evaluation.rewards(trained: settings.computedRewards).count * settings.evaluation.samplesPerPrompt
    bytesPerEvaluation =
      settings.isEvaluated ? RankCost.bytesPerEvaluation(ranks: ranks, prompts: evaluated, scores: scores) : 0
    bytesPerPictures =
      settings.picturesEvery > 0
      ? RankCost.bytesPerSamples(
        ranks: ranks, prompts: min(settings.picturePrompts, plan.promptCount),
        values: settings.picturesPerPrompt * model.codec.valuesPerImage) : 0
  }

  var line: String {
    "\(ranks) ranks       each sends at most \(Self.mebibytes(bytesPerIteration)) MiB per iteration, "
      + "\(Self.mebibytes(bytesPerEvaluation)) per evaluation and \(Self.mebibytes(bytesPerPictures)) per grid of pictures"
  }

  private static func mebibytes(_ bytes: Int) -> String { fixed(Double(bytes) / 1_048_576, 1) }

  var json: JSONObject {
    [
      "count": .integer(Int64(ranks)), "sent_bytes_per_iteration": .integer(Int64(bytesPerIteration)),
      "sent_bytes_per_evaluation": .integer(Int64(bytesPerEvaluation)),
      "sent_bytes_per_pictures": .integer(Int64(bytesPerPictures)),
    ]
  }
}
