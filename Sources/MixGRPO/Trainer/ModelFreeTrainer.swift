import Dispatch
import MixBasics
import MixLearning
import MixSampling

/// MixGRPO without a model: sample groups, take rewards, update (Mix §3), as a state machine that asks the owner of a model for
/// velocities, gradients and optimizer steps.
///
///     let trainer = try ModelFreeTrainer(model: HostModel(prompts: 8, latentSize: 768), sampling: …, learning: …, …)
///     try trainer.beginRollout(prompts: [0, 1, 2, 3])
///     try answer(trainer)                                     // the loop below
///     try trainer.beginUpdate(rewards: [score(trainer.samples())])
///     try answer(trainer)
///     print(trainer.metrics)
///
///     func answer(_ trainer: ModelFreeTrainer) throws {
///       while true {
///         do {
///           switch try trainer.next() { case .finished: return; case .evaluate(let request, …): … }
///         } catch {
///           if !trainer.fail(error) { throw error }           // over, and undone
///         }
///       }
///     }
///
/// `Trainer` is this with the built-in model. Not for use from two threads at once; `inbox` is.
public final class ModelFreeTrainer {
  /// As given to `init`.
  public let sampling: SamplingConfiguration
  /// As given to `init`.
  public let learning: LearningConfiguration
  /// (K)
  public let rewardNames: [String]
  /// What is known of the model.
  public let model: HostModel
  /// The iteration that the next rollout belongs to.
  public package(set) var iteration = 0
  /// The latest iteration's figures.
  public private(set) var metrics: IterationMetrics?
  /// The host's own window for the rollouts to come, in place of the scheduled one; required with `WindowMode.given`.
  public var window: SDEWindow?
  /// Where an adaptive window stands; nil in the other modes.
  public package(set) var adaptiveWindow: AdaptiveWindowState?
  /// What roll-backs have left of the learning rate, 1 without any.
  public package(set) var rateFactor = 1.0
  /// Where rewards of ticketed rollouts arrive.
  public let inbox: RewardInbox

  /// In whose threads and until whose cancel it works.
  var context: RunContext
  private let velocityGuard: VelocityGuard?
  private let stepsAreAtomic: Bool
  var stage = TrainerStage.idle
  /// The rollout without a ticket that waits for its rewards.
  private(set) var rollout: Rollout?
  private var secondsRollout = 0.0
  /// Most rows in one request of the update.
  private var updateBatch = 0
  /// An update that was stopped between two optimizer steps, which stay (`Undo.none`).
  private(set) var stopped: (update: Update, advantages: Advantages)?
  /// The iteration's rollouts that have a ticket, in their order.
  private(set) var ticketed: [TicketedRollout] = []
  /// What was drawn last, with its ticket if it has one.
  private var drawn: (rollout: Rollout, ticket: RolloutTicket?)?

  /// A trainer for a model of the host's own, which has its own optimizer.
  /// - Parameters:
  ///   - model: what is to be known of it.
  ///   - sampling: how groups are drawn.
  ///   - learning: how the model learns. Its optimizer and averaged weights are the host's own and must be left at their
  ///     defaults; the limit of the gradient's norm is for the host to obey.
  ///   - rewardNames: one distinct name per reward, at least one.
  ///   - context: in whose threads and until whose cancel it works.
  /// - Throws: `invalidArgument` naming every field that does not fit, `outOfMemory`.
  public convenience init(
    model: HostModel, sampling: SamplingConfiguration, learning: LearningConfiguration, rewardNames: [String],
    context: RunContext
  ) throws(MixGRPOError) {
    var check = Validation()
    check.include(model.validate)
    check.include(learning.requireOwnOptimizer)
    check.include { () throws(MixGRPOError) in try Self.validate(sampling, learning, rewardNames) }
    try check.throwIfAny()
    try self.init(
      model: model, sampling: sampling, learning: learning, rewardNames: rewardNames, stepsAreAtomic: false,
      checked: context)
  }

  init(
    model: HostModel, sampling: SamplingConfiguration, learning: LearningConfiguration, rewardNames: [String],
    stepsAreAtomic: Bool, checked context: RunContext
  ) throws(MixGRPOError) {
    (self.model, self.sampling, self.learning) = (model, sampling, learning)
    (self.rewardNames, self.stepsAreAtomic, self.context) = (rewardNames, stepsAreAtomic, context)
    if case .adaptive = sampling.windowMode { adaptiveWindow = AdaptiveWindowState() }
    inbox = RewardInbox(rewardCount: rewardNames.count)
    let limit = learning.safety.maxVelocityChange
    velocityGuard = limit > 0 ? try VelocityGuard(latentSize: model.latentSize, limit: limit) : nil
  }

  static func validate(
    _ sampling: SamplingConfiguration, _ learning: LearningConfiguration, _ names: [String]
  ) throws(MixGRPOError) {
    var check = Validation()
    check.include(sampling.validate)
    check.include { () throws(MixGRPOError) in
      try learning.validate(rewards: names.count, groupSize: sampling.groupSize)
    }
    check.require(
      (1...1_024).contains(names.count) && Set(names).count == names.count && !names.contains(""), "reward_names",
      expected: "1…1024 distinct names that are not empty", got: names)
    try check.throwIfAny()
  }

  /// The host's or the adaptive window; nil for the scheduled one.
  func currentWindow() throws(MixGRPOError) -> SDEWindow? {
    guard window == nil, let adaptiveWindow else { return window }
    return SDEWindow(start: adaptiveWindow.start, length: try sampling.windowSchedule().length)
  }
}

// MARK: - Rollout

extension ModelFreeTrainer {
  /// Begins to sample a group for each prompt; `next` then asks for velocities until it is finished. What else was being drawn
  /// is given up. A rollout that no update follows is replaced by the next when that is finished.
  /// - Parameters:
  ///   - chosen: different prompts of the host's.
  ///   - withTicket: as a part of the iteration, with a ticket for its rewards.
  /// - Throws: `invalidArgument`; `invalidState` while an update is not finished, for a rollout without a ticket when the
  ///   iteration has some, and for one with a ticket after an update that was stopped with `Undo.none`; `outOfMemory`.
  public func beginRollout(prompts chosen: [Int32], withTicket: Bool = false) throws(MixGRPOError) {
    let plan = try plan(forRollout: chosen, withTicket: withTicket)
    try begin(plan, chosen, withTicket: withTicket, updateBatch: model.maxBatch)
  }

  /// The plan of a rollout that may begin now.
  func plan(forRollout chosen: [Int32], withTicket: Bool) throws(MixGRPOError) -> SamplingPlan {
    try requireNoUpdate("rollout")
    if withTicket { try requireFreeForTicket(chosen) } else { try requireNoTickets("rollout") }
    try requireKnown(chosen)
    let plan = try SamplingPlan(sampling, iteration: iteration, window: currentWindow())
    if let first = ticketed.first?.trajectory.plan {
      // A window that moved between the parts of an iteration would train different steps.
      try require(first == plan, "window", expected: "\(first.window), as in the iteration's first ticket", got: plan.window)
    }
    return plan
  }

  /// - Parameter updateBatch: most rows in one request of the update that follows; 0 for no limit.
  func begin(
    _ plan: SamplingPlan, _ chosen: [Int32], withTicket: Bool, updateBatch: Int
  ) throws(MixGRPOError) {
    let started = DispatchTime.now()
    (stage, drawn) = (.idle, nil)
    let rollout = try Rollout(
      plan: plan, prompts: chosen, latentSize: model.latentSize, maxBatch: model.maxBatch, context: context)
    stage = .drawing(rollout, withTicket: withTicket, updateBatch: updateBatch, started)
  }

  func finishRollout(_ rollout: Rollout, withTicket: Bool, updateBatch: Int, _ started: DispatchTime) throws(MixGRPOError) {
    let trajectory = try rollout.trajectory()
    dropRollout()
    self.updateBatch = updateBatch
    if withTicket {
      ticketed.append(
        TicketedRollout(trajectory: trajectory, modelCalls: rollout.modelCalls, seconds: seconds(since: started)))
      drawn = (rollout, inbox.open(samples: rollout.prompts * sampling.groupSize))
    } else {
      (self.rollout, secondsRollout) = (rollout, seconds(since: started))
      drawn = (rollout, nil)
    }
  }

  /// What was drawn last: a rollout's samples, or deterministic ones, at σ = 0, (prompts · group size, D), and the ticket for
  /// their rewards if they have one. The view holds until something else is begun, or the update has finished.
  /// - Throws: `invalidState` when nothing is there.
  public func samples() throws(MixGRPOError) -> (values: UnsafeBufferPointer<Float>, ticket: RolloutTicket?) {
    guard let drawn = drawn ?? rollout.map({ ($0, nil) }) else {
      throw MixGRPOError(.invalidState, "samples: expected a finished rollout before, got none")
    }
    return (try drawn.rollout.samples(), drawn.ticket)
  }

  /// What was drawn last, which is then kept no longer than the iteration needs it.
  func takeDrawn() throws(MixGRPOError) -> (rollout: Rollout, ticket: RolloutTicket?) {
    guard let taken = drawn else { throw MixGRPOError(.internalFault, "rollout: expected a finished one, got none") }
    drawn = nil
    return taken
  }

  func dropRollout() { (rollout, stopped, drawn) = (nil, nil, nil) }

  /// A restored run begins without a rollout and without figures.
  func dropIteration() {
    stage = .idle
    dropRollout()
    dropTickets()
    metrics = nil
  }

  /// Forgets the iteration's tickets; no rewards are taken for them any more. An update from them that is not finished goes
  /// on.
  public func dropTickets() {
    if !ticketed.isEmpty { dropRollout() }
    ticketed = []
    inbox.close()
  }
}

// MARK: - Deterministic samples

extension ModelFreeTrainer {
  /// Begins to draw deterministic samples (`SamplingPlan.deterministic`); `next` then asks for velocities until they are
  /// finished. A pending rollout stays.
  /// - Parameters:
  ///   - plan: one of `SamplingPlan.deterministic`.
  ///   - weights: which ones are asked for; the last steps of a plan that mixes two models ask for the base.
  ///   - chosen: prompts of the host's; repetitions allowed.
  ///   - initialNoise: (chosen · samples per prompt, D) in place of drawn noise; copied.
  /// - Throws: `invalidArgument`; `invalidState` while an update is not finished; `outOfMemory`.
  public func beginSample(
    _ plan: SamplingPlan, weights: TrainerWeights = .trained, chosen: [Int32],
    initialNoise: UnsafeBufferPointer<Float>? = nil
  ) throws(MixGRPOError) {
    try requireNoUpdate("sample")
    try requireKnown(chosen)
    try require(plan.window.isEmpty, "plan", expected: "deterministic sampling", got: "a window \(plan.window)")
    (stage, drawn) = (.idle, nil)
    let rollout = try Rollout(
      plan: plan, prompts: chosen, latentSize: model.latentSize, initialNoise: initialNoise, maxBatch: model.maxBatch,
      context: context)
    stage = .sampling(rollout, weights)
  }

  func finishSamples(_ rollout: Rollout) { drawn = (rollout, nil) }
}

// MARK: - Update

extension ModelFreeTrainer {
  /// Begins to train on the latest rollout; `next` then gives its actions until it is finished and the trainer at the next
  /// iteration. Gradients must be zero.
  /// - Parameters:
  ///   - rewards: (K, prompts · group size), NaN for a reward that failed.
  ///   - weights: (K); nil: those of the configuration.
  /// - Throws: `invalidState` without a rollout or while another update is not finished; `invalidArgument`; `outOfMemory`.
  public func beginUpdate(rewards: [[Double]], weights: [Double]? = nil) throws(MixGRPOError) {
    try begin(updateOn: pendingGroups(), rewards, weights)
  }

  /// Begins to train on the iteration's tickets, which the end of the update closes.
  /// - Parameters:
  ///   - missing: what to do about tickets without rewards.
  ///   - weights: (K); nil: those of the configuration.
  /// - Throws: `invalidState` without a ticket, naming those without rewards, or while another update is not finished.
  public func beginUpdateFromTickets(
    missing: MissingRewards = .refuse, weights: [Double]? = nil
  ) throws(MixGRPOError) {
    guard !ticketed.isEmpty else {
      throw MixGRPOError(.invalidState, "update: expected a rollout with a ticket before it, got none")
    }
    let rewards = try inbox.collect(missing)
    let parts = ticketed.map(\.trajectory)
    let sampled = SampledGroups(
      trajectory: parts.count == 1 ? parts[0] : try Trajectory(joining: parts),
      modelCalls: ticketed.reduce(0) { $0 + $1.modelCalls }, seconds: ticketed.reduce(0) { $0 + $1.seconds })
    try begin(updateOn: sampled, rewards, weights)
  }

  /// Samples of the rollout that waits for its rewards, P·G.
  /// - Throws: `invalidState` without one, or when the iteration has tickets.
  package func pendingSamples() throws(MixGRPOError) -> Int { try pendingGroups().trajectory.samples }

  private func pendingGroups() throws(MixGRPOError) -> SampledGroups {
    try requireNoTickets("update")
    guard let rollout else {
      throw MixGRPOError(.invalidState, "update: expected a rollout before it, got none")
    }
    return SampledGroups(trajectory: try rollout.trajectory(), modelCalls: rollout.modelCalls, seconds: secondsRollout)
  }

  private func begin(
    updateOn sampled: SampledGroups, _ rewards: [[Double]], _ weights: [Double]?
  ) throws(MixGRPOError) {
    let started = DispatchTime.now()
    try requireNoUpdate("update")
    let advantages = try advantages(rewards, weights, samples: sampled.trajectory.samples)
    let update = try self.update(sampled.trajectory, advantages)
    let safety = UpdateSafety(
      undo: learning.undo, policy: learning.safety.faultPolicy, velocityGuard: velocityGuard, rateFactor: rateFactor,
      stepsAreAtomic: stepsAreAtomic)
    stage = .updating(
      IterationInProgress(
        guarded: GuardedUpdate(update, safety), sampled: sampled, advantages: advantages, weights: weights, started: started))
  }

  private func advantages(
    _ rewards: [[Double]], _ weights: [Double]?, samples: Int
  ) throws(MixGRPOError) -> Advantages {
    try require(
      rewards.count == rewardNames.count, "rewards", expected: "\(rewardNames.count) rewards", got: rewards.count)
    var configuration = learning.advantages
    if let weights { configuration.weights = weights }
    try require(
      rewards.allSatisfy { $0.count == samples }, "rewards", expected: "\(samples) values for each reward",
      got: rewards.map(\.count))
    return try Advantages(rewards: rewards, groupSize: sampling.groupSize, configuration: configuration)
  }

  /// A new update, or the one that was stopped.
  private func update(_ trajectory: Trajectory, _ advantages: Advantages) throws(MixGRPOError) -> Update {
    if let stopped {
      try require(
        stopped.advantages.values == advantages.values && stopped.advantages.isIncluded == advantages.isIncluded, "rewards",
        expected: "those of the update that was stopped, or a new rollout", got: "others")
      return stopped.update
    }
    return try Update(
      trajectory: trajectory, advantages: advantages, configuration: learning.policy, maxBatch: updateBatch,
      context: context)
  }

  func finish(_ work: IterationInProgress) throws(MixGRPOError) {
    let made = work.metrics(iteration: iteration, rewardNames: rewardNames, learning: learning)
    let nextWindow = try adaptiveWindow(after: work, made)
    if made.isRolledBack, learning.safety.faultPolicy == .rollBack { rateFactor *= learning.safety.rollBackRateFactor }
    (adaptiveWindow, metrics) = (nextWindow, made)
    dropRollout()
    dropTickets()
    iteration += 1
  }

  /// With `Undo.none` what is done stays, and the update goes on from there when it is begun again.
  func endFailed(_ work: IterationInProgress) {
    if work.guarded.update.metrics.optimizerSteps > 0 { stopped = (work.guarded.update, work.advantages) }
  }

  /// Forgets an update that has begun and has not been answered.
  func giveUpUpdate() { stage = .idle }

  /// An iteration that trained elsewhere, or in which no group told its samples apart, says nothing about the adaptive window.
  private func adaptiveWindow(
    after work: IterationInProgress, _ made: IterationMetrics
  ) throws(MixGRPOError) -> AdaptiveWindowState? {
    let (trajectory, advantages) = (work.sampled.trajectory, work.advantages)
    let idleGroups = advantages.degenerateGroups.count + advantages.droppedGroups.count
    guard let state = adaptiveWindow, trajectory.plan.window.lowerBound == state.start, idleGroups < trajectory.prompts
    else { return adaptiveWindow }
    return try sampling.windowSchedule().advance(
      state, rewardMean: made.rewardMean, rewardDeviation: made.rewardStandardDeviation)
  }
}

// MARK: - What must hold

extension ModelFreeTrainer {
  func requireNoUpdate(_ call: String) throws(MixGRPOError) {
    if case .updating = stage {
      throw MixGRPOError(.invalidState, "\(call): expected the update at hand to be finished or to fail first, got neither")
    }
  }

  func requireNoTickets(_ call: String) throws(MixGRPOError) {
    guard ticketed.isEmpty else {
      throw MixGRPOError(
        .invalidState, "\(call): expected no tickets, got \(inbox.tickets); update from them or drop them first")
    }
  }

  private func requireFreeForTicket(_ chosen: [Int32]) throws(MixGRPOError) {
    let taken = ticketed.flatMap(\.trajectory.promptNumbers).filter(chosen.contains)
    try require(
      taken.isEmpty, "prompt_indices", expected: "prompts without a ticket in this iteration", got: taken)
    guard stopped == nil || ticketed.isEmpty else {
      throw MixGRPOError(
        .invalidState, "rollout: expected the update that was stopped to be finished, or its tickets dropped, got neither")
    }
  }

  private func requireKnown(_ chosen: [Int32]) throws(MixGRPOError) {
    try require(
      chosen.allSatisfy { $0 >= 0 && Int($0) < model.prompts }, "prompt_indices", expected: "0…\(model.prompts - 1)",
      got: chosen)
  }
}
