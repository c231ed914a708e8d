import Dispatch
import MixBasics
import MixLearning
import MixSampling

/// The current work of a trainer.
enum TrainerStage {
  case idle
  case drawing(Rollout, withTicket: Bool, updateBatch: Int, DispatchTime)
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
    case .evaluate, .differentiate, .measure, .keepState, .optimizerStep: try checkCancelled()
    case .restoreState, .zeroGradients, .finished: break
    }
    return action
  }

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
    case .drawing(let rollout, let withTicket, let updateBatch, let started):
      if let request = try rollout.next() { return .evaluate(request, weights: .trained) }
      try finishRollout(rollout, withTicket: withTicket, updateBatch: updateBatch, started)
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
