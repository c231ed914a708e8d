import MixStorage
import ProceduralWorld

/// Tunes the learning rate of each method with equal effort: the same rates, the same iterations, one separate seed.
struct Tuning {
  let stage: Stage
  let out: String
  let methods: [Method]

  private var campaign: Campaign {
    let arms = methods.flatMap { method in
      TunedRates.grid.map { rate in
        let arm = method.arm(stage.size, learningRate: rate)
        return arm.changed("tune-\(method.rawValue)-\(rate)", "\(method.label) at \(rate)") { _ in }
      }
    }
    return Campaign(stage: stage, out: out, arms: arms, seeds: [TunedRates.seed])
  }

  /// Runs all rates and writes `tuning.md`. The best rate has the highest mean of the final trained rewards.
  func run(workers: Int, stop: RunContext, report: @Sendable (String) -> Void) throws(MixGRPOError) {
    let campaign = campaign
    try campaign.runRewards(workers: workers, stop: stop, report: report)
    var table = "| method | " + TunedRates.grid.map { "\($0)" }.joined(separator: " | ") + " | best |\n"
    table += "| --- |" + TunedRates.grid.map { _ in " --: |" }.joined() + " --: |\n"
    for (index, method) in methods.enumerated() {
      let first = index * TunedRates.grid.count
      let rewards = try campaign.arms[first..<first + TunedRates.grid.count].map { (arm) throws(MixGRPOError) in
        try campaign.run(arm, TunedRates.seed).finished()?.trainedReward ?? .nan
      }
      let best = rewards.indices.max { rewards[$0] < rewards[$1] }.map { "\(TunedRates.grid[$0])" } ?? "–"
      table += "| \(method.label) | " + rewards.map { fixed($0, 4) }.joined(separator: " | ") + " | \(best) |\n"
    }
    try AtomicFile.write(Array(table.utf8), to: FileAccess.join(out, "tuning.md"))
    report(table)
  }
}
