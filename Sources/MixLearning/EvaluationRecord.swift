import MixBasics

/// One reward of evaluations.
public struct EvaluationReward: Equatable, Sendable {
  /// Not empty; distinct among the rewards of a record.
  public var name: String
  /// Weight in the score that decides which evaluation is the best, 0 or more; default 1.
  public var weight: Double
  /// Whether training does not use it; default false.
  public var isHeldOut: Bool

  /// A reward of evaluations.
  public init(_ name: String, weight: Double = 1, isHeldOut: Bool = false) {
    (self.name, self.weight, self.isHeldOut) = (name, weight, isHeldOut)
  }
}

/// The figures of one evaluation.
public struct EvaluationResult: Equatable, Sendable {
  /// The trainer's iteration when the samples were drawn.
  public let iteration: Int
  /// (K), over the finite scores; NaN where there were none.
  public let means: [Double]
  /// Scores that were NaN or infinite.
  public let failures: Int
  /// Σ weight · mean / Σ weight; NaN when a reward of nonzero weight has no mean.
  public let score: Double
  /// Whether the score is the highest so far.
  public let isBest: Bool
  /// Iteration of the best evaluation; -1 if none had a score.
  public let bestIteration: Int
  /// Score of the best evaluation; NaN if none had a score.
  public let bestScore: Double
  /// The watchdog's verdict.
  public let verdict: WatchdogVerdict
  /// Consecutive suspicious evaluations (`Watchdog`).
  public let worsening: Int
  /// The reason for the verdict in one line; empty for `goOn`.
  public let message: String
}

/// Finds the best evaluation, and signs of reward hacking.
///
/// A pure state machine: `advance` takes the state and an evaluation's scores and returns the next state and the figures.
public struct EvaluationRecord: Equatable, Sendable {
  /// (K)
  public let rewards: [EvaluationReward]
  /// As given to `init`.
  public let watchdog: Watchdog

  /// The state between evaluations.
  public struct State: Equatable, Sendable {
    /// -1 before the first evaluation.
    public var latestIteration = -1
    /// Iteration of the highest score; -1 before the first score.
    public var bestIteration = -1
    /// The highest score; NaN before the first score.
    public var bestScore = Double.nan
    /// (K) mean and standard deviation at each reward's first evaluation; NaN before it.
    public var origins: [Double]
    /// See `origins`.
    public var scales: [Double]
    /// The watchdog's state.
    public var watchdog = Watchdog.State()

    /// The rule that this state breaks, as "field: rule"; nil for a state that `advance` can leave behind.
    package var problem: String? {
      let rules = [
        ("best_iteration: -1…latest_iteration", (-1...max(-1, latestIteration)).contains(bestIteration)),
        ("best_score: a finite value, or NaN before the first score", bestIteration < 0 ? bestScore.isNaN : bestScore.isFinite),
        ("peak_iteration: -1…latest_iteration", (-1...max(-1, latestIteration)).contains(watchdog.peakIteration)),
        ("worsening: 0…latest_iteration", (0...max(0, latestIteration)).contains(watchdog.worsening)),
        ("held_out_peak, trained_at_peak: finite values", watchdog.heldOutPeak.isFinite && watchdog.trainedAtPeak.isFinite),
        (
          "origins, scales: a finite value and one above 0, or both NaN",
          zip(origins, scales).allSatisfy { $0.isFinite ? $1.isFinite && $1 > 0 : $0.isNaN && $1.isNaN }
        ),
      ]
      return rules.first { !$0.1 }?.0
    }

    /// Before the first evaluation; K rewards.
    public init(rewards: Int) {
      origins = [Double](repeating: .nan, count: rewards)
      scales = origins
    }
  }

  /// - Throws: one `invalidArgument` that names every invalid field.
  public init(rewards: [EvaluationReward], watchdog: Watchdog = Watchdog()) throws(MixGRPOError) {
    (self.rewards, self.watchdog) = (rewards, watchdog)
    try validate()
  }

  private func validate() throws(MixGRPOError) {
    var validation = Validation()
    let names = rewards.map(\.name)
    let weights = rewards.map(\.weight)
    validation.require(
      (1...1_024).contains(names.count) && Set(names).count == names.count && !names.contains(""), "reward_names",
      expected: "1…1024 distinct names that are not empty", got: names)
    validation.require(
      weights.allSatisfy { $0 >= 0 && $0.isFinite }, "weights", expected: "finite values of at least 0", got: weights)
    let total = weights.reduce(0, +)
    validation.require(total > 0 && total.isFinite, "weights", expected: "a finite sum above 0", got: weights)
    watchdog.validate(&validation)
    let heldOut = rewards.count { $0.isHeldOut }
    validation.require(
      watchdog.action == .off || (heldOut > 0 && heldOut < rewards.count), "held_out",
      expected: "a reward that is held out and one that is not, as the watchdog is on", got: rewards.map(\.isHeldOut))
    try validation.throwIfAny()
  }

  /// The state and the figures after an evaluation.
  /// - Parameters:
  ///   - state: after the previous evaluation.
  ///   - iteration: later than that of the previous evaluation.
  ///   - scores: (K, samples), NaN for a failed score.
  /// - Throws: `invalidArgument`.
  public func advance(
    _ state: State, iteration: Int, scores: [[Double]]
  ) throws(MixGRPOError) -> (state: State, result: EvaluationResult) {
    try require(
      iteration > state.latestIteration, "iteration", expected: "more than \(state.latestIteration), the latest evaluated",
      got: iteration)
    try require(scores.count == rewards.count, "scores", expected: "\(rewards.count) rewards", got: scores.count)
    let statistics = scores.map { RewardStatistics($0.filter(\.isFinite)) }
    var next = state
    next.latestIteration = iteration
    next.setOrigins(statistics)
    let score = score(statistics.map(\.mean))
    let isBest = score.isFinite && !(score <= state.bestScore)
    if isBest { (next.bestIteration, next.bestScore) = (iteration, score) }
    let trained = level(statistics, next, isHeldOut: false)
    let heldOut = level(statistics, next, isHeldOut: true)
    next.watchdog = watchdog.advance(state.watchdog, iteration: iteration, trained: trained, heldOut: heldOut)
    let verdict = watchdog.verdict(next.watchdog)
    let result = EvaluationResult(
      iteration: iteration, means: statistics.map(\.mean), failures: scores.joined().count { !$0.isFinite }, score: score,
      isBest: isBest, bestIteration: next.bestIteration, bestScore: next.bestScore, verdict: verdict,
      worsening: next.watchdog.worsening,
      message: verdict == .goOn ? "" : message(next.watchdog, iteration, trained, heldOut))
    return (next, result)
  }

  private func score(_ means: [Double]) -> Double {
    let total = rewards.reduce(0) { $0 + $1.weight }
    return zip(rewards, means).reduce(0) { $1.0.weight > 0 ? $0 + $1.0.weight / total * $1.1 : $0 }
  }

  /// Mean over the held-out or over the other rewards, each relative to its first mean, in units of its first standard deviation.
  private func level(_ statistics: [RewardStatistics], _ state: State, isHeldOut: Bool) -> Double {
    let chosen = rewards.indices.filter { rewards[$0].isHeldOut == isHeldOut }
    let sum = chosen.reduce(0.0) { $0 + (statistics[$1].mean - state.origins[$1]) / state.scales[$1] }
    return sum / Double(chosen.count)
  }

  private func message(
    _ state: Watchdog.State, _ iteration: Int, _ trained: Double, _ heldOut: Double
  ) -> String {
    let (rise, fall) = (rounded(trained - state.trainedAtPeak), rounded(state.heldOutPeak - heldOut))
    return "iteration \(iteration): trained rewards rose by \(rise) and held-out rewards fell by \(fall) standard deviations "
      + "since iteration \(state.peakIteration), in \(state.worsening) evaluations in a row"
  }

  private func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
}

extension EvaluationRecord.State {
  /// A reward's scale comes from its first evaluation with a mean; 1 if all scores were equal.
  fileprivate mutating func setOrigins(_ statistics: [RewardStatistics]) {
    for (reward, found) in statistics.enumerated() where origins[reward].isNaN && found.mean.isFinite {
      origins[reward] = found.mean
      scales[reward] = found.isDegenerate(tolerance: 0) ? 1 : found.standardDeviation
    }
  }
}
