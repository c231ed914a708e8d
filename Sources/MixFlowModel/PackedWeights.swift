import MixNumerics

/// The projections' weights as products read them, packed again when the model's weights have changed.
///
/// A product x·Wᵀ that packs W itself spends a tenth of its time on that with few tokens; packed once, W serves all samples of
/// all steps until the optimizer changes it.
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

  /// Where a layer packed at offset 0 would lie.
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
