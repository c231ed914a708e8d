import MixStorage
import ProceduralWorld

/// Tunes the learning rate of each arm with equal effort: the same rates, the same iterations, one separate seed.
struct Tuning {
  let stage: Stage
  let out: String
  let arms: [Arm]
  let grid: [Double]

  private var campaign: Campaign {
    let tried = arms.flatMap { arm in
      grid.map { rate in
        arm.changed("tune-\(arm.name)-\(rate)", "\(arm.label) at \(rate)") { $0.learning.optimizer.learningRate = rate }
      }
    }
    return Campaign(stage: stage, out: out, arms: tried, seeds: [TunedRates.seed])
  }

  /// Runs all rates and writes `tuning.md`. The best rate has the highest mean of the final trained rewards.
  func run(workers: Int, stop: RunContext, report: @Sendable (String) -> Void) throws(MixGRPOError) {
    let campaign = campaign
    try campaign.runRewards(workers: workers, stop: stop, report: report)
    var table = "| method | " + grid.map { "\($0)" }.joined(separator: " | ") + " | best |\n"
    table += "| --- |" + grid.map { _ in " --: |" }.joined() + " --: |\n"
    for (index, arm) in arms.enumerated() {
      let first = index * grid.count
      let rewards = try campaign.arms[first..<first + grid.count].map { (arm) throws(MixGRPOError) in
        try campaign.run(arm, TunedRates.seed).finished()?.trainedReward ?? .nan
      }
      let best = rewards.indices.max { rewards[$0] < rewards[$1] }.map { "\(grid[$0])" } ?? "–"
      table += "| \(arm.label) | " + rewards.map { fixed($0, 4) }.joined(separator: " | ") + " | \(best) |\n"
    }
    try AtomicFile.write(Array(table.utf8), to: FileAccess.join(out, "tuning.md"))
    report(table)
  }
}
