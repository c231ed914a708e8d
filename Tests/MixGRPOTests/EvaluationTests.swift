import Foundation
import MixGRPO
import TestSupport
import Testing

@Suite struct EvaluationTests {
  private func evaluation(_ change: (inout EvaluationConfiguration) -> Void = { _ in }) throws -> Evaluation {
    var configuration = EvaluationConfiguration()
    configuration.every = 2
    configuration.watchdog = Watchdog(action: .warn, patience: 1)
    change(&configuration)
    return try Evaluation(
      prompts: [0, 2], plan: .deterministic(.shifted(steps: 4, shift: 3), samplesPerPrompt: 2, seed: 9),
      rewards: [EvaluationReward("bright"), EvaluationReward("dark", weight: 0, isHeldOut: true)],
      configuration: configuration)
  }

  private func scores(_ mean: Double, _ heldOut: Double) -> [[Double]] {
    [mean, heldOut].map { [$0 - 1, $0, $0, $0 + 1] }
  }

  private func weights(_ model: FlowTransformer) -> [Float] {
    model.parameters.flatMap { entry in
      var values = [Float](repeating: 0, count: entry.count)
      model.readWeights(entry, into: &values)
      return values
    }
  }

  @Test func evaluationsChangeNoBitOfTheTraining() throws {
    let (run, undisturbed) = (try TinyRun(), try TinyRun())
    let evaluation = try evaluation()
    for iteration in 0..<4 {
      _ = try run.trainer.rollout(prompts: run.prompts)  // a pending rollout stays
      if evaluation.isDue(run.trainer.iteration) {
        _ = try evaluation.sample(run.trainer)
        try evaluation.submit(iteration: iteration, scores: scores(0, 0))
      }
      try run.iterate()
      try undisturbed.iterate()
    }
    #expect(evaluation.latestIteration == 2)
    #expect(run.weights == undisturbed.weights)
  }

  @Test func theSamplesDependOnTheWeightsAlone() throws {
    let run = try TinyRun()
    let evaluation = try evaluation()
    let first = try evaluation.sample(run.trainer)
    try run.iterate()
    let second = try evaluation.sample(run.trainer)
    #expect(first != second && first.count == evaluation.sampleCount * run.trainer.evaluator.latentSize)
    #expect(try evaluation.sample(run.trainer) == second)
    let other = try TinyRun(sampling: TinyRun.configuration { $0.seed = 77 })
    #expect(try evaluation.sample(other.trainer) == first)
  }

  @Test func theBestWeightsAreThoseOfTheSamplesEvenWhenScoresComeLate() throws {
    let run = try TinyRun()
    let evaluation = try evaluation()
    _ = try evaluation.sample(run.trainer)
    let first = run.weights
    try run.iterate()
    #expect(try evaluation.submit(iteration: 0, scores: scores(1, 1)).isBest)
    _ = try evaluation.sample(run.trainer)
    #expect(try !evaluation.submit(iteration: 1, scores: scores(0.5, 1)).isBest)
    #expect(run.weights != first)
    try evaluation.restoreBest(into: run.trainer.evaluator.model)
    #expect(run.weights == first)
  }

  @Test func theAverageMayBeEvaluatedAndKept() throws {
    let run = try TinyRun(learning: TinyRun.learning { $0.averageDecay = 0.5 })
    try run.iterate()
    let evaluation = try evaluation { $0.weights = .average }
    _ = try evaluation.sample(run.trainer)
    try evaluation.submit(iteration: 1, scores: scores(1, 1))
    #expect(try weights(evaluation.bestModel()) == weights(run.trainer.model(.average)))
    #expect(try weights(evaluation.bestModel()) != run.weights)
    let plain = try TinyRun()
    #expect(try errorCode { try evaluation.sample(plain.trainer) } == .invalidState)
  }

  @Test func aLoadedEvaluationGoesOnAsIfItHadNotStopped() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("mixgrpo-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let run = try TinyRun()
    let (whole, resumed) = (try evaluation(), try evaluation())
    _ = try whole.sample(run.trainer)
    try whole.submit(iteration: 0, scores: scores(1, 5))
    try whole.save(folder: folder)
    try run.trainer.save(folder: folder)
    try resumed.restore(folder: folder)
    #expect(resumed.latestIteration == 0 && resumed.verdict == .goOn && resumed.state.origins == whole.state.origins)
    #expect(try weights(resumed.bestModel()) == run.weights)
    let (expected, found) = (
      try whole.submit(iteration: 2, scores: scores(0.5, 4)), try resumed.submit(iteration: 2, scores: scores(0.5, 4))
    )
    #expect(found == expected)
    #expect(try resumed.submit(iteration: 4, scores: scores(2, 4)).verdict == .warn)

    let others = try evaluation { $0.weights = .average }
    let error = #expect(throws: MixGRPOError.self) { try others.restore(folder: folder) }
    #expect(error?.message.contains("weights") == true)
    let file = folder + "/evaluation.safetensors"
    let bytes = try #require(FileManager.default.contents(atPath: file))
    try bytes.prefix(bytes.count - 40).write(to: URL(fileURLWithPath: file))
    #expect(try errorCode { try resumed.restore(folder: folder) } == .invalidFormat)
    #expect(resumed.latestIteration == 4 && resumed.verdict == .warn)
    try resumed.save(folder: folder)
    let loaded = try self.evaluation()
    #expect(loaded.latestIteration == -1 && loaded.verdict == .goOn)
    try loaded.restore(folder: folder)
    #expect(loaded.latestIteration == 4 && loaded.verdict == .warn)
  }

  @Test func badCallsNameWhatIsWrong() throws {
    let evaluation = try evaluation { $0.keepBest = false }
    _ = try evaluation.sample(try TinyRun().trainer)
    try evaluation.submit(iteration: 0, scores: scores(1, 1))
    #expect(#expect(throws: MixGRPOError.self) { try evaluation.bestModel() }?.code == .invalidState)
    let error = #expect(throws: MixGRPOError.self) { try evaluation.submit(iteration: 2, scores: [[1], [2]]) }
    #expect(error?.message.contains("4 values") == true)
    let unfit = #expect(throws: MixGRPOError.self) {
      try Evaluation(
        prompts: [], plan: SamplingPlan(TinyRun.configuration(), iteration: 0), rewards: [],
        configuration: {
          var configuration = EvaluationConfiguration()
          (configuration.every, configuration.weights) = (0, .base)
          return configuration
        }())
    }
    for field in ["every", "weights", "plan", "prompt_indices", "reward_names"] {
      #expect(unfit?.message.contains(field) == true)
    }
  }
}
