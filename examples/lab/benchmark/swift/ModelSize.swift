import ArgumentParser
import MixGRPO
import MixNumerics

/// The sizes of model that are measured.
enum ModelSize: String, CaseIterable, ExpressibleByArgument {
  /// 2.3 M weights on 8 × 8 image and 16 text tokens.
  case small = "S"
  /// 13 M weights on 12 × 12 image and 24 text tokens.
  case between
  /// 40 M weights on 16 × 16 image and 32 text tokens.
  case medium = "M"
  /// FLUX.1's widths with 1 double and 4 single blocks, 0.96 G weights, on 16 × 16 image and 128 text tokens; for adapters on a frozen
  /// model.
  case flux = "1G"

  var shape: ModelShape {
    switch self {
    case .small:
      ModelShape(side: 8, textLength: 16, channels: 12, layers: (2, 4), heads: 4, headDim: 32, textWidth: 64, pooledWidth: 64)
    case .between:
      ModelShape(
        side: 12, textLength: 24, channels: 32, layers: (3, 6), heads: 8, headDim: 32, textWidth: 128, pooledWidth: 128)
    case .medium:
      ModelShape(
        side: 16, textLength: 32, channels: 64, layers: (4, 8), heads: 6, headDim: 64, textWidth: 256, pooledWidth: 128)
    case .flux:
      ModelShape(
        side: 16, textLength: 128, channels: 64, layers: (1, 4), heads: 24, headDim: 128, textWidth: 4_096, pooledWidth: 768)
    }
  }
}

/// A model with the number of tokens it is run on.
struct ModelShape {
  /// Image tokens form a square with this side.
  var side: Int
  var textLength: Int
  let channels: Int
  /// Double-stream and single-stream blocks.
  let layers: (double: Int, single: Int)
  var heads: Int
  let headDim: Int
  let textWidth: Int
  let pooledWidth: Int

  var configuration: FlowTransformerConfiguration {
    FlowTransformerConfiguration(
      inChannels: channels, numLayers: layers.double, numSingleLayers: layers.single, attentionHeadDim: headDim,
      numAttentionHeads: heads, jointAttentionDim: textWidth, pooledProjectionDim: pooledWidth, guidanceEmbeds: true,
      axesDimsRope: [headDim / 8, headDim * 7 / 16, headDim * 7 / 16])
  }

  /// A model with random weights, none of them zero, so that no product is a product with zeros.
  func model() throws -> FlowTransformer {
    let model = try FlowTransformer(configuration: configuration)
    for (index, entry) in model.parameters.enumerated() {
      var values = [Float](repeating: 0, count: entry.count)
      fill(&values, entry, stream: index)
      model.writeWeights(entry, from: values)
    }
    return model
  }

  /// A frozen model with random weights, which are never all in memory in float32.
  func frozenModel() throws -> FlowTransformer {
    var stream = 0
    return try FlowTransformer(frozen: configuration) { (entry, target) throws(MixGRPOError) in
      fill(target, entry, stream: stream)
      stream += 1
    }
  }

  private func fill(_ values: UnsafeMutablePointer<Float>, _ entry: ParameterEntry, stream: Int) {
    RandomStream(seed: 1, purpose: .host, step: stream).fillNormals(values, count: entry.count)
    let scale: Float = entry.shape.count == 2 ? 1 / Float(entry.shape[1]).squareRoot() : 0.1
    let isNorm = ["norm_q", "norm_k", "norm_added"].contains { entry.name.contains($0) }
    for index in 0..<entry.count { values[index] = (isNorm ? 1 : 0) + scale * values[index] }
  }

  /// One prompt with a random embedding.
  func prompts() throws -> PromptEmbeddings {
    try PromptEmbeddings(
      text: normals(textLength * textWidth, stream: 1), pooled: normals(pooledWidth, stream: 2), count: 1,
      textLength: textLength)
  }

  /// Random latents, (count, side², channels).
  func latents(count: Int) -> [Float] { normals(count * side * side * channels, stream: 3) }

  func normals(_ count: Int, stream: Int) -> [Float] {
    var values = [Float](repeating: 0, count: count)
    RandomStream(seed: 2, purpose: .host, step: stream).fillNormals(&values, count: count)
    return values
  }
}
