import ArgumentParser
import ProceduralWorld

/// The sizes of the model, and of what it is told.
struct ModelOptions: ParsableArguments {
  @Option(help: "Pixels along a token's side.") var patch = 4
  @Option(help: "Attention heads.") var heads = 4
  @Option(help: "Channels of a head, an even number.") var headDim = 32
  @Option(help: "Double-stream blocks.") var doubleBlocks = 2
  @Option(help: "Single-stream blocks.") var singleBlocks = 4
  @Option(help: "Words of a caption that get a token.") var textLength = 16
  @Option(help: "Values of a word's token.") var textWidth = 64
  @Option(help: "Values of the pooled caption.") var pooledWidth = 64

  /// Like FLUX, an eighth of a head's channels turns with the first position axis and the rest, in halves, with row and column.
  func configuration(channels: Int) -> FlowTransformerConfiguration {
    let perAxis = max(headDim, 0) * 7 / 32 * 2
    return FlowTransformerConfiguration(
      inChannels: channels, numLayers: doubleBlocks, numSingleLayers: singleBlocks, attentionHeadDim: headDim,
      numAttentionHeads: heads, jointAttentionDim: textWidth, pooledProjectionDim: pooledWidth, guidanceEmbeds: false,
      axesDimsRope: [headDim - 2 * perAxis, perAxis, perAxis])
  }

  func encoder() throws -> HashedWordEncoder {
    try HashedWordEncoder(textLength: textLength, textWidth: textWidth, pooledWidth: pooledWidth)
  }
}
