import MixNumerics

/// Memory that every evaluation needs, whatever is kept.
struct InferenceArena {
  let forward: [ForwardScratch]  // one per thread
  let workers: WorkerScratch
  let texts: Matrix  // (maxBatch · textTokens, d): each distinct prompt behind the first layer
  let guidance: UnsafeMutablePointer<Float>  // (maxBatch): the evaluator's own

  static func floats(_ shape: EvaluationShape, _ attention: Attention, threads: Int, maxBatch: Int) -> Int {
    Arena.count { _ = InferenceArena(shape, attention, threads: threads, maxBatch: maxBatch, &$0) }
  }

  init(_ shape: EvaluationShape, _ attention: Attention, threads: Int, maxBatch: Int, _ arena: inout Arena) {
    forward = (0..<threads).map { _ in ForwardScratch(shape, &arena) }
    let stride = (attention.scratchCount + 15) / 16 * 16  // each thread's own cache lines
    workers = WorkerScratch(base: arena.floats(threads * stride), stride: stride)
    texts = arena.matrix(maxBatch * shape.textTokens, shape.width)
    guidance = arena.floats(maxBatch)
  }
}
