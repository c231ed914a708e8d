import Dispatch
import MixBasics
import MixFlowModel
import MixLearning
import MixSampling
import MixStorage

/// MixGRPO with the built-in model: sample groups, take the host's rewards, update (Mix §3).
///
///     let trainer = try Trainer(evaluator: evaluator, prompts: prompts, sampling: sampling, learning: learning, …)
///     for _ in 0..<100 {
///       let samples = try trainer.rollout(prompts: [0, 1, 2, 3])
///       let metrics = try trainer.update(rewards: [score(samples)])
///     }
///
/// Not for use from two threads at once.
public final class Trainer {
  /// Runs the model that is trained.
  public let evaluator: FlowEvaluator
  /// Embeddings of every prompt that a rollout may name.
  public let prompts: PromptEmbeddings
  /// As given to `init`.
  public let sampling: SamplingConfiguration
  /// As given to `init`.
  public let learning: LearningConfiguration
  /// (K)
  public let rewardNames: [String]
  /// The iteration that the next rollout belongs to.
  public package(set) var iteration = 0
  /// The latest iteration's figures.
  public private(set) var metrics: IterationMetrics?
  /// The host's own window for the rollouts to come, in place of the scheduled one; required with `WindowMode.given`.
  public var window: SDEWindow?
  /// Where an adaptive window stands; nil in the other modes.
  public package(set) var adaptiveWindow: AdaptiveWindowState?
  /// The weights as they were at creation, if they are kept.
  public let base: FlowEvaluator?

  package let learner: Learner
  /// In whose threads and until whose cancel it works.
  private(set) var context: RunContext
  private let velocityGuard: VelocityGuard?
  private var rollout: Rollout?
  private var secondsRollout = 0.0
  /// Most samples in one request of the update.
  private var updateBatch = 0
  /// An update that was stopped between two optimizer steps, which stay (`Undo.none`).
  private(set) var stopped: (update: Update, advantages: Advantages)?
  /// Where rewards of ticketed rollouts arrive.
  public let inbox: RewardInbox
  /// The iteration's rollouts that have a ticket, in their order.
  var ticketed: [TicketedRollout] = []

  /// - Parameters:
  ///   - evaluator: runs the model that is trained; its `maxBatch` and `maxBytes` limit what is in memory.
  ///   - prompts: embeddings of every prompt that a rollout may name.
  ///   - sampling: how groups are drawn.
  ///   - learning: how the model learns from their rewards.
  ///   - rewardNames: one distinct name per reward, at least one.
  ///   - keepBase: keep a frozen copy of the weights, for hybrid samples; kept in any case when the loss has a reference.
  ///   - context: in whose threads and until whose cancel it works.
  /// - Throws: `invalidArgument` naming every field that does not fit, `outOfMemory`.
  public init(
    evaluator: FlowEvaluator, prompts: PromptEmbeddings, sampling: SamplingConfiguration,
    learning: LearningConfiguration, rewardNames: [String], keepBase: Bool = false, context: RunContext
  ) throws(MixGRPOError) {
    try Self.validate(evaluator, prompts, sampling, learning, rewardNames)
    try Self.requireBudget(evaluator, sampling, learning, keepBase: keepBase)
    (self.evaluator, self.prompts, self.context) = (evaluator, prompts, context)
    (self.sampling, self.learning, self.rewardNames) = (sampling, learning, rewardNames)
    if case .adaptive = sampling.windowMode { adaptiveWindow = AdaptiveWindowState() }
    inbox = RewardInbox(rewardCount: rewardNames.count)
    let model = evaluator.model
    let average =
      learning.averageDecay > 0
      ? try ExponentialMovingAverage(
        decay: learning.averageDecay, weights: UnsafeBufferPointer(start: model.weights, count: model.parameterCount)) : nil
    learner = try Learner(
      evaluator: evaluator, optimizer: AdamW(count: model.parameterCount, configuration: learning.optimizer),
      average: average, undo: learning.undo)
    let limit = learning.safety.maxVelocityChange
    velocityGuard = limit > 0 ? try VelocityGuard(latentSize: evaluator.latentSize, limit: limit) : nil
    let keepsBase = keepBase || learning.policy.referencePenalty > 0
    base = keepsBase ? try evaluator.sibling(of: FlowTransformer(copying: model), threads: context.threads) : nil
  }

  private static func validate(
    _ evaluator: FlowEvaluator, _ prompts: PromptEmbeddings, _ sampling: SamplingConfiguration,
    _ learning: LearningConfiguration, _ names: [String]
  ) throws(MixGRPOError) {
    var check = Validation()
    check.include { () throws(MixGRPOError) in try evaluator.check(prompts) }
    check.include { () throws(MixGRPOError) in try requireLatents(of: evaluator, evaluator.latentSize) }
    check.include(sampling.validate)
    check.include { () throws(MixGRPOError) in
      try learning.validate(rewards: names.count, groupSize: sampling.groupSize)
    }
    check.require(
      (1...1_024).contains(names.count) && Set(names).count == names.count && !names.contains(""), "reward_names",
      expected: "1…1024 distinct names that are not empty", got: names)
    try check.throwIfAny()
  }

  /// An iteration with a single prompt must fit.
  private static func requireBudget(
    _ evaluator: FlowEvaluator, _ sampling: SamplingConfiguration, _ learning: LearningConfiguration, keepBase: Bool
  ) throws(MixGRPOError) {
    let first = try sampling.windowSchedule().forecast(iteration: 0)
    _ = try IterationMemory(
      plan: SamplingPlan(sampling, iteration: 0, window: first), prompts: 1, latentSize: evaluator.latentSize,
      evaluator: evaluator.memory, learning: learning, keepsBase: keepBase, maxBytes: evaluator.maxBytes)
  }

  // MARK: - One iteration

  /// Samples a group for each prompt; a rollout that no update follows is replaced by the next. It stays when that is
  /// cancelled or fails, unless the evaluator's `maxBytes` has no room for both.
  /// - Parameters:
  ///   - chosen: different rows of `prompts`.
  ///   - progress: called with the latents evaluated so far and in all.
  /// - Returns: samples at σ = 0, (prompts · group size, tokens, channels); they hold until the update, or the next rollout.
  /// - Throws: `invalidArgument`, `cancelled`, `notFinite`; `invalidState` when the iteration has tickets; `outOfMemory`, also
  ///   when so many prompts are over the budget.
  public func rollout(
    prompts chosen: [Int32], progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(MixGRPOError) -> UnsafeBufferPointer<Float> {
    let started = DispatchTime.now()
    try requireNoTickets("rollout")
    let rollout = try draw(chosen, isAlone: true, progress)
    dropRollout()
    self.rollout = rollout
    secondsRollout = seconds(since: started)
    return try rollout.samples()
  }

  /// A finished rollout of the present iteration.
  /// - Parameter isAlone: the update will know no other; what it asks for first may then stay with the evaluator.
  func draw(
    _ chosen: [Int32], isAlone: Bool, _ progress: (_ done: Int, _ total: Int) -> Void
  ) throws(MixGRPOError) -> Rollout {
    try require(
      chosen.allSatisfy { $0 >= 0 && Int($0) < prompts.count }, "prompt_indices", expected: "0…\(prompts.count - 1)",
      got: chosen)
    let plan = try SamplingPlan(sampling, iteration: iteration, window: currentWindow())
    try requireWindowOfTickets(plan)
    let prompted = ticketed.reduce(chosen.count) { $0 + $1.trajectory.prompts }
    let memory = try memory(prompts: prompted, plan: plan)
    // What can be refused is, before the rollout that waits may go.
    try context.checkCancelled()
    try Rollout.validate(plan, chosen, latentSize: evaluator.latentSize, maxBatch: evaluator.maxBatch)
    try makeRoom(for: memory)
    let rollout = try Rollout(
      plan: plan, prompts: chosen, latentSize: evaluator.latentSize, maxBatch: evaluator.maxBatch, context: context)
    let first =
      isAlone
      ? try FirstUpdateRequest(
        plan, prompts: chosen.count, parts: learning.policy.updatesPerIteration, maxBatch: memory.updateBatch) : nil
    let total = plan.modelCalls(prompts: chosen.count)
    try rollout.run(evaluator, prompts: prompts, context: context, keeping: first) { progress($0, total) }
    updateBatch = memory.updateBatch
    return rollout
  }

  /// Where the budget does not hold the rollout that waits beside an iteration, it goes before that begins.
  private func makeRoom(for iteration: IterationMemory) throws(MixGRPOError) {
    guard evaluator.maxBytes > 0, let rollout else { return }
    let waiting = try rollout.plan.rolloutBytes(prompts: rollout.prompts, latentSize: rollout.latentSize)
    if iteration.peakBytes + waiting > evaluator.maxBytes { dropRollout() }
  }

  /// Trains on the latest rollout and moves to the next iteration.
  /// - Parameters:
  ///   - rewards: (K, prompts · group size), NaN for a reward that failed.
  ///   - weights: (K); nil: those of the configuration.
  ///   - progress: called with the latents evaluated so far and in all, if no sample is left out.
  /// - Throws: `invalidState` without a rollout, `invalidArgument`, `cancelled`, `notFinite`, `diverged`. Weights, optimizer
  ///   and iteration are then as before, and the call may be repeated. The last two only with `FaultPolicy.stop`. With
  ///   `Undo.none` the optimizer steps that were finished stay, as the error says; the call may be repeated with the same
  ///   rewards and does the remaining ones.
  @discardableResult
  public func update(
    rewards: [[Double]], weights: [Double]? = nil, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(MixGRPOError) -> IterationMetrics {
    let rollout = try pendingRollout()
    let sampled = SampledGroups(
      trajectory: try rollout.trajectory(), modelCalls: rollout.modelCalls, seconds: secondsRollout)
    return try learn(from: sampled, rewards, weights, progress)
  }

  /// The update of an iteration, after which its rollouts are gone.
  func learn(
    from sampled: SampledGroups, _ rewards: [[Double]], _ weights: [Double]?,
    _ progress: (_ done: Int, _ total: Int) -> Void
  ) throws(MixGRPOError) -> IterationMetrics {
    let started = DispatchTime.now()
    let trajectory = sampled.trajectory
    let advantages = try advantages(rewards, weights, samples: trajectory.samples)
    let update = try self.update(trajectory, advantages)
    let total = trajectory.plan.trainingEvaluations(prompts: trajectory.prompts, parts: learning.policy.updatesPerIteration)
    let report: UpdateReport
    do {
      report = try update.run(updateRun) { progress($0, total) }
    } catch {
      if update.metrics.optimizerSteps > 0 { stopped = (update, advantages) }
      throw error
    }
    let made = record(sampled, advantages, weights, update, report, seconds(since: started))
    try advanceWindow(trajectory, advantages, made)
    metrics = made
    dropRollout()
    dropTickets()
    iteration += 1
    return made
  }

  private var updateRun: UpdateRun {
    var run = UpdateRun(learner, base, prompts, context)
    (run.policy, run.rateFactor) = (learning.safety.faultPolicy, learning.safety.rollBackRateFactor)
    run.velocityGuard = velocityGuard
    return run
  }

  /// Samples of the rollout that waits for its rewards, P·G.
  /// - Throws: `invalidState` without one, or when the iteration has tickets.
  package func pendingSamples() throws(MixGRPOError) -> Int { try pendingRollout().prompts * sampling.groupSize }

  private func pendingRollout() throws(MixGRPOError) -> Rollout {
    try requireNoTickets("update")
    guard let rollout else {
      throw MixGRPOError(.invalidState, "update: expected a rollout before it, got none")
    }
    return rollout
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

  private func record(
    _ sampled: SampledGroups, _ advantages: Advantages, _ weights: [Double]?, _ update: Update, _ report: UpdateReport,
    _ secondsUpdate: Double
  ) -> IterationMetrics {
    let weights = weights ?? (learning.advantages.weights.isEmpty ? rewardNames.map { _ in 1 } : learning.advantages.weights)
    let total = weights.reduce(0, +)
    func weighted(_ value: (Advantages.Reward) -> Double) -> Double {
      zip(weights, advantages.rewards).reduce(0) { $1.0 > 0 ? $0 + $1.0 / total * value($1.1) : $0 }
    }
    return IterationMetrics(
      iteration: iteration, window: sampled.trajectory.plan.window,
      rewards: zip(rewardNames, advantages.rewards).map { name, reward in
        IterationMetrics.Reward(
          name: name, mean: reward.mean, standardDeviation: reward.standardDeviation, failures: reward.failures)
      },
      rewardMean: weighted(\.mean), rewardStandardDeviation: weighted(\.standardDeviation),
      degenerateGroups: advantages.degenerateGroups.count, policy: update.metrics, gradientNorm: report.gradientNorm,
      learningRate: report.learningRate, modelCallsRollout: sampled.modelCalls,
      modelCallsUpdate: update.metrics.evaluations, secondsRollout: sampled.seconds, secondsUpdate: secondsUpdate,
      skippedSteps: report.skippedSteps, isRolledBack: report.isRolledBack, velocityChange: report.velocityChange)
  }

  /// The host's or the adaptive window; nil for the scheduled one.
  func currentWindow() throws(MixGRPOError) -> SDEWindow? {
    guard window == nil, let adaptiveWindow else { return window }
    return SDEWindow(start: adaptiveWindow.start, length: try sampling.windowSchedule().length)
  }

  /// An iteration that trained elsewhere, or in which no group told its samples apart, says nothing about the adaptive window.
  private func advanceWindow(
    _ trajectory: Trajectory, _ advantages: Advantages, _ made: IterationMetrics
  ) throws(MixGRPOError) {
    let idleGroups = advantages.degenerateGroups.count + advantages.droppedGroups.count
    guard let state = adaptiveWindow, trajectory.plan.window.lowerBound == state.start, idleGroups < trajectory.prompts
    else { return }
    adaptiveWindow = try sampling.windowSchedule().advance(
      state, rewardMean: made.rewardMean, rewardDeviation: made.rewardStandardDeviation)
  }

  func dropRollout() { (rollout, stopped) = (nil, nil) }

  /// A restored run begins without a rollout and without figures.
  func dropIteration() {
    dropRollout()
    dropTickets()
    metrics = nil
  }

  /// Runs `body` with another context, as a rule a child of the present one.
  func with<Result>(_ context: RunContext, _ body: (Trainer) throws -> Result) rethrows -> Result {
    let usual = self.context
    self.context = context
    defer { self.context = usual }
    return try body(self)
  }
}

/// What an update learns from.
struct SampledGroups {
  let trajectory: Trajectory
  let modelCalls: Int
  let seconds: Double
}

func seconds(since start: DispatchTime) -> Double {
  Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) * 1e-9
}
