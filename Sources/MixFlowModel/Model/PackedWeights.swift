import MixNumerics

/// Wᵀ of every layer that is applied to whole sequences, in the layout in which products read it.
///
/// Packing takes as long as evaluating a few samples. An evaluator therefore packs the weights once and again only after
/// the optimizer changes them.
final class PackedWeights {
  /// The layers that are packed together. Those of an adapted model are first merged.
  private struct Group {
    var merged: [LinearLayer] = []
    var packed: [LinearLayer]
  }

  private let groups: [Group]
  /// Wᵀ of each layer, by the layer's index.
  let table: UnsafeMutablePointer<PackedMatrix>
  private var version: Int?

  init(_ layout: ParameterLayout, in places: PackedPlaces, merging: Bool) {
    let layers = layout.edgeLayers + layout.blockLayers
    if merging {
      let edges = Group(merged: layout.conditioningLayers + layout.edgeLayers, packed: layout.edgeLayers)
      groups = [edges] + layout.layersOfBlocks.map { Group(merged: $0, packed: $0) }
    } else {
      groups = [Group(packed: layers)]
    }
    table = .allocate(capacity: layout.layerCount)
    for (layer, matrix) in zip(layers, places.matrices) { table[layer.index] = matrix }
  }

  deinit { table.deallocate() }

  func refresh(
    _ model: FlowTransformer, _ weights: ParameterView, _ merging: MergedWeights?, _ scratch: WorkerScratch, team: Team
  ) {
    guard version != model.weightsVersion else { return }
    for group in groups {
      merging?.merge(group.merged, scratch, team: team)
      team.forEach(group.packed.count) { index, _ in
        let layer = group.packed[index]
        table[layer.index].packTranspose(of: weights.weight(layer))
      }
    }
    version = model.weightsVersion
  }
}

/// Room for Wᵀ of the input's and the output's layers, in float32, then of the blocks' layers.
struct PackedPlaces {
  let matrices: [PackedMatrix]

  init(_ shape: EvaluationShape, _ layout: ParameterLayout, _ arena: inout Arena) {
    var matrices = layout.edgeLayers.map { arena.packed(depth: $0.inputs, columns: $0.outputs) }
    for layer in layout.blockLayers {
      matrices.append(arena.packed(depth: layer.inputs, columns: layer.outputs, shape.precision))
    }
    self.matrices = matrices
  }
}
