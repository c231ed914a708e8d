import MixGRPO
import TestSupport
import Testing

/// A trainer without a model, answered by one with a single weight: v = weight · x.
@Suite struct ModelFreeTrainerTests {
  private final class Owner {
    let trainer: ModelFreeTrainer
    var weight: Float = 0.5
    var kept: Float = 0
    var gradient: Float = 0
    var calls = 0
    var failsAt = 0
    /// The row, counted over all requests with gradients, whose velocity is NaN; -1 for none.
    var poisonedRow = -1
    private var differentiatedRows = 0

    init(_ learning: LearningConfiguration = LearningConfiguration(), maxBatch: Int = 0) throws {
      var sampling = SamplingConfiguration()
      (sampling.schedule, sampling.groupSize, sampling.seed) = (.shifted(steps: 6, shift: 3), 8, 3)
      var learning = learning
      learning.policy.clipRange = 0.1
      trainer = try ModelFreeTrainer(
        model: HostModel(prompts: 2, latentSize: 4, maxBatch: maxBatch), sampling: sampling, learning: learning,
        rewardNames: ["small"],
        context: RunContext(threads: 1))
    }

    /// The loop of the class's documentation.
    func run() throws {
      while true {
        do {
          let action = try trainer.next()
          if case .finished = action { return }
          try answer(action)
        } catch let error as MixGRPOError {
          if !trainer.fail(error) { throw error }
        }
      }
    }

    private func answer(_ action: TrainerAction) throws {
      calls += 1
      if calls == failsAt { throw MixGRPOError(.unsupported, "out of order") }
      switch action {
      case .evaluate(let request, _), .measure(let request): _ = try submit(request)
      case .differentiate(let request):
        let poisoned = poisonedRow - differentiatedRows
        differentiatedRows += request.count
        let dVelocity = try #require(try submit(request, poisonedRow: poisoned))
        for i in 0..<request.velocityCount { gradient += request.latents[i] * dVelocity[i] }
      case .optimizerStep(_, let rateFactor):
        weight -= 0.05 * Float(rateFactor) * max(-1, min(1, gradient))
        try trainer.submitStep(gradientNorm: Double(abs(gradient)), learningRate: 0.05 * rateFactor)
        gradient = 0
      case .keepState: kept = weight
      case .restoreState: weight = kept
      case .zeroGradients: gradient = 0
      case .combineFigures, .finished: break
      }
    }

    private func submit(_ request: VelocityRequest, poisonedRow: Int = -1) throws -> UnsafePointer<Float>? {
      var velocity = (0..<request.velocityCount).map { weight * request.latents[$0] }
      if (0..<request.count).contains(poisonedRow) { velocity[poisonedRow * 4] = .nan }
      return try trainer.submit(velocity: velocity, count: velocity.count)
    }

    func rewards() throws -> [Double] {
      try trainer.beginRollout(prompts: [0, 1])
      try run()
      let samples = try trainer.samples().values
      return stride(from: 0, to: samples.count, by: 4).map { first in
        -samples[first..<first + 4].reduce(0) { $0 + Double($1 * $1) }
      }
    }

    func update(_ rewards: [Double]) throws {
      try trainer.beginUpdate(rewards: [rewards])
      try run()
    }
  }

  @Test func aModelWithOneWeightLearnsWhatIsRewarded() throws {
    let owner = try Owner()
    for _ in 0..<10 { try owner.update(owner.rewards()) }
    #expect(owner.weight > 0.55)  // the larger it is, the smaller are the samples
    #expect(owner.trainer.iteration == 10 && owner.trainer.metrics?.policy.firstRatioMin == 1)
  }

  @Test func anUpdateThatFailsAtAnyActionIsUndoneAndGivesTheSameWhenRepeated() throws {
    let whole = try Owner()
    try whole.update(whole.rewards())
    for failing in 1..<100 {
      let owner = try Owner()
      let rewards = try owner.rewards()
      (owner.calls, owner.failsAt) = (0, failing)
      do { try owner.update(rewards) } catch let error as MixGRPOError {
        #expect(error.message == "out of order" && owner.weight == 0.5 && owner.trainer.iteration == 0)
        owner.failsAt = 0
        try owner.update(rewards)
      }
      #expect(owner.weight == whole.weight, "failed at \(failing)")
      if owner.calls < failing { return }
    }
    Issue.record("an update of fewer actions expected")
  }

  @Test(arguments: [FaultPolicy.skip, .rollBack]) func figuresAfterAFaultDoNotDependOnMaxBatch(policy: FaultPolicy) throws {
    func figures(maxBatch: Int) throws -> (IterationMetrics, Float) {
      var learning = LearningConfiguration()
      learning.safety.faultPolicy = policy
      let owner = try Owner(learning, maxBatch: maxBatch)
      let rewards = try owner.rewards()
      owner.poisonedRow = 22
      try owner.update(rewards)
      return (try #require(owner.trainer.metrics), owner.weight)
    }
    let (expected, weight) = try figures(maxBatch: 64)
    #expect(expected.skippedSteps == (policy == .skip ? 1 : 0) && expected.isRolledBack == (policy == .rollBack))
    for maxBatch in [1, 3, 7] {
      let (metrics, otherWeight) = try figures(maxBatch: maxBatch)
      #expect(metrics.policy == expected.policy, "max_batch \(maxBatch)")
      #expect(metrics.gradientNorm == expected.gradientNorm && otherWeight == weight)
      #expect(metrics.modelCallsUpdate == expected.modelCallsUpdate && metrics.skippedSteps == expected.skippedSteps)
    }
  }

  private func keepingSteps() -> LearningConfiguration {
    var learning = LearningConfiguration()
    (learning.undo, learning.safety.maxVelocityChange) = (.none, 0)
    return learning
  }

  @Test func figuresOfAnUpdateThatStoppedBetweenStepsCoverAllItsRuns() throws {
    let whole = try Owner(keepingSteps())
    try whole.update(whole.rewards())
    let owner = try Owner(keepingSteps())
    let rewards = try owner.rewards()
    (owner.calls, owner.failsAt) = (0, 4)
    #expect(try errorCode { try owner.update(rewards) } == .unsupported)
    #expect(owner.weight != 0.5)
    owner.failsAt = 0
    try owner.update(rewards)
    let (metrics, expected) = (try #require(owner.trainer.metrics), try #require(whole.trainer.metrics))
    #expect(metrics.gradientNorm == expected.gradientNorm && metrics.policy == expected.policy)
    #expect(owner.weight == whole.weight)
  }

  @Test func anUpdateThatExcludesATicketAndStopsIsFinishedAlsoAfterItsLateReward() throws {
    func start(failsAt: Int) throws -> (Owner, late: RolloutTicket) {
      let owner = try Owner(keepingSteps())
      var tickets: [RolloutTicket] = []
      for prompt: Int32 in [0, 1] {
        try owner.trainer.beginRollout(prompts: [prompt], withTicket: true)
        try owner.run()
        tickets.append(try #require(try owner.trainer.samples().ticket))
      }
      try owner.trainer.inbox.submit([(0..<8).map(Double.init)], for: tickets[0])
      (owner.calls, owner.failsAt) = (0, failsAt)
      try owner.trainer.beginUpdateFromTickets(missing: .exclude)
      return (owner, tickets[1])
    }
    let (whole, _) = try start(failsAt: 0)
    try whole.run()
    let (owner, late) = try start(failsAt: 4)
    #expect(try errorCode { try owner.run() } == .unsupported)
    #expect(owner.weight != 0.5)
    owner.failsAt = 0
    try owner.trainer.inbox.submit([(0..<8).map { Double(-$0) }], for: late)
    try owner.trainer.beginUpdateFromTickets(missing: .exclude)
    try owner.run()
    #expect(owner.weight == whole.weight && owner.trainer.iteration == 1)
    #expect(owner.trainer.metrics?.policy == whole.trainer.metrics?.policy)
    #expect(owner.trainer.metrics?.failedRewards == whole.trainer.metrics?.failedRewards)
  }

  @Test func progressCarriesIterationWindowAndRate() throws {
    let (first, second) = (try Owner(), try Owner())
    try first.update(first.rewards())
    first.trainer.window = SDEWindow(start: 1, length: 4)
    let text = try first.trainer.progressText()
    try second.trainer.restore(progressText: text)
    #expect(second.trainer.iteration == 1 && second.trainer.window == first.trainer.window)
    #expect(try second.trainer.progressText() == text)
    #expect(try errorCode { try second.trainer.restore(progressText: "{}") } == .invalidFormat)
  }

  @Test func settingsOfAnOptimizerThatIsNotThereAreRefused() {
    var learning = LearningConfiguration()
    (learning.optimizer.learningRate, learning.averageDecay) = (0.5, 0.9)
    let error = #expect(throws: MixGRPOError.self) { try Owner(learning) }
    #expect(error?.message.contains("learning_rate") == true && error?.message.contains("ema_decay") == true)
  }
}
