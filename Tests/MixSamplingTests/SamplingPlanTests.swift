import Testing

@testable import MixSampling

@Suite struct SamplingPlanTests {
  private func plan(_ window: Int, _ change: (inout SamplingConfiguration) -> Void = { _ in }) throws -> SamplingPlan {
    var configuration = SamplingConfiguration()
    configuration.windowMode = .frozen(start: window)
    change(&configuration)
    return try SamplingPlan(configuration, iteration: 0)
  }

  @Test func defaultsAreThePapers() throws {
    let plan = try SamplingPlan(SamplingConfiguration(), iteration: 30)
    #expect(plan.steps == 25 && plan.window == 1..<5 && plan.trainedSteps == [1, 2, 3, 4] && plan.groupSize == 12)
    #expect(plan.transitions.map(\.isStochastic) == (0..<25).map { (1..<5).contains($0) })
    #expect(plan.transitions[24].nextSigma == 0)
  }

  @Test func aConfigurationOutOfItsRangesHasNoPlan() {
    for (field, change) in [
      ("noise_level", { $0.dynamics = .flow(noiseLevel: 11) }), ("group_size", { $0.groupSize = 0 }),
      ("steps", { $0.schedule = .shifted(steps: 1, shift: 3) }), ("flash_ratio", { $0.flash = FlashTail(ratio: 1.5) }),
    ] as [(String, (inout SamplingConfiguration) -> Void)] {
      let error = failure { _ = try plan(0, change) }
      #expect(error?.message.contains(field) == true, "\(field): \(error?.message ?? "none")")
    }
  }

  @Test(arguments: [(0, 289), (10, 179), (20, 69)])
  func sharingSavesTheModelCallsOfTheCommonPrefix(window: Int, calls: Int) throws {
    let shared = try plan(window)
    #expect(shared.modelCalls(prompts: 1) == calls && shared.modelCalls(prompts: 3) == 3 * calls)
    #expect(shared.modelCallsWithoutSharing(prompts: 1) == 300)
    #expect(try plan(window) { $0.exactSharing = false }.modelCalls(prompts: 1) == 300)
    #expect(try plan(window) { $0.sharedInitialNoise = false }.modelCalls(prompts: 1) == 300)
  }

  @Test func trainingSharesTheFirstWindowStepWithinAMinibatch() throws {
    #expect(try plan(0).trainingEvaluations(prompts: 2, minibatches: 4) == 2 * (3 * 12 + 4))
    #expect(try plan(0) { $0.exactSharing = false }.trainingEvaluations(prompts: 2, minibatches: 4) == 2 * 48)
  }

  @Test func flashTakesThePapersNumberOfModelCalls() throws {
    let calls = try (0...14).map { window in
      let plan = try plan(window) { $0.flash = FlashTail() }
      #expect(plan.modelCallsWithoutSharing(prompts: 1) == 12 * plan.steps)
      return plan.steps
    }
    #expect(calls[0] == 12)
    #expect(calls.reduce(0, +) / calls.count == 16)
    #expect(try plan(0) { $0.flash = FlashTail(ratio: 0.2) }.steps == 8)
  }

  @Test(arguments: 0...20, [0.01, 0.2, 0.4, 1.0])
  func flashTailEndsAtZeroNoiseAndCountsSteps(window: Int, ratio: Double) throws {
    let plan = try plan(window) { $0.flash = FlashTail(ratio: ratio) }
    let tail = max(1, Int(ratio * Double(21 - window) + 1e-9))
    #expect(plan.steps == window + 4 + tail)
    #expect(plan.transitions.last?.nextSigma == 0)
    #expect(zip(plan.transitions, plan.transitions.dropFirst()).allSatisfy { $0.nextSigma == $1.sigma })
    #expect(plan.transitions.allSatisfy { $0.nextSigma < $0.sigma })
    let full = try TimeGrid(.shifted(steps: 25, shift: 3)).sigmas
    #expect(plan.transitions.prefix(window + 4).map(\.sigma) == Array(full.prefix(window + 4)))
  }

  @Test func theFlashTailUsesTheHistoryOfTheWindow() throws {
    let plan = try plan(3) { $0.flash = FlashTail() }
    let firstOfTail = plan.transitions[7]
    #expect(firstOfTail.kind == .dpmSolver2Midpoint && firstOfTail.previousDataScale != 0)
    #expect(plan.transitions[..<3].allSatisfy { $0.kind == .euler })
  }

  @Test func theHostMayReplaceTheWindow() throws {
    let configuration = SamplingConfiguration()
    let window = SDEWindow(start: 7, length: 4)
    #expect(try SamplingPlan(configuration, iteration: 0, window: window).window == 7..<11)
    var given = configuration
    given.windowMode = .given
    #expect(failure { _ = try SamplingPlan(given, iteration: 0) }?.message.contains("window") == true)
    #expect(failure { _ = try SamplingPlan(given, iteration: 0, window: SDEWindow(start: 21, length: 4)) } != nil)
  }

  @Test func hybridSamplingAsksTheTrainedModelFirst() throws {
    let plan = try SamplingPlan.deterministic(.shifted(steps: 25, shift: 3), trainedModelShare: 0.8)
    #expect(plan.trainedModelSteps == 20 && plan.window.isEmpty && plan.trainedSteps.isEmpty)
  }

  @Test func allProblemsAreReportedAtOnce() {
    var configuration = SamplingConfiguration()
    configuration.schedule = .shifted(steps: 5, shift: -1)
    configuration.dynamics = .coefficientPreserving(noiseLevel: 2)
    configuration.windowLength = 9
    configuration.flash = FlashTail(ratio: 0)
    configuration.groupSize = 1
    let message = failure { try configuration.validate() }?.message ?? ""
    for field in ["shift", "noise_level", "window_length", "flash_ratio", "group_size"] {
      #expect(message.contains(field), "\(field) is missing in: \(message)")
    }
  }

  @Test func impossibleCombinationsAreErrors() {
    var flashAll = SamplingConfiguration()
    flashAll.windowMode = .all(.full)
    flashAll.flash = FlashTail()
    #expect(failure { try flashAll.validate() }?.message.contains("flash_ratio") == true)
    var peer = SamplingConfiguration()
    peer.logProbability = .coefficientPreservingPeer
    #expect(failure { try peer.validate() }?.message.contains("log_probability") == true)
    #expect(failure { _ = try SamplingPlan(SamplingConfiguration(), iteration: -1) }?.message.contains("iteration") == true)
    #expect(failure { _ = try SamplingPlan.deterministic(.shifted(steps: 0, shift: 1), samplesPerPrompt: 0) } != nil)
  }
}
