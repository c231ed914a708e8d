import MixBasics
import MixNumerics

/// The batch whose activations are saved; latents and prompt indices are copies in `TrainingBuffers`.
struct SavedBatch {
  let count: Int
  let latents: UnsafeMutablePointer<Float>
  let promptIndex: UnsafePointer<Int32>
  let prompts: PromptEmbeddings
}

/// Memory for training, allocated by the first call that saves activations, in an update or in the rollout before it.
final class TrainingBuffers {
  let capacity: Int  // samples
  let arena: TrainingArena
  var saved: SavedActivations { arena.saved }
  /// The rows of the saved activations that a rollout has kept.
  var remembered: RememberedRows
  /// The weight gradients of the current block.
  var jobs: [WeightGradient] = []
  private let storage: FloatStorage

  /// - Parameters:
  ///   - capacity: samples.
  ///   - recomputes: keep only the blocks' inputs and compute other activations again in the backward.
  init(_ shape: EvaluationShape, _ adapter: AdapterLayout?, capacity: Int, recomputes: Bool) throws(MixGRPOError) {
    self.capacity = capacity
    (storage, arena) = try Arena.allocate("max_batch") {
      TrainingArena(shape, adapter, capacity: capacity, recomputes: recomputes, &$0)
    }
    remembered = RememberedRows(shape, capacity: capacity, latents: arena.latents, velocities: arena.velocities)
    jobs.reserveCapacity(8)
  }

  /// Copies the inputs that the input layer's backward needs.
  func copyInputs(of request: VelocityRequest, _ prompts: PromptEmbeddings) -> SavedBatch {
    arena.latents.update(from: request.latents, count: request.velocityCount)
    for row in 0..<request.count { arena.promptIndex[row] = request.promptIndex[row] }
    return SavedBatch(count: request.count, latents: arena.latents, promptIndex: arena.promptIndex, prompts: prompts)
  }
}

/// The layout of the memory for training.
struct TrainingArena {
  let saved: SavedActivations
  let factors: GradientFactors
  let dx: Matrix  // (capacity · tokens, d)
  let dModulation: Matrix  // (capacity, modulationWidth)
  let dNorms: Matrix  // (capacity, 4 · headDim)
  let latents: UnsafeMutablePointer<Float>  // (capacity, D): of the batch, or of remembered rows
  let promptIndex: UnsafeMutablePointer<Int32>  // (capacity)
  let velocities: UnsafeMutablePointer<Float>  // (capacity, tokens · out_channels): of remembered rows
  let conditioning: ConditioningScratch
  let weights: BackwardWeights
  /// In a model with an adapter.
  let adapter: AdapterFactors?

  init(_ shape: EvaluationShape, _ adapter: AdapterLayout?, capacity: Int, recomputes: Bool, _ arena: inout Arena) {
    saved = SavedActivations(shape, capacity: capacity, recomputes: recomputes, &arena)
    factors = GradientFactors(shape, capacity: capacity, &arena)
    dx = arena.matrix(capacity * shape.tokens, shape.width)
    dModulation = arena.matrix(capacity, shape.modulationWidth)
    dNorms = arena.matrix(capacity, 4 * shape.headDim)
    latents = arena.floats(capacity, shape.latentSize)
    promptIndex = arena.values(Int32.self, capacity)
    velocities = arena.floats(capacity, shape.outputSize)
    conditioning = ConditioningScratch(shape, capacity: capacity, &arena)
    weights = BackwardWeights(shape, &arena)
    let rows = capacity * (shape.tokens + shape.tokens % 2)
    self.adapter = if let adapter { AdapterFactors(adapter, rows: rows, &arena) } else { nil }
  }
}
