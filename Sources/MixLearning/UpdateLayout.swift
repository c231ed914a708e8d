import MixBasics
import MixSampling

/// The latents that an update evaluates, their order, and the samples that share each of them.
///
/// Minibatch m of U has members ⌊m·G/U⌋ ..< ⌊(m+1)·G/U⌋ of every group. Its rows are ordered by trained step, then prompt, then
/// member. Where the members of a group share the latent before a step, those of a minibatch share one row. Excluded samples
/// have no row.
struct UpdateLayout {
  struct Row {
    let trained: Int  // index into plan.trainedSteps
    let entries: Range<Int>  // into `samples`
  }

  struct Minibatch {
    let index: Int
    let rows: Range<Int>
    /// Its samples, the denominator of its mean.
    let samples: Int
  }

  private(set) var rows: [Row] = []
  /// The samples of all rows, one after the other.
  private(set) var samples: [Int] = []
  /// Minibatches without samples are not in the list.
  private(set) var minibatches: [Minibatch] = []

  init(_ trajectory: Trajectory, isIncluded: [Bool], minibatches count: Int) throws(MixGRPOError) {
    try self.init(
      trajectory.plan, prompts: trajectory.prompts, sharesStart: trajectory.sharesStart, isIncluded: { isIncluded[$0] },
      minibatches: count)
  }

  /// - Parameter firstOnly: lay out no minibatch after the first that has samples.
  init(
    _ plan: SamplingPlan, prompts: Int, sharesStart: Bool, isIncluded: (_ sample: Int) -> Bool, minibatches count: Int,
    firstOnly: Bool = false
  ) throws(MixGRPOError) {
    let groupSize = plan.groupSize
    try Memory.require(prompts * groupSize, of: 128 * (plan.trainedSteps.count + 1))  // lists that grow
    for index in 0..<count where !firstOnly || minibatches.isEmpty {
      let members = plan.members(ofMinibatch: index, of: count)
      let groups = (0..<prompts).map { prompt in
        members.map { prompt * groupSize + $0 }.filter(isIncluded)
      }
      let first = rows.count
      for (trained, step) in plan.trainedSteps.enumerated() {
        append(groups, trained, plan.isShared(state: step, sharesStart))
      }
      guard rows.count > first else { continue }
      minibatches.append(
        Minibatch(index: index, rows: first..<rows.count, samples: groups.reduce(0) { $0 + $1.count }))
    }
  }

  private mutating func append(_ groups: [[Int]], _ trained: Int, _ isShared: Bool) {
    for group in groups where !group.isEmpty {
      for members in isShared ? [group] : group.map({ [$0] }) {
        rows.append(Row(trained: trained, entries: samples.count..<samples.count + members.count))
        samples += members
      }
    }
  }

  /// Most rows that one request of at most `maxBatch` rows (0: no limit) can have.
  func largestBatch(_ maxBatch: Int) -> Int {
    let largest = minibatches.reduce(0) { max($0, $1.rows.count) }
    return maxBatch == 0 ? largest : min(largest, maxBatch)
  }
}
