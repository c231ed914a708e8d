import MixBasics
import MixFlowModel
import MixGRPO
import MixStorage

/// The smallest model and trainer, and good samples of every format made of them.
final class SmallWorld {
  let checkpointName: String
  let trainer: Trainer
  let configuration: [UInt8]
  let weights: [UInt8]
  let checkpoint: [UInt8]
  let png: [UInt8]
  private let scratch: Scratch

  init(_ scratch: Scratch) throws(MixGRPOError) {
    self.scratch = scratch
    let sizes = FlowTransformerConfiguration(
      inChannels: 1, numLayers: 0, numSingleLayers: 0, attentionHeadDim: 2, numAttentionHeads: 1, jointAttentionDim: 1,
      pooledProjectionDim: 1, guidanceEmbeds: false, axesDimsRope: [0, 0, 2])
    let model = try FlowTransformer(configuration: sizes)
    let prompts = try HashedWordEncoder(textLength: 1, textWidth: 1, pooledWidth: 1).embeddings(of: ["a", "b"])
    let evaluator = try FlowEvaluator(
      model: model, geometry: TokenGeometry(height: 1, width: 1), textLength: 1, maxBatch: 1, threads: 1)
    trainer = try Trainer(
      evaluator: evaluator, prompts: prompts, sampling: SamplingConfiguration(), learning: LearningConfiguration(),
      rewardNames: ["taste"], context: RunContext(threads: 1))
    try model.save(folder: scratch.path, precision: .bfloat16)
    try trainer.save(folder: scratch.path)
    configuration = try FileAccess.read(scratch.file(WeightFolder.configurationName), limit: 1 << 20)
    weights = try FileAccess.read(scratch.file(WeightFolder.weightsName), limit: 1 << 20)
    checkpointName = "trainer.safetensors"
    checkpoint = try FileAccess.read(scratch.file(checkpointName), limit: 1 << 24)
    let image = try RGBImage(width: 3, height: 2, pixels: (0..<18).map { UInt8($0 * 14) })
    png = try PNG.encode(
      image, text: [PNGText(keyword: "prompt", text: "a red circle"), PNGText(keyword: "mood", text: "été 🌙")])
    try PNG.write(image, to: scratch.file("0.png"))
    scratch.write("a.safetensors", Self.shard("x"))
    scratch.write("b.safetensors", Self.shard("y"))
  }

  /// A file with one tensor of one value.
  static func shard(_ name: String) -> [UInt8] {
    let header = Array(#"{"\#(name)":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#.utf8)
    return [UInt8(header.count), 0, 0, 0, 0, 0, 0, 0] + header + [0, 0, 128, 63]
  }

  /// Iteration and weights.
  var trainerState: [Float] { [Float(trainer.iteration)] + trainer.evaluator.model.writableWeights() }

  func samples(of format: Format) -> [[UInt8]] {
    switch format {
    case .json: [configuration, Array(#"{"a": [1, -0.5e-3, "\ud83c\udf19", null, true], "b": {"c": {}}}"#.utf8)]
    case .configuration: [configuration]
    case .safetensors: [weights, Self.shard("x"), Self.mixedShard]
    case .index: [Array(#"{"metadata": {"total_size": 8}, "weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}"#.utf8)]
    case .model: [[0] + weights, [1] + configuration]
    case .checkpoint: [checkpoint]
    case .png: [png] + Self.otherPictures
    case .captions:
      [Array("{\"file_name\": \"0.png\", \"text\": \"a red circle\"}\n{\"file_name\": \"a/1.png\", \"text\": \"\"}\n".utf8)]
    case .words: [Array("A red circle, two blue squares; été 🌙 and night 42".utf8)]
    case .metrics: [Array("{\"iteration\": 0}\n{\"iteration\": 1, \"loss\": 0.5}".utf8)]
    }
  }

  /// 16-bit, bool and unknown types; a scalar; an empty tensor.
  private static let mixedShard: [UInt8] = {
    let header = Array(
      #"{"__metadata__":{"format":"pt"},"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[1,2],"data_offsets":[4,8]},"s":{"dtype":"F32","shape":[],"data_offsets":[8,12]},"e":{"dtype":"F32","shape":[0,3],"data_offsets":[12,12]},"q":{"dtype":"Q4","shape":[3],"data_offsets":[12,14]}}"#
        .utf8)
    return [UInt8(header.count & 255), UInt8(header.count >> 8), 0, 0, 0, 0, 0, 0] + header + Array(repeating: 60, count: 14)
  }()

  /// Headers of grey, palette, transparent, 16-bit and interlaced pictures: the data is left to chance.
  private static let otherPictures: [[UInt8]] = [(0, 1), (3, 2), (4, 8), (6, 16), (2, 16)].map { kind, depth in
    let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    let zlib: [UInt8] = [0x78, 0x01, 0x01, 4, 0, 251, 255, 0, 1, 2, 3, 0, 14, 0, 7]
    let chunks: [(String, [UInt8])] = [
      ("IHDR", [0, 0, 0, 3, 0, 0, 0, 1, UInt8(depth), UInt8(kind), 0, 0, 0]), ("PLTE", [1, 2, 3, 4, 5, 6]), ("tRNS", [7]),
      ("IDAT", zlib),
      ("IEND", []),
    ]
    return signature
      + chunks.flatMap { name, data in [0, 0, 0, UInt8(data.count)] + Array(name.utf8) + data + [0, 0, 0, 0] }
  }
}
