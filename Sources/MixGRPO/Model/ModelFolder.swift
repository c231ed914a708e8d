import MixBasics
import MixFlowModel
import MixNumerics
import MixStorage

/// The element type of weights in a model folder.
public enum StoredPrecision: Sendable {
  /// Exact: the weights are computed in this type.
  case float32
  /// Half the size; rounded to nearest even.
  case bfloat16
}

extension FlowTransformer {
  /// Loads a diffusers folder: `config.json` beside `diffusion_pytorch_model.safetensors`, in one file or sharded with an
  /// index.
  ///
  /// A variant such as `diffusion_pytorch_model.fp16.safetensors` is read when it is the only one, and of a pipeline's folder its
  /// `transformer/`. F32, F16 and BF16 weights are read. The folder must have exactly the model's weights, with their shapes.
  /// - Throws: `inputOutput`, `invalidFormat`, `unsupported`, `notFinite`, `outOfMemory`.
  public convenience init(folder path: String) throws(MixGRPOError) {
    let folder = try WeightFolder(path: path)
    let configuration = try FlowTransformerConfiguration(json: folder.configuration, source: path)
    try Self.compare(folder, try ParameterLayout(configuration), path)
    try self.init(configuration: configuration)
    for entry in parameters {
      let target = UnsafeMutableBufferPointer(rebasing: writableWeights()[entry.offset..<entry.offset + entry.count])
      try folder.read(entry.name, expectedShape: entry.shape, into: target)
      guard Reduction.allFinite(weights + entry.offset, count: entry.count) else {
        throw MixGRPOError(.notFinite, "\(entry.name): expected finite weights, got NaN or infinity")
      }
    }
  }

  /// Loads a folder as a frozen model; its blocks' weights are rounded to bfloat16 one by one.
  /// - Throws: as for `init(folder:)`; `notFinite` also beyond bfloat16's largest value.
  public convenience init(frozenFolder path: String) throws(MixGRPOError) {
    let folder = try WeightFolder(path: path)
    let configuration = try FlowTransformerConfiguration(json: folder.configuration, source: path)
    try Self.compare(folder, try ParameterLayout(configuration), path)
    try self.init(frozen: configuration) { (entry, target) throws(MixGRPOError) in
      try folder.read(
        entry.name, expectedShape: entry.shape, into: UnsafeMutableBufferPointer(start: target, count: entry.count))
    }
  }

  /// Names and shapes are compared before memory for weights is allocated.
  private static func compare(_ folder: WeightFolder, _ layout: ParameterLayout, _ path: String) throws(MixGRPOError) {
    var check = Validation()
    let stored = Dictionary(folder.tensors.map { ($0.name, $0.shape) }, uniquingKeysWith: { first, _ in first })
    let known = Set(layout.entries.map(\.name))
    for entry in layout.entries {
      check.require(
        stored[entry.name] == entry.shape, "\(path): \(entry.name)", expected: "shape \(entry.shape) as config.json demands",
        got: stored[entry.name].map { "\($0)" } ?? "no such tensor")
    }
    for tensor in folder.tensors where !known.contains(tensor.name) {
      check.require(false, "\(path): \(tensor.name)", expected: "only weights that config.json demands", got: "one more")
    }
    do { try check.throwIfAny() } catch { throw MixGRPOError(.invalidFormat, shortened(error.message)) }
  }

  /// Saves a diffusers folder, which is created when it is missing; its parent must exist. Each file is written atomically. An adapter
  /// is merged into the saved weights; a frozen model is saved with the values it has.
  /// - Throws: `inputOutput`; `notFinite` when a weight is NaN or infinite, or beyond the largest BF16 value when saved as such; then
  ///   nothing is written.
  public func save(folder path: String, precision: StoredPrecision = .float32) throws(MixGRPOError) {
    if adapter != nil || isFrozen { return try merged().save(folder: path, precision: precision) }
    let entries = parameters.map { entry in
      WeightEntry(
        name: entry.name, shape: entry.shape,
        values: UnsafeBufferPointer(start: weights + entry.offset, count: entry.count))
    }
    for entry in entries { try Self.checkSavable(entry, precision) }
    try WeightFolder.write(
      entries, configuration: configuration.json, precision: precision == .float32 ? .float32 : .bfloat16, to: path)
  }
}

extension FlowTransformer {
  /// The largest finite BF16 value is 0x7F7F; larger weights would be rounded to infinity, which loading refuses.
  private static func checkSavable(_ entry: WeightEntry, _ precision: StoredPrecision) throws(MixGRPOError) {
    guard let base = entry.values.baseAddress else { return }
    guard Reduction.allFinite(base, count: entry.values.count) else {
      throw MixGRPOError(.notFinite, "\(entry.name): expected finite weights to save, got NaN or infinity")
    }
    guard precision == .bfloat16, let large = entry.values.first(where: { !BFloat16.widen(BFloat16.narrow($0)).isFinite })
    else { return }
    throw MixGRPOError(
      .notFinite, "\(entry.name): expected weights up to \(BFloat16.widen(0x7F7F)) to save as BF16, got \(large); save as F32")
  }
}

/// Truncates a list of many problems to a readable length.
private func shortened(_ message: String) -> String {
  message.count <= 600 ? message : message.prefix(600) + "… and more"
}

extension FlowTransformerConfiguration {
  /// From a diffusers `config.json`; missing keys have diffusers' defaults, unrelated keys are ignored.
  package init(json: JSONObject, source: String) throws(MixGRPOError) {
    let name = json["_class_name"]
    guard name == nil || name?.string == "FluxTransformer2DModel" else {
      throw MixGRPOError(
        .unsupported, "\(source): _class_name: expected \"FluxTransformer2DModel\", got \(name?.string ?? "no string")")
    }
    func integer(_ key: String, default value: Int) throws(MixGRPOError) -> Int {
      guard let stored = json[key] else { return value }
      guard let integer = stored.integer else {
        throw MixGRPOError(.invalidFormat, "\(source): \(key): expected an integer, got \(stored.kind)")
      }
      return integer
    }
    guard try integer("patch_size", default: 1) == 1 else {
      throw MixGRPOError(.unsupported, "\(source): patch_size: expected 1, got another")
    }
    let axes = try (json["axes_dims_rope"]).map { (value) throws(MixGRPOError) in
      guard let array = value.array, array.allSatisfy({ $0.integer != nil }) else {
        throw MixGRPOError(.invalidFormat, "\(source): axes_dims_rope: expected a list of integers, got \(value.kind)")
      }
      return array.compactMap(\.integer)
    }
    guard json["guidance_embeds"] == nil || json["guidance_embeds"]?.bool != nil else {
      throw MixGRPOError(.invalidFormat, "\(source): guidance_embeds: expected true or false, got something else")
    }
    let inChannels = try integer("in_channels", default: 64)
    self.init(
      inChannels: inChannels,
      outChannels: json["out_channels"] == .null ? inChannels : try integer("out_channels", default: inChannels),
      numLayers: try integer("num_layers", default: 19), numSingleLayers: try integer("num_single_layers", default: 38),
      attentionHeadDim: try integer("attention_head_dim", default: 128),
      numAttentionHeads: try integer("num_attention_heads", default: 24),
      jointAttentionDim: try integer("joint_attention_dim", default: 4_096),
      pooledProjectionDim: try integer("pooled_projection_dim", default: 768),
      guidanceEmbeds: json["guidance_embeds"]?.bool ?? false, axesDimsRope: axes ?? [16, 56, 56])
    do throws(MixGRPOError) { try validate() } catch { throw MixGRPOError(.invalidFormat, "\(source): \(error.message)") }
  }

  package var json: JSONObject {
    [
      "_class_name": "FluxTransformer2DModel",
      "attention_head_dim": .integer(Int64(attentionHeadDim)),
      "axes_dims_rope": .array(axesDimsRope.map { .integer(Int64($0)) }),
      "guidance_embeds": .bool(guidanceEmbeds),
      "in_channels": .integer(Int64(inChannels)),
      "joint_attention_dim": .integer(Int64(jointAttentionDim)),
      "num_attention_heads": .integer(Int64(numAttentionHeads)),
      "num_layers": .integer(Int64(numLayers)),
      "num_single_layers": .integer(Int64(numSingleLayers)),
      "out_channels": outChannels == inChannels ? .null : .integer(Int64(outChannels)),
      "patch_size": 1,
      "pooled_projection_dim": .integer(Int64(pooledProjectionDim)),
    ]
  }
}
