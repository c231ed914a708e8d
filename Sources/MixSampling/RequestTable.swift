import MixBasics

/// The values of requests that belong to single rows; requests are views into it.
package final class RequestTable {
  private let sigmas: Table<Float>  // (rows), as the others
  private let promptIndex: Table<Int32>
  private let sampleOfRow: Table<Int32>
  private let stepOfRow: Table<Int32>

  package init(rows: Int) throws(MixGRPOError) {
    sigmas = try Table(count: rows, filledWith: 0)
    promptIndex = try Table(count: rows, filledWith: 0)
    sampleOfRow = try Table(count: rows, filledWith: 0)
    stepOfRow = try Table(count: rows, filledWith: 0)
  }

  /// - Parameters:
  ///   - sample: the first sample (prompt · group size + member) of the row.
  ///   - promptIds: ids of the plan's prompts, in their order.
  package func set(_ row: Int, sample: Int, step: Int, _ plan: SamplingPlan, promptIds: [Int32]) {
    sigmas[row] = plan.modelSigma(of: step)
    promptIndex[row] = promptIds[sample / plan.groupSize]
    sampleOfRow[row] = Int32(truncatingIfNeeded: sample)
    stepOfRow[row] = Int32(truncatingIfNeeded: step)
  }

  /// - Parameter latents: (rows.count, latentSize).
  package func request(
    _ rows: Range<Int>, latents: UnsafePointer<Float>, latentSize: Int, model: ModelChoice = .trained, minibatch: Int = 0,
    needsReference: Bool = false, isTrained: Bool, completesMinibatch: Bool = false
  ) -> VelocityRequest {
    func view<Element>(_ table: Table<Element>) -> UnsafeBufferPointer<Element> {
      UnsafeBufferPointer(start: table.base + rows.lowerBound, count: rows.count)
    }
    return VelocityRequest(
      latents: latents, latentSize: latentSize, sigmas: view(sigmas), promptIndex: view(promptIndex),
      sampleOfRow: view(sampleOfRow), stepOfRow: view(stepOfRow), model: model, minibatch: minibatch,
      needsReference: needsReference, isTrained: isTrained, completesMinibatch: completesMinibatch)
  }
}
