import MixStorage
import Testing

@testable import MixGRPO

/// Arguments of the Swift interface that the C interface checks before.
@Suite struct UnfitArgumentTests {
  private func message(_ body: () throws -> Void) -> String {
    do { try body() } catch { return (error as? MixGRPOError)?.message ?? "\(error)" }
    return ""
  }

  @Test func aHostsModelHasPossibleSizes() {
    let found = message { try HostModel(prompts: 0, latentSize: 0, maxBatch: -1).validate() }
    #expect(found.contains("prompt_count: expected 1…2147483647, got 0"))
    #expect(found.contains("latent_size: expected 1…1000000000, got 0") && found.contains("max_batch: expected 0"))
    #expect(message { try HostModel(prompts: 1, latentSize: 1_000_000_000, maxBatch: 0).validate() } == "")
  }

  @Test func threadsAreBounded() {
    #expect(message { _ = try RunContext(threads: -1) }.contains("threads: expected 0…1024, got -1"))
    #expect(message { _ = try RunContext(threads: 1025) }.contains("threads"))
  }

  @Test func aTrainerSamplesDeterministicPlansAndTakesRewardsOfItsOwnCount() throws {
    let stochastic = try SamplingPlan(TinyRun.configuration(), iteration: 0)
    let free = try ModelFreeTrainer(
      model: HostModel(prompts: 2, latentSize: 4), sampling: TinyRun.configuration(), learning: LearningConfiguration(),
      rewardNames: ["small"], context: RunContext(threads: 1))
    let found = message { try free.beginSample(stochastic, chosen: [0]) }
    #expect(found.contains("plan: expected deterministic sampling"))
    let run = try TinyRun()
    _ = try run.trainer.rollout(prompts: run.prompts)
    #expect(message { _ = try run.trainer.update(rewards: []) }.contains("rewards: expected 1 rewards, got 0"))
    #expect(message { _ = try run.trainer.update(rewards: [[1, 2]]) }.contains("values for each reward"))
  }

  @Test func aStepOfPretrainingTakesOneLatentForEachPrompt() throws {
    let model = try FlowTransformer(
      configuration: FlowTransformerConfiguration(
        inChannels: 12, numLayers: 1, numSingleLayers: 1, attentionHeadDim: 8, numAttentionHeads: 2, jointAttentionDim: 6,
        pooledProjectionDim: 5, guidanceEmbeds: false, axesDimsRope: [2, 2, 4]))
    model.initializeWeights(seed: 4)
    let evaluator = try FlowEvaluator(
      model: model, geometry: TokenGeometry(height: 2, width: 2), textLength: 3, maxBatch: 4, threads: 1)
    let pretrainer = try FlowMatchingPretrainer(
      evaluator: evaluator, configuration: PretrainingConfiguration(), context: RunContext(threads: 1))
    let prompts = try HashedWordEncoder(textLength: 3, textWidth: 6, pooledWidth: 5).embeddings(of: ["a"])
    func step(_ latents: [Float], _ index: [Int32]) -> String {
      message { _ = try pretrainer.step(latents: latents, prompts: prompts, promptIndex: index, iteration: 0) }
    }
    #expect(step([], []).contains("prompt_index: expected at least one sample"))
    #expect(step([1, 2], [0]).contains("latents: expected 48 values, got 2"))
    #expect(step([Float](repeating: 3e38, count: 48), [0]) != "" && pretrainer.optimizer.stepCount == 0)
    #expect(step([Float](repeating: 0.5, count: 48), [0]) == "" && pretrainer.optimizer.stepCount == 1)
  }
}
