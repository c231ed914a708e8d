import MixBasics
import MixSampling

/// The rows of a rollout that the first request of its update is expected to contain again.
///
/// The weights are then still those of the rollout, so the activations of these rows can be kept. If the rewards exclude samples,
/// the update requests other rows.
package struct FirstUpdateRequest {
  /// Rows of the request; 0 when nothing is trained.
  package let count: Int
  private let trainedIndex: [Int]  // (T): index into plan.trainedSteps, or −1
  private let samples: Int
  private let rowOfSample: [Int32]  // (trained steps, P·G): the row that begins with this sample, or −1

  /// - Parameters:
  ///   - plan: the plan of a rollout without initial noise of the caller.
  ///   - prompts: P.
  ///   - minibatches: optimizer steps of the update.
  ///   - maxBatch: most rows of a request; 0 for no limit.
  ///   - byPrompt: whether the update sums gradients prompt by prompt.
  /// - Throws: `outOfMemory`.
  package init(
    _ plan: SamplingPlan, prompts: Int, minibatches: Int, maxBatch: Int, byPrompt: Bool = false
  ) throws(MixGRPOError) {
    let layout = try UpdateLayout(
      plan, places: Array(0..<prompts), allPrompts: prompts, sharesStart: plan.sharesStart, isIncluded: { _ in true },
      minibatches: minibatches, byPrompt: byPrompt, firstOnly: true)
    samples = prompts * plan.groupSize
    trainedIndex = (0..<plan.steps).map { plan.trainedSteps.firstIndex(of: $0) ?? -1 }
    let first = layout.minibatches.first
    let rows = first?.rows ?? 0..<0
    let limit = layout.largestBatch(maxBatch)
    count = first?.end(ofRequestAt: 0, limit: limit) ?? 0
    var rowOfSample = [Int32](repeating: -1, count: plan.trainedSteps.count * samples)
    for row in rows.prefix(count) {
      let (trained, entries) = (layout.rows[row].trained, layout.rows[row].entries)
      rowOfSample[trained * samples + layout.samples[entries.lowerBound]] = Int32(truncatingIfNeeded: row)
    }
    self.rowOfSample = rowOfSample
  }

  /// places ← the row in the update's first request for each row of `request`, or −1.
  /// - Parameter places: (request.count).
  /// - Returns: whether any row has a place.
  package func places(of request: VelocityRequest, into places: UnsafeMutablePointer<Int32>) -> Bool {
    guard let step = request.stepOfRow.first else { return false }
    let trained = trainedIndex[Int(step)]
    guard trained >= 0, request.model == .trained else { return false }
    var isAny = false
    for row in 0..<request.count {
      places[row] = rowOfSample[trained * samples + Int(request.sampleOfRow[row])]
      isAny = isAny || places[row] >= 0
    }
    return isAny
  }
}
