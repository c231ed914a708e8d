import MixBasics
import MixNumerics

/// What an evaluator will take, known before anything is allocated.
public struct EvaluatorMemory: Equatable, Sendable {
  /// Taken at creation.
  public let inferenceBytes: Int
  /// Taken on top at the first call that saves activations.
  public let trainingBytes: Int

  /// - Parameters:
  ///   - tokens: image tokens, N.
  ///   - textLength: L.
  /// - Throws: `invalidArgument` for sizes out of bounds.
  public init(
    configuration: FlowTransformerConfiguration, tokens: Int, textLength: Int, maxBatch: Int, threads: Int
  ) throws(MixGRPOError) {
    try configuration.validate()
    try require((1...16_777_216).contains(tokens), "token_count", expected: "1…16777216", got: tokens)
    try require((1...65_536).contains(textLength), "text_length", expected: "1…65536", got: textLength)
    try require((1...65_536).contains(maxBatch), "max_batch", expected: "1…65536", got: maxBatch)
    try Self.requireCountable(configuration, rows: Double(maxBatch) * Double(tokens + textLength), tokens: tokens + textLength)
    let layout = try ParameterLayout(configuration)
    let shape = EvaluationShape(configuration, layout, imageTokens: tokens, textTokens: textLength)
    let attention = Attention(tokens: shape.tokens, heads: shape.heads, headDim: shape.headDim)
    let perThread = ForwardScratch.floats(shape) + WorkerScratch.floats(attention)
    let answers = maxBatch * (shape.outputSize + textLength * shape.width)
    let conditioning = Conditioning.floats(shape, layout, capacity: maxBatch)
    inferenceBytes =
      4 * (max(threads, 1) * perThread + answers + conditioning + PackedWeights.floats(layout) + 2 * shape.tokens * shape.headDim)
    trainingBytes = 4 * TrainingBuffers.floats(shape, capacity: maxBatch)
  }

  /// Each size is within its bounds here, but not yet their product: activations of every block, of every row.
  private static func requireCountable(
    _ configuration: FlowTransformerConfiguration, rows: Double, tokens: Int
  ) throws(MixGRPOError) {
    let width = Double(configuration.width + configuration.inChannels + configuration.outChannels)
    let blocks = Double(configuration.numLayers + configuration.numSingleLayers + 4)
    let bytes = 4 * (rows * 32 * width * blocks + 2_048 * Double(tokens) * Double(tokens))
    try require(
      bytes < 0x1p60, "max_batch · (token_count + text_length) · width · blocks", expected: "a size in memory",
      got: "about \(bytes) bytes")
  }
}
