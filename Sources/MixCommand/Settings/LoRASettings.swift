import MixGRPO
import MixSettings

/// The low-rank adapter that `mixgrpo align` trains in place of the model's weights.
struct LoRASettings: SettingsTable, Equatable {
  /// The default learning rate of an adapter. On the shipped model it is to an adapter of rank 16 what 2e-5 is to all weights:
  /// tuned rates differ by a factor of five (TunedRates.swift of the comparison).
  static let learningRate = 1e-4

  /// 0 to train all weights.
  var rank = 0
  /// 0 for the rank.
  var alpha = 0.0
  var isRankStabilized = false
  var targets: [String] = []
  /// Whether the model that is adapted is stored in bfloat16.
  var hasFrozenBase = false

  static var settings: [Setting<LoRASettings>] {
    [
      .integer("rank", \.rank, 0...65_536, "rank of the adapter; 0 trains all weights"),
      .number("alpha", \.alpha, .closed(0, 65_536), "the adapter counts alpha / rank times; 0 for as much as the rank"),
      .flag("rank_stabilized", \.isRankStabilized, "divide alpha by the root of the rank"),
      .texts(
        "targets", \.targets,
        "layers to adapt: names, ends of names such as to_q, or patterns with *; empty for all layers of the blocks"),
      .flag(
        "frozen_base", \.hasFrozenBase,
        "store the blocks of the model that is adapted in bfloat16: half the memory for its weights, other results"),
    ]
  }

  /// The model in a folder, with a new adapter unless all weights are trained.
  func load(_ folder: String, seed: UInt64) throws(MixGRPOError) -> FlowTransformer {
    guard let lora = configuration(seed: seed) else { return try FlowTransformer(folder: folder) }
    return try FlowTransformer(
      adapting: hasFrozenBase ? FlowTransformer(frozenFolder: folder) : FlowTransformer(folder: folder), lora)
  }

  /// nil when all weights are trained.
  func configuration(seed: UInt64) -> LoRAConfiguration? {
    guard rank > 0 else { return nil }
    var lora = LoRAConfiguration()
    (lora.rank, lora.isRankStabilized, lora.targets, lora.seed) = (rank, isRankStabilized, targets, seed)
    lora.alpha = alpha > 0 ? alpha : Double(rank)
    return lora
  }
}

/// An adapter that is applied at sampling: a file or folder, and perhaps its strength after a colon.
struct AppliedAdapter {
  let path: String
  let strength: Double

  /// - Throws: `invalidArgument` for an empty path or a strength that is not 0…2.
  init(_ text: String) throws(MixGRPOError) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    if parts.count > 1, let number = Double(parts[parts.count - 1]) {
      (path, strength) = (parts.dropLast().joined(separator: ":"), number)
    } else {
      (path, strength) = (text, 1)
    }
    try require(!path.isEmpty, "lora", expected: "a file or folder, and perhaps :strength", got: "\"\(text)\"")
    try require((0...2).contains(strength), "lora", expected: "a strength of 0…2 after the colon", got: "\"\(text)\"")
  }

  /// `base` with all of these adapters; only the last one is kept apart.
  static func apply(_ texts: [String], to base: FlowTransformer) throws(MixGRPOError) -> FlowTransformer {
    var model = base
    for text in texts {
      let adapter = try AppliedAdapter(text)
      model = try FlowTransformer(adapting: model.frozen == nil ? model : model.merged(), file: adapter.path)
      model.adapterStrength = adapter.strength
    }
    return model
  }
}
