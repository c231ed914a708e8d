import MixNumerics

/// The projections' weights in the order in which products read them, packed again when the model's weights have changed.
///
/// With few tokens a product x·Wᵀ would spend a tenth of its time on packing W. Packed once, W serves all samples and steps until
/// the optimizer changes it.
final class PackedWeights {
  private let layers: [LinearLayer]
  /// Wᵀ of each layer, by the layer's index.
  let table: UnsafeMutablePointer<PackedMatrix>
  private var version: Int?

  init(_ layout: ParameterLayout, in places: PackedPlaces) {
    layers = layout.edgeLayers + layout.blockLayers
    table = .allocate(capacity: layout.layerCount)
    for (layer, matrix) in zip(layers, places.matrices) { table[layer.index] = matrix }
  }

  deinit { table.deallocate() }

  func refresh(_ model: FlowTransformer, team: Team) {
    guard version != model.weightsVersion else { return }
    let weights = UnsafeMutablePointer(mutating: model.weights)
    team.forEach(layers.count) { index, _ in
      let layer = layers[index]
      table[layer.index].packTranspose(of: Matrix(weights + layer.weight, rows: layer.outputs, columns: layer.inputs))
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
