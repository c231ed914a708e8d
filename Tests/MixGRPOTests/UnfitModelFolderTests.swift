import MixStorage
import Testing

@testable import MixGRPO

@Suite struct UnfitModelFolderTests {
  private func message(_ body: () throws -> Void) -> String {
    do { try body() } catch { return (error as? MixGRPOError)?.message ?? "\(error)" }
    return ""
  }

  private func model(layers: Int = 1) throws -> FlowTransformer {
    let model = try FlowTransformer(
      configuration: FlowTransformerConfiguration(
        inChannels: 3, numLayers: layers, numSingleLayers: 1, attentionHeadDim: 8, numAttentionHeads: 2, jointAttentionDim: 6,
        pooledProjectionDim: 5, guidanceEmbeds: false, axesDimsRope: [2, 2, 4]))
    model.initializeWeights(seed: 4)
    return model
  }

  private func configuration(_ key: String, _ value: JSONValue?) throws -> String {
    var json = try model().configuration.json
    json[key] = value
    return message { _ = try FlowTransformerConfiguration(json: json, source: "config") }
  }

  @Test func aConfigurationOfAnotherKindIsNamed() throws {
    #expect(try configuration("_class_name", "UNet").contains("_class_name: expected \"FluxTransformer2DModel\", got UNet"))
    #expect(try configuration("_class_name", 3).contains("got no string"))
    #expect(try configuration("_class_name", nil) == "")
    #expect(try configuration("patch_size", 2).contains("patch_size: expected 1"))
    #expect(try configuration("num_layers", "two").contains("num_layers: expected an integer, got a string"))
    #expect(try configuration("axes_dims_rope", 8).contains("axes_dims_rope: expected a list of integers, got a whole number"))
    #expect(try configuration("axes_dims_rope", ["a"]).contains("axes_dims_rope: expected a list of integers"))
    #expect(try configuration("axes_dims_rope", nil).contains("axes_dims_rope: expected a sum"))  // the default is for FLUX
    #expect(try configuration("guidance_embeds", 1).contains("guidance_embeds: expected true or false"))
    #expect(try configuration("guidance_embeds", nil) == "")
    #expect(try configuration("in_channels", 0).contains("in_channels: expected 1…65536, got 0"))
  }

  @Test func weightsThatTheConfigurationDoesNotDescribeAreListed() throws {
    let place = try CheckpointPlace()
    let folder = place.path + "/model"
    try model(layers: 2).save(folder: folder)
    for (layers, wanted) in [(1, "only weights that config.json demands, got one more"), (3, "got no such tensor")] {
      let text = try JSONValue.object(model(layers: layers).configuration.json).text()
      try AtomicFile.write(Array(text.utf8), to: folder + "/config.json")
      let found = message { _ = try FlowTransformer(folder: folder) }
      #expect(found.contains(wanted) && found.hasSuffix("… and more") && found.count <= 611)
    }
    var wider = try model(layers: 2).configuration.json
    wider["joint_attention_dim"] = 7
    try AtomicFile.write(Array(try JSONValue.object(wider).text().utf8), to: folder + "/config.json")
    let found = message { _ = try FlowTransformer(folder: folder) }
    #expect(found.contains("context_embedder.weight: expected shape [16, 7]") && !found.hasSuffix("… and more"))
  }

  @Test func weightsThatAreNotFiniteAreNotSaved() throws {
    let place = try CheckpointPlace()
    let model = try model()
    model.writableWeights()[7] = .nan
    for precision in [StoredPrecision.float32, .bfloat16] {
      #expect(
        message { try model.save(folder: place.path + "/model", precision: precision) }.contains("expected finite weights"))
    }
    model.writableWeights()[7] = 3.4e38
    #expect(message { try model.save(folder: place.path + "/model", precision: .bfloat16) }.contains("save as F32"))
    #expect(try place.names().isEmpty)
  }
}
