import MixGRPO

/// Describes a file or a folder, for people and programs.
enum Inspection {
  /// - Throws: `inputOutput`, `invalidFormat`; `invalidArgument` for an unknown kind of file.
  static func report(of path: String) throws(MixGRPOError) -> JSONObject {
    if try WeightFolder.holdsModel(path) { return try model(path) }
    if let run = try run(at: path) { return try run.json }
    let isFolder = try FileAccess.isFolder(path)
    if let checkpoint = try checkpointFile(in: path) { return try safetensors(checkpoint) }
    if path.hasSuffix(".png") { return try picture(path) }
    if isFolder || path.hasSuffix(".safetensors"), let summary = try AdapterSummary(path) { return try adapter(summary) }
    if path.hasSuffix(".safetensors") { return try safetensors(path) }
    let configuration = FileAccess.join(path, WeightFolder.configurationName)
    if isFolder, try FileAccess.isPresent(configuration) { return try model(path) }
    guard try FileAccess.isPresent(path) else {
      throw MixGRPOError(.inputOutput, "\(path): expected a file or a folder, got none")
    }
    throw .invalid(path, expected: "a model, an adapter, a checkpoint, a run, a .safetensors or a .png", got: "something else")
  }

  /// The run whose folder this is; nil for something else.
  static func run(at path: String) throws(MixGRPOError) -> RunInspection? {
    if try WeightFolder.holdsModel(path) { return nil }
    let run = RunFolder(path: path)
    guard try FileAccess.isFolder(path), try FileAccess.isPresent(run.settings) else { return nil }
    return try RunInspection(run)
  }

  /// The newest numbered checkpoint, or the only one.
  static func checkpointFile(in folder: String) throws(MixGRPOError) -> String? {
    guard try FileAccess.isFolder(folder) else { return nil }
    let numbered = NumberedFiles(folder: folder, prefix: "iteration-", suffix: ".safetensors")
    if let newest = try numbered.numbers().last { return numbered.path(newest) }
    for name in ["trainer.safetensors", "pretrainer.safetensors"] {
      let path = FileAccess.join(folder, name)
      if try FileAccess.isPresent(path) { return path }
    }
    return nil
  }

  /// The iterations of an alignment, or the steps of pretraining.
  static func iteration(of file: SafetensorsFile) throws(MixGRPOError) -> JSONValue {
    func section(_ name: String) throws(MixGRPOError) -> JSONObject? {
      guard let text = file.metadata[name] else { return nil }
      return try JSONParser.parse(text, source: "\(file.path): \(name)").object
    }
    if let iteration = try section("progress")?["iteration"] { return iteration }
    return try section("optimizer")?["steps"] ?? .null
  }

  // MARK: - Kinds

  private static func model(_ path: String) throws(MixGRPOError) -> JSONObject {
    let folder = try WeightFolder(path: path)
    var report: JSONObject = ["kind": "model", "path": .string(path)]
    add(folder.tensors, to: &report)
    if let width = try width(folder) { report["width"] = .integer(Int64(width)) }
    report["configuration"] = .object(folder.configuration)
    report["tensors"] = .array(folder.tensors.map(row))
    return report
  }

  /// Values for each token between blocks; nil for a model of another kind.
  private static func width(_ folder: WeightFolder) throws(MixGRPOError) -> Int? {
    do {
      return try FlowTransformerConfiguration(json: folder.configuration, source: folder.path).width
    } catch  where error.code == .invalidFormat || error.code == .invalidArgument || error.code == .unsupported {
      return nil
    }
  }

  private static func adapter(_ summary: AdapterSummary) throws(MixGRPOError) -> JSONObject {
    var report: JSONObject = [
      "kind": "adapter", "path": .string(summary.file.path), "layers": .integer(Int64(summary.layers)),
      "ranks": .array(summary.ranks.map { .integer(Int64($0)) }),
    ]
    add(summary.file.tensors, to: &report)
    report["metadata"] = .object(try metadata(of: summary.file))
    report["tensors"] = .array(summary.file.tensors.map(row))
    return report
  }

  private static func safetensors(_ path: String) throws(MixGRPOError) -> JSONObject {
    let file = try SafetensorsFile(path: path)
    let format = file.metadata["format"] ?? ""
    let kind = format.hasPrefix("mixgrpo-trainer") || format.hasPrefix("mixgrpo-pretrainer") ? "checkpoint" : "safetensors"
    var report: JSONObject = ["kind": .string(kind), "path": .string(path)]
    if kind == "checkpoint" { report["iteration"] = try iteration(of: file) }
    add(file.tensors, to: &report)
    report["metadata"] = .object(try metadata(of: file))
    report["tensors"] = .array(file.tensors.map(row))
    return report
  }

  private static func picture(_ path: String) throws(MixGRPOError) -> JSONObject {
    let bytes = try FileAccess.read(path, limit: 1 << 29)
    let image = try PNG.read(path: path)
    var report: JSONObject = [
      "kind": "picture", "path": .string(path), "width": .integer(Int64(image.width)), "height": .integer(Int64(image.height)),
      "bytes": .integer(Int64(bytes.count)),
    ]
    report["text"] = .array(try PNG.text(in: bytes).map { ["keyword": .string($0.keyword), "text": .string($0.text)] })
    return report
  }

  // MARK: - Parts

  private static func add(_ tensors: [StoredTensor], to report: inout JSONObject) {
    let types = Set(tensors.map(\.type.name)).sorted()
    report["tensor_count"] = .integer(Int64(tensors.count))
    report["values"] = .integer(Int64(tensors.reduce(0) { $0 &+ $1.elementCount }))
    report["element_types"] = .string(types.joined(separator: ", "))
    report["bytes"] = .integer(Int64(tensors.reduce(0) { $0 &+ bytes(of: $1) }))
  }

  private static func bytes(of tensor: StoredTensor) -> Int { tensor.elementCount &* (tensor.type.bytesPerElement ?? 0) }

  private static func row(_ tensor: StoredTensor) -> JSONValue {
    [
      "name": .string(tensor.name), "type": .string(tensor.type.name),
      "shape": .array(tensor.shape.map { .integer(Int64($0)) }), "bytes": .integer(Int64(bytes(of: tensor))),
    ]
  }

  private static func metadata(of file: SafetensorsFile) throws(MixGRPOError) -> JSONObject {
    var metadata = JSONObject()
    for (name, text) in file.metadata.sorted(by: { $0.key < $1.key }) { metadata[name] = try value(text) }
    return metadata
  }

  /// Metadata values are strings; those that contain JSON objects are shown as objects.
  private static func value(_ text: String) throws(MixGRPOError) -> JSONValue {
    guard text.hasPrefix("{"), let parsed = try JSONParser.parseIfJSON(text) else { return .string(text) }
    return parsed
  }
}
