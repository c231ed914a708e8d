import MixBasics
import MixStorage

/// What an adapter's files say about it, without a model.
package struct AdapterSummary {
  package let file: SafetensorsFile
  /// Adapted layers, as the file counts them.
  package let layers: Int
  /// The ranks of the layers, distinct, ascending.
  package let ranks: [Int]

  /// - Returns: nil for a folder without an adapter, and for a file without a first factor.
  /// - Throws: `inputOutput`, `invalidFormat`.
  package init?(_ path: String) throws(MixGRPOError) {
    guard let path = try FileAccess.isFolder(path) ? AdapterSource.file(in: path) : path else { return nil }
    file = try SafetensorsFile(path: path)
    let factors = file.tensors.filter { AdapterTensors.isFirstFactor($0.name) && $0.shape.count == 2 }
    guard !factors.isEmpty else { return nil }
    layers = factors.count
    ranks = Set(factors.map { $0.shape[0] }).sorted()
  }
}
