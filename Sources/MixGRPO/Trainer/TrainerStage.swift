import Dispatch
import MixBasics
import MixLearning
import MixSampling

/// What a trainer is at.
enum TrainerStage {
  case idle
  case drawing(Rollout, withTicket: Bool, updateBatch: Int, DispatchTime)
  case sampling(Rollout, TrainerWeights)
  case updating(IterationInProgress)
  /// A rollout or samples were given up; the next action tells why.
  case failed(MixGRPOError)
}

// MARK: - The machine

extension ModelFreeTrainer: UpdateMachine {
  /// What the owner of the model is to do next; `finished` when nothing is left. Repeated before it is answered, it gives the
  /// same action again, unless that is one that the following call takes as done.
  /// - Throws: `cancelled` while something is under way, which goes on after `resetCancel` or ends with `fail`; otherwise what
  ///   ended it, after `fail` and once all is undone. A rollout whose latents overflow ends with `notFinite`.
  public func next() throws(MixGRPOError) -> TrainerAction {
    let action = try nextAction()
    switch action {
    case .evaluate, .differentiate, .measure, .keepState, .optimizerStep: try context.checkCancelled()
    case .restoreState, .zeroGradients, .finished: break
    }
    return action
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
  ///   - reference: the frozen reference's velocity, if the request needs it.
  ///   - count: values of `velocity`, the request's `velocityCount`.
  /// - Returns: ∂L/∂v for `differentiate`, (request.count, D), until the next `submit`; otherwise nil.
  /// - Throws: `invalidState` without a request, `invalidArgument` for another count or a missing reference, `notFinite` when a
  ///   value, or what follows from it, is NaN or infinite; `diverged` when an update took the model too far. The request still
  ///   stands, for another answer or for `fail`.
  public func submit(
    velocity: UnsafePointer<Float>, reference: UnsafePointer<Float>? = nil, count: Int
  ) throws(MixGRPOError) -> UnsafePointer<Float>? {
    switch stage {
    case .drawing(let rollout, _, _, _), .sampling(let rollout, _):
      try rollout.submit(velocity: velocity, count: count)
      return nil
    case .updating(let work):
      return try work.guarded.submit(velocity: velocity, reference: reference, count: count)
    case .idle, .failed: throw MixGRPOError(.invalidState, "submit: expected a request from next() before it, got none")
    }
  }

  /// Answers `optimizerStep`, when it is done.
  /// - Parameters:
  ///   - gradientNorm: of all gradients, before a clip.
  ///   - learningRate: of the step.
  /// - Throws: `invalidState` without such a request.
  public func submitStep(gradientNorm: Double, learningRate: Double) throws(MixGRPOError) {
    guard case .updating(let work) = stage else {
      throw MixGRPOError(.invalidState, "submit_step: expected an optimizer step from next() before it, got none")
    }
    try work.guarded.submitStep(gradientNorm: gradientNorm, learningRate: learningRate)
  }

  /// Tells that an action could not be done, or that `next` or `submit` threw, and no other answer follows.
  ///
  /// A rollout or samples are given up; what was there before them stays. An update goes by the configuration's fault policy
  /// when `error` is `notFinite` or `diverged`; otherwise it is undone (`Undo.memory`), or stops where it is (`Undo.none`). The
  /// actions for that come from `next`, then `finished`, or the error once more.
  /// - Returns: whether there was something that could fail; false when the error is the end of it.
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
  /// Whether the request at hand is answered with ∂L/∂v.
  package var givesGradient: Bool { if case .updating(let work) = stage { work.guarded.givesGradient } else { false } }

  /// Rows answered so far of what is under way, and in all if no sample is left out; nil when nothing is.
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

/// What takes a trainer's time.
package enum TrainerWork { case rollout, update, sample }
