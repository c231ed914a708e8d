import MixBasics
import MixFlowModel
import MixStorage

/// The pairs of factors in an adapter's file, by target.
struct AdapterTensors {
  /// A pair of factors and its α.
  struct Pair {
    var down: StoredTensor?  // A, (rank, inputs)
    var up: StoredTensor?  // B, (outputs, rank)
    var alpha: StoredTensor?
  }

  private enum Part { case down, up, alpha }

  let file: SafetensorsFile
  /// By the name in the file, without prefix, in the file's order.
  private(set) var pairs: [(name: String, target: AdapterTarget, pair: Pair)] = []

  /// - Throws: `invalidFormat` naming a tensor that does not belong to the model, or lacks its other half; `unsupported` for other kinds
  ///   of adapters.
  init(_ file: SafetensorsFile, _ layout: ParameterLayout) throws(MixGRPOError) {
    self.file = file
    let names = try AdapterNames(layout)
    var places: [String: Int] = [:]
    for tensor in file.tensors {
      try refuseOtherKinds(tensor.name)
      guard let (module, part) = Self.split(Self.withoutPrefix(tensor.name)) else {
        throw failure(
          tensor.name, "a factor of a low-rank adapter (lora_A, lora_B, lora_down, lora_up, alpha)", "another tensor")
      }
      guard let target = names.target(module) else {
        throw failure(tensor.name, "a layer of this model", "\"\(excerpt(module))\"\(Self.hint(module, names))")
      }
      let place = places[module] ?? pairs.count
      if place == pairs.count { pairs.append((module, target, Pair())) }
      places[module] = place
      let pair = pairs[place].pair
      let earlier =
        switch part {
        case .down: pair.down
        case .up: pair.up
        case .alpha: pair.alpha
        }
      if let earlier { throw failure(tensor.name, "each factor once", "also \(excerpt(earlier.name))") }
      switch part {
      case .down: pairs[place].pair.down = tensor
      case .up: pairs[place].pair.up = tensor
      case .alpha: pairs[place].pair.alpha = tensor
      }
    }
    if pairs.isEmpty { throw failure("tensors", "factors of an adapter", "none") }
    for (name, target, pair) in pairs { try check(name, target, pair) }
  }

  private func check(_ name: String, _ target: AdapterTarget, _ pair: Pair) throws(MixGRPOError) {
    guard let down = pair.down, let up = pair.up else {
      throw failure(name, "both factors, A and B", pair.down == nil ? "no A" : "no B")
    }
    guard down.shape.count == 2, down.shape[1] == target.inputs else {
      throw failure(down.name, "shape [rank, \(target.inputs)], as the model's layer has", "\(down.shape)")
    }
    guard up.shape == [target.outputs, down.shape[0]] else {
      throw failure(up.name, "shape [\(target.outputs), \(down.shape[0])], as the model's layer and A have", "\(up.shape)")
    }
  }

  /// Of prefixes that wrap a model, in any order.
  private static func withoutPrefix(_ name: String) -> String {
    let prefixes = [
      "_orig_mod.", "module.", "base_model.model.", "transformer.", "diffusion_model.", "lora_unet_", "lora_transformer_",
    ]
    var rest = Substring(name)
    while let prefix = prefixes.first(where: { rest.hasPrefix($0) }) { rest = rest.dropFirst(prefix.count) }
    return String(rest)
  }

  private static func split(_ name: String) -> (module: String, part: Part)? {
    let endings: [(String, Part)] = [
      (".lora_A.weight", .down), (".lora_B.weight", .up), (".lora_A.default.weight", .down), (".lora_B.default.weight", .up),
      (".lora_down.weight", .down), (".lora_up.weight", .up), (".lora.down.weight", .down), (".lora.up.weight", .up),
      (".alpha", .alpha),
    ]
    return endings.first { name.hasSuffix($0.0) }.map { (String(name.dropLast($0.0.count)), $0.1) }
  }

  /// Whether a tensor is A of some layer.
  static func isFirstFactor(_ name: String) -> Bool {
    if case (_, .down)? = split(name) { true } else { false }
  }

  /// A way out when an unknown prefix stands before a layer's name.
  private static func hint(_ module: String, _ names: AdapterNames) -> String {
    var rest = Substring(module)
    while let dot = rest.firstIndex(of: ".") {
      rest = rest[rest.index(after: dot)...]
      if names.target(String(rest)) != nil { return "; strip the prefix \"\(excerpt(String(module.dropLast(rest.count))))\"" }
    }
    return ""
  }

  private func refuseOtherKinds(_ name: String) throws(MixGRPOError) {
    let kinds = [
      ("lora_magnitude_vector", "DoRA"), ("dora_scale", "DoRA"), (".hada_w", "LoHa"), (".lokr_w", "LoKr"),
      (".lora_mid", "a convolution"),
      ("lora_te", "a text encoder's adapter"), ("text_encoder", "a text encoder's adapter"),
    ]
    for (part, kind) in kinds where name.contains(part) {
      throw MixGRPOError(
        .unsupported, "\(printable(file.path)): \(excerpt(name)): expected LoRA of the transformer alone, got \(kind)")
    }
  }

  private func failure(_ name: String, _ expected: String, _ got: String) -> MixGRPOError {
    MixGRPOError(.invalidFormat, "\(printable(file.path)): \(excerpt(name)): expected \(expected), got \(got)")
  }
}

extension String {
  fileprivate func contains(_ part: String) -> Bool {
    let (text, part) = (Array(utf8), Array(part.utf8))
    return part.count <= text.count && (0...text.count - part.count).contains { text[$0..<$0 + part.count].elementsEqual(part) }
  }
}
