import MixGRPO
import TestSupport
import Testing

@testable import MixFlowModel

@Suite struct AdapterTests {
  /// Widths that are no multiples of a panel's sixteen columns.
  private static func base() throws -> FlowTransformer {
    let model = try FlowTransformer(
      configuration: FlowTransformerConfiguration(
        inChannels: 6, numLayers: 2, numSingleLayers: 2, attentionHeadDim: 8, numAttentionHeads: 3,
        jointAttentionDim: 10, pooledProjectionDim: 9, guidanceEmbeds: true, axesDimsRope: [2, 2, 4]))
    model.initializeWeights(seed: 1)
    let weights = model.writableWeights()
    for index in weights.indices where weights[index] == 0 { weights[index] = 0.05 * wave(index) }
    return model
  }

  private static func wave(_ index: Int) -> Float { Float((index &* 7_919) % 2_001 - 1_000) / 1_000 }

  private static func adapted(_ base: FlowTransformer, _ targets: [String], rank: Int = 3) throws -> FlowTransformer {
    var lora = LoRAConfiguration()
    (lora.rank, lora.alpha, lora.targets, lora.seed) = (rank, 5, targets, 4)
    let model = try FlowTransformer(adapting: base, lora)
    let weights = model.writableWeights()
    for index in weights.indices where weights[index] == 0 { weights[index] = 0.1 * wave(index &* 31 + 7) }
    return model
  }

  private struct Run {
    var velocity: [Float]
    var gradient: [Float] = []
  }

  private static func run(
    _ model: FlowTransformer, threads: Int = 2, _ precision: Precision = .float32, splits: [Range<Int>] = [0..<5],
    recomputes: Bool = false, backward: Bool = true
  ) throws -> Run {
    let evaluator = try FlowEvaluator(
      model: model, geometry: TokenGeometry(height: 3, width: 5), textLength: 3, maxBatch: 5, threads: threads,
      recomputesActivations: recomputes, precision: precision)
    let prompts = try PromptEmbeddings(
      text: (0..<3 * 3 * 10).map { wave($0) }, pooled: (0..<3 * 9).map { wave($0 + 5) }, count: 3, textLength: 3)
    let size = evaluator.latentSize
    var run = Run(velocity: [])
    model.zeroGradients()
    for samples in splits {
      let latents = samples.flatMap { sample in (0..<size).map { wave($0 * 3 + sample * 101) } }
      var velocity = [Float](repeating: 0, count: samples.count * size)
      _ = try VelocityRequest.withArrays(
        latents: latents, sigmas: samples.map { Float($0 % 3 + 1) / 4 }, promptIndex: samples.map { Int32($0 % 3) }
      ) { try evaluator.velocity($0, prompts, keep: backward ? .all : .none, into: &velocity) }
      if backward { try evaluator.backward(dVelocity: velocity) }
      run.velocity += velocity
    }
    if backward { run.gradient = try Array(model.gradients().buffer) }
    return run
  }

  private func isSame(_ a: [Float], _ b: [Float]) -> Bool { a == b }

  /// The weights of the blocks' layers rounded to bfloat16.
  private static func rounded(_ base: FlowTransformer) throws -> FlowTransformer {
    let model = try FlowTransformer(copying: base)
    let weights = model.writableWeights()
    for layer in model.layout.blockLayers {
      for index in layer.weight..<layer.weight + layer.inputs * layer.outputs {
        let bits = weights[index].bitPattern
        weights[index] = Float(bitPattern: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) & 0xFFFF_0000)
      }
    }
    return model
  }

  @Test(arguments: Precision.allCases, [1, 3])
  func aFrozenModelHasTheBitsOfRoundedWeights(precision: Precision, threads: Int) throws {
    let base = try Self.base()
    let frozen = try FlowTransformer(freezing: base)
    #expect(frozen.isFrozen && frozen.parameters.isEmpty && frozen.parameterCount == 0)
    let velocity = try Self.run(frozen, threads: threads, precision, backward: false).velocity
    #expect(isSame(velocity, try Self.run(Self.rounded(base), threads: threads, precision, backward: false).velocity))
    // Products in bfloat16 round the weights anyway.
    let unrounded = try Self.run(base, threads: threads, precision, backward: false).velocity
    #expect(isSame(velocity, unrounded) == (precision == .bfloat16))
    #expect(isSame(velocity, try Self.run(FlowTransformer(copying: frozen), precision, backward: false).velocity))
    #expect(isSame(velocity, try Self.run(frozen.merged(), precision, backward: false).velocity))
  }

  @Test(arguments: [[], ["to_q", "norm1.linear"]], [false, true])
  func anAdapterOfAFrozenModelHasTheGradientsOfRoundedWeights(targets: [String], recomputes: Bool) throws {
    let base = try Self.base()
    let onFrozen = try Self.run(Self.adapted(FlowTransformer(freezing: base), targets), recomputes: recomputes)
    let onRounded = try Self.run(Self.adapted(Self.rounded(base), targets), recomputes: recomputes)
    #expect(isSame(onFrozen.velocity, onRounded.velocity) && isSame(onFrozen.gradient, onRounded.gradient))
    #expect(onFrozen.gradient.contains { $0 != 0 })
  }

  @Test func aFrozenModelIsNotTrained() throws {
    let frozen = try FlowTransformer(freezing: Self.base())
    let error = #expect(throws: MixGRPOError.self) { try Self.run(frozen) }
    #expect(error?.code == .invalidState && error?.message.contains("frozen") == true)
    #expect(frozen.writableWeights().isEmpty)
  }

  @Test(arguments: [Float.nan, .infinity, 3.4e38])
  func aWeightThatBfloat16CannotHoldIsNamed(value: Float) throws {
    let base = try Self.base()
    let entry = try base.parameter(named: "single_transformer_blocks.1.proj_out.weight")
    base.writableWeights()[entry.offset + 3] = value
    let error = #expect(throws: MixGRPOError.self) { try FlowTransformer(freezing: base) }
    #expect(error?.code == .notFinite && error?.message.hasPrefix(entry.name) == true)
  }

  @Test func aFrozenModelTakesHalfTheBytesForItsBlocks() throws {
    func memory(_ isFrozen: Bool) throws -> EvaluatorMemory {
      try EvaluatorMemory(
        configuration: Self.base().configuration, tokens: 15, textLength: 3, maxBatch: 2, threads: 1, lora: LoRAConfiguration(),
        isFrozen: isFrozen)
    }
    let layers = try Self.base().layout.blockLayers.reduce(0) { $0 + $1.inputs * $1.outputs }
    #expect(try memory(false).weightBytes - memory(true).weightBytes == 2 * layers)
  }

  @Test func aNewAdapterChangesNoVelocity() throws {
    let base = try Self.base()
    let model = try FlowTransformer(adapting: base)
    #expect(model.parameterCount < base.parameterCount)
    #expect(isSame(try Self.run(model, backward: false).velocity, try Self.run(base, backward: false).velocity))
  }

  @Test(arguments: Precision.allCases, [[], ["*"], ["to_q", "proj_out", "norm1.linear"]])
  func theVelocityIsThatOfTheMergedModel(precision: Precision, targets: [String]) throws {
    let base = try Self.base()
    let model = try Self.adapted(base, targets)
    let velocity = try Self.run(model, precision, backward: false).velocity
    #expect(isSame(velocity, try Self.run(model.merged(), precision, backward: false).velocity))
    #expect(!isSame(velocity, try Self.run(base, precision, backward: false).velocity))
    model.adapterStrength = 0
    #expect(isSame(try Self.run(model, backward: false).velocity, try Self.run(base, backward: false).velocity))
  }

  /// dA = scale·Bᵀ·dW′ and dB = scale·dW′·Aᵀ, dW′ from the backward of the merged model.
  @Test(arguments: Precision.allCases, [[], ["*"], ["to_v", "proj_mlp", "x_embedder"]])
  func gradientsAreThoseOfTheMergedModelThroughTheFactors(precision: Precision, targets: [String]) throws {
    let model = try Self.adapted(Self.base(), targets)
    let merged = try model.merged()
    let (found, whole) = (try Self.run(model, precision).gradient, try Self.run(merged, precision).gradient)
    let adapter = try #require(model.adapter)
    for matrix in adapter.matrices {
      let (inputs, outputs, rank) = (matrix.module.inputs, matrix.module.outputs, matrix.low.rank)
      let dW = try merged.parameter(named: matrix.module.name + ".weight").offset
      func a(_ k: Int, _ input: Int) -> Double { Double(model.weights[matrix.a + k * inputs + input]) }
      func b(_ output: Int, _ k: Int) -> Double { Double(model.weights[matrix.b + output * rank + k]) }
      var expected = [Double](repeating: 0, count: rank * (inputs + outputs))
      for output in 0..<outputs {
        for input in 0..<inputs {
          let slope = matrix.low.scale * Double(whole[dW + output * inputs + input])
          for k in 0..<rank {
            expected[k * inputs + input] += slope * b(output, k)
            expected[rank * inputs + output * rank + k] += slope * a(k, input)
          }
        }
      }
      for (start, range) in [(matrix.a, 0..<rank * inputs), (matrix.b, rank * inputs..<expected.count)] {
        let part = range.map { expected[$0] }
        let norm = part.reduce(0) { $0 + $1 * $1 }.squareRoot()
        let error = part.indices.reduce(0) {
          $0 + (Double(found[start + $1]) - part[$1]) * (Double(found[start + $1]) - part[$1])
        }
        .squareRoot()
        #expect(error <= (precision == .float32 ? 2e-5 : 2e-2) * norm, "\(matrix.module.name): \(error) of \(norm)")
      }
    }
  }

  @Test(arguments: Precision.allCases) func bitsDoNotDependOnThreadsSplitsOrRecomputation(precision: Precision) throws {
    let model = try Self.adapted(Self.base(), ["*"])
    let one = try Self.run(model, threads: 1, precision)
    for (threads, splits, recomputes) in [(3, [0..<5], false), (2, [0..<2, 2..<5], false), (2, [0..<5], true)] {
      let other = try Self.run(model, threads: threads, precision, splits: splits, recomputes: recomputes)
      #expect(isSame(one.velocity, other.velocity), "\(threads) \(splits)")
      #expect(isSame(one.gradient, other.gradient), "\(threads) \(splits)")
    }
  }

  @Test func twoAdaptersShareOneBase() throws {
    let base = try Self.base()
    let (first, second) = (try Self.adapted(base, ["to_q"]), try Self.adapted(base, ["to_k"], rank: 2))
    let before = try Self.run(first, backward: false).velocity
    second.initializeWeights(seed: 9)
    #expect(isSame(try Self.run(first, backward: false).velocity, before))
    #expect(first.frozen === base && second.frozen === base)
  }

  @Test func unfitConfigurationsAreErrors() throws {
    let base = try Self.base()
    func message(_ change: (inout LoRAConfiguration) -> Void) -> String {
      var lora = LoRAConfiguration()
      change(&lora)
      do throws(MixGRPOError) {
        _ = try FlowTransformer(adapting: base, lora)
        return ""
      } catch { return error.message }
    }
    #expect(message { $0.rank = 0 }.contains("rank"))
    #expect(message { $0.rank = 25 }.contains("rank: expected 1…24"))
    #expect(message { $0.alpha = .nan }.contains("alpha"))
    #expect(message { $0.targets = ["to_z"] }.contains("targets: expected names of the model's layers"))
    #expect(message { $0.targets = [""] }.contains("targets"))
    let adapted = try FlowTransformer(adapting: base)
    let twice = #expect(throws: MixGRPOError.self) { try FlowTransformer(adapting: adapted) }
    #expect(twice?.code == .invalidArgument && twice?.message.contains("adapter") == true)
  }

  @Test func patternsSelectByNameEndAndStar() {
    let cases = [
      ("to_q", "transformer_blocks.0.attn.to_q", true), ("o_q", "transformer_blocks.0.attn.to_q", false),
      ("transformer_blocks.0.*", "transformer_blocks.0.attn.to_q", true), ("*.to_*", "a.b.to_q", true), ("*x", "abc", false),
      ("transformer_blocks.0.*", "single_transformer_blocks.0.proj_mlp", false), ("*", "proj_out", true),
      ("a*b*c", "axxbyyc", true),
    ]
    for (pattern, name, expected) in cases {
      #expect(LayerPattern(text: pattern).matches(name) == expected, "\(pattern) \(name)")
    }
  }
}
