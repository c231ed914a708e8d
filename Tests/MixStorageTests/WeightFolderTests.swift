import MixBasics
import Testing

@testable import MixStorage

@Suite struct WeightFolderTests {
  private let folder = TemporaryFolder()

  private func read(_ weights: WeightFolder, _ name: String, _ shape: [Int]) throws -> [Float] {
    var values = [Float](repeating: -7, count: shape.reduce(1, *))
    try values.withUnsafeMutableBufferPointer { try weights.read(name, expectedShape: shape, into: $0) }
    return values
  }

  private func save(_ values: [Float], precision: WeightPrecision = .float32, to path: String) throws {
    try values.withUnsafeBufferPointer {
      let entry = WeightEntry(name: "w", shape: [values.count], values: $0)
      try WeightFolder.write([entry], configuration: ["num_layers": 3], precision: precision, to: path)
    }
  }

  @Test func shardsAreReadAsOneModel() throws {
    let weights = try WeightFolder(path: fixture("sharded"))
    #expect(weights.configuration["num_layers"]?.integer == 2)
    #expect(weights.tensors.map(\.name) == ["x.weight", "y.bias", "z.bias"])
    #expect(try read(weights, "x.weight", [2, 2]) == sixths(4))
    #expect(try read(weights, "y.bias", [3]) == sixths(3))
    #expect(try read(weights, "z.bias", [2]) == [-0.5, -0.333251953125])
    #expect(libraryError { _ = try read(weights, "w", [1]) }?.message.contains("w: expected this tensor, got none") == true)
  }

  @Test func aSavedFolderReadsBack() throws {
    let path = folder.file("model")
    try save([1, 2, 3.14159], to: path)
    let weights = try WeightFolder(path: path)
    #expect(weights.configuration == ["num_layers": 3])
    #expect(try read(weights, "w", [3]) == [1, 2, 3.14159])
    #expect(try text(of: path + "/config.json") == "{\n  \"num_layers\": 3\n}\n")
  }

  @Test func aFolderIsMadeButNotItsParents() throws {
    let path = folder.file("new/model")
    #expect(libraryError { try save([1], to: path) }?.code == .inputOutput)
    #expect(folder.names.isEmpty)
  }

  @Test func savingOverAShardedModelReplacesIt() throws {
    for name in [WeightFolder.indexName, "config.json"] {
      try folder.write(try content(of: fixture("sharded/" + name)), to: name)
    }
    try save([1], to: folder.path)
    #expect(try WeightFolder(path: folder.path).tensors.map(\.name) == ["w"])
  }

  @Test func holdsModelIsTrueOnlyForAFolderWithAModel() throws {
    #expect(try WeightFolder.holdsModel(fixture("sharded")))
    #expect(try !WeightFolder.holdsModel(folder.path))
  }

  @Test(arguments: ["../a.safetensors", "/etc/passwd", "sub/a.safetensors", "..", ".", "", "a\\u0000b"])
  func anIndexCannotLeadOutOfItsFolder(name: String) throws {
    try folder.write("{}", to: "config.json")
    try folder.write("{\"weight_map\":{\"w\":\"\(name)\"}}", to: WeightFolder.indexName)
    let error = libraryError { _ = try WeightFolder(path: folder.path) }
    #expect(error?.code == .invalidFormat)
    #expect(error?.message.contains("weight_map.w: expected a file name inside the folder") == true)
  }

  @Test(arguments: ["[]", "{}", #"{"weight_map":{}}"#, #"{"weight_map":{"w":1}}"#, #"{"weight_map":"#])
  func aBrokenIndexIsRefused(index: String) throws {
    try folder.write("{}", to: "config.json")
    try folder.write(index, to: WeightFolder.indexName)
    #expect(libraryError { _ = try WeightFolder(path: folder.path) }?.code == .invalidFormat)
  }

  @Test func anIndexThatNamesTensorsItsFileLacksIsRefused() throws {
    try save([1], to: folder.path)
    let index = #"{"weight_map":{"w":"\#(WeightFolder.weightsName)","v":"\#(WeightFolder.weightsName)"}}"#
    try folder.write(index, to: WeightFolder.indexName)
    #expect(libraryError { _ = try WeightFolder(path: folder.path) }?.message.contains("v: expected this tensor") == true)
  }

  @Test func missingAndBrokenPartsAreNamed() throws {
    #expect(libraryError { _ = try WeightFolder(path: folder.path) }?.message.contains("config.json") == true)
    try folder.write("[1]", to: "config.json")
    #expect(libraryError { _ = try WeightFolder(path: folder.path) }?.code == .invalidFormat)
    try folder.write("{}", to: "config.json")
    let error = libraryError { _ = try WeightFolder(path: folder.path) }
    #expect(error?.code == .inputOutput && error?.message.contains(WeightFolder.weightsName) == true)
  }

  private func message(_ path: String) -> String { libraryError { _ = try WeightFolder(path: path) }?.message ?? "" }

  /// A model whose weights have another name.
  private func rename(to name: String) throws {
    try save([1], to: folder.path)
    try FileAccess.rename(folder.file(WeightFolder.weightsName), to: folder.file(name))
  }

  @Test func aSingleVariantIsRead() throws {
    try rename(to: "diffusion_pytorch_model.fp16.safetensors")
    #expect(try WeightFolder(path: folder.path).tensors.map(\.name) == ["w"])
    #expect(try WeightFolder.holdsModel(folder.path))
  }

  @Test func theShardsOfAVariantAreRead() throws {
    try rename(to: "diffusion_pytorch_model.fp16-00001-of-00001.safetensors")
    let index = #"{"weight_map":{"w":"diffusion_pytorch_model.fp16-00001-of-00001.safetensors"}}"#
    try folder.write(index, to: "diffusion_pytorch_model.safetensors.index.fp16.json")
    #expect(try WeightFolder(path: folder.path).tensors.map(\.name) == ["w"])
  }

  @Test func plainWeightsTakePrecedenceOverVariants() throws {
    try rename(to: "diffusion_pytorch_model.fp16.safetensors")
    try save([1, 2], to: folder.path)
    #expect(try WeightFolder(path: folder.path).tensors.map(\.shape) == [[2]])
  }

  @Test func severalVariantsAreAmbiguous() throws {
    try rename(to: "diffusion_pytorch_model.fp16.safetensors")
    try folder.write("", to: "diffusion_pytorch_model.bf16.safetensors")
    #expect(libraryError { _ = try WeightFolder(path: folder.path) }?.code == .invalidFormat)
    #expect(
      message(folder.path).contains("got diffusion_pytorch_model.bf16.safetensors, diffusion_pytorch_model.fp16.safetensors"))
  }

  @Test func theTransformerOfAPipelineIsFound() throws {
    try FileAccess.createFolder(folder.file("pipeline"))
    try folder.write("{}", to: "pipeline/model_index.json")
    #expect(message(folder.file("pipeline")).contains("this pipeline has no transformer/"))
    try save([1], to: folder.file("pipeline/transformer"))
    #expect(try WeightFolder(path: folder.file("pipeline")).tensors.map(\.name) == ["w"])
    #expect(
      try WeightFolder.configuration(of: folder.file("pipeline")).source == folder.file("pipeline/transformer/config.json"))
  }

  @Test func aRunNamesItsModels() throws {
    try save([1], to: folder.file("best"))
    try save([1], to: folder.file("model"))
    try folder.write("{}", to: "settings.json")
    #expect(message(folder.path).hasSuffix("there are models in \(folder.file("best")), \(folder.file("model"))"))
  }

  @Test func neighboursThatAreNoModelsHideNoError() throws {
    try save([1], to: folder.file("ambiguous"))
    try FileAccess.removeFile(folder.file("ambiguous/\(WeightFolder.weightsName)"))
    for variant in ["fp16", "bf16"] { try folder.write("", to: "ambiguous/diffusion_pytorch_model.\(variant).safetensors") }
    try FileAccess.createFolder(folder.file("other"))
    try folder.write("", to: "other/transformer")
    #expect(message(folder.path).contains("\(folder.path)/config.json: expected a readable file"))
    #expect(try !WeightFolder.holdsModel(folder.file("other")))
  }

  @Test func whatStandsInPlaceOfTheModelIsSaid() throws {
    try folder.write("", to: "iteration-00000001.safetensors")
    #expect(message(folder.path).contains("these are checkpoints of a run"))
    #expect(message(folder.file("iteration-00000001.safetensors")).contains("expected a model folder, got a file"))
    try folder.write("{}", to: "config.json")
    try folder.write("", to: "model.gguf")
    #expect(message(folder.path).contains("the folder holds iteration-00000001.safetensors, model.gguf, but weights are read"))
    try folder.write("", to: "diffusion_pytorch_model.bin")
    #expect(message(folder.path).contains("which only PyTorch reads; convert it, in that folder: python3 -c"))
  }

  @Test func aConfigurationWithAByteOrderMarkIsRead() throws {
    try save([1], to: folder.path)
    try folder.write("\u{FEFF}{\"num_layers\": 3}", to: "config.json")
    #expect(try WeightFolder(path: folder.path).configuration["num_layers"]?.integer == 3)
  }

  @Test func aConfigurationThatCannotBeStoredWritesNothing() {
    let error = libraryError {
      try WeightFolder.write([], configuration: ["a": .number(.nan)], precision: .float32, to: folder.file("model"))
    }
    #expect(error?.code == .notFinite)
    #expect(folder.names.isEmpty)
  }
}
