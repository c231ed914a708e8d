import Glibc
import MixBasics

/// Where configuration and weights of a model lie: in a folder itself, or in `transformer/` below the folder of a diffusers
/// pipeline. When they are missing, the error says what the folder holds in their place, and what to do.
enum ModelFiles {
  enum Weights {
    case file(String)
    case index(String)
  }

  static let pipelineName = "model_index.json"
  private static let transformerName = "transformer"
  private static let stem = "diffusion_pytorch_model"

  /// - Throws: `inputOutput` when the weights are missing; `invalidFormat` when several variants of them stand side by side.
  static func requiredWeights(in folder: String) throws(MixGRPOError) -> Weights {
    if let weights = try weights(in: folder) { return weights }
    throw try missingWeights(in: folder)
  }

  /// The folder with `config.json`: `path`, or the transformer of a pipeline.
  static func folder(in path: String) throws(MixGRPOError) -> String {
    guard try FileAccess.kind(of: path) != S_IFREG else {
      throw MixGRPOError(
        .inputOutput,
        "\(printable(path)): expected a model folder, got a file; name the folder that holds it and \(WeightFolder.configurationName)"
      )
    }
    let transformer = FileAccess.join(path, transformerName)
    for folder in [path, transformer]
    where try FileAccess.isPresent(FileAccess.join(folder, WeightFolder.configurationName)) { return folder }
    throw try missingConfiguration(in: path)
  }

  /// True when there are a configuration and weights.
  static func arePresent(in path: String) throws(MixGRPOError) -> Bool {
    guard try FileAccess.isFolder(path) else { return false }
    for folder in [path, FileAccess.join(path, transformerName)] where try FileAccess.isFolder(folder) {
      let configuration = FileAccess.join(folder, WeightFolder.configurationName)
      if try FileAccess.isPresent(configuration) { return try weights(in: folder) != nil }
    }
    return false
  }

  // MARK: - Weights

  /// An index takes precedence over a single file, as in diffusers, and both over a variant such as `fp16`.
  private static func weights(in folder: String) throws(MixGRPOError) -> Weights? {
    let (index, file) = (
      FileAccess.join(folder, WeightFolder.indexName), FileAccess.join(folder, WeightFolder.weightsName)
    )
    if try FileAccess.isPresent(index) { return .index(index) }
    if try FileAccess.isPresent(file) { return .file(file) }
    let names = try FileAccess.names(in: folder)
    let indices = names.filter { variant($0, "\(stem).safetensors.index.", ".json") != nil }
    let files = names.filter { variant($0, "\(stem).", ".safetensors") != nil }
    guard indices.count + files.count <= 1 else {
      throw MixGRPOError(
        .invalidFormat,
        "\(printable(folder)): expected \(WeightFolder.weightsName) or a single variant of it, got \(list(indices + files)); "
          + "name the one to use: ln -s VARIANT \(WeightFolder.weightsName)")
    }
    if let name = indices.first { return .index(FileAccess.join(folder, name)) }
    return files.first.map { .file(FileAccess.join(folder, $0)) }
  }

  /// The variant in a name, such as `fp16`; nil for another name, and for the part of a sharded variant.
  private static func variant(_ name: String, _ prefix: String, _ suffix: String) -> Substring? {
    guard name.hasPrefix(prefix), name.hasSuffix(suffix), name.utf8.count > prefix.utf8.count + suffix.utf8.count else {
      return nil
    }
    let variant = name.dropFirst(prefix.count).dropLast(suffix.count)
    return variant.contains { $0 == "-" || $0 == "." } ? nil : variant
  }

  // MARK: - What is there instead

  private static func missingConfiguration(in path: String) throws(MixGRPOError) -> MixGRPOError {
    try missing(WeightFolder.configurationName, in: path, instead: configurationHint(path))
  }

  private static func missingWeights(in folder: String) throws(MixGRPOError) -> MixGRPOError {
    try missing(WeightFolder.weightsName, in: folder, instead: weightsHint(folder))
  }

  private static func missing(_ name: String, in folder: String, instead hint: String) -> MixGRPOError {
    let error = FileAccess.failure(FileAccess.join(folder, name), expected: "a readable file", code: ENOENT)
    return MixGRPOError(error.code, error.message + hint)
  }

  private static func configurationHint(_ path: String) throws(MixGRPOError) -> String {
    guard try FileAccess.isFolder(path) else { return "" }
    var models: [String] = []
    let names = try FileAccess.names(in: path)
    for name in names.prefix(mostNames) where try isModel(FileAccess.join(path, name)) {
      models.append(FileAccess.join(path, name))
    }
    if !models.isEmpty { return "; there are models in \(list(models))" }
    if names.contains(where: { $0.hasSuffix(".safetensors") && $0.hasPrefix("iteration-") || $0 == "trainer.safetensors" }) {
      return
        "; these are checkpoints of a run, which is resumed from its own folder; models are in model/ and best/ beside them"
    }
    if names.contains(pipelineName) {
      return "; this pipeline has no \(transformerName)/, which holds the weights of a FLUX model"
    }
    return weightFiles(names).isEmpty ? "" : "; the folder holds \(list(weightFiles(names))) without its configuration"
  }

  /// Whether a folder certainly holds a model: one that cannot be read, or is ambiguous, must not hide the error that is explained.
  private static func isModel(_ path: String) throws(MixGRPOError) -> Bool {
    do { return try arePresent(in: path) } catch  where error.code == .inputOutput || error.code == .invalidFormat {
      return false
    }
  }

  private static func weightsHint(_ folder: String) throws(MixGRPOError) -> String {
    let names = weightFiles(try FileAccess.names(in: folder))
    if names.isEmpty { return "" }
    guard names.contains("\(stem).bin") else {
      return "; the folder holds \(list(names)), but weights are read from \(WeightFolder.weightsName) only"
    }
    return "; the folder holds \(stem).bin, which only PyTorch reads; convert it, in that folder: \(conversion)"
  }

  /// Tensors that share memory, or are not contiguous, cannot be saved as safetensors.
  static let conversion =
    "python3 -c \"import torch, safetensors.torch as s; s.save_file({n: t.clone().contiguous() for n, t in "
    + "torch.load('\(stem).bin', weights_only=True).items()}, '\(WeightFolder.weightsName)')\""

  private static let weightSuffixes = [".bin", ".safetensors", ".gguf", ".ckpt", ".pt", ".pth", ".msgpack", ".onnx"]

  private static func weightFiles(_ names: [String]) -> [String] {
    names.filter { name in weightSuffixes.contains { name.hasSuffix($0) } }
  }

  /// A folder may hold any number of files.
  private static let mostNames = 64

  private static func list(_ names: [String]) -> String {
    let shown = names.prefix(4).map { printable($0) }
    return shown.joined(separator: ", ") + (names.count > shown.count ? " and \(names.count - shown.count) more" : "")
  }
}
