import MixFlowModel
import MixGRPO
import TestSupport
import Testing

/// Sizes and values that do not fit are errors that name their field.
@Suite struct UnfitInputTests {
  private func message(_ body: () throws -> Void) -> String {
    do { try body() } catch { return (error as? MixGRPOError)?.message ?? "\(error)" }
    return ""
  }

  private func configuration(guidance: Bool = true) -> FlowTransformerConfiguration {
    FlowTransformerConfiguration(
      inChannels: 3, numLayers: 1, numSingleLayers: 1, attentionHeadDim: 8, numAttentionHeads: 2, jointAttentionDim: 6,
      pooledProjectionDim: 5, guidanceEmbeds: guidance, axesDimsRope: [2, 2, 4])
  }

  private func embeddings(
    _ count: Int = 1, length: Int = 2, width: Int = 6, pooled: Int = 5, value: Float = 0.5
  ) throws -> PromptEmbeddings {
    try PromptEmbeddings(
      text: [Float](repeating: value, count: count * length * width), pooled: [Float](repeating: 1, count: count * pooled),
      count: count, textLength: length)
  }

  @Test(arguments: [(0, 1, "token_height"), (4097, 1, "token_height"), (1, 0, "token_width"), (1, 4097, "token_width")])
  func theSidesOfAGridAreBounded(height: Int, width: Int, field: String) {
    #expect(message { _ = try TokenGeometry(height: height, width: width) }.hasPrefix("\(field): expected 1…4096"))
  }

  @Test func aGridHasAtMost65536TokensAndEachThreeFinitePositions() throws {
    #expect(message { _ = try TokenGeometry(height: 257, width: 256) }.contains("at most 65536, got 65792"))
    #expect(try TokenGeometry(height: 256, width: 256).tokens == 65_536)
    for positions in [[], [0, 1], [Float](repeating: 0, count: 3 * 65_537)] as [[Float]] {
      #expect(message { _ = try TokenGeometry(positions: positions) }.contains("image_ids: expected 3 values for each"))
    }
    #expect(message { _ = try TokenGeometry(positions: [0, .nan, 1]) }.contains("image_ids: expected finite"))
  }

  @Test func embeddingsMatchTheirCounts() throws {
    #expect(message { _ = try embeddings(0) }.contains("pooled"))
    #expect(message { _ = try embeddings(65_537, length: 1, width: 1, pooled: 1) }.contains("count: expected 1…65536"))
    #expect(message { _ = try embeddings(width: 65_537) }.contains("text_width"))
    #expect(message { _ = try embeddings(pooled: 65_537) }.contains("pooled_width"))
    #expect(message { _ = try embeddings(value: .nan) }.contains("text: expected finite"))
    #expect(message { _ = try PromptEmbeddings(text: [1, 2, 3], pooled: [1], count: 1, textLength: 2) }.contains("text:"))
    #expect(message { _ = try PromptEmbeddings(text: [1], pooled: [1, 2, 3], count: 2, textLength: 1) }.contains("pooled:"))
    let (text, pooled): ([Float], [Float]) = ([1, 2, 3, 4], [1, .infinity])
    for (length, width, wanted) in [
      (0, 2, "text_length"), (2, 1, "text: expected count · text_length · text_width = 2"),
      (2, 2, "pooled: expected finite"),
    ] {
      let found = message {
        try text.withUnsafeBufferPointer { text in
          try pooled.withUnsafeBufferPointer { pooled in
            _ = try PromptEmbeddings(
              text: text, pooled: pooled, count: 1, textLength: length, textWidth: width, pooledWidth: 2)
          }
        }
      }
      #expect(found.contains(wanted), "\(found)")
    }
  }

  @Test func aModelHasThreeEvenAxesThatAddUpToTheHead() {
    var configuration = configuration()
    configuration.axesDimsRope = [2, 2, 2]
    #expect(message { try configuration.validate() }.contains("a sum of attention_head_dim = 8"))
    configuration.axesDimsRope = [1, 3, 4]
    #expect(message { try configuration.validate() }.contains("three even sizes"))
    (configuration.attentionHeadDim, configuration.axesDimsRope) = (4_096, [4_096, 0, 0])
    configuration.numAttentionHeads = 17
    #expect(message { try configuration.validate() }.contains("at most 65536, got 69632"))
  }

  @Test(arguments: [
    (0, 1, 1, "token_count"), (16_777_217, 1, 1, "token_count"), (1, 0, 1, "text_length"), (1, 65_537, 1, "text_length"),
    (1, 1, 0, "max_batch"), (1, 1, 65_537, "max_batch"), (16_777_216, 1, 65_536, "a size in memory"),
  ])
  func memoryIsPredictedForPossibleSizesOnly(tokens: Int, text: Int, batch: Int, named: String) {
    let found = message {
      _ = try EvaluatorMemory(
        configuration: configuration(), tokens: tokens, textLength: text, maxBatch: batch, threads: 1)
    }
    #expect(found.contains(named))
  }

  @Test func aRequestFitsTheModelAndThePrompts() throws {
    let model = try FlowTransformer(configuration: configuration())
    let evaluator = try FlowEvaluator(
      model: model, geometry: TokenGeometry(height: 1, width: 1), textLength: 2, maxBatch: 2, threads: 1)
    var velocity = [Float](repeating: 0, count: 9)
    func ask(
      latents: [Float] = [1, 2, 3], sigmas: [Float] = [0.5], prompts: PromptEmbeddings? = nil, index: [Int32] = [0],
      guidance: [Float]? = nil
    ) throws -> String {
      let answers = try prompts ?? embeddings()
      return message {
        _ = try VelocityRequest.withArrays(latents: latents, sigmas: sigmas, promptIndex: index, guidance: guidance) {
          try evaluator.velocity($0, answers, keep: .none, into: &velocity)
        }
      }
    }
    #expect(try ask() == "")
    #expect(try ask(guidance: [3]) == "")
    #expect(try ask(sigmas: [], index: []).contains("count: expected at least 1"))
    #expect(try ask(latents: [1, 2]).contains("latent_size: expected 3"))
    #expect(try ask(index: [0, 0]).contains("prompt_index: expected 1 values"))
    #expect(try ask(index: [1]).contains("prompt_index[0]: expected 0…0, got 1"))
    #expect(try ask(index: [-1]).contains("prompt_index[0]"))
    #expect(try ask(guidance: [1, 2]).contains("guidance: expected 1 values, got 2"))
    #expect(try ask(guidance: [.nan]).contains("guidance[0]: expected a finite value"))
    #expect(try ask(sigmas: [1.01]).contains("sigma[0]: expected 0…1"))
    #expect(try ask(sigmas: [.nan]).contains("sigma[0]: expected 0…1"))
    #expect(try ask(prompts: embeddings(length: 3)).contains("text_length 2"))
    #expect(try ask(prompts: embeddings(width: 7)).contains("text width 6"))
    #expect(try ask(prompts: embeddings(pooled: 4)).contains("pooled width 5"))
  }

  @Test func parametersAreFoundByNameAndTheirGradientsCanBeSet() throws {
    let model = try FlowTransformer(configuration: configuration())
    #expect(message { _ = try model.parameter(named: "nowhere") }.contains("a parameter of this model, got \"nowhere\""))
    let entry = try model.parameter(named: "x_embedder.bias")
    var gradient = [Float](repeating: 7, count: entry.count)
    model.readGradients(entry, into: &gradient)
    #expect(!model.hasGradients && gradient.allSatisfy { $0 == 0 })
    try model.writeGradients(entry, from: (0..<entry.count).map { Float($0) })
    model.readGradients(entry, into: &gradient)
    #expect(model.hasGradients && gradient == (0..<entry.count).map { Float($0) })
    model.zeroGradients()
    model.readGradients(entry, into: &gradient)
    #expect(gradient.allSatisfy { $0 == 0 })
  }
}
