import MixBasics
import MixLearning

/// What one rank contributes to the metrics of an iteration, or what all ranks have together. A class, because the trainer's state
/// holds it and is moved on the stack.
final class RankFigures {
  let policy: UpdateMetrics
  let modelCallsRollout: Int
  let secondsRollout: Double
  let secondsUpdate: Double
  /// NaN except on the rank that measured it.
  let velocityChange: Double

  init(
    policy: UpdateMetrics, modelCallsRollout: Int, secondsRollout: Double, secondsUpdate: Double, velocityChange: Double
  ) {
    (self.policy, self.modelCallsRollout) = (policy, modelCallsRollout)
    (self.secondsRollout, self.secondsUpdate, self.velocityChange) = (secondsRollout, secondsUpdate, velocityChange)
  }

  /// Number of values of one rank.
  static let count = UpdateMetrics.sumCount + ownCount

  var values: [Double] { policy.sums + own }

  /// Number of values in `own`.
  static let ownCount = 4

  /// The values that are not the policy's.
  var own: [Double] { [Double(modelCallsRollout), secondsRollout, secondsUpdate, velocityChange] }

  /// The figures of all ranks: counts and sums add up; the slowest rank gives the seconds.
  /// - Parameter ranks: the `values` of each rank, in order.
  /// - Throws: `invalidArgument` for a count that is not a whole number.
  func combined(_ ranks: [[Double]]) throws(MixGRPOError) -> RankFigures {
    try combined(policy: ranks, ranks.map { Array($0[UpdateMetrics.sumCount...]) })
  }

  /// The same from separate values.
  /// - Parameters:
  ///   - sums: of the policy, of each rank or of each of its blocks.
  ///   - ranks: the `own` values of each rank.
  func combined(policy sums: [[Double]], _ ranks: [[Double]]) throws(MixGRPOError) -> RankFigures {
    var calls = 0
    for values in ranks { calls += try UpdateMetrics.count(values[0]) }
    return RankFigures(
      policy: try policy.combined(sums), modelCallsRollout: calls, secondsRollout: Self.largest(ranks, at: 1),
      secondsUpdate: Self.largest(ranks, at: 2), velocityChange: Self.largest(ranks, at: 3))
  }

  /// NaN only if every rank has NaN.
  private static func largest(_ ranks: [[Double]], at index: Int) -> Double {
    ranks.reduce(.nan) { .maximum($0, $1[index]) }
  }
}
