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
  /// The weights as they were at creation, if they are kept.
  public let base: FlowEvaluator?
  /// The iteration itself, which knows no model; this class answers it.
  package let machine: ModelFreeTrainer
  package let learner: Learner
  private let owner: BuiltInOwner

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
    check.include { () throws(MixGRPOError) in try requireLatents(of: evaluator, evaluator.latentSize) }
    check.include { () throws(MixGRPOError) in try ModelFreeTrainer.validate(sampling, learning, names) }
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

  // MARK: - State

  /// As given to `init`.
  public var sampling: SamplingConfiguration { machine.sampling }
  /// As given to `init`.
  public var learning: LearningConfiguration { machine.learning }
  /// (K)
  public var rewardNames: [String] { machine.rewardNames }
  /// The iteration that the next rollout belongs to.
  public var iteration: Int { machine.iteration }
  /// The latest iteration's figures.
  public var metrics: IterationMetrics? { machine.metrics }
  /// The host's own window for the rollouts to come, in place of the scheduled one; required with `WindowMode.given`.
  public var window: SDEWindow? {
    get { machine.window }
    set { machine.window = newValue }
  }
  /// Where an adaptive window stands; nil in the other modes.
  public var adaptiveWindow: AdaptiveWindowState? { machine.adaptiveWindow }
  /// Where rewards of ticketed rollouts arrive.
  public var inbox: RewardInbox { machine.inbox }
  /// In whose threads and until whose cancel it works.
  var context: RunContext { machine.context }

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
    try draw(chosen, withTicket: false, progress).rollout.samples()
  }

  /// A finished rollout of the present iteration.
  func draw(
    _ chosen: [Int32], withTicket: Bool, _ progress: (_ done: Int, _ total: Int) -> Void
  ) throws(MixGRPOError) -> (rollout: Rollout, ticket: RolloutTicket?) {
    let plan = try machine.plan(forRollout: chosen, withTicket: withTicket)
    let prompted = machine.ticketed.reduce(chosen.count) { $0 + $1.trajectory.prompts }
    let memory = try memory(prompts: prompted, plan: plan)
    // What can be refused is, before the rollout that waits may go.
    try context.checkCancelled()
    try Rollout.validate(plan, chosen, latentSize: evaluator.latentSize, maxBatch: evaluator.maxBatch)
    try makeRoom(for: memory)
    try machine.begin(plan, chosen, withTicket: withTicket, updateBatch: memory.updateBatch)
    do throws(MixGRPOError) {
      try answerRollout(updateBatch: memory.updateBatch, progress)
    } catch { machine.fail(error) }
    _ = try machine.nextAction()
    return try machine.takeDrawn()
  }

  private func answerRollout(
    updateBatch: Int, _ progress: (_ done: Int, _ total: Int) -> Void
  ) throws(MixGRPOError) {
    guard case .drawing(let rollout, let withTicket, _, _) = machine.stage else { return }
    let plan = rollout.plan
    // The update will know no other rollout; what it asks for first may stay with the evaluator.
    let first =
      withTicket
      ? nil
      : try FirstUpdateRequest(
        plan, prompts: rollout.prompts, minibatches: learning.policy.updatesPerIteration, maxBatch: updateBatch)
    let total = plan.modelCalls(prompts: rollout.prompts)
    try rollout.run(evaluator, prompts: prompts, context: context, keeping: first) { progress($0, total) }
  }

  /// Where the budget does not hold the rollout that waits beside an iteration, it goes before that begins.
  private func makeRoom(for iteration: IterationMemory) throws(MixGRPOError) {
    guard evaluator.maxBytes > 0, let rollout = machine.rollout else { return }
    let waiting = try rollout.plan.rolloutBytes(prompts: rollout.prompts, latentSize: rollout.latentSize)
    if iteration.peakBytes + waiting > evaluator.maxBytes { machine.dropRollout() }
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
    try machine.beginUpdate(rewards: rewards, weights: weights)
    return try answerUpdate(progress)
  }

  /// Answers an update that has begun, after which its rollouts are gone.
  func answerUpdate(_ progress: (_ done: Int, _ total: Int) -> Void) throws(MixGRPOError) -> IterationMetrics {
    do throws(MixGRPOError) { try owner.requireZeroGradients() } catch {
      machine.giveUpUpdate()
      throw error
    }
    try owner.answerAll(machine, context: context) {
      if let now = machine.progress { progress(now.done, now.total) }
    }
    guard let metrics else { throw MixGRPOError(.internalFault, "metrics: expected those of the update, got none") }
    return metrics
  }

  /// Runs `body` with another context, as a rule a child of the present one.
  func with<Result>(_ context: RunContext, _ body: (Trainer) throws -> Result) rethrows -> Result {
    let usual = machine.context
    machine.context = context
    defer { machine.context = usual }
    return try body(self)
  }
}
