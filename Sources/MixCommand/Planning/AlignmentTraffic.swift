import MixCompare
import MixGRPO

/// What the processes of an alignment send to each other in an iteration, if no picture is excluded.
struct AlignmentTraffic {
  let ranks: Int
  /// Of the rank that sends most.
  let bytesPerIteration: Int

  /// - Parameters:
  ///   - prompts: prompts per iteration, of all ranks.
  ///   - ranks: processes.
  /// - Throws: `invalidArgument` for a number outside 1…1024.
  init(_ settings: AlignSettings, _ model: PlannedModel, prompts: Int, ranks: Int) throws(MixGRPOError) {
    try require((1...1_024).contains(ranks), "ranks", expected: "1…1024", got: ranks)
    self.ranks = ranks
    let steps = Int(settings.learning.resolved(groupSize: settings.groupSize).updates_per_iteration)
    let rewards = max(settings.rewards.count, 1)
    var most = 0
    for rank in 0..<ranks {
      let cost = try model.cost(of: Rank(rank, of: ranks), prompts: prompts)
      most = max(most, cost.bytesPerIteration(steps: steps, rewards: rewards, groupSize: settings.groupSize))
    }
    bytesPerIteration = most
  }

  var line: String {
    "\(ranks) ranks       each sends at most \(fixed(Double(bytesPerIteration) / 1_048_576, 1)) MiB per iteration, "
      + "beside evaluations and pictures"
  }

  var json: JSONObject {
    ["count": .integer(Int64(ranks)), "sent_bytes_per_iteration": .integer(Int64(bytesPerIteration))]
  }
}
