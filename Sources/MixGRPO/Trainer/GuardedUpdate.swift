import MixBasics
import MixLearning
import MixSampling

/// The fault handling of one update.
struct UpdateSafety {
  /// The state left by a cancelled or failed update.
  var undo = Undo.memory
  /// The reaction to faults; outside a trainer an update stops.
  var policy = FaultPolicy.stop
  var velocityGuard: VelocityGuard?
  /// Learning rate factor left by earlier roll-backs.
  var rateFactor = 1.0
  /// Whether an optimizer step either succeeds or changes nothing. Otherwise the last step needs a copy to restore.
  var stepsAreAtomic = true
  /// Whether the update ends with the figures of all ranks.
  var hasRanks = false
}

/// What the optimizer steps of an update report, over all its runs.
struct StepTally {
  var steps = 0
  var skippedSteps = 0
  /// The sum of the gradient norms.
  var norms = 0.0
  /// Learning rate of the last step.
  var learningRate = 0.0
}

/// An update that either succeeds, is rolled back as a whole, or stops between two optimizer steps. A state machine without a
/// model.
final class GuardedUpdate: UpdateMachine {
  private enum Phase {
    case running
    /// The owner must still be asked to keep the state.
    case aboutToKeep(minibatch: Int)
    case keeping(minibatch: Int)
    case stepping(minibatch: Int)
    /// In a box, so that the phase itself is small.
    indirect case measuring(VelocityRequest)
    /// The velocity's change is within the limit.
    case measured
    /// The owner is asked for the figures of all ranks.
    case combining
    /// A minibatch was skipped; its gradients must be zeroed.
    case skipping
    /// The remaining actions are in `cleanup`; then the update ends with this error.
    case ending(MixGRPOError?)
    case over(MixGRPOError?)
  }

  let update: Update
  private let safety: UpdateSafety
  private var phase = Phase.running
  private var cleanup: [TrainerAction] = []  // in reverse
  private var isStateKept = false
  private var isUndone = false
  private(set) var tally: StepTally

  /// - Parameter tally: of the earlier runs of an update that stopped between two optimizer steps.
  init(_ update: Update, _ safety: UpdateSafety, continuing tally: StepTally = StepTally()) {
    (self.update, self.safety, self.tally) = (update, safety, tally)
    safety.velocityGuard?.begin()
  }

  /// The result of the optimizer steps so far.
  /// - Parameter optimizerSteps: steps since the optimizer was created.
  func report(optimizerSteps: Int) -> UpdateReport {
    UpdateReport(
      optimizerSteps: optimizerSteps, gradientNorm: tally.norms / Double(tally.steps),
      learningRate: tally.learningRate, skippedSteps: tally.skippedSteps, isRolledBack: isUndone,
      velocityChange: safety.velocityGuard?.change ?? .nan)
  }

  var running: Update? { update }

  // MARK: - Actions

  func nextAction() throws(MixGRPOError) -> TrainerAction {
    switch phase {
    case .running: return advance()
    case .aboutToKeep(let minibatch): return keepState(minibatch)
    case .keeping(let minibatch):
      isStateKept = true
      phase = .stepping(minibatch: minibatch)
      return step(minibatch)
    case .stepping(let minibatch): return step(minibatch)
    case .measuring(let request): return .measure(request)
    case .measured: return conclude()
    case .combining: return .combineFigures
    case .skipping:
      phase = .running
      return .zeroGradients
    case .ending(let error):
      if let action = cleanup.popLast() { return action }
      guard let error else { return conclude() }
      phase = .over(error)
      throw error
    case .over(let error): return try outcome(error)
    }
  }

  private func advance() -> TrainerAction {
    switch update.next() {
    case .evaluate(let request): return .differentiate(request)
    case .optimizerStep(let minibatch):
      guard isStateKept || !mayBeUndone else {
        return keepState(minibatch)
      }
      phase = .stepping(minibatch: minibatch)
      return step(minibatch)
    case .finished:
      guard safety.velocityGuard != nil, tally.steps > 0, let request = update.firstRow() else { return conclude() }
      phase = .measuring(request)
      return .measure(request)
    }
  }

  /// All is done, but with several ranks every one must have come this far.
  private func conclude() -> TrainerAction {
    phase = safety.hasRanks ? .combining : .over(nil)
    return safety.hasRanks ? .combineFigures : .finished
  }

  private func keepState(_ minibatch: Int) -> TrainerAction {
    phase = .keeping(minibatch: minibatch)
    return .keepState
  }

  /// Reports that the owner did not get the last action: `nextAction` returns it again.
  func withhold() {
    if case .keeping(let minibatch) = phase { phase = .aboutToKeep(minibatch: minibatch) }
  }

  private func step(_ minibatch: Int) -> TrainerAction {
    .optimizerStep(minibatch: minibatch, rateFactor: safety.rateFactor)
  }

  /// Whether a later failure could require undoing the current step.
  private var mayBeUndone: Bool {
    safety.undo == .memory
      && (!update.isInLastMinibatch || safety.velocityGuard != nil || safety.hasRanks || !safety.stepsAreAtomic)
  }

  private func outcome(_ error: MixGRPOError?) throws(MixGRPOError) -> TrainerAction {
    if let error { throw error }
    return .finished
  }

  // MARK: - Answers

  /// Whether submitting the current request returns dVelocity.
  var givesGradient: Bool { if case .running = phase { true } else { false } }

  func submit(
    velocity: UnsafePointer<Float>, reference: UnsafePointer<Float>?, count: Int
  ) throws(MixGRPOError) -> UnsafePointer<Float>? {
    switch phase {
    case .running:
      let isFirst = update.metrics.evaluations == 0 && tally.skippedSteps == 0 && count >= update.latentSize
      if isFirst { safety.velocityGuard?.keep(velocity) }
      return try update.submit(velocity: velocity, reference: reference, count: count)
    case .measuring(let request):
      try require(count == request.velocityCount, "count", expected: "\(request.velocityCount)", got: count)
      try safety.velocityGuard?.check(velocity)
      phase = .measured
      return nil
    default: throw MixGRPOError(.invalidState, "submit: expected a request from next() first, got none")
    }
  }

  func submitStep(gradientNorm: Double, learningRate: Double) throws(MixGRPOError) {
    guard case .stepping = phase else {
      throw MixGRPOError(.invalidState, "submit_step: expected an optimizer step from next() first, got none")
    }
    tally.steps += 1
    tally.norms += gradientNorm
    tally.learningRate = learningRate
    update.finishStep()
    phase = .running
  }

  var isCombining: Bool { if case .combining = phase { true } else { false } }

  /// Reports that the figures of all ranks have arrived.
  func finishCombining() { phase = .over(nil) }

  // MARK: - Failure

  func fail(_ error: MixGRPOError) -> Bool {
    switch phase {
    case .over: return false
    case .ending(nil): endUndone(error)
    case .ending: break
    case .combining where isUndone: endUndone(error)
    default: if !skipStep(error) { end(error) }
    }
    return true
  }

  /// Undoing failed, here or on another rank: the update ends with this error.
  private func endUndone(_ error: MixGRPOError) {
    isUndone = false
    update.restart()
    phase = .ending(error)
  }

  private func skipStep(_ error: MixGRPOError) -> Bool {
    guard isTraining, !update.isFinished, error.code == .notFinite, safety.policy == .skip else { return false }
    tally.skippedSteps += 1
    update.abandonMinibatch()
    phase = .skipping
    return true
  }

  private var isTraining: Bool {
    switch phase {
    case .measuring, .measured, .combining: false
    default: true
    }
  }

  private func end(_ error: MixGRPOError) {
    if isStateKept { cleanup.append(.restoreState) }
    cleanup.append(.zeroGradients)
    guard safety.undo == .memory else {
      phase = .ending(stoppedAfterSteps(error))
      return
    }
    guard error.isFault, safety.policy != .stop else {
      update.restart()
      phase = .ending(error)
      return
    }
    isUndone = true
    update.abandonMinibatch()
    phase = .ending(nil)
  }

  /// Keeps the completed optimizer steps and says so in the error.
  private func stoppedAfterSteps(_ error: MixGRPOError) -> MixGRPOError {
    update.restartMinibatch()
    guard update.metrics.optimizerSteps > 0 else { return error }
    return MixGRPOError(
      error.code,
      "\(error.message); \(update.metrics.optimizerSteps) of \(update.minibatchCount) optimizer steps are done and stay")
  }
}

extension MixGRPOError {
  /// Whether a `FaultPolicy` applies.
  var isFault: Bool { code == .notFinite || code == .diverged }
}
