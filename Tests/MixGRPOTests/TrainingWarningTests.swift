import Testing

@testable import MixGRPO

/// Each cause of an iteration without learning has its sentence, and a healthy iteration has none.
@Suite struct TrainingWarningTests {
  private func kinds(_ metrics: IterationMetrics) -> [TrainingWarning.Kind] { metrics.warnings.map(\.kind) }

  /// One iteration of two prompts in groups of 6 with the given rewards of sample number i.
  private func iteration(_ run: TinyRun, _ reward: (Int) -> Double) throws -> IterationMetrics {
    let count = try run.trainer.rollout(prompts: [0, 1]).count / run.trainer.evaluator.latentSize
    return try run.trainer.update(rewards: run.trainer.rewardNames.map { _ in (0..<count).map(reward) })
  }

  @Test func aHealthyRunHasNoWarnings() throws {
    let run = try TinyRun(learning: TinyRun.learning { $0.policy.clipRange = 0.1 })
    for _ in 0..<12 { #expect(try run.iterate().warnings.isEmpty) }
  }

  @Test func rewardsThatAllFailAreNamed() throws {
    let metrics = try iteration(try TinyRun(rewards: ["taste", "depth"])) { _ in .nan }
    #expect(kinds(metrics) == [.allRewardsFailed])
    #expect(
      metrics.warnings.first?.text
        == "rewards taste, depth were NaN or infinite for all 12 samples, so nothing was learned "
        + #"(docs/my-reward-does-not-rise.md, "Rewards fail")"#)
    #expect(try metrics.json.contains(#""warnings":{"all_rewards_failed":"rewards taste, depth were NaN"#))
  }

  @Test func aPromptWithoutRewardsIsCounted() throws {
    let metrics = try iteration(try TinyRun()) { $0 < 6 ? .nan : Double($0) }
    #expect(kinds(metrics) == [.groupsDropped] && metrics.warnings[0].text.hasPrefix("1 of 2 prompts had fewer than two"))
  }

  @Test func someFailedRewardsAreCounted() throws {
    let metrics = try iteration(try TinyRun()) { $0 == 3 ? .infinity : Double($0) }
    #expect(kinds(metrics) == [.rewardsFailed] && metrics.warnings[0].text.hasPrefix("1 rewards failed"))
  }

  @Test func aConstantRewardIsNamedWithItsValue() throws {
    let metrics = try iteration(try TinyRun()) { _ in 0.5 }
    #expect(kinds(metrics) == [.rewardsConstant])
    #expect(metrics.warnings[0].text.hasPrefix("reward brightness was 0.5 for all samples, so nothing was learned"))
  }

  @Test func degenerateGroupsAreCounted() throws {
    let one = try iteration(try TinyRun()) { $0 < 6 ? 1 : Double($0) }
    #expect(kinds(one) == [.groupsDegenerate] && one.warnings[0].text.hasPrefix("1 of 2 prompts had equal rewards"))
    let both = try iteration(try TinyRun()) { $0 < 6 ? 1 : 2 }
    #expect(kinds(both) == [.groupsDegenerate] && both.warnings[0].text.hasPrefix("2 of 2 prompts had equal rewards"))
  }

  @Test func aLearningRateOfZeroIsSaid() throws {
    let run = try TinyRun(learning: TinyRun.learning { $0.optimizer.learningRate = 0 })
    #expect(kinds(try run.iterate()) == [.learningRateZero])
  }

  @Test func aRateThatHardlyChangesTheModelIsSaidOnceItHasSettled() throws {
    let run = try TinyRun(learning: TinyRun.learning { $0.optimizer.learningRate = 1e-9 })
    let found = try (0..<12).map { _ in kinds(try run.iterate()) }
    #expect(found.prefix(10).allSatisfy(\.isEmpty) && found.suffix(2).allSatisfy { $0 == [.modelHardlyChanges] })
  }

  @Test func aClipThatStopsTheGradientIsSaid() throws {
    let run = try TinyRun(
      learning: TinyRun.learning { ($0.policy.updatesPerIteration, $0.policy.clipRange) = (6, 1e-9) })
    let metrics = try run.iterate()
    #expect(metrics.policy.clippedFraction > 0.3 && kinds(metrics) == [.clipStopsGradient])
  }

  @Test func aRewardOfWeightZeroIsIgnored() throws {
    let run = try TinyRun(rewards: ["trained", "shown"])
    let samples = try run.trainer.rollout(prompts: [0, 1])
    let brightness = run.brightness(samples)
    let shown = [Double](repeating: 1, count: 12)
    #expect(try run.trainer.update(rewards: [brightness, shown], weights: [1, 0]).warnings.isEmpty)
    let again = try run.trainer.rollout(prompts: [0, 1])
    let failed = [1, .nan] + [Double](repeating: 1, count: 10)
    let metrics = try run.trainer.update(rewards: [run.brightness(again), failed], weights: [1, 0])
    #expect(metrics.failedRewards == 1 && !metrics.warnings.contains { $0.kind == .rewardsFailed })
  }

  @Test func aHostWhoseGradientIsZeroIsTold() throws {
    var sampling = SamplingConfiguration()
    (sampling.schedule, sampling.groupSize) = (.shifted(steps: 6, shift: 3), 4)
    let trainer = try ModelFreeTrainer(
      model: HostModel(prompts: 1, latentSize: 4), sampling: sampling, learning: LearningConfiguration(),
      rewardNames: ["any"], context: RunContext(threads: 1))
    func answer(scale: Float) throws {
      while true {
        switch try trainer.next() {
        case .evaluate(let request, _), .differentiate(let request), .measure(let request):
          let velocity = (0..<request.velocityCount).map { scale * request.latents[$0] }
          _ = try trainer.submit(velocity: velocity, count: velocity.count)
        case .optimizerStep: try trainer.submitStep(gradientNorm: 0, learningRate: 0.1)
        case .keepState, .restoreState, .zeroGradients, .combineFigures: break
        case .finished: return
        }
      }
    }
    try trainer.beginRollout(prompts: [0])
    try answer(scale: 0.5)
    try trainer.beginUpdate(rewards: [[1, 2, 3, 4]])
    try answer(scale: 0.5)
    #expect(trainer.metrics?.warnings.map(\.kind) == [.gradientZero])
    try trainer.beginRollout(prompts: [0])
    try answer(scale: 0.5)
    try trainer.beginUpdate(rewards: [[1, 2, 3, 4]])
    try answer(scale: 0.51)
    #expect(trainer.metrics?.warnings.map(\.kind) == [.firstRatio, .gradientZero, .clipStopsGradient])
  }
}
