import MixBasics
import MixFlowModel
import MixNumerics
import MixStorage

/// The program whose files an adapter's are.
public enum AdapterFormat: Int32, CaseIterable, Sendable {
  /// A folder with `adapter_model.safetensors` and `adapter_config.json`. Rank and α are kept: to go on training.
  case peft = 0
  /// A folder with `pytorch_lora_weights.safetensors`, whose B contains the factor α/r.
  case diffusers = 1
  /// One file with the names of the original FLUX and α beside each pair; one pair for q, k and v.
  case kohya = 2
}

extension FlowTransformer {
  /// Saves the adapter alone. Files are written atomically; a strength other than 1 is not saved.
  /// - Parameters:
  ///   - path: a folder, created when it is missing (its parent must exist); of kohya's format a file.
  ///   - format: the program whose files are written.
  /// - Throws: `invalidState` for a model without an adapter; `notFinite`; `inputOutput`.
  public func saveAdapter(_ path: String, format: AdapterFormat = .peft) throws(MixGRPOError) {
    guard let adapter else {
      throw MixGRPOError(.invalidState, "model: expected one with an adapter, got one without")
    }
    guard Reduction.allFinite(weights, count: parameterCount) else {
      throw MixGRPOError(.notFinite, "adapter: expected finite weights to save, got NaN or infinity")
    }
    switch format {
    case .peft:
      let text = try JSONValue.object(peftConfiguration(adapter)).text(.indented) + "\n"
      try FileAccess.createFolderInParent(path)
      try write(parameters.map { stored("base_model.model." + $0.name, $0) }, to: FileAccess.join(path, AdapterSource.peftName))
      try AtomicFile.write(Array(text.utf8), to: FileAccess.join(path, AdapterSource.peftConfigurationName))
    case .diffusers:
      try FileAccess.createFolderInParent(path)
      try writeDiffusers(adapter, to: FileAccess.join(path, AdapterSource.diffusersName))
    case .kohya: try writeKohya(adapter, to: path)
    }
  }

  private func stored(_ name: String, _ entry: ParameterEntry) -> WeightEntry {
    WeightEntry(
      name: name, shape: entry.shape, values: UnsafeBufferPointer(start: weights + entry.offset, count: entry.count))
  }

  private func write(_ entries: [WeightEntry], to path: String) throws(MixGRPOError) {
    try SafetensorsWriter.write(entries, precision: .float32, to: path)
  }

  private func peftConfiguration(_ adapter: AdapterLayout) -> JSONObject {
    let first = adapter.matrices[0].low
    func alpha(_ low: LowRank) -> JSONValue { .number(low.scale * Double(low.rank)) }
    var (ranks, alphas) = (JSONObject(), JSONObject())
    for matrix in adapter.matrices {
      if matrix.low.rank != first.rank { ranks[matrix.module.name] = .integer(Int64(matrix.low.rank)) }
      if alpha(matrix.low) != alpha(first) { alphas[matrix.module.name] = alpha(matrix.low) }
    }
    return [
      "alpha_pattern": .object(alphas), "base_model_name_or_path": .null, "bias": "none", "fan_in_fan_out": .bool(false),
      "inference_mode": .bool(true), "init_lora_weights": .bool(true), "lora_alpha": alpha(first), "lora_dropout": .number(0),
      "modules_to_save": .null, "peft_type": "LORA", "r": .integer(Int64(first.rank)), "rank_pattern": .object(ranks),
      "target_modules": .array(adapter.matrices.map { .string($0.module.name) }), "task_type": .null,
      "use_dora": .bool(false), "use_rslora": .bool(false),
    ]
  }

  /// Without α diffusers takes the rank for it.
  private func writeDiffusers(_ adapter: AdapterLayout, to path: String) throws(MixGRPOError) {
    let scaled = try FloatStorage(count: parameterCount)
    scaled.base.update(from: weights, count: parameterCount)
    for matrix in adapter.matrices {
      let count = matrix.module.outputs * matrix.low.rank
      for index in matrix.b..<matrix.b + count { scaled.base[index] *= Float(matrix.low.scale) }
    }
    let entries = parameters.map { entry in
      WeightEntry(
        name: "transformer." + entry.name, shape: entry.shape,
        values: UnsafeBufferPointer(rebasing: UnsafeBufferPointer(scaled.buffer)[entry.offset..<entry.offset + entry.count]))
    }
    try withExtendedLifetime(scaled) { () throws(MixGRPOError) in try write(entries, to: path) }
  }
}

// MARK: - Kohya's files

extension FlowTransformer {
  /// One pair for each layer of the original FLUX. Where several of our layers are one of the original's, their A lie below each other
  /// and their B along a diagonal.
  private func writeKohya(_ adapter: AdapterLayout, to path: String) throws(MixGRPOError) {
    let matrices = Dictionary(adapter.matrices.map { ($0.module.name, $0) }, uniquingKeysWith: { first, _ in first })
    var (entries, kept): ([WeightEntry], [FloatStorage]) = ([], [])
    for (name, target) in try AdapterNames(layout).original {
      let own = target.modules.map { matrices[$0.name] }
      let rank = own.reduce(0) { $0 + ($1?.low.rank ?? 0) }
      if rank == 0 { continue }
      let name = "lora_unet_" + AdapterNames.underscored(name)
      let (a, b) = (try FloatStorage(count: rank * target.inputs), try FloatStorage(count: target.outputs * rank))
      let alpha = try FloatStorage(count: 1)
      alpha.base[0] = Float(rank)
      fill(a.base, b.base, target, own, rank)
      entries.append(WeightEntry(name: name + ".alpha", shape: [], values: UnsafeBufferPointer(alpha.buffer)))
      entries.append(
        WeightEntry(name: name + ".lora_down.weight", shape: [rank, target.inputs], values: UnsafeBufferPointer(a.buffer)))
      entries.append(
        WeightEntry(name: name + ".lora_up.weight", shape: [target.outputs, rank], values: UnsafeBufferPointer(b.buffer)))
      kept += [a, b, alpha]
    }
    try withExtendedLifetime(kept) { () throws(MixGRPOError) in try write(entries, to: path) }
  }

  /// α is the rank; B contains the factor.
  private func fill(
    _ a: UnsafeMutablePointer<Float>, _ b: UnsafeMutablePointer<Float>, _ target: AdapterTarget, _ matrices: [AdaptedMatrix?],
    _ rank: Int
  ) {
    var (row, column) = (0, 0)
    for (module, matrix) in zip(target.modules, matrices) {
      defer { row += module.outputs }
      guard let matrix else { continue }
      (a + column * target.inputs).update(from: weights + matrix.a, count: matrix.low.rank * target.inputs)
      let half = module.outputs / 2
      for output in 0..<module.outputs {
        let place = target.swapsHalves ? (output + half) % (2 * half) : row + output
        for k in 0..<matrix.low.rank {
          b[place * rank + column + k] = Float(matrix.low.scale) * weights[matrix.b + output * matrix.low.rank + k]
        }
      }
      column += matrix.low.rank
    }
  }
}
