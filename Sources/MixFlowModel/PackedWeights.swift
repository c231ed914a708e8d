import MixNumerics

/// The projections' weights in the order in which products read them, packed again when the model's weights have changed.
///
/// With few tokens a product x·Wᵀ would spend a tenth of its time on packing W. Packed once, W serves all samples and steps until
/// the optimizer changes it.
final class PackedWeights {
  private let layers: [LinearLayer]
  private let origin: Int
  private let memory: UnsafeMutablePointer<Float>
  private var version: Int?

  /// - Parameter memory: room for all packed projections.
  init(_ layout: ParameterLayout, in memory: UnsafeMutablePointer<Float>) {
    (layers, origin) = (layout.projectionLayers, layout.packedProjections.lowerBound)
    self.memory = memory
  }

  /// The address of packed offset 0.
  var base: UnsafeMutablePointer<Float> { memory - origin }

  func refresh(_ model: FlowTransformer, team: Team) {
    guard version != model.weightsVersion else { return }
    let weights = UnsafeMutablePointer(mutating: model.weights)
    team.forEach(layers.count) { index, _ in
      let layer = layers[index]
      PackedMatrix(base + layer.packed, depth: layer.inputs, columns: layer.outputs).packTranspose(
        of: Matrix(weights + layer.weight, rows: layer.outputs, columns: layer.inputs))
    }
    version = model.weightsVersion
  }
}
