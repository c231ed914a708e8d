import MixBasics
import MixSampling

/// The latents that an update evaluates, their order, and the samples that share each of them.
///
/// Minibatch m of U has members ⌊m·G/U⌋ ..< ⌊(m+1)·G/U⌋ of every group. Its rows are ordered by trained step, then prompt, then
/// member. Where the members of a group share the latent before a step, those of a minibatch share one row. Excluded samples
/// have no row. Where several ranks train, the rows are those of this rank, and the minibatches the same on every rank. Where
/// gradients are summed prompt by prompt, the rows are ordered by prompt first.
struct UpdateLayout {
  struct Row {
    let trained: Int  // index into plan.trainedSteps
    let entries: Range<Int>  // into `samples`
  }

  struct Minibatch {
    let index: Int
    let rows: Range<Int>
    /// Its samples on all ranks, the denominator of its mean.
    let samples: Int
    /// The places of the prompts with samples, on all ranks.
    let places: [Int]
    /// The rows of each prompt of this rank, where gradients are summed prompt by prompt.
    let blocks: [Block]
  }

  /// The rows of one prompt in a minibatch.
  struct Block {
    let place: Int
    let rows: Range<Int>
  }

  private(set) var rows: [Row] = []
  /// The samples of all rows, one after the other.
  private(set) var samples: [Int] = []
  /// Minibatches without samples on any rank are not in the list.
  private(set) var minibatches: [Minibatch] = []
  /// Whether the first row of all ranks is the first of this one.
  private(set) var holdsFirstRow = false

  /// - Parameter isIncluded: of the samples of all ranks.
  init(
    _ trajectory: Trajectory, isIncluded: [Bool], minibatches count: Int, byPrompt: Bool
  ) throws(MixGRPOError) {
    try self.init(
      trajectory.plan, places: trajectory.places, allPrompts: trajectory.allPrompts, sharesStart: trajectory.sharesStart,
      isIncluded: { isIncluded[$0] }, minibatches: count, byPrompt: byPrompt)
  }

  /// - Parameters:
  ///   - places: of this rank's prompts among those of all ranks.
  ///   - byPrompt: whether gradients are summed prompt by prompt.
  ///   - firstOnly: lay out no minibatch after the first that has samples.
  init(
    _ plan: SamplingPlan, places: [Int], allPrompts: Int, sharesStart: Bool, isIncluded: (_ sample: Int) -> Bool,
    minibatches count: Int, byPrompt: Bool, firstOnly: Bool = false
  ) throws(MixGRPOError) {
    let groupSize = plan.groupSize
    try Memory.require(places.count * groupSize, of: 128 * (plan.trainedSteps.count + 1))  // lists that grow
    for index in 0..<count where !firstOnly || minibatches.isEmpty {
      let members = plan.members(ofMinibatch: index, of: count)
      let counts = (0..<allPrompts).map { place in members.count { isIncluded(place * groupSize + $0) } }
      let present = counts.indices.filter { counts[$0] > 0 }
      guard let firstPlace = present.first, !plan.trainedSteps.isEmpty else { continue }
      if minibatches.isEmpty { holdsFirstRow = places.contains(firstPlace) }
      let groups = places.enumerated().map { prompt, place in
        members.filter { isIncluded(place * groupSize + $0) }.map { prompt * groupSize + $0 }
      }
      let first = rows.count
      var blocks: [Block] = []
      for (prompt, place) in places.enumerated() where byPrompt && counts[place] > 0 {
        blocks.append(Block(place: place, rows: append([groups[prompt]], plan, sharesStart)))
      }
      if !byPrompt { _ = append(groups, plan, sharesStart) }
      minibatches.append(
        Minibatch(
          index: index, rows: first..<rows.count, samples: counts.reduce(0, +), places: present, blocks: blocks))
    }
  }

  private mutating func append(_ groups: [[Int]], _ plan: SamplingPlan, _ sharesStart: Bool) -> Range<Int> {
    let first = rows.count
    for (trained, step) in plan.trainedSteps.enumerated() {
      append(groups, trained, plan.isShared(state: step, sharesStart))
    }
    return first..<rows.count
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
    let largest = minibatches.reduce(0) { max($0, $1.largestRequest) }
    return maxBatch == 0 ? largest : min(largest, maxBatch)
  }
}

extension UpdateLayout.Minibatch {
  /// Rows that one request can have without a limit: it never has those of two blocks.
  fileprivate var largestRequest: Int { blocks.isEmpty ? rows.count : blocks.reduce(0) { max($0, $1.rows.count) } }

  /// The last row of a request that begins at `row`, plus 1.
  func end(ofRequestAt row: Int, limit: Int) -> Int {
    let block = blocks.first { $0.rows.contains(row) }
    return min((block?.rows ?? rows).upperBound, row + limit)
  }
}
