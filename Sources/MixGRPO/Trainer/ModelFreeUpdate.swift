import Dispatch
import MixBasics
import MixLearning
import MixNumerics
import MixSampling

extension ModelFreeTrainer {
  /// Starts training on the latest rollout. `next` then gives the actions of the update; when it is finished, the trainer is at
  /// the next iteration. Gradients must be zero.
  /// - Parameters:
  ///   - rewards: (K, prompts · group size), of all ranks; NaN for a reward that failed.
  ///   - weights: (K), the weight of each reward; nil for those of the configuration.
  /// - Throws: `invalidState` without a rollout or while another update is not finished; `invalidArgument`; `outOfMemory`.
  public func beginUpdate(rewards: [[Double]], weights: [Double]? = nil) throws(MixGRPOError) {
    try begin(updateOn: pendingGroups(), rewards, weights)
  }

  /// Starts training on the iteration's tickets. The end of the update closes them. An update that stopped between two optimizer
  /// steps (`Undo.none`) continues with the rewards it started with, also when others have been submitted since.
  /// - Parameters:
  ///   - missing: how tickets without rewards are treated.
  ///   - weights: (K), the weight of each reward; nil for those of the configuration.
  /// - Throws: `invalidState` without a ticket, naming those without rewards, or while another update is not finished.
  public func beginUpdateFromTickets(
    missing: MissingRewards = .refuse, weights: [Double]? = nil
  ) throws(MixGRPOError) {
    let groups = try ticketedGroups(missing)
    try begin(updateOn: groups.sampled, groups.kept ?? groups.rewards, weights)
  }

  /// The samples of all tickets, and their rewards.
  func ticketedGroups(_ missing: MissingRewards) throws(MixGRPOError) -> RewardedGroups {
    guard !ticketed.isEmpty else {
      throw MixGRPOError(.invalidState, "update: expected a rollout with a ticket first, got none")
    }
    let collected = try inbox.collect(missing)
    let parts = ticketed.map(\.trajectory)
    let sampled = SampledGroups(
      trajectory: parts.count == 1 ? parts[0] : try Trajectory(joining: parts), promptCounts: parts.map(\.allPrompts),
      modelCalls: ticketed.reduce(0) { $0 + $1.modelCalls }, seconds: ticketed.reduce(0) { $0 + $1.seconds })
    return RewardedGroups(sampled, collected, kept: stopped?.rewards)
  }

  /// The number of samples that wait for rewards of the host: P·G of all ranks, or of this one if rewards are exchanged by a
  /// `Collective`.
  /// - Throws: `invalidState` without a rollout, or when the iteration has tickets.
  package func pendingSamples() throws(MixGRPOError) -> Int {
    let trajectory = try pendingGroups().trajectory
    return isCollective ? trajectory.samples : samples(of: trajectory)
  }

  private func samples(of trajectory: Trajectory) -> Int { trajectory.allPrompts * sampling.groupSize }

  func pendingGroups() throws(MixGRPOError) -> SampledGroups {
    try requireNoTickets("update")
    guard let rollout else {
      throw MixGRPOError(.invalidState, "update: expected a rollout first, got none")
    }
    let trajectory = try rollout.trajectory()
    return SampledGroups(
      trajectory: trajectory, promptCounts: [trajectory.allPrompts], modelCalls: rollout.modelCalls, seconds: secondsRollout)
  }

  /// - Parameter rewards: (K, prompts · group size), of all ranks.
  func begin(
    updateOn sampled: SampledGroups, _ rewards: [[Double]], _ weights: [Double]?
  ) throws(MixGRPOError) {
    let started = DispatchTime.now()
    try requireNoUpdate("update")
    let advantages = try advantages(rewards, weights, samples: samples(of: sampled.trajectory))
    let update = try self.update(sampled.trajectory, advantages)
    let safety = UpdateSafety(
      undo: learning.undo, policy: learning.safety.faultPolicy, velocityGuard: update.holdsFirstRow ? velocityGuard : nil,
      rateFactor: rateFactor, stepsAreAtomic: stepsAreAtomic,
      hasRanks: isCollective || rank.count > 1)
    stage = .updating(
      IterationInProgress(
        guarded: GuardedUpdate(update, safety, continuing: stopped?.tally ?? StepTally()), sampled: sampled, rewards: rewards,
        advantages: advantages, weights: weights, started: started, secondsBefore: stopped?.seconds ?? 0))
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

  /// A new update, or the stopped one.
  private func update(_ trajectory: Trajectory, _ advantages: Advantages) throws(MixGRPOError) -> Update {
    if let stopped {
      try require(
        stopped.advantages.values == advantages.values && stopped.advantages.isIncluded == advantages.isIncluded, "rewards",
        expected: "those of the update that was stopped, or a new rollout", got: "others")
      return stopped.update
    }
    return try Update(
      trajectory: trajectory, advantages: advantages.values, isIncluded: advantages.isIncluded,
      configuration: learning.policy, maxBatch: updateBatch, byPrompt: isCollective,
      workers: Workers(threads: context.threads))
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

  /// With `Undo.none` the completed steps are kept, and the update continues from there when it is started again.
  func endFailed(_ work: IterationInProgress) {
    guard work.guarded.update.metrics.optimizerSteps > 0 else { return }
    stopped = StoppedUpdate(
      update: work.guarded.update, rewards: work.rewards, advantages: work.advantages, tally: work.guarded.tally,
      seconds: work.secondsUpdate)
  }

  /// Abandons an update before its first action.
  func abandonUpdate() { stage = .idle }

  /// The adaptive window after an iteration. Iterations without a usable signal, or with another window, leave the state
  /// unchanged.
  private func adaptiveWindow(
    after work: IterationInProgress, _ made: IterationMetrics
  ) throws(MixGRPOError) -> AdaptiveWindowState? {
    let (trajectory, advantages) = (work.sampled.trajectory, work.advantages)
    let idleGroups = advantages.degenerateGroups.count + advantages.droppedGroups.count
    guard let state = adaptiveWindow, trajectory.plan.window.lowerBound == state.start, idleGroups < trajectory.allPrompts
    else { return adaptiveWindow }
    return try sampling.windowSchedule().advance(
      state, rewardMean: made.rewardMean, rewardDeviation: made.rewardStandardDeviation)
  }
}
