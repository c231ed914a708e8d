import MixBasics
import MixNumerics
import MixSampling

/// The large blocks of an update's requests.
package struct UpdateArena {
  let latents: UnsafeMutablePointer<Float>  // (rows, D)
  let dVelocity: UnsafeMutablePointer<Float>  // (rows, D)

  init(rows: Int, latentSize: Int, _ arena: inout Arena) {
    latents = arena.floats(rows, latentSize)
    dVelocity = arena.floats(rows, latentSize)
  }

  /// Bytes for requests of up to `rows` rows.
  /// - Throws: `invalidArgument` for more than can be addressed.
  package static func bytes(rows: Int, latentSize: Int) throws(MixGRPOError) -> Int {
    try Arena.bytes("update") { UpdateArena(rows: rows, latentSize: latentSize, &$0) }
  }
}

/// The memory of an update's requests and answers.
final class UpdateBatch {
  let arena: UpdateArena
  let outcomes: Table<StepOutcome>  // one per sample of the request's rows
  let faults: Table<Bool>  // (largest batch)
  private let storage: FloatStorage
  private let size: Int
  private let table: RequestTable  // (all rows)

  init(_ layout: UpdateLayout, _ trajectory: Trajectory, largest: Int) throws(MixGRPOError) {
    let size = trajectory.latentSize
    self.size = size
    (storage, arena) = try Arena.allocate("update") { UpdateArena(rows: largest, latentSize: size, &$0) }
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
      (arena.latents + index * size).update(from: source, count: size)
    }
  }

  func request(_ rows: Range<Int>, of minibatch: UpdateLayout.Minibatch, needsReference: Bool) -> VelocityRequest {
    table.request(
      rows, latents: UnsafePointer(arena.latents), latentSize: size, minibatch: minibatch.index,
      needsReference: needsReference, isTrained: true, completesMinibatch: rows.upperBound == minibatch.rows.upperBound)
  }
}
