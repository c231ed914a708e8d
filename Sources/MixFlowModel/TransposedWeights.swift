import MixBasics
import MixNumerics

/// Copies of the projections' weights as (inputs, outputs), made again when the model's weights have changed.
///
/// A product x·Wᵀ packs W panel by panel. From rows of W that is a gather, a fifth of the forward's time with few tokens; from
/// rows of Wᵀ it is a plain copy.
final class TransposedWeights {
  private let layers: [LinearLayer]
  private let origin: Int
  private let storage: FloatStorage
  private var version: Int?

  static func floats(_ layout: ParameterLayout) -> Int { layout.count - layout.projections }

  init(_ layout: ParameterLayout) throws(MixGRPOError) {
    (layers, origin) = (layout.projectionLayers, layout.projections)
    storage = try FloatStorage(count: Self.floats(layout))
  }

  /// Where a layer at offset 0 would lie.
  var base: UnsafeMutablePointer<Float> { storage.base - origin }

  func refresh(_ model: FlowTransformer, team: Team) {
    guard version != model.weightsVersion else { return }
    let weights = UnsafeMutablePointer(mutating: model.weights)
    team.forEach(layers.count) { index, _ in
      let layer = layers[index]
      Reduction.transpose(
        Matrix(weights + layer.weight, rows: layer.outputs, columns: layer.inputs),
        into: Matrix(base + layer.weight, rows: layer.inputs, columns: layer.outputs))
    }
    version = model.weightsVersion
  }
}
