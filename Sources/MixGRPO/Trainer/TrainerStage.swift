import Dispatch
import MixBasics
import MixLearning
import MixSampling

/// The current work of a trainer. Payloads are in memory of their own: the tag of a large payload shares words with values that valgrind
/// counts as not written.
indirect enum TrainerStage {
  case idle
  /// `ticketFor`: the prompts of all ranks if the rollout gets a ticket.
  case drawing(Rollout, ticketFor: [Int32]?, updateBatch: Int, DispatchTime)
  case sampling(Rollout, TrainerWeights)
  case updating(IterationInProgress)
  /// A rollout or deterministic sampling has failed; the next call of `next` throws this error.
  case failed(MixGRPOError)
}

// MARK: - The machine

extension ModelFreeTrainer: UpdateMachine {
  /// The next action for the model owner; `finished` when nothing remains. Repeated before it is answered, it returns the same
  /// action, unless the call confirms it.
  /// - Throws: `cancelled` while work is in progress, which continues after `resetCancel` or ends with `fail`; otherwise the
  ///   error that ended the work, after `fail` and once it is rolled back. A rollout whose latents overflow ends with
  ///   `notFinite`.
  public func next() throws(MixGRPOError) -> TrainerAction {
    let action = try nextAction()
    switch action {
    case .evaluate, .differentiate, .measure, .keepState, .optimizerStep, .combineFigures: try checkCancelled()
    case .restoreState, .zeroGradients, .finished: break
    }
    return action
  }

  var running: Update? { if case .updating(let work) = stage { work.guarded.update } else { nil } }

  private func checkCancelled() throws(MixGRPOError) {
    do throws(MixGRPOError) { try context.checkCancelled() } catch {
      if case .updating(let work) = stage { work.guarded.withhold() }
      throw error
    }
  }

  func nextAction() throws(MixGRPOError) -> TrainerAction {
    switch stage {
    case .idle: return .finished
    case .failed(let error):
      stage = .idle
      throw error
    case .drawing(let rollout, let prompts, let updateBatch, let started):
      if let request = try rollout.next() { return .evaluate(request, weights: .trained) }
      try finishRollout(rollout, ticketFor: prompts, updateBatch: updateBatch, started)
    case .sampling(let rollout, let weights):
      if let request = try rollout.next() {
        return .evaluate(request, weights: request.model == .base ? .base : weights)
      }
      finishSamples(rollout)
    case .updating(let work): if let action = try nextAction(of: work) { return action }
    }
    stage = .idle
    return .finished
  }

  private func nextAction(of work: IterationInProgress) throws(MixGRPOError) -> TrainerAction? {
    do throws(MixGRPOError) {
      let action = try work.guarded.nextAction()
      guard case .finished = action else { return action }
    } catch {
      endFailed(work)
      stage = .idle
      throw error
    }
    try finish(work)
    return nil
  }

  /// Answers `evaluate`, `differentiate` or `measure`.
  /// - Parameters:
  ///   - velocity: (request.count, D).
  ///   - reference: the velocity of the frozen reference, if the request needs it.
  ///   - count: number of values in `velocity`, the request's `velocityCount`.
  /// - Returns: dVelocity for `differentiate`, (request.count, D), valid until the next `submit`; otherwise nil.
  /// - Throws: `invalidState` without a request; `invalidArgument` for a wrong count or a missing reference; `notFinite` when a
  ///   value or a result is NaN or infinite; `diverged` when the update changed the model too much. The request stays open, for
  ///   another answer or for `fail`.
  public func submit(
    velocity: UnsafePointer<Float>, reference: UnsafePointer<Float>? = nil, count: Int
  ) throws(MixGRPOError) -> UnsafePointer<Float>? {
    switch stage {
    case .drawing(let rollout, _, _, _), .sampling(let rollout, _):
      try rollout.submit(velocity: velocity, count: count)
      return nil
    case .updating(let work):
      return try work.guarded.submit(velocity: velocity, reference: reference, count: count)
    case .idle, .failed: throw MixGRPOError(.invalidState, "submit: expected a request from next() first, got none")
    }
  }

  /// Answers `optimizerStep` after the step.
  /// - Parameters:
  ///   - gradientNorm: global norm of the gradients, before clipping.
  ///   - learningRate: learning rate of the step.
  /// - Throws: `invalidState` when the current action is not an optimizer step.
  public func submitStep(gradientNorm: Double, learningRate: Double) throws(MixGRPOError) {
    guard case .updating(let work) = stage else {
      throw MixGRPOError(.invalidState, "submit_step: expected an optimizer step from next() first, got none")
    }
    try work.guarded.submitStep(gradientNorm: gradientNorm, learningRate: learningRate)
  }

  /// The figures of this rank, for `combineFigures`.
  /// - Throws: `invalidState` when the current action is another.
  public func rankFigures() throws(MixGRPOError) -> [Double] { try combining("get_figures").figures.values }

  /// Answers `combineFigures`. The next call of `next` ends the iteration.
  /// - Parameter figures: the `rankFigures` of each rank, in order.
  /// - Throws: `invalidState` when the current action is another; `invalidArgument` for another number of values.
  public func submitFigures(_ figures: [Double]) throws(MixGRPOError) {
    let work = try combining("submit_figures")
    let size = RankFigures.count
    try require(
      figures.count == rank.count * size, "figures", expected: "\(size) values of each of \(rank.count) ranks",
      got: figures.count)
    let ranks = (0..<rank.count).map { Array(figures[$0 * size..<($0 + 1) * size]) }
    try submit(work.figures.combined(ranks))
  }

  /// Answers `combineFigures` with the figures of all ranks.
  func submit(_ figures: RankFigures) throws(MixGRPOError) {
    var work = try combining("submit_figures")
    work.combined = figures
    work.guarded.finishCombining()
    stage = .updating(work)
  }

  func combining(_ call: String) throws(MixGRPOError) -> IterationInProgress {
    guard case .updating(let work) = stage, work.guarded.isCombining else {
      throw MixGRPOError(.invalidState, "\(call): expected to be asked for the figures of all ranks first, got another state")
    }
    return work
  }

  /// Reports that an action failed, or that `next` or `submit` threw and no other answer follows.
  ///
  /// A rollout or deterministic sampling is abandoned; earlier samples are kept. An update follows the configuration's fault
  /// policy when `error` is `notFinite` or `diverged`; otherwise it is rolled back (`Undo.memory`) or stops where it is
  /// (`Undo.none`). `next` returns the actions for this, then `finished` or the error.
  /// - Returns: whether work was in progress; false when the error is final.
  @discardableResult
  public func fail(_ error: MixGRPOError) -> Bool {
    switch stage {
    case .idle, .failed: return false
    case .drawing, .sampling:
      stage = .failed(error)
      return true
    case .updating(let work): return work.guarded.fail(error)
    }
  }
}

extension ModelFreeTrainer {
  /// Whether submitting the current request returns dVelocity.
  package var givesGradient: Bool { if case .updating(let work) = stage { work.guarded.givesGradient } else { false } }

  /// Rows answered so far by the current work, and in total if no sample is excluded; nil without work.
  package var progress: (stage: TrainerWork, done: Int, total: Int)? {
    switch stage {
    case .idle, .failed: nil
    case .drawing(let rollout, _, _, _):
      (.rollout, rollout.modelCalls, rollout.plan.modelCalls(prompts: rollout.prompts))
    case .sampling(let rollout, _): (.sample, rollout.modelCalls, rollout.plan.modelCalls(prompts: rollout.prompts))
    case .updating(let work): (.update, work.guarded.update.metrics.evaluations, work.guarded.update.plannedEvaluations)
    }
  }
}

/// The kind of a trainer's current work.
package enum TrainerWork { case rollout, update, sample }
