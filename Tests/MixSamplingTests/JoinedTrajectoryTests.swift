import Testing

@testable import MixSampling

@Suite struct JoinedTrajectoryTests {
  private func plan(seed: UInt64 = 5) throws -> SamplingPlan {
    var configuration = SamplingConfiguration()
    configuration.schedule = .shifted(steps: 6, shift: 3)
    configuration.windowMode = .frozen(start: 0)
    configuration.windowLength = 2
    configuration.groupSize = 3
    configuration.seed = seed
    return try SamplingPlan(configuration, iteration: 1)
  }

  private func trajectory(
    _ plan: SamplingPlan, prompts: [Int32], latentSize: Int = 7, initialNoise: [Float]? = nil
  ) throws -> Trajectory {
    let rollout = try makeRollout(plan, prompts: prompts, latentSize: latentSize, initialNoise: initialNoise)
    try run(rollout)
    return try rollout.trajectory()
  }

  @Test func joinedRolloutsAreTheOneOfAllPrompts() throws {
    let plan = try plan()
    let parts = try [[4], [9, 2], [7]].map { try trajectory(plan, prompts: $0) }
    let joined = try Trajectory(joining: [Trajectory(joining: Array(parts[..<2])), parts[2]])
    let whole = try trajectory(plan, prompts: [4, 9, 2, 7])
    #expect(joined.promptNumbers == [4, 9, 2, 7] && joined.samples == 12)
    #expect(Array(joined.oldLogProbabilities) == Array(whole.oldLogProbabilities))
    for trained in plan.trainedSteps.indices {
      for sample in 0..<12 {
        let (a, b) = (try #require(joined.row(trained, sample: sample)), try #require(whole.row(trained, sample: sample)))
        for i in 0..<7 { #expect(a.latent[i] == b.latent[i] && a.next[i] == b.next[i]) }
      }
    }
  }

  @Test func rolloutsThatDifferInPlanSizeOrSharingDoNotJoin() throws {
    let plan = try plan()
    let first = try trajectory(plan, prompts: [1])
    let ofOtherPlan = try trajectory(try self.plan(seed: 6), prompts: [2])
    let ofOtherSize = try trajectory(plan, prompts: [2], latentSize: 8)
    let unshared = try trajectory(plan, prompts: [2], initialNoise: (0..<21).map { Float($0) / 10 })
    for other in [ofOtherPlan, ofOtherSize, unshared] {
      for both in [[first, other], [other, first]] {
        #expect(failure { _ = try Trajectory(joining: both) }?.message.contains("one plan and size") == true)
      }
    }
  }

  @Test func aPromptIsInOneRolloutOnlyAndThereIsAtLeastOne() throws {
    let first = try trajectory(try plan(), prompts: [1, 3])
    let again = try trajectory(try plan(), prompts: [3])
    #expect(failure { _ = try Trajectory(joining: [first, again]) }?.message.contains("different prompts") == true)
    #expect(failure { _ = try Trajectory(joining: []) }?.message.contains("trajectories") == true)
  }

  @Test func joinedRolloutsHaveFewerThanTwoToThe31Samples() throws {
    // A plan without trained steps stores nothing, so many samples cost no memory.
    let plan = try SamplingPlan.deterministic(.shifted(steps: 1, shift: 1), samplesPerPrompt: 4096)
    func trajectory(_ prompts: Range<Int32>) throws -> Trajectory {
      try Trajectory(
        plan: plan, promptNumbers: Array(prompts), places: 0..<prompts.count, allPrompts: prompts.count, latentSize: 1,
        sharesStart: false)
    }
    let first = try trajectory(0..<262_144)
    let fitting = try Trajectory(joining: [first, try trajectory(262_144..<524_287)])
    #expect(fitting.samples == (1 << 31) - 4096)
    let tooMany = try trajectory(262_144..<524_288)
    #expect(failure { _ = try Trajectory(joining: [first, tooMany]) }?.message.contains("2³¹ − 1 samples") == true)
  }
}
