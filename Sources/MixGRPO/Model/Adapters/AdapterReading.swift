import MixBasics
import MixFlowModel
import MixNumerics
import MixStorage

extension FlowTransformer {
  /// `base` with the adapter in a file of PEFT, diffusers, kohya or a trainer with the original FLUX's names.
  ///
  /// Prefixes that wrap a model (`base_model.model.`, `transformer.`, `diffusion_model.`, `module.`, `_orig_mod.`, `lora_unet_`,
  /// `lora_transformer_`) are skipped. A missing α is the rank. F32, F16 and BF16 are read. The strength is 1.
  /// - Parameters:
  ///   - base: as for a new adapter.
  ///   - path: a safetensors file, or a folder with `adapter_model.safetensors` beside `adapter_config.json` (PEFT), or with
  ///     `pytorch_lora_weights.safetensors` (diffusers).
  /// - Throws: `inputOutput`; `invalidFormat` when the adapter belongs to another model or lacks a factor; `unsupported` for DoRA and other
  ///   kinds; `notFinite`; `invalidArgument` when `base` has an adapter; `outOfMemory`.
  public convenience init(adapting base: FlowTransformer, file path: String) throws(MixGRPOError) {
    let source = try AdapterSource(path)
    let tensors = try AdapterTensors(SafetensorsFile(path: source.file), base.layout)
    var chosen: [String: LowRank] = [:]
    for (name, target, pair) in tensors.pairs {
      let rank = pair.down?.shape[0] ?? 0
      let scale = try pair.alpha.map { (tensor) throws(MixGRPOError) in try tensors.alpha(tensor) / Double(max(1, rank)) }
      for module in target.modules {
        guard chosen[module.name] == nil else {
          throw MixGRPOError(
            .invalidFormat, "\(printable(source.file)): \(excerpt(name)): expected one adapter for each layer, got two")
        }
        let factor = scale ?? source.configuration.scale(of: module.name, rank: rank)
        guard factor <= 65_536 else {
          throw MixGRPOError(
            .invalidFormat, "\(printable(source.file)): \(excerpt(name)): expected alpha / rank of at most 65536, got \(factor)"
          )
        }
        chosen[module.name] = LowRank(rank: rank, scale: factor)
      }
    }
    let layout: AdapterLayout
    do throws(MixGRPOError) { layout = try AdapterLayout(base.layout, chosen) } catch  where error.code == .invalidArgument {
      throw MixGRPOError(.invalidFormat, "\(printable(source.file)): \(error.message)")
    }
    try self.init(adapting: base, layout)
    for (_, target, pair) in tensors.pairs { try take(target, pair, tensors.file) }
  }

  /// Copies A to every layer of a target, and to each its rows of B.
  private func take(_ target: AdapterTarget, _ pair: AdapterTensors.Pair, _ file: SafetensorsFile) throws(MixGRPOError) {
    guard let down = pair.down, let up = pair.up else { return }
    let a = try Self.read(down, file)
    let b = try Self.read(up, file)
    let rank = down.shape[0]
    var row = 0
    for module in target.modules {
      writeWeights(try parameter(named: module.name + ".lora_A.weight"), from: a.base)
      let entry = try parameter(named: module.name + ".lora_B.weight")
      if target.swapsHalves {
        let half = module.outputs / 2 * rank
        let swapped = try FloatStorage(count: 2 * half)
        swapped.base.update(from: b.base + half, count: half)
        (swapped.base + half).update(from: b.base, count: half)
        writeWeights(entry, from: swapped.base)
      } else {
        writeWeights(entry, from: b.base + row * rank)
      }
      row += module.outputs
    }
  }

  private static func read(_ tensor: StoredTensor, _ file: SafetensorsFile) throws(MixGRPOError) -> FloatStorage {
    let values = try FloatStorage(count: tensor.elementCount)
    try file.read(tensor.name, expectedShape: tensor.shape, into: values.buffer)
    guard Reduction.allFinite(values.base, count: values.count) else {
      throw MixGRPOError(
        .notFinite, "\(printable(file.path)): \(excerpt(tensor.name)): expected finite values, got NaN or infinity")
    }
    return values
  }
}

extension AdapterTensors {
  /// A single value, above 0.
  func alpha(_ tensor: StoredTensor) throws(MixGRPOError) -> Double {
    guard tensor.elementCount == 1 else {
      throw MixGRPOError(
        .invalidFormat, "\(printable(file.path)): \(excerpt(tensor.name)): expected one value, got \(tensor.shape)")
    }
    var value: [Float] = [0]
    try value.withUnsafeMutableBufferPointer { (buffer) throws(MixGRPOError) in
      try file.read(tensor.name, expectedShape: tensor.shape, into: buffer)
    }
    guard value[0] > 0, value[0].isFinite else {
      throw MixGRPOError(
        .invalidFormat, "\(printable(file.path)): \(excerpt(tensor.name)): expected a number above 0, got \(value[0])")
    }
    return Double(value[0])
  }
}

/// The file of an adapter and what stands beside it.
struct AdapterSource {
  static let peftName = "adapter_model.safetensors"
  static let peftConfigurationName = "adapter_config.json"
  static let diffusersName = "pytorch_lora_weights.safetensors"

  let file: String
  let configuration: PEFTConfiguration

  init(_ path: String) throws(MixGRPOError) {
    guard try FileAccess.isFolder(path) else {
      (file, configuration) = (path, PEFTConfiguration())
      return
    }
    guard let found = try Self.file(in: path) else {
      throw MixGRPOError(
        .inputOutput, "\(printable(path)): expected \(Self.peftName) or \(Self.diffusersName), got a folder with neither")
    }
    file = found
    configuration =
      if found == FileAccess.join(path, Self.peftName) {
        try PEFTConfiguration(path: FileAccess.join(path, Self.peftConfigurationName))
      } else { PEFTConfiguration() }
  }

  /// The adapter's file in a folder; nil for a folder without one.
  static func file(in folder: String) throws(MixGRPOError) -> String? {
    for name in [peftName, diffusersName] {
      let path = FileAccess.join(folder, name)
      if try FileAccess.isPresent(path) { return path }
    }
    return nil
  }
}

/// What PEFT's `adapter_config.json` says about the scale.
struct PEFTConfiguration {
  /// nil: the rank of each layer.
  private var alpha: Double?
  private var isRankStabilized = false
  private var alphas: [(pattern: String, alpha: Double)] = []

  /// Without a file: the factor is 1.
  init() {}

  init(path: String) throws(MixGRPOError) {
    let document = try JSONParser.parse(FileAccess.readText(path, limit: 16 << 20), source: path)
    guard let object = document.object else {
      throw MixGRPOError(.invalidFormat, "\(printable(path)): expected an object, got \(document.kind)")
    }
    func failure(_ code: MixGRPOError.Code, _ name: String, _ expected: String, _ got: String) -> MixGRPOError {
      MixGRPOError(code, "\(printable(path)): \(name): expected \(expected), got \(got)")
    }
    if let type = object["peft_type"], type.string != "LORA" {
      throw failure(.unsupported, "peft_type", "LORA", excerpt(type.string ?? type.kind))
    }
    if object["use_dora"]?.bool == true { throw failure(.unsupported, "use_dora", "false", "true (DoRA)") }
    isRankStabilized = object["use_rslora"]?.bool == true
    guard let alpha = object["lora_alpha"]?.double, alpha > 0, alpha.isFinite else {
      throw failure(.invalidFormat, "lora_alpha", "a number above 0", object["lora_alpha"]?.kind ?? "none")
    }
    self.alpha = alpha
    for member in object["alpha_pattern"]?.object?.members ?? [] {
      guard let alpha = member.value.double, alpha > 0, alpha.isFinite else {
        throw failure(.invalidFormat, "alpha_pattern", "numbers above 0", member.value.kind)
      }
      alphas.append((member.name, alpha))
    }
  }

  /// The factor of B·A of a layer.
  func scale(of module: String, rank: Int) -> Double {
    let own = alphas.first { module == $0.pattern || module.hasSuffix("." + $0.pattern) }?.alpha ?? alpha ?? Double(rank)
    return own / (isRankStabilized ? Double(rank).squareRoot() : Double(rank))
  }
}
