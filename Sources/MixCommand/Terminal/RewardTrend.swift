/// How the training reward changes. Single iterations cannot be compared, because they draw other prompts, so means over several
/// are: the latest against the first ones.
struct RewardTrend {
  /// Iterations of a mean: one round of all prompts where that is few iterations.
  let span: Int
  private var first: [Double] = []
  private var latest: [Double] = []
  private var count = 0

  /// - Parameter iterationsPerRound: iterations after which every prompt has been drawn.
  init(iterationsPerRound: Int) { span = min(max(iterationsPerRound, 5), 25) }

  mutating func add(_ reward: Double) {
    guard reward.isFinite else { return }
    count += 1
    if first.count < span { first.append(reward) }
    latest.append(reward)
    if latest.count > span { latest.removeFirst() }
  }

  /// Mean of the first iterations and of the latest ones; nil before there are two of each. The two do not overlap.
  var means: (first: Double, latest: Double)? {
    let length = min(span, count / 2)
    guard length >= 2 else { return nil }
    return (Self.mean(first.prefix(length)), Self.mean(latest.suffix(length)))
  }

  var change: Double? { means.map { $0.latest - $0.first } }

  private static func mean(_ values: ArraySlice<Double>) -> Double { values.reduce(0, +) / Double(values.count) }
}
