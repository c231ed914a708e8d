import MixBasics
import MixNumerics
import MixSampling

/// The memory of an update's requests and answers.
final class UpdateBatch {
  let latents: FloatStorage  // (largest batch, D)
  let cotangents: FloatStorage  // (largest batch, D)
  let outcomes: Table<StepOutcome>  // one per sample of the request's rows
  let faults: Table<Bool>  // (largest batch)
  private let size: Int
  private let sigmas: Table<Float>  // (all rows), and so are the next three
  private let promptIndex: Table<Int32>
  private let sampleOfRow: Table<Int32>
  private let stepOfRow: Table<Int32>

  init(_ layout: UpdateLayout, _ trajectory: Trajectory, largest: Int) throws(MixGRPOError) {
    size = trajectory.latentSize
    let total = try product(largest, size, field: "update")
    latents = try FloatStorage(count: total)
    cotangents = try FloatStorage(count: total)
    let members = layout.rows.reduce(0) { max($0, $1.entries.count) }
    outcomes = try Table(count: product(largest, members, field: "update"), filledWith: StepOutcome())
    faults = try Table(count: largest, filledWith: false)
    let plan = trajectory.plan
    sigmas = try Table(layout.rows.map { plan.modelSigma(of: plan.trainedSteps[$0.trained]) })
    let firstSamples = layout.rows.map { layout.samples[$0.entries.lowerBound] }
    promptIndex = try Table(firstSamples.map { trajectory.promptNumbers[$0 / plan.groupSize] })
    sampleOfRow = try Table(firstSamples.map { Int32(truncatingIfNeeded: $0) })
    stepOfRow = try Table(layout.rows.map { Int32(truncatingIfNeeded: plan.trainedSteps[$0.trained]) })
  }

  func firstEntry(_ rows: Range<Int>, _ layout: UpdateLayout) -> Int { layout.rows[rows.lowerBound].entries.lowerBound }

  /// Indices of the request's outcomes.
  func entries(_ rows: Range<Int>, _ layout: UpdateLayout) -> Range<Int> {
    0..<layout.rows[rows.upperBound - 1].entries.upperBound - firstEntry(rows, layout)
  }

  /// Copies the rows' latents side by side.
  func gather(_ rows: Range<Int>, _ layout: UpdateLayout, _ trajectory: Trajectory, _ workers: Workers) {
    workers.forEach(rows.count) { index, _ in
      let row = layout.rows[rows.lowerBound + index]
      let sample = layout.samples[row.entries.lowerBound]
      guard let source = trajectory.row(row.trained, sample: sample)?.latent else { return }
      (latents.base + index * size).update(from: source, count: size)
    }
  }

  func request(_ rows: Range<Int>, part: Int, needsReference: Bool) -> UpdateRequest {
    UpdateRequest(
      count: rows.count, latentSize: size, latents: UnsafePointer(latents.base),
      sigmas: view(sigmas, rows), promptIndex: view(promptIndex, rows), sampleOfRow: view(sampleOfRow, rows),
      stepOfRow: view(stepOfRow, rows), part: part, needsReference: needsReference)
  }

  private func view<Element>(_ table: Table<Element>, _ rows: Range<Int>) -> UnsafeBufferPointer<Element> {
    UnsafeBufferPointer(start: table.base + rows.lowerBound, count: rows.count)
  }
}
