import MixBasics

/// A model folder in the layout of diffusers: `config.json` beside `diffusion_pytorch_model.safetensors`, or beside several
/// weight files and their index. A variant such as `diffusion_pytorch_model.fp16.safetensors` is read when it is the only one, and
/// `transformer/` in the folder of a pipeline.
///
/// Opening checks all headers and reads no weights. Safe to use from several threads at once.
package final class WeightFolder: Sendable {
  package static let configurationName = "config.json"
  package static let weightsName = "diffusion_pytorch_model.safetensors"
  package static let indexName = "diffusion_pytorch_model.safetensors.index.json"
  private static let maximumConfigurationBytes = 16 << 20

  package let path: String
  /// The content of `config.json`, keys in the file's order.
  package let configuration: JSONObject
  /// Every tensor of the model, by name.
  package let tensors: [StoredTensor]
  private let files: [SafetensorsFile]
  private let fileOfTensor: [String: Int]

  /// Opens a folder. An index takes precedence over a single file, as in diffusers.
  /// - Throws: `inputOutput` when a file is missing or unreadable; `invalidFormat` when a file does not follow its format, or
  ///   lacks a tensor that the index assigns to it.
  package init(path: String) throws(MixGRPOError) {
    let folder = try ModelFiles.folder(in: path)
    self.path = folder
    configuration = try Self.readConfiguration(in: folder)
    switch try ModelFiles.requiredWeights(in: folder) {
    case .index(let indexPath):
      let bytes = try FileAccess.readText(indexPath, limit: SafetensorsHeader.maximumBytes)
      let index = try ShardIndex(bytes, source: printable(indexPath))
      files = try Self.openShards(of: index, in: folder)
      fileOfTensor = index.shardOfTensor
    case .file(let weightsPath):
      let file = try SafetensorsFile(path: weightsPath)
      files = [file]
      fileOfTensor = Dictionary(file.tensors.map { ($0.name, 0) }, uniquingKeysWith: min)
    }
    tensors = try Self.locate(fileOfTensor, in: files)
  }

  /// True when the folder has weights for `init(path:)`.
  /// - Throws: `inputOutput` when the system cannot say.
  package static func holdsModel(_ path: String) throws(MixGRPOError) -> Bool { try ModelFiles.arePresent(in: path) }

  /// The content of a model's `config.json`, and where it lies, without a look at the weights.
  package static func configuration(of path: String) throws(MixGRPOError) -> (content: JSONObject, source: String) {
    let folder = try ModelFiles.folder(in: path)
    return (try readConfiguration(in: folder), FileAccess.join(folder, configurationName))
  }

  private static func readConfiguration(in path: String) throws(MixGRPOError) -> JSONObject {
    let configurationPath = FileAccess.join(path, configurationName)
    let bytes = try FileAccess.readText(configurationPath, limit: maximumConfigurationBytes)
    let document = try JSONParser.parse(bytes, source: configurationPath)
    guard let object = document.object else {
      throw MixGRPOError(.invalidFormat, "\(printable(configurationPath)): expected an object, got \(document.kind)")
    }
    return object
  }

  private static func openShards(of index: ShardIndex, in path: String) throws(MixGRPOError) -> [SafetensorsFile] {
    var files: [SafetensorsFile] = []
    for shard in index.shards { files.append(try SafetensorsFile(path: FileAccess.join(path, shard))) }
    return files
  }

  private static func locate(_ fileOfTensor: [String: Int], in files: [SafetensorsFile]) throws(MixGRPOError) -> [StoredTensor]
  {
    var tensors: [StoredTensor] = []
    for (name, file) in fileOfTensor.sorted(by: { $0.key < $1.key }) {
      guard let tensor = files[file].tensor(named: name) else {
        throw MixGRPOError(.invalidFormat, "\(printable(files[file].path)): \(excerpt(name)): expected this tensor, got none")
      }
      tensors.append(tensor)
    }
    return tensors
  }

  /// Reads a tensor as floats; see `SafetensorsFile.read`.
  package func read(
    _ name: String, expectedShape: [Int], into destination: UnsafeMutableBufferPointer<Float>
  ) throws(MixGRPOError) {
    guard let file = fileOfTensor[name] else {
      throw MixGRPOError(.invalidFormat, "\(printable(path)): \(excerpt(name)): expected this tensor, got none")
    }
    try files[file].read(name, expectedShape: expectedShape, into: destination)
  }

  /// Writes weights and configuration into the folder, each atomically, and creates the folder when it is missing. Its
  /// parent must exist.
  ///
  /// The index of an earlier sharded model is removed last, which makes the new weights effective; its other files stay.
  /// - Throws: `invalidArgument` for entries or a configuration that cannot be stored; `inputOutput`.
  package static func write(
    _ entries: [WeightEntry], configuration: JSONObject, precision: WeightPrecision, to path: String
  ) throws(MixGRPOError) {
    let text = try JSONValue.object(configuration).text(.indented) + "\n"
    try FileAccess.createFolderInParent(path)
    try SafetensorsWriter.write(entries, precision: precision, to: FileAccess.join(path, weightsName))
    try AtomicFile.write(Array(text.utf8), to: FileAccess.join(path, configurationName))
    try FileAccess.removeFile(FileAccess.join(path, indexName))
  }
}
