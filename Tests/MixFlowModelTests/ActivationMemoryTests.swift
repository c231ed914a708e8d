import MixFlowModel
import MixGRPO
import TestSupport
import Testing

/// What is in flight together, and what is kept and what is computed again, changes memory and time but no bit.
@Suite struct ActivationMemoryTests {
  private static let tokens = 96
  private static let text = 4

  private static func model(_ blocks: (double: Int, single: Int) = (2, 2)) throws -> FlowTransformer {
    let model = try FlowTransformer(
      configuration: FlowTransformerConfiguration(
        inChannels: 8, numLayers: blocks.double, numSingleLayers: blocks.single, attentionHeadDim: 16, numAttentionHeads: 2,
        jointAttentionDim: 12, pooledProjectionDim: 10, guidanceEmbeds: true, axesDimsRope: [4, 6, 6]))
    let weights = model.writableWeights()
    for index in weights.indices { weights[index] = 0.1 * wave(index) }
    return model
  }

  private static func wave(_ index: Int) -> Float { Float((index &* 7_919) % 2_001 - 1_000) / 1_000 }

  private static func evaluator(
    _ model: FlowTransformer, threads: Int = 2, maxBatch: Int = 10, recomputes: Bool = false, maxBytes: Int = 0
  ) throws -> FlowEvaluator {
    try FlowEvaluator(
      model: model, geometry: TokenGeometry(height: 8, width: tokens / 8), textLength: text, maxBatch: maxBatch,
      threads: threads, recomputesActivations: recomputes, maxBytes: maxBytes)
  }

  /// The gradients of all weights, then of all latents, for samples 0..<count in calls of at most `perCall`.
  private static func gradients(_ evaluator: FlowEvaluator, count: Int, perCall: Int) throws -> [Float] {
    let prompts = try PromptEmbeddings(
      text: (0..<3 * text * 12).map { wave($0) }, pooled: (0..<3 * 10).map { wave($0 + 5) }, count: 3, textLength: text)
    let size = evaluator.latentSize
    var dLatents: [Float] = []
    evaluator.model.zeroGradients()
    for first in stride(from: 0, to: count, by: perCall) {
      let samples = first..<min(count, first + perCall)
      var velocity = [Float](repeating: 0, count: samples.count * size)
      var gradient = velocity
      _ = try VelocityRequest.withArrays(
        latents: samples.flatMap { sample in (0..<size).map { wave($0 * 3 + sample * 101) } },
        sigmas: samples.map { Float($0 / 3 + 1) / 8 }, promptIndex: samples.map { Int32($0 % 3) }
      ) { try evaluator.velocity($0, prompts, keep: .all, into: &velocity) }
      try evaluator.backward(dVelocity: velocity, dLatents: &gradient)
      dLatents += gradient
    }
    return try Array(evaluator.model.gradients().buffer) + dLatents
  }

  @Test(arguments: [1, 2, 3]) func recomputedActivationsGiveTheSameGradients(threads: Int) throws {
    for blocks in [(2, 2), (1, 0), (0, 2)] {
      let model = try Self.model(blocks)
      let kept = try Self.gradients(Self.evaluator(model, threads: threads), count: 5, perCall: 5)
      let again = try Self.gradients(Self.evaluator(model, threads: threads, recomputes: true), count: 5, perCall: 5)
      #expect(kept == again, "blocks \(blocks)")
      #expect(kept.contains { abs($0) > 0.01 })
    }
  }

  @Test func recomputationKeepsOneBlockAndTheInputsOfAll() throws {
    let model = try Self.model((6, 12))
    let (all, one) = (try Self.evaluator(model).memory, try Self.evaluator(model, recomputes: true).memory)
    #expect(one.trainingBytes(samples: 8) * 3 < all.trainingBytes(samples: 8))
    #expect(one.inferenceBytes == all.inferenceBytes)
  }

  @Test func gradientsDoNotDependOnHowSamplesAreSpreadOverCalls() throws {
    let evaluator = try Self.evaluator(Self.model())
    let whole = try Self.gradients(evaluator, count: 10, perCall: 10)
    let weights = evaluator.model.parameterCount
    for perCall in [1, 4] {
      let split = try Self.gradients(Self.evaluator(evaluator.model, threads: perCall), count: 10, perCall: perCall)
      #expect(split.prefix(weights) == whole.prefix(weights), "\(perCall) a call")
      #expect(split == whole, "\(perCall) a call")
    }
  }

  @Test func aBudgetTooSmallIsRefusedWithTheBytesNeeded() throws {
    let model = try Self.model()
    let error = #expect(throws: MixGRPOError.self) { try Self.evaluator(model, maxBytes: 1_000) }
    #expect(error?.code == .outOfMemory)
    let needed = try #require(error?.message.split(separator: " ").compactMap { Int($0) }.first)
    let smallest = try Self.evaluator(model, maxBytes: needed)
    #expect(smallest.maxBatch == smallest.memory.updateBatch)
    #expect(try errorCode { try Self.evaluator(model, maxBytes: needed - 1) } == .outOfMemory)
    let noRoom = #expect(throws: MixGRPOError.self) { _ = try Self.gradients(smallest, count: 1, perCall: 1) }
    #expect(noRoom?.message.contains("to save activations of 1 samples") == true)
    #expect(try errorCode { try Self.evaluator(model, maxBytes: -1) } == .invalidArgument)
  }

  @Test func moreThreadsThanCoresGiveTheSameBits() throws {
    let model = try Self.model((1, 1))
    let few = try Self.gradients(Self.evaluator(model, threads: 1), count: 3, perCall: 3)
    #expect(try Self.gradients(Self.evaluator(model, threads: 40), count: 3, perCall: 3) == few)
    #expect(try errorCode { try Self.evaluator(model, threads: 0) } == .invalidArgument)
  }
}
