import MixFlowModel
import MixGRPO
import Testing

/// The promise behind "the first ratio is exactly 1": a sample has one velocity, to the last bit.
@Suite struct DeterminismTests {
  private static func model() throws -> FlowTransformer {
    let model = try FlowTransformer(
      configuration: FlowTransformerConfiguration(
        inChannels: 12, numLayers: 2, numSingleLayers: 2, attentionHeadDim: 32, numAttentionHeads: 4,
        jointAttentionDim: 24, pooledProjectionDim: 20, guidanceEmbeds: true, axesDimsRope: [4, 14, 14]))
    model.initializeWeights(seed: 1)
    // Zero-initialised layers would hide every difference.
    let weights = model.writableWeights()
    for index in weights.indices where weights[index] == 0 { weights[index] = 0.03 * sin(index) }
    return model
  }

  private static func sin(_ index: Int) -> Float { Float((index &* 7_919) % 2_001 - 1_000) / 1_000 }

  /// Without the search for differences that `#expect` makes in long arrays.
  private func isSame(_ a: [Float], _ b: [Float]) -> Bool { a == b }

  private struct Run {
    var velocity: [Float]
    var gradient: [Float] = []
  }

  private static func run(
    _ model: FlowTransformer, samples: [Int], threads: Int, maxBatch: Int = 16, backward: Bool = false,
    _ precision: Precision = .float32, recomputes: Bool = false, accumulates: Bool = false
  ) throws -> Run {
    let evaluator = try FlowEvaluator(
      model: model, geometry: TokenGeometry(height: 7, width: 9), textLength: 5, maxBatch: maxBatch, threads: threads,
      recomputesActivations: recomputes, precision: precision)
    let prompts = try PromptEmbeddings(
      text: (0..<3 * 5 * 24).map { sin($0) }, pooled: (0..<3 * 20).map { sin($0 + 5) }, count: 3, textLength: 5)
    let size = evaluator.latentSize
    let latents = samples.flatMap { sample in (0..<size).map { sin($0 * 3 + sample * 101) } }
    var run = Run(velocity: [Float](repeating: 0, count: samples.count * size))
    if !accumulates { model.zeroGradients() }
    _ = try VelocityRequest.withArrays(
      latents: latents, sigmas: samples.map { Float($0 % 3 + 1) / 4 }, promptIndex: samples.map { Int32($0 % 3) }
    ) { try evaluator.velocity($0, prompts, keep: backward ? .all : .none, into: &run.velocity) }
    if backward {
      try evaluator.backward(dVelocity: run.velocity)
      run.gradient = try Array(model.gradients().buffer)
    }
    return run
  }

  @Test(arguments: Precision.allCases, [2, 3, 5])
  func velocityAndGradientDoNotDependOnThreads(precision: Precision, threads: Int) throws {
    let model = try Self.model()
    let one = try Self.run(model, samples: Array(0..<7), threads: 1, backward: true, precision)
    let other = try Self.run(model, samples: Array(0..<7), threads: threads, backward: true, precision)
    #expect(isSame(one.velocity, other.velocity))
    #expect(isSame(one.gradient, other.gradient))
    #expect(one.velocity.contains { abs($0) > 0.01 })
  }

  @Test(arguments: Precision.allCases) func recomputedActivationsGiveTheSameBits(precision: Precision) throws {
    let model = try Self.model()
    let saved = try Self.run(model, samples: Array(0..<5), threads: 2, backward: true, precision)
    let recomputed = try Self.run(model, samples: Array(0..<5), threads: 2, backward: true, precision, recomputes: true)
    #expect(isSame(saved.velocity, recomputed.velocity))
    #expect(isSame(saved.gradient, recomputed.gradient))
  }

  /// A call of seven samples, and one of three and one of four.
  @Test(arguments: Precision.allCases) func aGradientDoesNotDependOnHowSamplesAreSplit(precision: Precision) throws {
    let model = try Self.model()
    let whole = try Self.run(model, samples: Array(0..<7), threads: 2, backward: true, precision)
    _ = try Self.run(model, samples: Array(0..<3), threads: 2, backward: true, precision)
    let parts = try Self.run(model, samples: Array(3..<7), threads: 2, backward: true, precision, accumulates: true)
    #expect(isSame(whole.gradient, parts.gradient))
  }

  @Test(arguments: Precision.allCases) func velocityDoesNotDependOnTheBatchOrOnSaving(precision: Precision) throws {
    let model = try Self.model()
    let batch = try Self.run(model, samples: Array(0..<7), threads: 2, maxBatch: 3, precision)
    let size = batch.velocity.count / 7
    for sample in 0..<7 {
      let alone = try Self.run(model, samples: [sample], threads: 2, backward: true, precision)
      #expect(isSame(alone.velocity, Array(batch.velocity[sample * size..<(sample + 1) * size])), "sample \(sample)")
    }
  }
}
