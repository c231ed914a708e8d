import Dispatch
import MixBasics
import MixFlowModel
import MixLearning
import MixSampling
import MixStorage

/// MixGRPO with the built-in model (Mix §3): samples groups, takes the host's rewards, updates.
///
///     let trainer = try Trainer(evaluator: evaluator, prompts: prompts, sampling: sampling, learning: learning, …)
///     for _ in 0..<100 {
///       let samples = try trainer.rollout(prompts: [0, 1, 2, 3])
///       let metrics = try trainer.update(rewards: [score(samples)])
///     }
///
/// Not thread-safe, except for `inbox`.
public final class Trainer {
  /// Runs the model that is trained.
  public let evaluator: FlowEvaluator
  /// The embeddings of all prompts.
  public let prompts: PromptEmbeddings
  /// The weights at creation, if they are kept.
  public let base: FlowEvaluator?
  /// The trainer without a model, whose actions this class carries out.
  package let machine: ModelFreeTrainer
  package let learner: Learner
  let owner: BuiltInOwner

  /// - Parameters:
  ///   - evaluator: runs the model that is trained; its `maxBatch` and `maxBytes` limit memory.
  ///   - prompts: the embeddings of all prompts.
  ///   - sampling: how groups are sampled.
  ///   - learning: how the model learns from rewards.
  ///   - rewardNames: one distinct name per reward, at least one.
  ///   - keepBase: whether to keep a frozen copy of the weights for hybrid sampling; always kept when the loss has a reference.
  ///   - context: threads and cancellation.
  /// - Throws: `invalidArgument` naming every invalid field, `outOfMemory`.
  public init(
    evaluator: FlowEvaluator, prompts: PromptEmbeddings, sampling: SamplingConfiguration,
    learning: LearningConfiguration, rewardNames: [String], keepBase: Bool = false, context: RunContext
  ) throws(MixGRPOError) {
    try Self.validate(evaluator, prompts, sampling, learning, rewardNames)
    try Self.requireBudget(evaluator, sampling, learning, keepBase: keepBase)
    (self.evaluator, self.prompts) = (evaluator, prompts)
    machine = try ModelFreeTrainer(
      model: HostModel(prompts: prompts.count, latentSize: evaluator.latentSize, maxBatch: evaluator.maxBatch),
      sampling: sampling, learning: learning, rewardNames: rewardNames, stepsAreAtomic: true, checked: context)
    let model = evaluator.model
    let average =
      learning.averageDecay > 0
      ? try ExponentialMovingAverage(
        decay: learning.averageDecay, weights: UnsafeBufferPointer(start: model.weights, count: model.parameterCount)) : nil
    learner = try Learner(
      evaluator: evaluator, optimizer: AdamW(count: model.parameterCount, configuration: learning.optimizer),
      average: average, undo: learning.undo)
    let keepsBase = keepBase || learning.policy.referencePenalty > 0
    base = keepsBase ? try evaluator.sibling(of: FlowTransformer(copying: model), threads: context.threads) : nil
    owner = BuiltInOwner(learner, base, prompts)
  }

  private static func validate(
    _ evaluator: FlowEvaluator, _ prompts: PromptEmbeddings, _ sampling: SamplingConfiguration,
    _ learning: LearningConfiguration, _ names: [String]
  ) throws(MixGRPOError) {
    var check = Validation()
    check.include { () throws(MixGRPOError) in try evaluator.check(prompts) }
    check.include { () throws(MixGRPOError) in try requireTrainable(evaluator.model) }
    check.include { () throws(MixGRPOError) in try requireLatents(of: evaluator, evaluator.latentSize) }
    check.include { () throws(MixGRPOError) in try ModelFreeTrainer.validate(sampling, learning, names) }
    try check.throwIfAny()
  }

  /// Checks that an iteration with one prompt fits in the memory limit.
  private static func requireBudget(
    _ evaluator: FlowEvaluator, _ sampling: SamplingConfiguration, _ learning: LearningConfiguration, keepBase: Bool
  ) throws(MixGRPOError) {
    let first = try sampling.windowSchedule().forecast(iteration: 0)
    _ = try IterationMemory(
      plan: SamplingPlan(sampling, iteration: 0, window: first), prompts: 1, latentSize: evaluator.latentSize,
      evaluator: evaluator.memory, learning: learning, keepsBase: keepBase, maxBytes: evaluator.maxBytes)
  }

  // MARK: - State

  /// The value passed to `init`.
  public var sampling: SamplingConfiguration { machine.sampling }
  /// The value passed to `init`.
  public var learning: LearningConfiguration { machine.learning }
  /// (K), the name of each reward.
  public var rewardNames: [String] { machine.rewardNames }
  /// The iteration that the next rollout belongs to.
  public var iteration: Int { machine.iteration }
  /// The metrics of the latest iteration.
  public var metrics: IterationMetrics? { machine.metrics }
  /// The window of the next rollouts, set by the host; nil for the scheduled window. Required with `WindowMode.given`.
  public var window: SDEWindow? {
    get { machine.window }
    set { machine.window = newValue }
  }
  /// The state of an adaptive window; nil in other modes.
  public var adaptiveWindow: AdaptiveWindowState? { machine.adaptiveWindow }
  /// Receives the rewards of ticketed rollouts.
  public var inbox: RewardInbox { machine.inbox }
  /// Threads and cancellation.
  var context: RunContext { machine.context }

  // MARK: - One iteration

  /// Samples a group for each prompt. A rollout without an update is replaced by the next one. It is kept when the next one
  /// fails or is cancelled, unless the evaluator's `maxBytes` has no room for both.
  /// - Parameters:
  ///   - chosen: distinct rows of `prompts`.
  ///   - progress: called with the number of latents evaluated so far and in total.
  /// - Returns: samples at σ = 0, (prompts · group size, tokens, channels).
  /// - Throws: `invalidArgument`, `cancelled`, `notFinite`; `invalidState` when the iteration has tickets; `outOfMemory`, also
  ///   when the prompts exceed `maxBytes`.
  public func rollout(
    prompts chosen: [Int32], progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(MixGRPOError) -> UnsafeBufferPointer<Float> {
    try draw(chosen, withTicket: false, progress).rollout.samples()
  }

  /// Runs a rollout of the current iteration.
  func draw(
    _ chosen: [Int32], withTicket: Bool, _ progress: (_ done: Int, _ total: Int) -> Void
  ) throws(MixGRPOError) -> (rollout: Rollout, ticket: RolloutTicket?) {
    let (plan, memory) = try together(same: rolloutDescription(chosen, withTicket)) { () throws(MixGRPOError) in
      // All checks come before the pending rollout may be discarded.
      try checkRollout(chosen, withTicket: withTicket)
    }
    let own = failure { () throws(MixGRPOError) in
      try makeRoom(for: memory)
      try machine.begin(plan, chosen, withTicket: withTicket, updateBatch: memory.updateBatch)
      try answerRollout(updateBatch: memory.updateBatch, progress)
    }
    if let error = vote(own) {
      guard machine.fail(error) else { throw error }
    }
    _ = try machine.nextAction()
    return try machine.takeDrawn()
  }

  private func checkRollout(
    _ chosen: [Int32], withTicket: Bool
  ) throws(MixGRPOError) -> (SamplingPlan, IterationMemory) {
    let plan = try machine.plan(forRollout: chosen, withTicket: withTicket)
    let rollouts = machine.ticketed.map(\.trajectory.allPrompts) + [chosen.count]
    let memory = try memory(rollouts: rollouts, plan: plan)
    try context.checkCancelled()
    try Rollout.validate(plan, chosen, latentSize: evaluator.latentSize, maxBatch: evaluator.maxBatch)
    return (plan, memory)
  }

  private func answerRollout(
    updateBatch: Int, _ progress: (_ done: Int, _ total: Int) -> Void
  ) throws(MixGRPOError) {
    guard case .drawing(let rollout, let ticketFor, _, _) = machine.stage else { return }
    let plan = rollout.plan
    // If this is the iteration's only rollout, the evaluator may keep activations for the first request of the update.
    let first =
      ticketFor != nil
      ? nil
      : try FirstUpdateRequest(
        plan, prompts: rollout.prompts, minibatches: learning.policy.updatesPerIteration, maxBatch: updateBatch,
        byPrompt: machine.isCollective)
    let total = plan.modelCalls(prompts: rollout.prompts)
    try rollout.run(evaluator, prompts: prompts, context: context, keeping: first) { progress($0, total) }
  }

  /// Discards the pending rollout when the memory limit has no room for it and the next iteration.
  private func makeRoom(for iteration: IterationMemory) throws(MixGRPOError) {
    guard evaluator.maxBytes > 0, let rollout = machine.rollout else { return }
    let waiting = try rollout.plan.rolloutBytes(prompts: rollout.prompts, latentSize: rollout.latentSize)
    if iteration.peakBytes + waiting > evaluator.maxBytes { machine.dropRollout() }
  }

  /// Trains on the latest rollout and moves to the next iteration.
  /// - Parameters:
  ///   - rewards: (K, prompts · group size), NaN for a reward that failed.
  ///   - weights: (K), the weight of each reward; nil for those of the configuration.
  ///   - progress: called with the number of latents evaluated so far and in total, if no sample is excluded.
  /// - Throws: `invalidState` without a rollout, `invalidArgument`, `cancelled`, `notFinite`, `diverged`; the last two only
  ///   with `FaultPolicy.stop`. After an error weights, optimizer and iteration are as before, and the call may be repeated.
  ///   With `Undo.none` the completed optimizer steps are kept, as the error says; repeating the call with the same rewards
  ///   runs the remaining steps.
  @discardableResult
  public func update(
    rewards: [[Double]], weights: [Double]? = nil, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(MixGRPOError) -> IterationMetrics {
    try begin(weights) { () throws(MixGRPOError) in RewardedGroups(try machine.pendingGroups(), rewards) }
    return try answerUpdate(progress)
  }

  /// Carries out a started update. Its rollouts are discarded at the end.
  func answerUpdate(_ progress: (_ done: Int, _ total: Int) -> Void) throws(MixGRPOError) -> IterationMetrics {
    do throws(MixGRPOError) {
      try together { () throws(MixGRPOError) in
        try owner.requireZeroGradients()
        try context.checkCancelled()  // an update without included samples evaluates nothing
      }
    } catch {
      machine.abandonUpdate()
      throw error
    }
    func report() { if let now = machine.progress { progress(now.done, now.total) } }
    if let ranks = owner.ranks {
      try owner.answerAll(machine, with: ranks, context: context, afterRequest: report)
    } else {
      try owner.answerAll(machine, context: context, afterRequest: report)
    }
    guard let metrics else { throw MixGRPOError(.internalFault, "metrics: expected those of the update, got none") }
    return metrics
  }

  /// Runs `body` with another context, usually a child of the current one.
  func with<Result>(_ context: RunContext, _ body: (Trainer) throws -> Result) rethrows -> Result {
    let usual = machine.context
    machine.context = context
    defer { machine.context = usual }
    return try body(self)
  }
}
