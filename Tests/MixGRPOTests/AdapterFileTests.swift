import Foundation
import MixGRPO
import MixStorage
import TestSupport
import Testing

@Suite struct AdapterFileTests {
  private static func adapted(_ base: FlowTransformer, _ targets: [String]) throws -> FlowTransformer {
    var lora = LoRAConfiguration()
    (lora.rank, lora.alpha, lora.targets) = (2, 8, targets)
    let model = try FlowTransformer(adapting: base, lora)
    for entry in model.parameters {
      model.writeWeights(entry, from: (0..<entry.count).map { Float(($0 * 37 + entry.offset) % 23 - 11) * 0.01 })
    }
    return model
  }

  private func weights(_ model: FlowTransformer) throws -> [Float] {
    let whole = try model.merged()
    return whole.parameters.flatMap { entry in
      var values = [Float](repeating: 0, count: entry.count)
      whole.readWeights(entry, into: &values)
      return values
    }
  }

  @Test(arguments: AdapterFormat.allCases, [["*"], ["to_q", "proj_mlp", "norm_out.linear"]])
  func aSavedAdapterIsLoadedAgain(format: AdapterFormat, targets: [String]) throws {
    let place = try CheckpointPlace()
    let base = try TinyRun().trainer.evaluator.model
    let model = try Self.adapted(base, targets)
    let path = format == .kohya ? place.path + "/adapter.safetensors" : place.path + "/adapter"
    try model.saveAdapter(path, format: format)
    let loaded = try FlowTransformer(adapting: base, file: path)
    let (saved, found) = (try weights(model), try weights(loaded))
    #expect(zip(saved, found).allSatisfy { abs($0 - $1) <= 1e-6 })
    #expect(saved != (try weights(FlowTransformer(copying: base))))
  }

  @Test func aFrozenModelIsLoadedAsItWasSaved() throws {
    let place = try CheckpointPlace()
    let base = try TinyRun().trainer.evaluator.model
    let frozen = try FlowTransformer(freezing: base)
    try base.save(folder: place.path + "/base")
    try frozen.save(folder: place.path + "/rounded")
    let expected = try weights(frozen)
    #expect(try weights(FlowTransformer(frozenFolder: place.path + "/base")) == expected)
    #expect(try weights(FlowTransformer(frozenFolder: place.path + "/rounded")) == expected)
    #expect(try weights(FlowTransformer(folder: place.path + "/rounded")) == expected)
    #expect(try weights(base) != expected)
  }

  /// A file with tensors of these names and shapes, all values 0.1.
  private func file(_ place: CheckpointPlace, _ tensors: [(String, [Int])], value: Float = 0.1) throws -> String {
    let path = place.path + "/made.safetensors"
    let values = [Float](repeating: value, count: 4_096)
    try values.withUnsafeBufferPointer { values in
      try SafetensorsWriter.write(
        tensors.map {
          WeightEntry(name: $0.0, shape: $0.1, values: UnsafeBufferPointer(rebasing: values[0..<$0.1.reduce(1, *)]))
        }, precision: .float32, to: path)
    }
    return path
  }

  @Test(arguments: [
    "", "transformer.", "base_model.model.", "diffusion_model.", "module._orig_mod.", "base_model.model.transformer.",
  ]) func prefixesAreSkipped(prefix: String) throws {
    let place = try CheckpointPlace()
    let base = try TinyRun().trainer.evaluator.model
    let layer = prefix + "transformer_blocks.0.attn.to_q"
    let path = try file(place, [(layer + ".lora_A.weight", [2, 16]), (layer + ".lora_B.weight", [16, 2])])
    let model = try FlowTransformer(adapting: base, file: path)
    #expect(model.parameters.map(\.name) == ["A", "B"].map { "transformer_blocks.0.attn.to_q.lora_\($0).weight" })
  }

  @Test func aFusedLayerIsSharedOut() throws {
    let place = try CheckpointPlace()
    let base = try TinyRun().trainer.evaluator.model
    let layer = "lora_unet_double_blocks_0_img_attn_qkv"
    let path = try file(
      place, [(layer + ".lora_down.weight", [2, 16]), (layer + ".lora_up.weight", [48, 2]), (layer + ".alpha", [])])
    let model = try FlowTransformer(adapting: base, file: path)
    #expect(model.parameters.count == 6)
    let entry = try base.parameter(named: "transformer_blocks.0.attn.to_k.weight")
    var (before, after) = ([Float](repeating: 0, count: entry.count), [Float](repeating: 0, count: entry.count))
    base.readWeights(entry, into: &before)
    try model.merged().readWeights(entry, into: &after)
    // α/r·B·A = 0.05 · 2 · 0.1 · 0.1
    #expect(zip(before, after).allSatisfy { abs($1 - $0 - 0.001) <= 1e-6 })
  }

  @Test func unfitFilesAreErrorsThatNameTheTensor() throws {
    let place = try CheckpointPlace()
    let base = try TinyRun().trainer.evaluator.model
    let layer = "transformer_blocks.0.attn.to_q"
    func error(_ tensors: [(String, [Int])], value: Float = 0.1) throws -> (MixGRPOError.Code, String)? {
      let path = try file(place, tensors, value: value)
      do throws(MixGRPOError) {
        _ = try FlowTransformer(adapting: base, file: path)
        return nil
      } catch { return (error.code, error.message) }
    }
    let pair = [(layer + ".lora_A.weight", [2, 16]), (layer + ".lora_B.weight", [16, 2])]
    let cases: [([(String, [Int])], MixGRPOError.Code, String)] = [
      ([pair[0]], .invalidFormat, "no B"), ([pair[1]], .invalidFormat, "no A"),
      ([(layer + ".lora_A.weight", [2, 17]), pair[1]], .invalidFormat, "shape [rank, 16]"),
      ([pair[0], (layer + ".lora_B.weight", [16, 3])], .invalidFormat, "shape [16, 2]"),
      ([("unet." + layer + ".lora_A.weight", [2, 16])], .invalidFormat, "strip the prefix \"unet.\""),
      ([("nowhere.lora_A.weight", [2, 16])], .invalidFormat, "a layer of this model"),
      ([(layer + ".weight", [16, 16])], .invalidFormat, "a factor of a low-rank adapter"),
      (pair + [(layer + ".lora_magnitude_vector", [16])], .unsupported, "DoRA"),
      (pair + [("lora_te1_text_model.lora_down.weight", [2, 16])], .unsupported, "text encoder"),
      (pair + [(layer + ".lora_A.default.weight", [2, 16])], .invalidFormat, "each factor once"),
    ]
    for (tensors, code, text) in cases {
      let found = try error(tensors)
      #expect(found?.0 == code && found?.1.contains(text) == true, "\(text): \(String(describing: found))")
    }
    #expect(try error(pair, value: .nan)?.0 == .notFinite)
    let wide = try file(place, [(layer + ".lora_A.weight", [40, 16]), (layer + ".lora_B.weight", [16, 40])])
    let merged = try FlowTransformer(adapting: base, file: wide).merged()
    #expect(try weights(merged) != weights(base) && weights(merged).allSatisfy(\.isFinite), "a rank beyond the layer's sizes")
    #expect(try errorCode { try FlowTransformer(adapting: base, file: place.path) } == .inputOutput)
    #expect(try errorCode { try base.saveAdapter(place.path) } == .invalidState)
  }
}
