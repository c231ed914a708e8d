import MixBasics

/// Sizes of a FLUX-type flow transformer; field names follow the checkpoint's `config.json`.
public struct FlowTransformerConfiguration: Equatable, Sendable {
  /// Channels of a latent token, C.
  public var inChannels: Int
  /// Channels of the velocity; sampling requires as many as `inChannels`.
  public var outChannels: Int
  /// Double-stream blocks.
  public var numLayers: Int
  /// Single-stream blocks.
  public var numSingleLayers: Int
  /// Channels of one attention head; even.
  public var attentionHeadDim: Int
  /// Attention heads of every block.
  public var numAttentionHeads: Int
  /// Width of a text embedding's tokens, J.
  public var jointAttentionDim: Int
  /// Width of the pooled text embedding, P.
  public var pooledProjectionDim: Int
  /// Whether the model takes a guidance value.
  public var guidanceEmbeds: Bool
  /// Channels of a head that each position axis rotates; even, with sum `attentionHeadDim`.
  public var axesDimsRope: [Int]

  /// Sizes as given, not checked before `validate` or the creation of a model; `outChannels` nil means as many as `inChannels`.
  public init(
    inChannels: Int, outChannels: Int? = nil, numLayers: Int, numSingleLayers: Int, attentionHeadDim: Int,
    numAttentionHeads: Int, jointAttentionDim: Int, pooledProjectionDim: Int, guidanceEmbeds: Bool,
    axesDimsRope: [Int]
  ) {
    self.inChannels = inChannels
    self.outChannels = outChannels ?? inChannels
    self.numLayers = numLayers
    self.numSingleLayers = numSingleLayers
    self.attentionHeadDim = attentionHeadDim
    self.numAttentionHeads = numAttentionHeads
    self.jointAttentionDim = jointAttentionDim
    self.pooledProjectionDim = pooledProjectionDim
    self.guidanceEmbeds = guidanceEmbeds
    self.axesDimsRope = axesDimsRope
  }

  /// Width of the residual stream, d = heads · headDim.
  public var width: Int { numAttentionHeads * attentionHeadDim }
  /// Width of the feed-forward layers, 4d.
  public var feedForwardWidth: Int { 4 * width }

  /// The bounds keep every product of sizes far from overflow and allow models of 1e11 weights.
  public func validate() throws(MixGRPOError) {
    var check = Validation()
    func size(_ field: String, _ value: Int, _ range: ClosedRange<Int>) {
      check.require(
        range.contains(value), field, expected: "\(range.lowerBound)…\(range.upperBound)", got: value)
    }
    size("in_channels", inChannels, 1...65_536)
    size("out_channels", outChannels, 1...65_536)
    size("num_layers", numLayers, 0...1_000)
    size("num_single_layers", numSingleLayers, 0...1_000)
    size("attention_head_dim", attentionHeadDim, 2...4_096)
    size("num_attention_heads", numAttentionHeads, 1...1_024)
    size("joint_attention_dim", jointAttentionDim, 1...65_536)
    size("pooled_projection_dim", pooledProjectionDim, 1...65_536)
    check.require(
      axesDimsRope.count == 3 && axesDimsRope.allSatisfy { $0 >= 0 && $0 % 2 == 0 && $0 <= 4_096 }, "axes_dims_rope",
      expected: "three even sizes", got: axesDimsRope)
    check.require(
      axesDimsRope.allSatisfy { $0 <= 4_096 && $0 >= 0 } && axesDimsRope.reduce(0, +) == attentionHeadDim, "axes_dims_rope",
      expected: "a sum of attention_head_dim = \(attentionHeadDim)", got: axesDimsRope)
    try check.throwIfAny()
    try require(width <= 65_536, "num_attention_heads · attention_head_dim", expected: "at most 65536", got: width)
  }
}
