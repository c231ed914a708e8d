import MixBasics
import MixNumerics
import Testing

@testable import MixSampling

@Suite struct RolloutTests {
  static let modes: [(String, @Sendable (inout SamplingConfiguration) -> Void)] = [
    ("window at 0", { $0.windowMode = .frozen(start: 0) }),
    ("window at 5", { $0.windowMode = .frozen(start: 5) }),
    ("last window", { $0.windowMode = .frozen(start: 7) }),
    ("all", { $0.windowMode = .all(.randomSubset(0.5)) }),
    (
      "dance, third order",
      {
        $0.windowMode = .frozen(start: 3)
        $0.dynamics = .dance(noiseLevel: 0.4)
        $0.solver = .dpmSolver3
      }
    ),
    (
      "cps, flash",
      {
        $0.windowMode = .frozen(start: 2)
        $0.dynamics = .coefficientPreserving(noiseLevel: 0.5)
        $0.flash = FlashTail()
      }
    ),
    (
      "flash with Heun",
      {
        $0.windowMode = .frozen(start: 0)
        $0.flash = FlashTail(ratio: 0.7, solver: .dpmSolver2Heun)
      }
    ),
    (
      "flash of third order",
      {
        $0.windowMode = .frozen(start: 4)
        $0.flash = FlashTail(ratio: 1, solver: .dpmSolver3)
      }
    ),
    (
      "levels below 1, where the first step is history of the second",
      {
        $0.schedule = .sigmas((0..<12).map { 0.9 - 0.075 * Double($0) } + [0])
        $0.windowMode = .frozen(start: 5)
        $0.solver = .dpmSolver3
      }
    ),
    (
      "one step, third order",
      {
        $0.windowMode = .frozen(start: 3)
        $0.windowLength = 1
        $0.solver = .dpmSolver3
      }
    ),
    (
      "two steps, third order",
      {
        $0.windowMode = .frozen(start: 4)
        $0.windowLength = 2
        $0.solver = .dpmSolver3
      }
    ),
  ]

  private func plan(_ mode: Int, _ change: (inout SamplingConfiguration) -> Void = { _ in }) throws -> SamplingPlan {
    var configuration = SamplingConfiguration()
    configuration.schedule = .shifted(steps: 12, shift: 3)
    configuration.groupSize = 5
    configuration.seed = 42
    Self.modes[mode].1(&configuration)
    change(&configuration)
    return try SamplingPlan(configuration, iteration: 3)
  }

  private func outcome(_ rollout: Rollout) throws -> ([Float], [Double]) {
    try run(rollout)
    return (try samples(of: rollout), Array(try rollout.trajectory().oldLogProbabilities))
  }

  @Test(arguments: modes.indices)
  func sharedAndUnsharedRolloutsHaveTheSameBits(mode: Int) throws {
    let shared = try makeRollout(try plan(mode))
    let unshared = try makeRollout(try plan(mode) { $0.exactSharing = false })
    #expect(try outcome(shared) == outcome(unshared))
    #expect(shared.modelCalls < unshared.modelCalls)
    #expect(shared.modelCalls == shared.plan.modelCalls(prompts: 2))
    #expect(unshared.modelCalls == unshared.plan.modelCallsWithoutSharing(prompts: 2))
  }

  @Test(arguments: modes.indices, [1, 3, 7])
  func neitherBatchLimitNorThreadsChangeABit(mode: Int, limit: Int) throws {
    let expected = try outcome(makeRollout(try plan(mode)))
    #expect(try outcome(makeRollout(try plan(mode), maxBatch: limit, threads: 3)) == expected)
  }

  @Test(arguments: modes.indices)
  func storedStepsAreTheAffineTransitions(mode: Int) throws {
    let rollout = try makeRollout(try plan(mode))
    try run(rollout)
    let trajectory = try rollout.trajectory()
    for trained in trajectory.plan.trainedSteps.indices {
      let (t, sigma) = (trajectory.transition(trained), trajectory.plan.modelSigma(of: trajectory.plan.trainedSteps[trained]))
      for sample in 0..<trajectory.samples {
        let row = try #require(trajectory.row(trained, sample: sample))
        var noise = [Float](repeating: 0, count: row.count)
        try #require(row.noise).fillNormals(&noise, count: row.count)
        var velocity: [Float] = []
        for i in 0..<row.count {
          velocity.append(wavyVelocity(row.latent[i], sigma, trajectory.promptNumbers[sample / 5]))
          let mean = t.latentScale * Double(row.latent[i]) + t.velocityScale * Double(velocity[i])
          #expect(row.next[i] == Float(mean + t.noiseScale * Double(noise[i])))
        }
        #expect(
          LogProbability.value(row, velocity: velocity, t, .mean) == trajectory.oldLogProbability(trained, sample: sample))
      }
    }
  }

  /// The samples, computed one after the other with plain arrays from the transitions and the same first latents.
  private func straightforward(_ plan: SamplingPlan, _ trajectory: Trajectory, start: [Float], sample: Int) -> [Float] {
    var (x, data) = (start, [[Float]]())
    for (step, t) in plan.transitions.enumerated() {
      var noise = [Float](repeating: 0, count: x.count)
      trajectory.noise(step: step, sample: sample).fillNormals(&noise, count: x.count)
      var (next, prediction) = (x, x)
      for i in x.indices {
        let velocity = wavyVelocity(x[i], Float(t.sigma), trajectory.promptNumbers[sample / plan.groupSize])
        prediction[i] = Float(Double(x[i]) - t.sigma * Double(velocity))
        var value = t.latentScale * Double(x[i]) + t.velocityScale * Double(velocity) + t.noiseScale * Double(noise[i])
        if t.previousDataScale != 0 { value += t.previousDataScale * Double(data[step - 1][i]) }
        if t.earlierDataScale != 0 { value += t.earlierDataScale * Double(data[step - 2][i]) }
        next[i] = Float(value)
      }
      data.append(prediction)
      x = next
    }
    return x
  }

  @Test(arguments: modes.indices)
  func samplesAreThoseOfAStraightforwardLoop(mode: Int) throws {
    let plan = try plan(mode)
    let rollout = try makeRollout(plan)
    let first = try #require(try rollout.next())
    let starts = (0..<10).map { sample in
      let row = first.sampleOfRow.lastIndex { $0 <= sample } ?? 0
      return Array(UnsafeBufferPointer(start: first.latents + row * 37, count: 37))
    }
    try run(rollout)
    let values = try samples(of: rollout)
    for sample in 0..<10 {
      let expected = straightforward(plan, try rollout.trajectory(), start: starts[sample], sample: sample)
      #expect(Array(values[sample * 37..<(sample + 1) * 37]) == expected)
    }
  }

  @Test func eulerOutsideTheWindowIsEulersMethod() throws {
    let plan = try SamplingPlan.deterministic(.shifted(steps: 9, shift: 2), samplesPerPrompt: 2, seed: 4)
    let rollout = try makeRollout(plan, prompts: [0, 3])
    let first = try #require(try rollout.next())
    var x = Array(UnsafeBufferPointer(start: first.latents, count: first.velocityCount))
    try run(rollout)
    for step in plan.transitions {
      for i in x.indices {
        let velocity = wavyVelocity(x[i], Float(step.sigma), i / 37 < 2 ? 0 : 3)
        x[i] = Float(Double(x[i]) + (step.nextSigma - step.sigma) * Double(velocity))
      }
    }
    #expect(try samples(of: rollout) == x)
  }

  // MARK: Requests

  @Test func requestsNameStepsNoiseLevelsPromptsAndSamples() throws {
    let plan = try plan(1) { $0.groupSize = 2 }
    let rollout = try makeRollout(plan, prompts: [7, 4])
    var steps: [Int] = []
    while let request = try rollout.next() {
      let step = Int(request.stepOfRow[0])
      steps.append(step)
      let isShared = step <= 5
      #expect(Array(request.promptIndex) == (isShared ? [7, 4] : [7, 7, 4, 4]))
      #expect(Array(request.sampleOfRow) == (isShared ? [0, 2] : [0, 1, 2, 3]))
      #expect(request.stepOfRow.allSatisfy { $0 == step } && request.stepOfRow.count == request.count)
      #expect(request.sigmas.allSatisfy { $0 == Float(plan.transitions[step].sigma) })
      try rollout.submit(velocity: [Float](repeating: 0.1, count: request.velocityCount), count: request.velocityCount)
    }
    #expect(steps == Array(0..<12))
  }

  @Test func requestsOfOneStepNameTheirOwnSamples() throws {
    let rollout = try makeRollout(try plan(0) { $0.sharedInitialNoise = false }, prompts: [0], maxBatch: 3)
    let first = try #require(try rollout.next())
    #expect(first.count == 3 && Array(first.sampleOfRow) == [0, 1, 2])
    try rollout.submit(velocity: [Float](repeating: 0, count: 3 * 37), count: 3 * 37)
    let second = try #require(try rollout.next())
    #expect(second.count == 2 && Array(second.stepOfRow) == [0, 0])
    #expect(Array(second.sampleOfRow) == [3, 4])
  }

  @Test func askingTwiceGivesTheSameRequest() throws {
    let rollout = try makeRollout(try plan(0))
    let (first, second) = (try #require(try rollout.next()), try #require(try rollout.next()))
    #expect(first.latents == second.latents && first.count == second.count && first.stepOfRow.first == second.stepOfRow.first)
  }

  @Test func hybridRequestsChangeTheModelOnce() throws {
    let plan = try SamplingPlan.deterministic(.shifted(steps: 10, shift: 3), trainedModelShare: 0.8)
    let rollout = try makeRollout(plan)
    var models: [ModelChoice] = []
    while let request = try rollout.next() {
      models.append(request.model)
      try rollout.submit(velocity: [Float](repeating: 0, count: request.velocityCount), count: request.velocityCount)
    }
    #expect(models == Array(repeating: .trained, count: 8) + [.base, .base])
  }

  @Test func roundedSigmasAreThousandths() throws {
    let rollout = try makeRollout(try plan(0) { $0.sigmaRounding = .thousandths })
    while let request = try rollout.next() {
      let sigma = rollout.plan.transitions[Int(request.stepOfRow[0])].sigma
      #expect(request.sigmas[0] == Float((sigma * 1000).rounded(.down) / 1000))
      try rollout.submit(velocity: [Float](repeating: 0, count: request.velocityCount), count: request.velocityCount)
    }
  }

  // MARK: Noise

  @Test func noiseBelongsToThePromptNotToItsPlace() throws {
    let both = try makeRollout(try plan(1), prompts: [3, 8])
    let alone = try makeRollout(try plan(1), prompts: [8])
    try run(both)
    try run(alone)
    #expect(try Array(samples(of: both)[(5 * 37)...]) == samples(of: alone))
  }

  @Test func membersDifferAndIterationsDiffer() throws {
    let rollout = try makeRollout(try plan(0), prompts: [0])
    try run(rollout)
    let values = try samples(of: rollout)
    #expect(Set((0..<5).map { values[$0 * 37] }).count == 5)
    var configuration = SamplingConfiguration()
    configuration.windowMode = .frozen(start: 0)
    let (a, b) = (
      try makeRollout(SamplingPlan(configuration, iteration: 0)), try makeRollout(SamplingPlan(configuration, iteration: 1))
    )
    #expect(try outcome(a).0 != outcome(b).0)
  }

  @Test func givenNoiseMayBePerPromptOrPerSample() throws {
    let perPrompt: [Float] = (0..<2 * 37).map { Float($0 % 11) / 5 - 1 }
    let equal = (0..<2).flatMap { prompt in (0..<5).flatMap { _ in perPrompt[prompt * 37..<(prompt + 1) * 37] } }
    let (a, b) = (try makeRollout(try plan(1), initialNoise: perPrompt), try makeRollout(try plan(1), initialNoise: equal))
    #expect(try outcome(a) == outcome(b))
    #expect(a.modelCalls == b.modelCalls && a.modelCalls == a.plan.modelCalls(prompts: 2))
    var own = equal
    own[37] += 1
    let c = try makeRollout(try plan(1), initialNoise: own)
    #expect(try outcome(c).0 != outcome(a).0)
    #expect(c.modelCalls == 2 * 5 * 12)
    own = equal
    own[own.count - 1] += 1
    #expect(try outcome(makeRollout(try plan(1), initialNoise: own)).0 != outcome(a).0)
  }

  @Test func aGroupThatSharesADeterministicPathIsEvaluatedOnce() throws {
    let plan = try SamplingPlan.deterministic(.shifted(steps: 6, shift: 3), solver: .dpmSolver2Midpoint, samplesPerPrompt: 3)
    let noise: [Float] = (0..<2 * 37).map { Float($0) / 37 - 1 }
    let rollout = try makeRollout(plan, initialNoise: noise)
    try run(rollout)
    let values = try samples(of: rollout)
    #expect(rollout.modelCalls == 12)
    for sample in 0..<6 {
      #expect(values[sample * 37..<(sample + 1) * 37] == values[sample / 3 * 3 * 37..<(sample / 3 * 3 + 1) * 37])
    }
  }

  // MARK: Bad input

  @Test func aVelocityThatIsNotFiniteMayBeSubmittedAgain() throws {
    let (tested, plain) = (try makeRollout(try plan(5)), try makeRollout(try plan(5)))
    let expected = try outcome(plain)
    while let request = try tested.next() {
      var velocity = (0..<request.velocityCount).map { index in
        wavyVelocity(request.latents[index], request.sigmas[index / 37], request.promptIndex[index / 37])
      }
      let good = velocity
      velocity[velocity.count - 1] = request.stepOfRow[0] % 2 == 0 ? .nan : -.infinity
      let error = failure { try tested.submit(velocity: velocity, count: velocity.count) }
      #expect(error?.code == .notFinite)
      #expect(error?.message.contains("step \(request.stepOfRow[0]), row \(request.count - 1)") == true)
      try tested.submit(velocity: good, count: good.count)
    }
    #expect(try samples(of: tested) == expected.0)
    #expect(Array(try tested.trajectory().oldLogProbabilities) == expected.1)
  }

  @Test func anOverflowEndsTheRolloutWithAnError() throws {
    let rollout = try makeRollout(
      try plan(0) {
        $0.windowMode = .frozen(start: 6)
        $0.dynamics = .dance(noiseLevel: 10)
      })
    var error: MixGRPOError?
    while error == nil, let request = try rollout.next() {
      // The slope in v is negative: this sign drives the latent on.
      let scale = Float(rollout.plan.transitions[Int(request.stepOfRow[0])].latentScale)
      let huge = (0..<request.velocityCount).map { index in
        scale * request.latents[index] < 0 ? Float.greatestFiniteMagnitude : -.greatestFiniteMagnitude
      }
      error = failure { try rollout.submit(velocity: huge, count: huge.count) }
    }
    #expect(error?.code == .notFinite && error?.message.contains("overflow") == true)
    #expect(failure { _ = try rollout.next() }?.code == .notFinite)
  }

  @Test func callsOutOfOrderAreErrors() throws {
    let rollout = try makeRollout(try plan(0))
    let zeros = [Float](repeating: 0, count: 2 * 37)
    #expect(failure { try rollout.submit(velocity: zeros, count: zeros.count) }?.code == .invalidState)
    #expect(failure { _ = try rollout.samples() }?.code == .invalidState)
    #expect(failure { _ = try rollout.trajectory() }?.code == .invalidState)
    _ = try rollout.next()
    #expect(failure { try rollout.submit(velocity: zeros, count: zeros.count - 1) }?.code == .invalidArgument)
    try rollout.submit(velocity: zeros, count: zeros.count)
    #expect(failure { try rollout.submit(velocity: zeros, count: zeros.count) }?.code == .invalidState)
    try run(rollout)
    #expect(try rollout.next() == nil && rollout.isFinished)
  }

  @Test func unfitSizesAreErrorsThatNameTheField() throws {
    let plan = try plan(0)
    func message(_ body: () throws -> Void) -> String { failure(body)?.message ?? "" }
    #expect(message { _ = try makeRollout(plan, prompts: []) }.contains("prompts"))
    #expect(message { _ = try makeRollout(plan, prompts: [-1]) }.contains("prompts"))
    #expect(message { _ = try makeRollout(plan, prompts: [2, 2]) }.contains("prompts"))
    let many = message { _ = try makeRollout(try self.plan(0) { $0.groupSize = 4_096 }, prompts: (0..<600_000).map { $0 }) }
    #expect(many.contains("prompts: expected at most 2³¹ − 1 samples, got 2457600000"))
    #expect(message { _ = try makeRollout(plan, latentSize: 0) }.contains("latent_size"))
    #expect(message { _ = try makeRollout(plan, latentSize: .max) }.contains("latent_size"))
    #expect(message { _ = try makeRollout(plan, maxBatch: -1) }.contains("max_batch"))
    #expect(message { _ = try makeRollout(plan, initialNoise: [1, 2, 3]) }.contains("initial_noise"))
    #expect(
      message { _ = try makeRollout(plan, initialNoise: [Float](repeating: .nan, count: 74)) }.contains("initial_noise"))
  }

  @Test func theSizeOfARolloutIsKnownBefore() throws {
    // Window at 0, w = 4, G = 5: the samples, the shared latent, the first stored state shared, four more stored states.
    #expect(try plan(0).rolloutBytes(prompts: 2, latentSize: 48) == 2 * 48 * 4 * (5 + 1 + 1 + 4 * 5))
    #expect(failure { _ = try plan(0).rolloutBytes(prompts: .max, latentSize: 37) } != nil)
  }
}
