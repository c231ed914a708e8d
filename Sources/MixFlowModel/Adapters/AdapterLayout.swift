import MixBasics

/// A linear layer of the checkpoint: some rows of a layer that may compute several at once.
package struct LinearModule: Equatable, Sendable {
  /// The checkpoint's name, e.g. `transformer_blocks.0.attn.to_q`.
  package let name: String
  let layer: LinearLayer
  /// Among the layer's outputs.
  let rows: Range<Int>

  package var inputs: Int { layer.inputs }
  package var outputs: Int { rows.count }
}

/// Rank and α of one adapted layer.
package struct LowRank: Equatable, Sendable {
  package let rank: Int
  /// The factor of B·A.
  package let scale: Double

  package init(rank: Int, scale: Double) { (self.rank, self.scale) = (rank, scale) }
}

/// One adapted layer: W′ = W + scale·B·A.
package struct AdaptedMatrix: Equatable, Sendable {
  package let module: LinearModule
  package let low: LowRank
  /// The offset of A, (rank, inputs).
  package let a: Int
  /// The offset of B, (outputs, rank).
  package let b: Int
  /// The first column among the factors of all matrices of a layer, each of which begins at a multiple of sixteen.
  let column: Int

  var rank: Int { low.rank }
  var columns: Range<Int> { column..<column + rank }
}

/// The list of an adapter's values: name → shape → offset. Names are those of PEFT without a prefix.
package struct AdapterLayout: Equatable, Sendable {
  /// In the order of the model's layers.
  package let matrices: [AdaptedMatrix]
  package let entries: [ParameterEntry]
  package let count: Int
  /// The matrices of each layer, by the layer's index.
  private let ofLayer: [Range<Int>]
  private let modules: [LinearModule]

  /// - Parameter chosen: by the module's name; at least one.
  /// - Throws: `invalidArgument` for a rank that is not 1…65536; `outOfMemory`.
  package init(_ layout: ParameterLayout, _ chosen: [String: LowRank]) throws(MixGRPOError) {
    try Memory.require(chosen.count, of: 1_024)
    var (matrices, entries, offset): ([AdaptedMatrix], [ParameterEntry], Int) = ([], [], 0)
    var ofLayer = Array(repeating: 0..<0, count: layout.layerCount)
    func place(_ name: String, _ shape: [Int]) -> Int {
      entries.append(ParameterEntry(name: name, shape: shape, offset: offset))
      defer { offset += shape[0] * shape[1] }
      return offset
    }
    var check = Validation()
    for module in layout.modules {
      guard let low = chosen[module.name] else { continue }
      check.require((1...65_536).contains(low.rank), "rank", expected: "1…65536 for \(module.name)", got: low.rank)
      let index = module.layer.index
      if ofLayer[index].isEmpty { ofLayer[index] = matrices.count..<matrices.count }
      let column = ofLayer[index].isEmpty ? 0 : matrices.last.map { ($0.columns.upperBound + 15) / 16 * 16 } ?? 0
      matrices.append(
        AdaptedMatrix(
          module: module, low: low, a: place(module.name + ".lora_A.weight", [low.rank, module.inputs]),
          b: place(module.name + ".lora_B.weight", [module.outputs, low.rank]), column: column))
      ofLayer[index] = ofLayer[index].lowerBound..<matrices.count
    }
    try check.throwIfAny()
    (self.matrices, self.entries, count, self.ofLayer) = (matrices, entries, offset, ofLayer)
    modules = layout.modules
  }

  /// The layers that a configuration selects, all with its rank.
  /// - Throws: `invalidArgument` for an invalid field, or a target that no layer matches.
  package init(_ layout: ParameterLayout, _ configuration: LoRAConfiguration) throws(MixGRPOError) {
    try configuration.validate()
    var chosen: [String: LowRank] = [:]
    let low = LowRank(rank: configuration.rank, scale: configuration.scale)
    if configuration.targets.isEmpty {
      let blocks = Set(layout.blockLayers.map(\.index))
      for module in layout.modules where blocks.contains(module.layer.index) { chosen[module.name] = low }
    }
    for target in configuration.targets {
      let matching = layout.modules.filter { LayerPattern(text: target).matches($0.name) }
      try require(
        !matching.isEmpty, "targets", expected: "names of the model's layers, such as to_q or \(layout.modules[0].name)",
        got: "\"\(target)\", which matches none")
      for module in matching { chosen[module.name] = low }
    }
    try require(
      !chosen.isEmpty, "targets", expected: "at least one layer; a model without blocks needs names", got: "none")
    var check = Validation()
    for module in layout.modules where chosen[module.name] != nil {
      let most = min(module.inputs, module.outputs)
      check.require(
        low.rank <= most, "rank", expected: "1…\(most), as \(module.name) is \(module.outputs) × \(module.inputs)",
        got: low.rank)
    }
    try check.throwIfAny()
    try self.init(layout, chosen)
  }

  /// - Throws: also the errors of the model's configuration.
  static func of(
    _ configuration: FlowTransformerConfiguration, _ lora: LoRAConfiguration?
  ) throws(MixGRPOError) -> AdapterLayout? {
    guard let lora else { return nil }
    try configuration.validate()
    return try AdapterLayout(ParameterLayout(configuration), lora)
  }

  /// The adapted matrices of a layer.
  func matrices(of layer: LinearLayer) -> ArraySlice<AdaptedMatrix> { matrices[ofLayer[layer.index]] }

  func changes(_ layer: LinearLayer) -> Bool { !ofLayer[layer.index].isEmpty }

  /// Columns of the factors of a layer's matrices, side by side.
  func factorColumns(_ layer: LinearLayer) -> Int {
    matrices(of: layer).last.map { ($0.columns.upperBound + 15) / 16 * 16 } ?? 0
  }

  /// The most columns of any layer.
  var factorColumns: Int { matrices.map { ($0.columns.upperBound + 15) / 16 * 16 }.max() ?? 0 }
}
