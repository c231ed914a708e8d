import MixBasics
import MixNumerics

/// The projections' weights as products read them, packed again when the model's weights have changed.
///
/// A product x·Wᵀ that packs W itself spends a tenth of its time on that with few tokens; packed once, W serves all samples of
/// all steps until the optimizer changes it.
final class PackedWeights {
  private let layers: [LinearLayer]
  private let origin: Int
  private let storage: FloatStorage
  private var version: Int?

  static func floats(_ layout: ParameterLayout) -> Int { layout.packedProjections.count }

  init(_ layout: ParameterLayout) throws(MixGRPOError) {
    (layers, origin) = (layout.projectionLayers, layout.packedProjections.lowerBound)
    storage = try FloatStorage(count: Self.floats(layout))
  }

  /// Where a layer packed at offset 0 would lie.
  var base: UnsafeMutablePointer<Float> { storage.base - origin }

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
