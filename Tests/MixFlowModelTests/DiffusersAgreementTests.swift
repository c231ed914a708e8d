import Foundation
import MixFlowModel
import MixGRPO
import Testing

private let cases = [
  "two_double_two_single_guided", "only_double_single_text_token", "only_single_many_tokens",
  "one_double_one_single_guided",
]

/// Velocities and gradients against values of diffusers' FLUX transformer in float64.
@Suite struct DiffusersAgreementTests {
  @Test(arguments: cases) func velocityAgrees(name: String) throws {
    let reference = try ReferenceCase(name)
    let velocity = try reference.velocity(reference.evaluator())
    #expect(try relativeError(velocity, reference.values("velocity")) <= 2e-6)
  }

  @Test(arguments: cases) func everyGradientAgrees(name: String) throws {
    let reference = try ReferenceCase(name)
    let evaluator = try reference.evaluator()
    _ = try reference.velocity(evaluator, saving: true)
    var dLatents = [Float](repeating: 0, count: reference.batch * evaluator.latentSize)
    try evaluator.backward(dVelocity: reference.values("cotangent"), dLatents: &dLatents)
    #expect(try relativeError(dLatents, reference.values("d_latents")) <= 5e-6)
    for entry in reference.model.parameters {
      var gradient = [Float](repeating: 0, count: entry.count)
      reference.model.readGradients(entry, into: &gradient)
      let error = try relativeError(gradient, reference.values("grad." + entry.name))
      #expect(error <= 2e-5, "\(entry.name)")
    }
  }

  /// Products of factors with 8 bits of mantissa; sums and all other layers have 24.
  @Test(arguments: cases) func bfloat16AgreesWithinItsRounding(name: String) throws {
    let reference = try ReferenceCase(name)
    let evaluator = try reference.evaluator(precision: .bfloat16)
    let velocity = try reference.velocity(evaluator, saving: true)
    let difference = try relativeError(velocity, reference.values("velocity"))
    #expect(difference <= 1e-2)
    #expect(difference > 1e-5, "no factor was rounded")
    try evaluator.backward(dVelocity: reference.values("cotangent"))
    for entry in reference.model.parameters {
      var gradient = [Float](repeating: 0, count: entry.count)
      reference.model.readGradients(entry, into: &gradient)
      let error = try relativeError(gradient, reference.values("grad." + entry.name))
      #expect(error <= 3e-2, "\(entry.name)")
    }
  }

  @Test func gradientsAddUpOverCalls() throws {
    let reference = try ReferenceCase(cases[3])
    let evaluator = try reference.evaluator()
    for _ in 0..<2 {
      _ = try reference.velocity(evaluator, saving: true)
      try evaluator.backward(dVelocity: reference.values("cotangent"))
    }
    let entry = try reference.model.parameter(named: "x_embedder.weight")
    var gradient = [Float](repeating: 0, count: entry.count)
    reference.model.readGradients(entry, into: &gradient)
    let twice = try reference.values("grad.x_embedder.weight").map { 2 * $0 }
    #expect(relativeError(gradient, twice) <= 2e-5)
  }

  @Test(arguments: ["only_double_single_text_token_f16", "only_double_single_text_token_bf16"])
  func halfPrecisionWeightsAreRead(name: String) throws {
    let reference = try ReferenceCase(name)
    #expect(try relativeError(reference.velocity(reference.evaluator()), reference.values("velocity")) <= 2e-6)
  }

  @Test func shardedWeightsAreRead() throws {
    let reference = try ReferenceCase("only_double_single_text_token_sharded", reference: "only_double_single_text_token")
    #expect(try relativeError(reference.velocity(reference.evaluator()), reference.values("velocity")) <= 2e-6)
  }

  @Test(arguments: cases) func savedModelLoadsWithTheSameBits(name: String) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("mixgrpo-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let reference = try ReferenceCase(name)
    try reference.model.save(folder: folder)
    let loaded = try FlowTransformer(folder: folder)
    #expect(loaded.configuration == reference.model.configuration)
    for entry in loaded.parameters {
      var (mine, theirs) = ([Float](repeating: 0, count: entry.count), [Float](repeating: 0, count: entry.count))
      loaded.readWeights(entry, into: &mine)
      reference.model.readWeights(entry, into: &theirs)
      #expect(mine == theirs, "\(entry.name)")
    }
  }
}
