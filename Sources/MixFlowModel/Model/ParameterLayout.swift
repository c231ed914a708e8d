import MixBasics

/// One weight tensor of the checkpoint and its place in the model's flat buffer.
public struct ParameterEntry: Equatable, Sendable {
  /// The checkpoint's name, e.g. `transformer_blocks.0.attn.to_q.weight`.
  public let name: String
  /// Sizes, slowest first.
  public let shape: [Int]
  /// First float in the flat buffer.
  public let offset: Int
  /// In a frozen model: whether the tensor is stored in bfloat16, apart from the others; `offset` then counts those values.
  package var isRounded = false
  /// Values of the tensor.
  public var count: Int { shape.reduce(1, *) }
}

/// A linear layer y = W·x + b inside the flat buffer; W (outputs, inputs), b (outputs).
package struct LinearLayer: Equatable, Sendable {
  package let weight: Int
  package let bias: Int
  package let inputs: Int
  package let outputs: Int
  /// The place of the layer among all linear layers.
  let index: Int
}

/// Linear, SiLU, Linear.
struct EmbedderLayout: Sendable {
  let first: LinearLayer
  let second: LinearLayer
}

/// One stream (image or text) of a double block.
struct StreamLayout: Sendable {
  let qkv: LinearLayer  // d → 3d
  let queryNorm: Int
  let keyNorm: Int
  let attentionOut: LinearLayer  // d → d
  let feedForwardIn: LinearLayer  // d → 4d
  let feedForwardOut: LinearLayer  // 4d → d
  /// First of six chunks (shift, scale, gate, shift_mlp, scale_mlp, gate_mlp) of d in a modulation row.
  let modulation: Int

  var layers: [LinearLayer] { [qkv, attentionOut, feedForwardIn, feedForwardOut] }
}

struct DoubleBlockLayout: Sendable {
  let image: StreamLayout
  let text: StreamLayout

  var layers: [LinearLayer] { text.layers + image.layers }
}

struct SingleBlockLayout: Sendable {
  let qkvFeedForward: LinearLayer  // d → 3d + 4d
  let queryNorm: Int
  let keyNorm: Int
  let out: LinearLayer  // d + 4d → d
  /// First of three chunks (shift, scale, gate) of d in a modulation row.
  let modulation: Int

  var layers: [LinearLayer] { [qkvFeedForward, out] }
}

/// The only list of the model's weights: name → shape → offset.
///
/// Layers with the same input are adjacent, so that one product computes q, k, v (and a single block's feed-forward), and one
/// product computes all blocks' modulations. The checkpoint's names still address each layer alone. In a frozen model the weights of
/// the blocks' layers lie apart, in bfloat16.
package struct ParameterLayout: Sendable {
  package private(set) var entries: [ParameterEntry] = []
  /// Floats in the flat buffer; entries follow each other without gaps.
  package private(set) var count = 0
  /// Values that are stored in bfloat16, apart from the flat buffer: the weights of the blocks' layers of a frozen model.
  package private(set) var roundedCount = 0

  private(set) var imageIn: LinearLayer
  private(set) var textIn: LinearLayer
  private(set) var time: EmbedderLayout
  private(set) var guidance: EmbedderLayout?
  private(set) var pooled: EmbedderLayout
  /// All modulations of the model: SiLU(e) → one row of `outputs` values.
  private(set) var modulation: LinearLayer
  /// First of the output norm's two chunks (scale, shift) in a modulation row.
  private(set) var outModulation = 0
  private(set) var doubleBlocks: [DoubleBlockLayout] = []
  private(set) var singleBlocks: [SingleBlockLayout] = []
  private(set) var out: LinearLayer
  /// The offset of the first layer that is applied to whole sequences; embedders and modulations come before.
  private(set) var projections = 0
  /// Every linear layer, by its index.
  private(set) var layers: [LinearLayer] = []
  /// The checkpoint's linear layers, in the order of `layers`.
  package private(set) var modules: [LinearModule] = []
  var layerCount: Int { layers.count }
  /// Whether a layer's weights are stored in bfloat16.
  func roundsWeights(of layer: LinearLayer) -> Bool {
    roundedCount > 0 && !edgeLayers.contains(layer) && layer.index >= imageIn.index
  }
  /// Embedders and modulations.
  var conditioningLayers: [LinearLayer] { Array(layers.prefix { $0.weight < projections }) }
  /// Of the layers that are applied to whole sequences, those of the input and the output.
  var edgeLayers: [LinearLayer] { [imageIn, textIn, out] }
  /// Of these layers, those of each block.
  var layersOfBlocks: [[LinearLayer]] { doubleBlocks.map(\.layers) + singleBlocks.map(\.layers) }
  var blockLayers: [LinearLayer] { layersOfBlocks.flatMap { $0 } }

  static let sinusoidWidth = 256

  /// - Parameter roundsBlocks: whether the weights of the blocks' layers are stored in bfloat16.
  /// - Throws: `outOfMemory`.
  package init(_ configuration: FlowTransformerConfiguration, roundsBlocks: Bool = false) throws(MixGRPOError) {
    // A double block has 32 entries with names; arrays double as they grow.
    try Memory.require(configuration.numLayers + configuration.numSingleLayers, of: 32 * 384)
    let d = configuration.width
    let headDim = configuration.attentionHeadDim
    var table = Table()
    time = table.embedder("time_text_embed.timestep_embedder", Self.sinusoidWidth, d)
    guidance = configuration.guidanceEmbeds ? table.embedder("time_text_embed.guidance_embedder", Self.sinusoidWidth, d) : nil
    pooled = table.embedder("time_text_embed.text_embedder", configuration.pooledProjectionDim, d)

    let doubles = (0..<configuration.numLayers).map { "transformer_blocks.\($0)" }
    let singles = (0..<configuration.numSingleLayers).map { "single_transformer_blocks.\($0)" }
    modulation = table.linear(
      doubles.flatMap { ["\($0).norm1.linear", "\($0).norm1_context.linear"] } + singles.map { "\($0).norm.linear" }
        + ["norm_out.linear"],
      d, Array(repeating: 6 * d, count: 2 * doubles.count) + Array(repeating: 3 * d, count: singles.count) + [2 * d])
    projections = table.count
    imageIn = table.linear(["x_embedder"], configuration.inChannels, [d])
    textIn = table.linear(["context_embedder"], configuration.jointAttentionDim, [d])
    table.roundsWeights = roundsBlocks
    for (index, block) in doubles.enumerated() {
      doubleBlocks.append(table.doubleBlock(block, d, headDim, 12 * d * index))
    }
    for (index, block) in singles.enumerated() {
      singleBlocks.append(table.singleBlock(block, d, headDim, 12 * d * doubles.count + 3 * d * index))
    }
    table.roundsWeights = false
    outModulation = 12 * d * doubles.count + 3 * d * singles.count
    out = table.linear(["proj_out"], d, [configuration.outChannels])
    (entries, layers, modules) = (table.entries, table.layers, table.modules)
    (count, roundedCount) = (table.count, table.roundedCount)
  }
}

/// Hands out offsets and records names.
private struct Table {
  var entries: [ParameterEntry] = []
  var count = 0
  var roundedCount = 0
  /// Whether the layers that follow store their weights in bfloat16.
  var roundsWeights = false
  var layers: [LinearLayer] = []
  var modules: [LinearModule] = []

  mutating func vector(_ name: String, _ size: Int) -> Int { add(name, [size]) }

  /// Layers with a common input: weights side by side, then biases side by side.
  mutating func linear(_ names: [String], _ inputs: Int, _ outputs: [Int]) -> LinearLayer {
    let weight = roundsWeights ? roundedCount : count
    for (name, size) in zip(names, outputs) { _ = add(name + ".weight", [size, inputs], isRounded: roundsWeights) }
    let bias = count
    for (name, size) in zip(names, outputs) { _ = add(name + ".bias", [size]) }
    let layer = LinearLayer(
      weight: weight, bias: bias, inputs: inputs, outputs: outputs.reduce(0, +), index: layers.count)
    var row = 0
    for (name, size) in zip(names, outputs) {
      modules.append(LinearModule(name: name, layer: layer, rows: row..<row + size))
      row += size
    }
    layers.append(layer)
    return layer
  }

  mutating func embedder(_ name: String, _ inputs: Int, _ d: Int) -> EmbedderLayout {
    EmbedderLayout(first: linear([name + ".linear_1"], inputs, [d]), second: linear([name + ".linear_2"], d, [d]))
  }

  mutating func doubleBlock(_ name: String, _ d: Int, _ headDim: Int, _ modulation: Int) -> DoubleBlockLayout {
    let image = stream(
      d, headDim, modulation, qkv: ["to_q", "to_k", "to_v"].map { "\(name).attn.\($0)" }, norms: "\(name).attn.norm_",
      attentionOut: "\(name).attn.to_out.0", feedForward: "\(name).ff.net")
    let text = stream(
      d, headDim, modulation + 6 * d, qkv: ["add_q_proj", "add_k_proj", "add_v_proj"].map { "\(name).attn.\($0)" },
      norms: "\(name).attn.norm_added_", attentionOut: "\(name).attn.to_add_out", feedForward: "\(name).ff_context.net")
    return DoubleBlockLayout(image: image, text: text)
  }

  private mutating func stream(
    _ d: Int, _ headDim: Int, _ modulation: Int, qkv: [String], norms: String, attentionOut: String, feedForward: String
  ) -> StreamLayout {
    StreamLayout(
      qkv: linear(qkv, d, [d, d, d]), queryNorm: vector(norms + "q.weight", headDim),
      keyNorm: vector(norms + "k.weight", headDim), attentionOut: linear([attentionOut], d, [d]),
      feedForwardIn: linear([feedForward + ".0.proj"], d, [4 * d]),
      feedForwardOut: linear([feedForward + ".2"], 4 * d, [d]), modulation: modulation)
  }

  mutating func singleBlock(_ name: String, _ d: Int, _ headDim: Int, _ modulation: Int) -> SingleBlockLayout {
    SingleBlockLayout(
      qkvFeedForward: linear(
        ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"].map { "\(name).\($0)" }, d, [d, d, d, 4 * d]),
      queryNorm: vector("\(name).attn.norm_q.weight", headDim), keyNorm: vector("\(name).attn.norm_k.weight", headDim),
      out: linear(["\(name).proj_out"], 5 * d, [d]), modulation: modulation)
  }

  private mutating func add(_ name: String, _ shape: [Int], isRounded: Bool = false) -> Int {
    let entry = ParameterEntry(name: name, shape: shape, offset: isRounded ? roundedCount : count, isRounded: isRounded)
    entries.append(entry)
    if isRounded { roundedCount += entry.count } else { count += entry.count }
    return entry.offset
  }
}
