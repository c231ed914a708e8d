import Dispatch
import MixBasics
import MixLearning
import MixSampling

/// MixGRPO without a model (Mix §3): samples groups, takes rewards, updates. A state machine that asks the model owner for
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
///           if !trainer.fail(error) { throw error }           // rolled back
///         }
///       }
///     }
///
/// `Trainer` is this trainer with the built-in model. Not thread-safe, except for `inbox`.
public final class ModelFreeTrainer {
  /// The value passed to `init`.
  public let sampling: SamplingConfiguration
  /// The value passed to `init`.
  public let learning: LearningConfiguration
  /// (K), the name of each reward.
  public let rewardNames: [String]
  /// The sizes of the model.
  public let model: HostModel
  /// The iteration that the next rollout belongs to.
  public package(set) var iteration = 0
  /// The metrics of the latest iteration.
  public internal(set) var metrics: IterationMetrics?
  /// The window of the next rollouts, set by the host; nil for the scheduled window. Required with `WindowMode.given`.
  public var window: SDEWindow?
  /// The state of an adaptive window; nil in other modes.
  public package(set) var adaptiveWindow: AdaptiveWindowState?
  /// Learning rate factor left by roll-backs; 1 without any.
  public package(set) var rateFactor = 1.0
  /// The place of this process among those that train the model together; set by `setRank`.
  public private(set) var rank = Rank.alone
  /// Whether ranks exchange what they need by a `Collective`. Gradients are then summed prompt by prompt, and an update ends with
  /// the figures of all ranks, also of one.
  private(set) var isCollective = false
  /// Receives the rewards of ticketed rollouts.
  public let inbox: RewardInbox

  /// Threads and cancellation.
  var context: RunContext
  let velocityGuard: VelocityGuard?
  let stepsAreAtomic: Bool
  var stage = TrainerStage.idle
  /// The rollout without a ticket that waits for rewards.
  private(set) var rollout: Rollout?
  private(set) var secondsRollout = 0.0
  /// Maximum number of rows in one request of the update.
  private(set) var updateBatch = 0
  /// An update that stopped between two optimizer steps, which are kept (`Undo.none`).
  var stopped: StoppedUpdate?
  /// The rollouts of the iteration that have a ticket, in order.
  private(set) var ticketed: [TicketedRollout] = []
  /// The latest samples, with their ticket if they have one.
  private var drawn: (rollout: Rollout, ticket: RolloutTicket?)?

  /// Creates a trainer for a host's own model and optimizer.
  /// - Parameters:
  ///   - model: the sizes of the model.
  ///   - sampling: how groups are sampled.
  ///   - learning: how the model learns. The settings of the optimizer and of averaged weights must have their defaults,
  ///     because the host has its own. The host applies the gradient norm limit.
  ///   - rewardNames: one distinct name per reward, at least one.
  ///   - context: threads and cancellation.
  /// - Throws: `invalidArgument` naming every invalid field, `outOfMemory`.
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

  /// Makes this trainer one of several that train one model together, each in its process. Each samples and evaluates its share
  /// of an iteration's prompts. Prompts and rewards are given for all ranks; then every rank has the same advantages, metrics and
  /// window. An update ends with `TrainerAction.combineFigures`.
  /// - Throws: `invalidState` while samples wait for an update, or work is in progress.
  public func setRank(_ rank: Rank) throws(MixGRPOError) { try setRank(rank, isCollective: false) }

  func setRank(_ rank: Rank, isCollective: Bool) throws(MixGRPOError) {
    guard case .idle = stage, rollout == nil, ticketed.isEmpty else {
      throw MixGRPOError(.invalidState, "rank: expected no rollout or update before it is set, got one")
    }
    (self.rank, self.isCollective) = (rank, isCollective)
  }

  /// The window set by the host, or the adaptive window; nil for the scheduled one.
  func currentWindow() throws(MixGRPOError) -> SDEWindow? {
    guard window == nil, let adaptiveWindow else { return window }
    return SDEWindow(start: adaptiveWindow.start, length: try sampling.windowSchedule().length)
  }
}

// MARK: - Rollout

extension ModelFreeTrainer {
  /// Starts sampling a group for each prompt. `next` then asks for velocities until the rollout is finished. Unfinished
  /// sampling is abandoned. A finished rollout without an update is replaced when this one is finished.
  /// - Parameters:
  ///   - chosen: distinct prompt indices.
  ///   - withTicket: whether this is one of several rollouts of the iteration, with a ticket for its rewards.
  /// - Throws: `invalidArgument`; `invalidState` while an update is not finished, without a ticket when the iteration has
  ///   tickets, or with a ticket after an update that stopped with `Undo.none`; `outOfMemory`.
  public func beginRollout(prompts chosen: [Int32], withTicket: Bool = false) throws(MixGRPOError) {
    let plan = try plan(forRollout: chosen, withTicket: withTicket)
    try begin(plan, chosen, withTicket: withTicket, updateBatch: model.maxBatch)
  }

  /// Checks that a rollout may start, and returns its plan.
  func plan(forRollout chosen: [Int32], withTicket: Bool) throws(MixGRPOError) -> SamplingPlan {
    try requireNoUpdate("rollout")
    if withTicket { try requireFreeForTicket(chosen) } else { try requireNoTickets("rollout") }
    try requireKnown(chosen)
    let plan = try SamplingPlan(sampling, iteration: iteration, window: currentWindow())
    if let first = ticketed.first?.trajectory.plan {
      // All rollouts of an iteration must train the same steps.
      try require(first == plan, "window", expected: "\(first.window), as in the iteration's first ticket", got: plan.window)
    }
    return plan
  }

  /// - Parameter updateBatch: maximum number of rows in one request of the following update; 0 for no limit.
  func begin(
    _ plan: SamplingPlan, _ chosen: [Int32], withTicket: Bool, updateBatch: Int
  ) throws(MixGRPOError) {
    let started = DispatchTime.now()
    (stage, drawn) = (.idle, nil)
    let rollout = try Rollout(
      plan: plan, prompts: chosen, latentSize: model.latentSize, maxBatch: model.maxBatch, rank: rank,
      context: context)
    stage = .drawing(rollout, ticketFor: withTicket ? chosen : nil, updateBatch: updateBatch, started)
  }

  func finishRollout(
    _ rollout: Rollout, ticketFor chosen: [Int32]?, updateBatch: Int, _ started: DispatchTime
  ) throws(MixGRPOError) {
    let trajectory = try rollout.trajectory()
    dropRollout()
    self.updateBatch = updateBatch
    if let chosen {
      ticketed.append(
        TicketedRollout(
          prompts: chosen, trajectory: trajectory, modelCalls: rollout.modelCalls, seconds: seconds(since: started)))
      let own = rollout.prompts * sampling.groupSize
      drawn = (rollout, inbox.open(samples: isCollective ? own : rollout.samplesOfAllRanks))
    } else {
      (self.rollout, secondsRollout) = (rollout, seconds(since: started))
      drawn = (rollout, nil)
    }
  }

  /// The latest samples, of a rollout or deterministic: values at σ = 0, (prompts · group size, D), and the ticket for their
  /// rewards if they have one. The view is valid until another call begins or the update is finished.
  /// - Throws: `invalidState` when there are no samples.
  public func samples() throws(MixGRPOError) -> (values: UnsafeBufferPointer<Float>, ticket: RolloutTicket?) {
    guard let drawn = drawn ?? rollout.map({ ($0, nil) }) else {
      throw MixGRPOError(.invalidState, "samples: expected a finished rollout, got none")
    }
    return (try drawn.rollout.samples(), drawn.ticket)
  }

  /// Returns the latest samples and releases them unless the iteration needs them.
  func takeDrawn() throws(MixGRPOError) -> (rollout: Rollout, ticket: RolloutTicket?) {
    guard let taken = drawn else { throw MixGRPOError(.internalFault, "rollout: expected a finished one, got none") }
    drawn = nil
    return taken
  }

  func dropRollout() { (rollout, stopped, drawn) = (nil, nil, nil) }

  /// Discards rollouts, tickets and metrics, for a restored run.
  func dropIteration() {
    stage = .idle
    dropRollout()
    dropTickets()
    metrics = nil
  }

  /// Discards the iteration's tickets; their rewards are no longer accepted. An unfinished update from them continues.
  public func dropTickets() {
    if !ticketed.isEmpty { dropRollout() }
    ticketed = []
    inbox.close()
  }
}

// MARK: - Deterministic samples

extension ModelFreeTrainer {
  /// Starts deterministic sampling (`SamplingPlan.deterministic`). `next` then asks for velocities until the samples are
  /// finished. A pending rollout is kept.
  /// - Parameters:
  ///   - plan: made by `SamplingPlan.deterministic`.
  ///   - weights: the weights to evaluate with; the last steps of a plan that mixes two models use the base.
  ///   - chosen: prompt indices; repetitions allowed.
  ///   - initialNoise: (chosen · samples per prompt, D), used instead of drawn noise; copied.
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
      plan: plan, prompts: chosen, latentSize: model.latentSize,
      initialNoise: initialNoise.map { share(ofNoise: $0, prompts: chosen.count) }, maxBatch: model.maxBatch, rank: rank,
      context: context)
    stage = .sampling(rollout, weights)
  }

  /// The noise of this rank's prompts.
  private func share(ofNoise all: UnsafeBufferPointer<Float>, prompts: Int) -> UnsafeBufferPointer<Float> {
    guard rank.count > 1, prompts > 0, all.count % prompts == 0 else { return all }
    let (share, size) = (rank.share(ofPrompts: prompts), all.count / prompts)
    return UnsafeBufferPointer(rebasing: all[share.lowerBound * size..<share.upperBound * size])
  }

  func finishSamples(_ rollout: Rollout) { drawn = (rollout, nil) }
}

// MARK: - Preconditions

extension ModelFreeTrainer {
  func requireNoUpdate(_ call: String) throws(MixGRPOError) {
    if case .updating = stage {
      throw MixGRPOError(.invalidState, "\(call): expected the current update to be finished or failed first, got neither")
    }
  }

  func requireNoTickets(_ call: String) throws(MixGRPOError) {
    guard ticketed.isEmpty else {
      throw MixGRPOError(
        .invalidState, "\(call): expected no tickets, got \(inbox.tickets); update from them or drop them first")
    }
  }

  private func requireFreeForTicket(_ chosen: [Int32]) throws(MixGRPOError) {
    let taken = ticketed.flatMap(\.prompts).filter(chosen.contains)
    try require(
      taken.isEmpty, "prompt_indices", expected: "prompts without a ticket in this iteration", got: taken)
    guard stopped == nil || ticketed.isEmpty else {
      throw MixGRPOError(
        .invalidState, "rollout: expected the stopped update to be finished or its tickets to be dropped, got neither")
    }
  }

  private func requireKnown(_ chosen: [Int32]) throws(MixGRPOError) {
    try require(
      chosen.allSatisfy { $0 >= 0 && Int($0) < model.prompts }, "prompt_indices", expected: "0…\(model.prompts - 1)",
      got: chosen)
  }
}
