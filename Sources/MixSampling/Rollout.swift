import MixBasics
import MixNumerics

/// Draws groups of samples by requesting velocities: a state machine that does not depend on a model.
///
///     while let request = try rollout.next() {
///       … velocity of request.latents at request.sigmas …
///       try rollout.submit(velocity: …, count: request.velocityCount)
///     }
///
/// All prompts and members advance together. Latents that members share are evaluated once, which does not change a bit of the
/// samples. All memory is allocated by `init`; results do not depend on the number of threads or on `maxBatch`. Not for use from
/// two threads at once.
public final class Rollout {
  private enum Phase { case ready, waiting, finished, failed }

  /// As given to `init`.
  public let plan: SamplingPlan
  /// P, of this rank
  public let prompts: Int
  /// D
  public let latentSize: Int
  /// Rows evaluated so far.
  public private(set) var modelCalls = 0

  private let workers: Workers
  private let maxBatch: Int
  private let memory: RolloutMemory
  private let table: RequestTable  // (P·G)
  private let trainedIndex: [Int]  // (T): index into plan.trainedSteps, or −1
  private let faults: Table<Bool>  // (P·G)
  private var phase = Phase.ready
  private var step = 0
  private var rows = 0..<0
  private var failure = MixGRPOError(.internalFault, "rollout: expected a running rollout, got a failed one")

  /// - Parameters:
  ///   - prompts: the host's prompt ids, P values of 0 or more; they key the noise, so in training they must differ
  ///   - latentSize: D, at least 1
  ///   - initialNoise: latents to start from: (P, D), the same for all members of a group, or (P·G, D); copied
  ///   - maxBatch: most rows in one request; 0 means no limit
  ///   - rank: samples this rank's share of the prompts; `initialNoise` is of that share
  /// - Throws: `invalidArgument` naming each invalid field, `outOfMemory`.
  package init(
    plan: SamplingPlan, prompts all: [Int32], latentSize: Int, initialNoise: UnsafeBufferPointer<Float>? = nil,
    maxBatch: Int = 0, rank: Rank = .alone, workers: Workers
  ) throws(MixGRPOError) {
    try Self.validate(plan, all, latentSize: latentSize, maxBatch: maxBatch)
    let places = rank.share(ofPrompts: all.count)
    let prompts = Array(all[places])
    self.plan = plan
    self.prompts = prompts.count
    self.latentSize = latentSize
    self.workers = workers
    self.maxBatch = maxBatch
    let isSame = try InitialNoise.isShared(initialNoise, plan, prompts: prompts.count, latentSize: latentSize)
    let sharesStart = isSame && plan.exactSharing && plan.groupSize > 1
    let trajectory = try Trajectory(
      plan: plan, promptNumbers: prompts, places: places, allPrompts: all.count, latentSize: latentSize,
      sharesStart: sharesStart)
    memory = try RolloutMemory(trajectory: trajectory)
    table = try RequestTable(rows: trajectory.samples)
    trainedIndex = (0..<plan.steps).map { plan.trainedSteps.firstIndex(of: $0) ?? -1 }
    faults = try Table(count: trajectory.samples, filledWith: false)
    InitialNoise.fill(memory.states[0], from: initialNoise, isSame: isSame, trajectory, workers)
    if prompts.isEmpty { phase = .finished }
  }

  /// The same with the threads of `context`.
  public convenience init(
    plan: SamplingPlan, prompts: [Int32], latentSize: Int, initialNoise: UnsafeBufferPointer<Float>? = nil,
    maxBatch: Int = 0, rank: Rank = .alone, context: RunContext
  ) throws(MixGRPOError) {
    try self.init(
      plan: plan, prompts: prompts, latentSize: latentSize, initialNoise: initialNoise, maxBatch: maxBatch, rank: rank,
      workers: Workers(threads: context.threads))
  }

  /// Checks the arguments of `init`.
  package static func validate(
    _ plan: SamplingPlan, _ prompts: [Int32], latentSize: Int, maxBatch: Int
  ) throws(MixGRPOError) {
    var validation = Validation()
    validation.require(
      (1...1_000_000).contains(prompts.count), "prompts", expected: "1…1000000 prompts", got: prompts.count)
    validation.require(
      prompts.allSatisfy { $0 >= 0 }, "prompts", expected: "numbers of at least 0", got: prompts.min() ?? 0)
    validation.require(
      plan.trainedSteps.isEmpty || Set(prompts).count == prompts.count, "prompts",
      expected: "different prompts, as equal ones would get equal noise", got: prompts)
    validation.require(
      (1...1_000_000_000).contains(latentSize), "latent_size", expected: "1…1000000000", got: latentSize)
    validation.require(maxBatch >= 0, "max_batch", expected: "0 (no limit) or more", got: maxBatch)
    validation.include { () throws(MixGRPOError) in
      let samples = try product(prompts.count, plan.groupSize, field: "prompts")
      try require(samples <= Int(Int32.max), "prompts", expected: "at most 2³¹ − 1 samples", got: samples)
    }
    try validation.throwIfAny()
  }
}

// MARK: - Requests and answers

extension Rollout {
  /// The next request, or nil when all samples are finished. Before `submit` it returns the same request again.
  /// - Throws: the error that ended the rollout, if one did.
  public func next() throws(MixGRPOError) -> VelocityRequest? {
    switch phase {
    case .finished: return nil
    case .failed: throw failure
    case .waiting: break
    case .ready:
      rows = rows.upperBound..<min(rowsOfStep, rows.upperBound + (maxBatch == 0 ? rowsOfStep : maxBatch))
      describeRows()
      phase = .waiting
    }
    return request
  }

  /// Takes the velocity of the last request, (request.count, D), and advances its rows by one step.
  /// - Throws: `invalidState` without a request, `invalidArgument` for another count, `notFinite` naming step and row if a
  ///   velocity is NaN or infinite; the rollout is then unchanged and accepts another `submit`. `notFinite` also if the velocity
  ///   is so large that a latent overflows; this ends the rollout.
  public func submit(velocity: UnsafePointer<Float>, count: Int) throws(MixGRPOError) {
    guard phase == .waiting else {
      throw MixGRPOError(.invalidState, "submit: expected a request from next() before it, got none")
    }
    try require(count == rows.count * latentSize, "count", expected: "\(rows.count * latentSize)", got: count)
    try checkFinite(velocity)
    advance(velocity)
    try checkAdvanced()
    finishRequest()
  }

  private var rowsOfStep: Int { memory.states[step].isShared ? prompts : prompts * plan.groupSize }

  private var request: VelocityRequest {
    table.request(
      0..<rows.count, latents: UnsafePointer(memory.states[step].base + rows.lowerBound * latentSize),
      latentSize: latentSize, model: step < plan.trainedModelSteps ? .trained : .base,
      isTrained: trainedIndex[step] >= 0)
  }

  /// A row is a prompt with its whole group, or one sample.
  private func describeRows() {
    let samplesPerRow = memory.states[step].isShared ? plan.groupSize : 1
    for (index, row) in rows.enumerated() {
      table.set(index, sample: row * samplesPerRow, step: step, plan, promptIds: memory.trajectory.promptNumbers)
    }
  }

  private func checkFinite(_ velocity: UnsafePointer<Float>) throws(MixGRPOError) {
    workers.forEach(rows.count) { [faults, latentSize] row, _ in
      faults[row] = !Reduction.allFinite(velocity + row * latentSize, count: latentSize)
    }
    for row in 0..<rows.count where faults[row] {
      throw MixGRPOError(
        .notFinite, "velocity: expected finite values, got NaN or infinity at step \(step), row \(row)")
    }
  }

  /// Checks for a latent or log-probability that overflowed although the velocity is finite.
  private func checkAdvanced() throws(MixGRPOError) {
    for task in 0..<rows.count * samplesPerRow where faults[task] {
      failure = MixGRPOError(
        .notFinite,
        "velocity: expected values that keep latents finite, got an overflow at step \(step), "
          + "row \(task / samplesPerRow)")
      phase = .failed
      throw failure
    }
  }

  private func finishRequest() {
    modelCalls += rows.count
    phase = .ready
    guard rows.upperBound == rowsOfStep else { return }
    step += 1
    rows = 0..<0
    guard step == plan.steps else { return }
    memory.expandSharedSamples()
    phase = .finished
  }
}

// MARK: - One step

extension Rollout {
  /// Rows of the next state for each row of this state: G where members stop sharing a latent, otherwise 1.
  private var samplesPerRow: Int {
    memory.states[step].isShared && !memory.states[step + 1].isShared ? plan.groupSize : 1
  }

  private func advance(_ velocity: UnsafePointer<Float>) {
    let width = samplesPerRow
    workers.forEach(rows.count * width) { task, _ in
      let row = rows.lowerBound + task / width
      let nextRow = rows.lowerBound * width + task
      let velocity = velocity + task / width * latentSize
      advanceRow(row, to: nextRow, velocity, keepsData: task % width == 0)
      faults[task] = !isFinite(row, nextRow, velocity)
    }
  }

  private func advanceRow(_ row: Int, to nextRow: Int, _ velocity: UnsafePointer<Float>, keepsData: Bool) {
    let transition = plan.transitions[step]
    let keepsData = keepsData && plan.keepsDataPrediction(of: step)
    RowAdvance(
      transition: transition, count: latentSize, latent: memory.states[step].base + row * latentSize,
      velocity: velocity,
      previousData: transition.previousDataScale == 0 ? nil : data(of: step - 1, row),
      earlierData: transition.earlierDataScale == 0 ? nil : data(of: step - 2, row),
      noise: transition.isStochastic ? memory.trajectory.noise(step: step, sample: nextRow) : nil,
      dataPrediction: keepsData ? memory.dataPredictions(of: step).map { $0 + row * latentSize } : nil,
      next: memory.states[step + 1].base + nextRow * latentSize
    ).run()
  }

  /// An earlier step's data prediction for a row of this step. A group may have shared that prediction.
  private func data(of earlier: Int, _ row: Int) -> UnsafePointer<Float>? {
    guard earlier >= 0, let base = memory.dataPredictions(of: earlier) else { return nil }
    let hasParted = memory.states[earlier].isShared && !memory.states[step].isShared
    return UnsafePointer(base + (hasParted ? row / plan.groupSize : row) * latentSize)
  }

  /// Stores the log-probability of a trained step; false if it or the new latent is not finite.
  private func isFinite(_ row: Int, _ nextRow: Int, _ velocity: UnsafePointer<Float>) -> Bool {
    let next = memory.states[step + 1].base + nextRow * latentSize
    guard Reduction.allFinite(next, count: latentSize) else { return false }
    let trained = trainedIndex[step]
    guard trained >= 0, let stepRow = memory.trajectory.row(trained, sample: nextRow) else { return true }
    let value = LogProbability.value(stepRow, velocity: velocity, plan.transitions[step], plan.logProbability)
    memory.trajectory.logProbabilities[trained * memory.trajectory.samples + nextRow] = value
    return value.isFinite
  }
}

// MARK: - Results

extension Rollout {
  /// Samples of all ranks.
  package var samplesOfAllRanks: Int { memory.trajectory.allPrompts * plan.groupSize }

  /// Whether all samples are finished.
  public var isFinished: Bool { phase == .finished }

  /// The finished samples, (P·G, D), sample = prompt · G + member; a view that is valid as long as the rollout.
  /// - Throws: `invalidState` before the end.
  public func samples() throws(MixGRPOError) -> UnsafeBufferPointer<Float> {
    try requireFinished("samples")
    return memory.samples
  }

  /// The data that an update needs; it may outlive the rollout.
  /// - Throws: `invalidState` before the end.
  public func trajectory() throws(MixGRPOError) -> Trajectory {
    try requireFinished("trajectory")
    return memory.trajectory
  }

  private func requireFinished(_ what: String) throws(MixGRPOError) {
    guard isFinished else {
      throw MixGRPOError(
        .invalidState, "\(what): expected a finished rollout, got one at step \(step) of \(plan.steps)")
    }
  }
}
