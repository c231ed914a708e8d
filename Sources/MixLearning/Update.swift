import MixBasics
import MixNumerics
import MixSampling

/// Trains on a finished rollout by requesting velocities and returning ∂L/∂v: a state machine that does not depend on a model.
///
///     while true {
///       switch update.next() {
///       case .evaluate(let request):
///         … velocity of request.latents at request.sigmas …
///         let dVelocity = try update.submit(velocity: …, count: request.velocityCount)
///         … carry dVelocity back through the model and add up the weights' gradients …
///       case .optimizerStep: … step the optimizer, zero the gradients …
///       case .finished: return
///       }
///     }
///
/// The loss is the mean over a minibatch's samples and trained steps. dVelocity is its gradient, summed over the members that
/// share a row, so gradients of requests add up. All memory is allocated by `init`; results do not depend on the number of
/// threads. Not for use from two threads at once.
public final class Update {
  private enum Phase { case ready, waiting, stepping, finished }

  /// As given by the learning settings.
  public let configuration: PolicyConfiguration
  /// Metrics of the update so far.
  public private(set) var metrics = UpdateMetrics()
  private var metricsBeforeMinibatch = UpdateMetrics()
  /// The metrics of each prompt in each minibatch so far, where gradients are summed prompt by prompt.
  package private(set) var blocks: [BlockMetrics] = []

  private let trajectory: Trajectory
  private let advantages: [Double]  // (samples of all ranks)
  private let layout: UpdateLayout
  private let stepWeights: [Double]  // (trained steps)
  private let workers: Workers
  private var batch: UpdateBatch
  private var batchLimit: Int
  /// Whether the last run ended after some of its optimizer steps, which are kept, and no request has followed.
  private var isInterrupted = false
  private var phase = Phase.ready
  private var minibatch = 0
  private var rows = 0..<0

  /// - Parameters:
  ///   - advantages: of the samples of all ranks, P·G for a process that trains alone; finite
  ///   - isIncluded: the same number, false for excluded samples, which are not evaluated
  ///   - maxBatch: most rows in one request; 0 means no limit
  ///   - byPrompt: whether gradients are summed prompt by prompt: a request then has rows of one prompt
  /// - Throws: `invalidArgument` naming each invalid field, `outOfMemory`.
  package init(
    trajectory: Trajectory, advantages: [Double], isIncluded: [Bool],
    configuration: PolicyConfiguration = PolicyConfiguration(), maxBatch: Int = 0, byPrompt: Bool = false, workers: Workers
  ) throws(MixGRPOError) {
    try Self.validate(trajectory, advantages, isIncluded, configuration, maxBatch)
    self.trajectory = trajectory
    self.advantages = advantages
    self.configuration = configuration
    self.workers = workers
    layout = try UpdateLayout(
      trajectory, isIncluded: isIncluded, minibatches: configuration.updatesPerIteration, byPrompt: byPrompt)
    stepWeights = Self.stepWeights(trajectory.plan, configuration.stepWeighting)
    batchLimit = layout.largestBatch(maxBatch)
    batch = try UpdateBatch(layout, trajectory, largest: batchLimit)
    begin(minibatch: 0)
  }

  /// The same with the threads of `context`.
  public convenience init(
    trajectory: Trajectory, advantages: Advantages, configuration: PolicyConfiguration = PolicyConfiguration(),
    maxBatch: Int = 0, context: RunContext
  ) throws(MixGRPOError) {
    try self.init(
      trajectory: trajectory, advantages: advantages.values, isIncluded: advantages.isIncluded,
      configuration: configuration, maxBatch: maxBatch, workers: Workers(threads: context.threads))
  }

  private static func validate(
    _ trajectory: Trajectory, _ advantages: [Double], _ isIncluded: [Bool], _ configuration: PolicyConfiguration,
    _ maxBatch: Int
  ) throws(MixGRPOError) {
    let samples = trajectory.allPrompts * trajectory.plan.groupSize
    var validation = Validation()
    validation.include { () throws(MixGRPOError) in try configuration.validate(groupSize: trajectory.plan.groupSize) }
    validation.require(!trajectory.plan.trainedSteps.isEmpty, "trajectory", expected: "trained steps", got: "none")
    validation.require(advantages.count == samples, "advantages", expected: "\(samples) values", got: advantages.count)
    validation.require(
      advantages.allSatisfy(\.isFinite), "advantages", expected: "finite values", got: "NaN or infinity")
    validation.require(isIncluded.count == samples, "included", expected: "\(samples) values", got: isIncluded.count)
    validation.require(maxBatch >= 0, "max_batch", expected: "0 (no limit) or more", got: maxBatch)
    try validation.throwIfAny()
  }

  /// 1, or s over its mean over the trained steps.
  private static func stepWeights(_ plan: SamplingPlan, _ weighting: StepWeighting) -> [Double] {
    let scales = plan.trainedSteps.map { weighting == .uniform ? 1 : plan.transitions[$0].noiseScale }
    let mean = scales.reduce(0, +) / Double(max(scales.count, 1))
    return scales.map { $0 / mean }
  }
}

// MARK: - Requests and answers

extension Update {
  /// The next action. Before the `submit` of a request it returns the same request again.
  public func next() -> UpdateAction {
    isInterrupted = false
    finishStep()
    guard phase != .finished else { return .finished }
    let current = layout.minibatches[minibatch]
    if phase == .ready, rows.upperBound == current.rows.upperBound {
      phase = .stepping
      metrics.countOptimizerStep()
      return .optimizerStep(minibatch: current.index)
    }
    if phase == .ready {
      rows = rows.upperBound..<current.end(ofRequestAt: rows.upperBound, limit: batchLimit)
      batch.gather(rows, layout, trajectory, workers)
      phase = .waiting
    }
    return .evaluate(batch.request(rows, of: current, needsReference: needsReference))
  }

  /// Takes the velocity of the last request, (request.count, D), and returns ∂L/∂v, (request.count, D), valid until the
  /// next `submit`.
  /// - Parameters:
  ///   - velocity: (request.count, D).
  ///   - reference: the frozen reference's velocity, if the request needs it.
  ///   - count: values of `velocity`, the request's `velocityCount`.
  /// - Throws: `invalidState` without a request, `invalidArgument` for another count or a missing reference, `notFinite` naming
  ///   step and row if a value is NaN or infinite or makes the loss so. The update is then unchanged.
  @discardableResult
  public func submit(
    velocity: UnsafePointer<Float>, reference: UnsafePointer<Float>? = nil, count: Int
  ) throws(MixGRPOError) -> UnsafePointer<Float> {
    guard phase == .waiting else {
      throw MixGRPOError(.invalidState, "submit: expected a request from next() before it, got none")
    }
    let size = trajectory.latentSize
    try require(count == rows.count * size, "count", expected: "\(rows.count * size)", got: count)
    try require(
      !needsReference || reference != nil, "reference", expected: "the reference's velocity, as kl_reference is set",
      got: "none")
    try evaluate(velocity, needsReference ? reference : nil)
    for entry in batch.entries(rows, layout) { metrics.add(batch.outcomes[entry]) }
    metrics.countEvaluations(rows.count)
    countBlock()
    phase = .ready
    return UnsafePointer(batch.arena.dVelocity)
  }

  /// Reports that the optimizer step is done, before the next action is asked for: it stays when the update fails now.
  package func finishStep() {
    if phase == .stepping { begin(minibatch: minibatch + 1) }
  }

  /// Ends the current minibatch early: neither its remaining requests nor its optimizer step follow. The metrics are those of
  /// the minibatches before it, so that they do not depend on the size of requests.
  package func abandonMinibatch() {
    forgetMinibatch()
    begin(minibatch: minibatch + 1)
  }

  /// A request for the update's first row, to evaluate it again after the update; not to be submitted. Nil without a row, or
  /// when another rank has it.
  package func firstRow() -> VelocityRequest? {
    guard phase == .finished, layout.holdsFirstRow, let first = layout.minibatches.first else { return nil }
    let row = first.rows.lowerBound..<first.rows.lowerBound + 1
    batch.gather(row, layout, trajectory, workers)
    return batch.request(row, of: first, needsReference: false)
  }

  /// Goes back to the first request, with empty metrics.
  package func restart() {
    (metrics, blocks) = (UpdateMetrics(), [])
    begin(minibatch: 0)
  }

  /// Goes back to the first request after the last optimizer step, which must be complete.
  package func restartMinibatch() {
    forgetMinibatch()
    if phase != .finished { begin(minibatch: minibatch) }
    isInterrupted = metrics.optimizerSteps > 0
  }

  /// Whether a run can start here: there has been no request yet, or the last run was interrupted.
  package var isAtStartOfRun: Bool { isInterrupted || metrics.evaluations == 0 && metrics.optimizerSteps == 0 }

  /// Makes requests smaller; only before the first request.
  /// - Parameter rows: most rows in one request, at least 1.
  /// - Throws: `outOfMemory`.
  package func limitRequests(to rows: Int) throws(MixGRPOError) {
    guard rows < batchLimit, !isInterrupted else { return }
    batch = try UpdateBatch(layout, trajectory, largest: rows)
    batchLimit = rows
    if phase == .waiting { begin(minibatch: minibatch) }
  }

  /// Rows that are evaluated if no sample is excluded.
  package var plannedEvaluations: Int {
    trajectory.plan.trainingEvaluations(prompts: trajectory.prompts, minibatches: configuration.updatesPerIteration)
  }

  /// Whether the first submitted row is the first of all ranks.
  package var holdsFirstRow: Bool { layout.holdsFirstRow }

  /// The place of the prompt whose rows of the minibatch the last submitted request completed, where gradients are summed prompt
  /// by prompt.
  package var completedPlace: Int? {
    guard phase == .ready, !rows.isEmpty, layout.minibatches.indices.contains(minibatch) else { return nil }
    return layout.minibatches[minibatch].blocks.first { $0.rows.upperBound == rows.upperBound }?.place
  }

  /// The places of the prompts with samples in the current minibatch, on all ranks.
  package var presentPlaces: [Int] {
    layout.minibatches.indices.contains(minibatch) ? layout.minibatches[minibatch].places : []
  }

  /// D
  package var latentSize: Int { trajectory.latentSize }

  /// Optimizer steps of the whole update.
  package var minibatchCount: Int { layout.minibatches.count }
  /// Whether every optimizer step is done.
  package var isFinished: Bool { phase == .finished }
  /// Whether the current minibatch is the last.
  package var isInLastMinibatch: Bool { minibatch + 1 >= layout.minibatches.count }

  /// Adds the last request to the metrics of its prompt.
  private func countBlock() {
    guard let block = layout.minibatches[minibatch].blocks.first(where: { $0.rows.contains(rows.lowerBound) }) else { return }
    if block.rows.lowerBound == rows.lowerBound {
      blocks.append(BlockMetrics(minibatch: minibatch, place: block.place, following: metrics))
    }
    for entry in batch.entries(rows, layout) { blocks[blocks.count - 1].metrics.add(batch.outcomes[entry]) }
    blocks[blocks.count - 1].metrics.countEvaluations(rows.count)
  }

  private func forgetMinibatch() {
    metrics = metricsBeforeMinibatch
    blocks.removeAll { $0.minibatch == minibatch }
  }

  private var needsReference: Bool { configuration.referencePenalty > 0 }

  private func begin(minibatch: Int) {
    self.minibatch = minibatch
    metricsBeforeMinibatch = metrics
    phase = layout.minibatches.indices.contains(minibatch) ? .ready : .finished
    guard phase == .ready else { return }
    rows = layout.minibatches[minibatch].rows.lowerBound..<layout.minibatches[minibatch].rows.lowerBound
  }
}

// MARK: - Evaluation

extension Update {
  private func evaluate(
    _ velocity: UnsafePointer<Float>, _ reference: UnsafePointer<Float>?
  ) throws(MixGRPOError) {
    let firstEntry = batch.firstEntry(rows, layout)
    workers.forEach(rows.count) { index, _ in
      evaluateRow(index, velocity, reference, firstEntry)
    }
    for index in 0..<rows.count where batch.faults[index] {
      let step = trajectory.plan.trainedSteps[layout.rows[rows.lowerBound + index].trained]
      throw MixGRPOError(
        .notFinite, "velocity: expected finite values and a finite loss, got NaN or infinity at step \(step), row \(index)")
    }
  }

  private func evaluateRow(
    _ index: Int, _ velocity: UnsafePointer<Float>, _ reference: UnsafePointer<Float>?, _ firstEntry: Int
  ) {
    let size = trajectory.latentSize
    let row = layout.rows[rows.lowerBound + index]
    let (velocity, reference) = (velocity + index * size, reference.map { $0 + index * size })
    let dVelocity = batch.arena.dVelocity + index * size
    dVelocity.update(repeating: 0, count: size)
    var isFinite = Reduction.allFinite(velocity, count: size)
    for entry in row.entries {
      let outcome = evaluateSample(layout.samples[entry], row.trained, velocity, reference, dVelocity)
      batch.outcomes[entry - firstEntry] = outcome
      isFinite = isFinite && outcome.isFinite
    }
    batch.faults[index] = !(isFinite && Reduction.allFinite(dVelocity, count: size))
  }

  private func evaluateSample(
    _ sample: Int, _ trained: Int, _ velocity: UnsafePointer<Float>, _ reference: UnsafePointer<Float>?,
    _ dVelocity: UnsafeMutablePointer<Float>
  ) -> StepOutcome {
    guard let stepRow = trajectory.row(trained, sample: sample) else { return StepOutcome(loss: .nan) }
    let step = JudgedStep(
      row: stepRow, velocity: velocity, reference: reference, transition: trajectory.transition(trained),
      form: trajectory.plan.logProbability,
      oldLogProbability: trajectory.oldLogProbability(trained, sample: sample),
      advantage: advantages[trajectory.place(ofSample: sample)],
      stepWeight: stepWeights[trained])
    let terms = Double(layout.minibatches[minibatch].samples * stepWeights.count)
    return PolicyLoss(configuration: configuration).evaluate(step, scale: 1 / terms, dVelocity: dVelocity)
  }
}
