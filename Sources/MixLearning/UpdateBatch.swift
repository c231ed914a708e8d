import MixBasics
import MixNumerics
import MixSampling

/// The memory of an update's requests and answers.
final class UpdateBatch {
  let latents: FloatStorage  // (largest batch, D)
  let dVelocity: FloatStorage  // (largest batch, D)
  let outcomes: Table<StepOutcome>  // one per sample of the request's rows
  let faults: Table<Bool>  // (largest batch)
  private let size: Int
  private let table: RequestTable  // (all rows)

  init(_ layout: UpdateLayout, _ trajectory: Trajectory, largest: Int) throws(MixGRPOError) {
    size = trajectory.latentSize
    let total = try product(largest, size, field: "update")
    latents = try FloatStorage(count: total)
    dVelocity = try FloatStorage(count: total)
    let members = layout.rows.reduce(0) { max($0, $1.entries.count) }
    outcomes = try Table(count: product(largest, members, field: "update"), filledWith: StepOutcome())
    faults = try Table(count: largest, filledWith: false)
    table = try RequestTable(rows: layout.rows.count)
    let plan = trajectory.plan
    for (index, row) in layout.rows.enumerated() {
      table.set(
        index, sample: layout.samples[row.entries.lowerBound], step: plan.trainedSteps[row.trained], plan,
        promptIds: trajectory.promptNumbers)
    }
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

  func request(_ rows: Range<Int>, minibatch: Int, needsReference: Bool) -> VelocityRequest {
    table.request(
      rows, latents: UnsafePointer(latents.base), latentSize: size, minibatch: minibatch,
      needsReference: needsReference, isTrained: true)
  }
}
