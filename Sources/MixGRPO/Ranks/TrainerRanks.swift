import MixBasics
import MixFlowModel
import MixLearning
import MixNumerics
import MixSampling
import MixStorage

/// A trainer as one of several ranks.
///
/// Every rank creates a trainer with the same model, prompts and settings, and makes the same calls in the same order:
///
///     try trainer.setCollective(collective)
///     let samples = try trainer.rollout(prompts: [0, 1, 2, 3])   // all prompts; the samples of this rank's
///     let metrics = try trainer.update(rewards: [score(samples)])  // of these samples; the metrics of all ranks
///
/// Weights, optimizer, metrics and window have the same bits for any number of ranks, also for one with a collective. Gradients
/// are then summed prompt by prompt; so a trainer without a collective differs from them by rounding.
extension Trainer {
  /// The exchange with the other ranks; nil for a trainer that trains alone.
  public var collective: (any Collective)? { owner.ranks?.agreement.collective }

  /// Makes this trainer one of several that train one model together, or one that trains alone again. Every rank calls it.
  ///
  /// `rollout` and `ticketedRollout` then take the prompts of all ranks and return the samples of this rank's share
  /// (`Rank.share`); a rank may have none. `update` and the inbox take the rewards of these samples. `Evaluation.sample` shares out
  /// its prompts and returns the samples of all ranks. `sample` and checkpoints involve no other rank.
  ///
  /// An error on one rank ends the call on all ranks with an error that names the rank, and all are as before.
  /// - Parameter collective: nil to train alone.
  /// - Throws: `invalidState` while samples wait for an update; `invalidArgument` naming rank and field where ranks have other
  ///   settings, prompts, reward names, weights, or another version of the library; the errors of `collective`.
  public func setCollective(_ collective: (any Collective)?) throws(MixGRPOError) {
    try join(collective.map { RankAgreement($0) })
  }

  /// `setCollective` for a program that makes decisions of all ranks itself: those of the trainer and its own are then one series,
  /// so that a failure which the others do not know yet is reported in the next one, whoever makes it.
  package func join(_ agreement: RankAgreement?) throws(MixGRPOError) {
    guard let agreement else {
      try machine.setRank(.alone, isCollective: false)
      owner.ranks = nil
      return
    }
    let ranks = TrainingRanks(agreement, count: evaluator.model.parameterCount)
    let (rank, wasCollective) = (machine.rank, machine.isCollective)
    do throws(MixGRPOError) {
      try agreement.together(same: startDescription) { () throws(MixGRPOError) in
        try machine.setRank(agreement.collective.rank, isCollective: true)
      }
    } catch {
      _ = failure { () throws(MixGRPOError) in try machine.setRank(rank, isCollective: wasCollective) }
      throw error
    }
    owner.ranks = ranks
  }

  // MARK: - One decision

  /// The error with which all ranks end, if any has one.
  func vote(_ error: MixGRPOError?) -> MixGRPOError? { owner.ranks.map { $0.agreement.vote(error) } ?? error }

  /// Runs work that may fail on this rank alone.
  /// - Parameter same: must be the same on every rank.
  func together<Result>(
    same: @autoclosure () -> RankDescription = RankDescription(), _ body: () throws(MixGRPOError) -> Result
  ) throws(MixGRPOError) -> Result {
    guard let ranks = owner.ranks else { return try body() }
    return try ranks.agreement.together(same: same(), body)
  }

  /// Ends this rank's part in the next call of the other ranks with an error that occurred before it.
  package func withdrawing<Result>(_ body: () throws(MixGRPOError) -> Result) throws(MixGRPOError) -> Result {
    do throws(MixGRPOError) { return try body() } catch { throw vote(error) ?? error }
  }

  /// Starts an update with the rewards of all ranks.
  /// - Parameter groups: the samples of this rank, and their rewards (K, own samples).
  func begin(
    _ weights: [Double]?, _ groups: () throws(MixGRPOError) -> RewardedGroups
  ) throws(MixGRPOError) {
    guard let ranks = owner.ranks else {
      let groups = try groups()
      return try machine.begin(updateOn: groups.sampled, groups.kept ?? groups.rewards, weights)
    }
    let groups = try ranks.agreement.together(same: updateDescription(weights)) { () throws(MixGRPOError) in
      let groups = try groups()
      let (own, count) = (groups.rewards, groups.sampled.trajectory.samples)
      try require(
        own.count == rewardNames.count && own.allSatisfy { $0.count == count }, "rewards",
        expected: "\(count) values for each of \(rewardNames.count) rewards", got: own.map(\.count))
      return groups
    }
    do throws(MixGRPOError) {
      try ranks.agreement.together { () throws(MixGRPOError) in
        let all = try ranks.gather(groups.rewards, groups.sampled, groupSize: sampling.groupSize)
        try machine.begin(updateOn: groups.sampled, groups.kept ?? all, weights)
      }
    } catch {
      machine.abandonUpdate()  // it may have begun here
      throw error
    }
  }

  // MARK: - What must be the same

  private var startDescription: RankDescription {
    var description = RankDescription(CheckpointSettings(self).values)
    description.add("library version", libraryVersion)
    description.add("prompt_count", prompts.count)
    if let frozen = evaluator.model.frozen {
      description.add("frozen weights", frozen.storedHash())
    }
    description.add("prompts", hash(prompts.text) ^ hash(prompts.pooled))
    addState(&description)
    return description
  }

  func rolloutDescription(_ chosen: [Int32], _ withTicket: Bool) -> RankDescription {
    var description = RankDescription()
    description.add("prompt_indices", chosen)
    description.add("window_start", window.map { "\($0.start)" } ?? "as scheduled")
    description.add("ticket", withTicket)
    addState(&description)
    return description
  }

  private func updateDescription(_ weights: [Double]?) -> RankDescription {
    RankDescription(["weights": weights.map { "\($0)" } ?? "those of the settings"])
  }

  func addState(_ description: inout RankDescription) {
    description.add("iteration", iteration)
    description.add("optimizer steps", learner.optimizer.stepCount)
    description.add("model weights", hash(evaluator.model.weights, evaluator.model.parameterCount))
    description.add("adapter strength", evaluator.model.adapterStrength)
  }

  private func hash(_ storage: FloatStorage) -> UInt64 { hash(UnsafePointer(storage.base), storage.count) }

  private func hash(_ values: UnsafePointer<Float>, _ count: Int) -> UInt64 {
    var hash = XXHash64()
    hash.update(UnsafeRawBufferPointer(start: values, count: count * MemoryLayout<Float>.stride))
    return hash.digest
  }
}

extension FlowTransformer {
  /// Of all values that the model stores, also those of a frozen model.
  fileprivate func storedHash() -> UInt64 {
    var hash = XXHash64()
    withStoredBytes { hash.update($0) }
    return hash.digest
  }
}

// MARK: - Deterministic samples

/// Ranks share out the prompts. Without a collective each of these gives the samples of all.
extension Trainer {
  /// Deterministic samples of this rank's share of the prompts.
  package func sampleShare(
    _ plan: SamplingPlan, weights: TrainerWeights, chosen: [Int32], progress: (_ done: Int, _ total: Int) -> Void
  ) throws(MixGRPOError) -> [Float] {
    guard let ranks = owner.ranks else {
      return try sample(plan, weights: weights, chosen: chosen, progress: progress)
    }
    var description = RankDescription(["prompt_indices": "\(chosen)", "weights": "\(weights)"])
    description.add("steps, samples_per_prompt, seed", "\(plan.steps), \(plan.groupSize), \(plan.seed)")
    addState(&description)
    return try ranks.agreement.together(same: description) { () throws(MixGRPOError) in
      try sample(plan, weights: weights, chosen: chosen, rank: machine.rank, progress: progress)
    }
  }

  /// Deterministic samples; every rank gets all of them.
  func sampleForAll(
    _ plan: SamplingPlan, weights: TrainerWeights, chosen: [Int32], progress: (_ done: Int, _ total: Int) -> Void
  ) throws(MixGRPOError) -> [Float] {
    let own = try sampleShare(plan, weights: weights, chosen: chosen, progress: progress)
    guard let ranks = owner.ranks else { return own }
    let places = RankPlaces(rollouts: [chosen.count], ranks: machine.rank.count)
    let width = plan.groupSize * evaluator.latentSize
    return try ranks.agreement.together { () throws(MixGRPOError) in
      let all = try ranks.agreement.gather(own, count: places.largestShare * width, filler: 0)
      return places.inOrder(all, width: width, filler: 0)
    }
  }

  /// Deterministic samples; the first rank gets all of them, the others none.
  package func sampleForFirst(
    _ plan: SamplingPlan, weights: TrainerWeights, chosen: [Int32], progress: (_ done: Int, _ total: Int) -> Void
  ) throws(MixGRPOError) -> [Float] {
    let own = try sampleShare(plan, weights: weights, chosen: chosen, progress: progress)
    guard let ranks = owner.ranks else { return own }
    let width = plan.groupSize * evaluator.latentSize
    let counts = (0..<machine.rank.count).map {
      Rank.share($0, of: machine.rank.count, prompts: chosen.count).count * width
    }
    return try ranks.agreement.together { () throws(MixGRPOError) in
      try ranks.agreement.gatherOnFirst(own, counts: counts, filler: 0)
    }
  }
}
