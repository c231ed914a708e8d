import MixNumerics

/// Memory that every evaluation needs, whether or not activations are kept.
struct InferenceArena {
  let forward: [ForwardScratch]  // one per thread
  let workers: WorkerScratch
  let texts: Matrix  // (maxBatch · textTokens, d): each distinct prompt after the input layer
  let guidance: UnsafeMutablePointer<Float>  // (maxBatch): the evaluator's own
  let answers: UnsafeMutablePointer<Float>  // (maxBatch, tokens · out_channels)
  let conditioning: ConditioningRows
  let packedWeights: PackedPlaces
  /// In a model with an adapter, and on frozen weights.
  let merged: MergedPlaces?
  let rotary: RotaryEmbedding

  init(
    _ shape: EvaluationShape, _ layout: ParameterLayout, _ adapter: AdapterLayout?, _ attention: Attention, threads: Int,
    maxBatch: Int,
    _ arena: inout Arena
  ) {
    forward = (0..<threads).map { _ in ForwardScratch(shape, &arena) }
    let stride = (max(attention.scratchCount, adapter?.scratchCount ?? 0) + 15) / 16 * 16  // each thread's own cache lines
    workers = WorkerScratch(base: arena.floats(threads, stride), stride: stride)
    texts = arena.matrix(maxBatch * shape.textTokens, shape.width)
    guidance = arena.floats(maxBatch)
    answers = arena.floats(maxBatch, shape.outputSize)
    conditioning = ConditioningRows(shape, layout, capacity: maxBatch, &arena)
    packedWeights = PackedPlaces(shape, layout, &arena)
    merged = adapter != nil || layout.roundedCount > 0 ? MergedPlaces(layout, adapter, &arena) : nil
    rotary = RotaryEmbedding(tokens: shape.tokens, headDim: shape.headDim, &arena)
  }
}
