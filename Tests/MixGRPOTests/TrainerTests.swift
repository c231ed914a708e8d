import Foundation
import MixGRPO
import TestSupport
import Testing

/// A run small enough to repeat often: 9 tokens of 4 channels, 8 steps, groups of 6.
struct TinyRun {
  let trainer: Trainer
  let context: RunContext
  var prompts: [Int32] = [0, 1]

  static func configuration(_ change: (inout SamplingConfiguration) -> Void = { _ in }) -> SamplingConfiguration {
    var sampling = SamplingConfiguration()
    sampling.schedule = .shifted(steps: 8, shift: 3)
    sampling.groupSize = 6
    sampling.windowLength = 3
    sampling.windowMode = .progressive(interval: 1, stride: 1, atEnd: .rollBack)
    sampling.seed = 5
    change(&sampling)
    return sampling
  }

  static func learning(_ change: (inout LearningConfiguration) -> Void = { _ in }) -> LearningConfiguration {
    var learning = LearningConfiguration()
    learning.policy.updatesPerIteration = 2
    learning.optimizer.learningRate = 1e-3
    change(&learning)
    return learning
  }

  init(
    threads: Int = 2, side: Int = 3, maxBatch: Int = 5, recomputes: Bool = false, maxBytes: Int = 0,
    precision: Precision = .float32, lora: LoRAConfiguration? = nil, rewards: [String] = ["brightness"], promptCount: Int = 3,
    sampling: SamplingConfiguration = Self.configuration(), learning: LearningConfiguration = Self.learning()
  ) throws {
    context = try RunContext(threads: threads)
    let model = try FlowTransformer(
      configuration: FlowTransformerConfiguration(
        inChannels: 4, numLayers: 1, numSingleLayers: 1, attentionHeadDim: 8, numAttentionHeads: 2,
        jointAttentionDim: 6, pooledProjectionDim: 5, guidanceEmbeds: false, axesDimsRope: [2, 2, 4]))
    model.initializeWeights(seed: 2)
    let output = try model.parameter(named: "proj_out.weight")
    model.writeWeights(output, from: (0..<output.count).map { Float($0 % 7) * 0.05 - 0.15 })
    let trained = if let lora { try FlowTransformer(adapting: model, lora) } else { model }
    let evaluator = try FlowEvaluator(
      model: trained, geometry: TokenGeometry(height: side, width: side), textLength: 2, maxBatch: maxBatch, threads: threads,
      recomputesActivations: recomputes, precision: precision, maxBytes: maxBytes)
    let embeddings = try PromptEmbeddings(
      text: (0..<promptCount * 2 * 6).map { Float($0 % 5) * 0.3 - 0.6 },
      pooled: (0..<promptCount * 5).map { Float($0 % 4) * 0.4 - 0.6 }, count: promptCount, textLength: 2)
    trainer = try Trainer(
      evaluator: evaluator, prompts: embeddings, sampling: sampling, learning: learning, rewardNames: rewards,
      context: context)
  }

  /// Mean brightness of each sample.
  func brightness(_ samples: UnsafeBufferPointer<Float>) -> [Double] {
    let size = trainer.evaluator.latentSize
    return (0..<samples.count / size).map { sample in
      (0..<size).reduce(0.0) { $0 + Double(samples[sample * size + $1]) } / Double(size)
    }
  }

  @discardableResult func iterate() throws -> IterationMetrics {
    let samples = try trainer.rollout(prompts: prompts)
    return try trainer.update(rewards: trainer.rewardNames.map { _ in brightness(samples) })
  }

  var weights: [Float] {
    trainer.evaluator.model.parameters.flatMap { entry in
      var values = [Float](repeating: 0, count: entry.count)
      trainer.evaluator.model.readWeights(entry, into: &values)
      return values
    }
  }
}

@Suite struct TrainerTests {
  @Test(arguments: Precision.allCases) func firstRatioIsExactlyOneInEveryIteration(precision: Precision) throws {
    let run = try TinyRun(precision: precision)
    for _ in 0..<8 {
      let metrics = try run.iterate()
      #expect(metrics.policy.firstRatioMin == 1)
      #expect(metrics.policy.firstRatioMax == 1)
      #expect(metrics.policy.ratioMax > 1)
    }
  }

  @Test(arguments: Precision.allCases) func trainingRaisesTheReward(precision: Precision) throws {
    let run = try TinyRun(precision: precision, sampling: TinyRun.configuration { $0.groupSize = 16 })
    let first = try run.iterate().rewardMean
    for _ in 0..<30 { try run.iterate() }
    let last = try run.iterate().rewardMean
    #expect(last - first >= 0.2)
  }

  @Test(arguments: Precision.allCases, [1, 2, 4])
  func theNumberOfThreadsChangesNoBit(precision: Precision, threads: Int) throws {
    let one = try TinyRun(threads: 1, precision: precision)
    let other = try TinyRun(threads: threads, precision: precision)
    for _ in 0..<3 {
      try one.iterate()
      try other.iterate()
    }
    #expect(one.weights == other.weights)
  }

  @Test(arguments: Precision.allCases)
  func exactSharingChangesSamplesByNoBitAndWeightsByRounding(precision: Precision) throws {
    let shared = try TinyRun(precision: precision)
    let unshared = try TinyRun(precision: precision, sampling: TinyRun.configuration { $0.exactSharing = false })
    let start = shared.weights
    let samples = try Array(shared.trainer.rollout(prompts: [0, 1]))
    let others = try Array(unshared.trainer.rollout(prompts: [0, 1]))
    #expect(samples == others)
    let (few, all) = (try shared.iterate(), try unshared.iterate())
    #expect(few.modelCallsRollout < all.modelCallsRollout)
    #expect(few.modelCallsUpdate < all.modelCallsUpdate)
    let (weights, unsharedWeights) = (shared.weights, unshared.weights)
    #expect(weights.count == unsharedWeights.count)
    func squares(_ a: [Float], _ b: [Float]) -> Double { zip(a, b).reduce(0) { $0 + pow(Double($1.0) - Double($1.1), 2) } }
    // Where a gradient is near zero, AdamW's first steps turn its rounding into a step of full size.
    let difference = (squares(weights, unsharedWeights) / squares(weights, start)).squareRoot()
    #expect(difference <= (precision == .float32 ? 1e-3 : 0.1), "\(difference)")
    if precision == .float32 { #expect(zip(weights, unsharedWeights).allSatisfy { abs($0 - $1) <= 2e-5 }) }
  }

  @Test func anAdapterIsTrainedAlone() throws {
    let run = try TinyRun(
      lora: Self.lora, sampling: TinyRun.configuration { $0.groupSize = 16 },
      learning: TinyRun.learning { $0.optimizer.learningRate = 2e-3 })
    let base = try #require(run.trainer.evaluator.model.frozen)
    let entry = try base.parameter(named: "transformer_blocks.0.attn.to_q.weight")
    var (before, after) = ([Float](repeating: 0, count: entry.count), [Float](repeating: 0, count: entry.count))
    base.readWeights(entry, into: &before)
    let first = try run.iterate()
    for _ in 0..<30 {
      let metrics = try run.iterate()
      #expect(metrics.policy.firstRatioMin == 1 && metrics.policy.firstRatioMax == 1)
    }
    let rise = try run.iterate().rewardMean - first.rewardMean
    #expect(rise >= 0.1, "\(rise)")
    base.readWeights(entry, into: &after)
    #expect(before == after && !base.hasGradients)
    let whole = try TinyRun().trainer.memory(prompts: 2)
    #expect(try run.trainer.memory(prompts: 2).weightBytes < whole.weightBytes)
  }

  /// Of all layers: the new model's modulations are 0, so that its blocks alone would have no gradients.
  private static var lora: LoRAConfiguration {
    var lora = LoRAConfiguration()
    (lora.rank, lora.alpha, lora.targets) = (4, 16, ["*"])
    return lora
  }

  @Test(arguments: Precision.allCases) func threadsAndBatchesChangeNoBitOfAnAdapter(precision: Precision) throws {
    let one = try TinyRun(threads: 1, precision: precision, lora: Self.lora)
    let other = try TinyRun(threads: 3, maxBatch: 64, recomputes: true, precision: precision, lora: Self.lora)
    for _ in 0..<3 {
      try one.iterate()
      try other.iterate()
    }
    #expect(one.weights == other.weights)
    #expect(one.weights != (try TinyRun(lora: Self.lora).weights))
  }

  @Test func modelCallsAreAsPlanned() throws {
    let run = try TinyRun()
    for iteration in 0..<3 {
      let plan = try SamplingPlan(run.trainer.sampling, iteration: iteration)
      let metrics = try run.iterate()
      #expect(metrics.modelCallsRollout == plan.modelCalls(prompts: 2))
      #expect(metrics.modelCallsUpdate == plan.trainingEvaluations(prompts: 2, minibatches: 2))
    }
  }

  @Test func failedRewardsAreExcludedAndReported() throws {
    let run = try TinyRun()
    var rewards = run.brightness(try run.trainer.rollout(prompts: [0, 1]))
    rewards[3] = .nan
    rewards[7] = .infinity
    let metrics = try run.trainer.update(rewards: [rewards])
    #expect(metrics.failedRewards == 2)
    #expect(metrics.rewardMean.isFinite)
    #expect(metrics.policy.terms == 10 * 3)
  }

  @Test func cancelInTheMiddleOfAnUpdateLeavesEverythingAsItWas() throws {
    let (run, undisturbed) = (try TinyRun(), try TinyRun())
    try run.iterate()
    try undisturbed.iterate()
    let before = run.weights
    let rewards = run.brightness(try run.trainer.rollout(prompts: [0, 1]))
    let error = #expect(throws: MixGRPOError.self) {
      try run.trainer.update(rewards: [rewards]) { done, total in if done > total / 2 { run.context.cancel() } }
    }
    #expect(error?.code == .cancelled)
    #expect(run.weights == before)
    #expect(run.trainer.iteration == 1)
    run.context.resetCancel()
    try run.trainer.update(rewards: [rewards])
    try undisturbed.iterate()
    #expect(run.weights == undisturbed.weights)
  }

  @Test func aCancelThatCameEarlyIsHonoured() throws {
    let run = try TinyRun()
    run.context.cancel()
    let error = #expect(throws: MixGRPOError.self) { try run.iterate() }
    #expect(error?.code == .cancelled)
  }

  @Test func anUpdateThatWouldRuinTheWeightsIsRefused() throws {
    let run = try TinyRun(
      learning: TinyRun.learning {
        $0.optimizer.learningRate = 1_000
        $0.optimizer.weightDecay = 1_000
        $0.safety.maxVelocityChange = 0
        $0.policy.updatesPerIteration = 6
      })
    let before = run.weights
    let rewards = run.brightness(try run.trainer.rollout(prompts: [0, 1]))
    let error = #expect(throws: MixGRPOError.self) { try run.trainer.update(rewards: [rewards]) }
    #expect(error?.code == .notFinite)
    #expect(run.weights == before)
    #expect(run.trainer.iteration == 0)
  }

  @Test func aLoadedCheckpointContinuesWithTheSameBits() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("mixgrpo-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let learning = TinyRun.learning {
      $0.averageDecay = 0.9
      $0.policy.referencePenalty = 0.01
    }
    let whole = try TinyRun(learning: learning)
    for _ in 0..<2 { try whole.iterate() }
    try whole.trainer.save(folder: folder)
    for _ in 0..<2 { try whole.iterate() }

    let resumed = try TinyRun(threads: 1, learning: learning)
    try resumed.trainer.restore(folder: folder)
    #expect(resumed.trainer.iteration == 2)
    for _ in 0..<2 { try resumed.iterate() }
    #expect(resumed.weights == whole.weights)

    let other = try TinyRun(learning: TinyRun.learning { $0.optimizer.learningRate = 2e-3 })
    let error = #expect(throws: MixGRPOError.self) { try other.trainer.restore(folder: folder) }
    #expect(error?.message.contains("learning_rate: expected 0.001, as saved, got 0.002") == true)
  }

  private func adaptive(_ gain: Double) -> SamplingConfiguration {
    TinyRun.configuration {
      $0.windowMode = .adaptive(AdaptiveInterval(maximum: 5, trend: 3, minimumGain: gain), stride: 1, atEnd: .rollBack)
    }
  }

  @Test func anAdaptiveWindowMovesWithTheRewardAndSurvivesACheckpoint() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("mixgrpo-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let whole = try TinyRun(sampling: adaptive(1000))
    #expect(try (0..<4).map { _ in try whole.iterate().window.lowerBound } == [0, 0, 0, 1])
    try whole.trainer.save(folder: folder)
    let resumed = try TinyRun(sampling: adaptive(1000))
    try resumed.trainer.restore(folder: folder)
    #expect(resumed.trainer.adaptiveWindow == whole.trainer.adaptiveWindow)
    #expect(try (0..<3).map { _ in try resumed.iterate().window.lowerBound } == [1, 1, 2])
    let patient = try TinyRun(sampling: adaptive(-1000))
    #expect(try (0..<6).map { _ in try patient.iterate().window.lowerBound } == [0, 0, 0, 0, 0, 1])
  }

  @Test func iterationsWithoutAUsableSignalLeaveTheAdaptiveWindow() throws {
    let run = try TinyRun(sampling: adaptive(1000))
    _ = try run.trainer.rollout(prompts: [0, 1])
    try run.trainer.update(rewards: [(0..<12).map { $0 < 6 ? 1 : 2 }])  // groups without differences
    _ = try run.trainer.rollout(prompts: [0, 1])
    try run.trainer.update(rewards: [[Double](repeating: .nan, count: 12)])
    run.trainer.window = SDEWindow(start: 2, length: 3)
    #expect(try run.iterate().window.lowerBound == 2)
    #expect(run.trainer.adaptiveWindow == AdaptiveWindowState())
    run.trainer.window = nil
    try run.iterate()
    #expect(run.trainer.adaptiveWindow?.iterations == 1)
  }

  @Test func badCallsNameWhatIsWrong() throws {
    let run = try TinyRun()
    #expect(try errorCode { try run.trainer.update(rewards: [[1]]) } == .invalidState)
    #expect(try errorCode { try run.trainer.rollout(prompts: [3]) } == .invalidArgument)
    _ = try run.trainer.rollout(prompts: [0])
    let error = #expect(throws: MixGRPOError.self) { try run.trainer.update(rewards: [[1, 2]]) }
    #expect(error?.message == "rewards: expected 6 values for each reward, got [2]")
    #expect(try errorCode { try TinyRun(rewards: ["a", "a"]) } == .invalidArgument)
  }
}
