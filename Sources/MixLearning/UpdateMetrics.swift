import MixBasics

/// Metrics of an update so far, over samples and trained steps. Means are NaN before the first request.
public struct UpdateMetrics: Equatable, Sendable {
  /// Ratios before the first optimizer step: exactly 1 when the model returns the same velocities as in the rollout.
  public private(set) var firstRatioMin = Double.nan
  /// See `firstRatioMin`.
  public private(set) var firstRatioMax = Double.nan
  /// Over all samples and trained steps.
  public private(set) var ratioMin = Double.nan
  /// Over all samples and trained steps.
  public private(set) var ratioMax = Double.nan
  /// Largest |log p − log p_old| in nats of the true density.
  public private(set) var logRatioNatsMax = Double.nan
  /// Rows evaluated forward and backward.
  public private(set) var evaluations = 0
  /// Optimizer steps requested.
  public private(set) var optimizerSteps = 0
  /// Pairs of sample and trained step.
  public private(set) var terms = 0
  private var lossSum = 0.0
  private var oldPolicySum = 0.0
  private var referenceSum = 0.0
  private var clipped = 0

  package init() {}

  /// No metrics yet, after as many optimizer steps as others have.
  fileprivate init(following other: UpdateMetrics) { optimizerSteps = other.optimizerSteps }

  /// Number of values in `sums`.
  package static let sumCount = 11

  /// What the ranks of one update add up.
  package var sums: [Double] {
    [
      Double(terms), Double(clipped), Double(evaluations), lossSum, oldPolicySum, referenceSum, firstRatioMin,
      firstRatioMax, ratioMin, ratioMax, logRatioNatsMax,
    ]
  }

  /// The metrics over the samples of several ranks.
  /// - Parameter ranks: the `sums` of each rank, or of each of its blocks, in order.
  /// - Throws: `invalidArgument` for a count that is not a whole number.
  package func combined(_ ranks: [[Double]]) throws(MixGRPOError) -> UpdateMetrics {
    var all = UpdateMetrics()
    all.optimizerSteps = optimizerSteps
    for sums in ranks {
      all.terms += try Self.count(sums[0])
      all.clipped += try Self.count(sums[1])
      all.evaluations += try Self.count(sums[2])
      all.lossSum += sums[3]
      all.oldPolicySum += sums[4]
      all.referenceSum += sums[5]
      all.firstRatioMin = .minimum(all.firstRatioMin, sums[6])
      all.firstRatioMax = .maximum(all.firstRatioMax, sums[7])
      all.ratioMin = .minimum(all.ratioMin, sums[8])
      all.ratioMax = .maximum(all.ratioMax, sums[9])
      all.logRatioNatsMax = .maximum(all.logRatioNatsMax, sums[10])
    }
    return all
  }

  /// - Throws: `invalidArgument` for what is no count of one rank.
  package static func count(_ value: Double) throws(MixGRPOError) -> Int {
    guard (0...1e12).contains(value), let count = Int(exactly: value) else {
      throw .invalid("figures", expected: "counts, as mixgrpo_trainer_get_figures gives them", got: value)
    }
    return count
  }

  /// Mean of the clipped loss with its penalties.
  public var loss: Double { lossSum / Double(terms) }
  /// Share of terms whose gradient is 0 because of the clip.
  public var clippedFraction: Double { Double(clipped) / Double(terms) }
  /// Mean KL(old ‖ new) of a step in nats, the sum over D.
  public var oldPolicyNats: Double { oldPolicySum / Double(terms) }
  /// Mean KL(new ‖ reference) of a step in nats, the sum over D; 0 without reference.
  public var referenceNats: Double { referenceSum / Double(terms) }

  mutating func add(_ outcome: StepOutcome) {
    terms += 1
    lossSum += outcome.loss
    oldPolicySum += outcome.oldPolicyNats
    referenceSum += outcome.referenceNats
    clipped += outcome.isClipped ? 1 : 0
    // Swift's min and max return NaN if the first argument is NaN; `.minimum` does not.
    ratioMin = .minimum(ratioMin, outcome.ratio)
    ratioMax = .maximum(ratioMax, outcome.ratio)
    logRatioNatsMax = .maximum(logRatioNatsMax, abs(outcome.logRatioNats))
    guard optimizerSteps == 0 else { return }
    firstRatioMin = .minimum(firstRatioMin, outcome.ratio)
    firstRatioMax = .maximum(firstRatioMax, outcome.ratio)
  }

  mutating func countEvaluations(_ rows: Int) { evaluations += rows }
  mutating func countOptimizerStep() { optimizerSteps += 1 }
}

/// The metrics of one prompt in one minibatch.
package struct BlockMetrics {
  /// The number of the minibatch among those that have samples.
  package let minibatch: Int
  /// The place of the prompt among those of all ranks.
  package let place: Int
  package var metrics: UpdateMetrics

  init(minibatch: Int, place: Int, following metrics: UpdateMetrics) {
    (self.minibatch, self.place, self.metrics) = (minibatch, place, UpdateMetrics(following: metrics))
  }
}
