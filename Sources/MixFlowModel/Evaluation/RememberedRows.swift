/// The rows of the saved activations that a call has kept for a later call.
///
/// A row is used again only if all its inputs are the same: weights, prompt, σ, guidance and, bit for bit, latents.
struct RememberedRows {
  struct Condition: Equatable {
    let weightsVersion: Int
    /// The embeddings' identity, and the row among them.
    let prompts: Int
    let prompt: Int32
    let sigma: Float
    let guidance: Float
  }

  private let latentSize: Int
  private let velocitySize: Int
  private let latents: UnsafeMutablePointer<Float>  // (capacity, latentSize)
  private let velocities: UnsafeMutablePointer<Float>  // (capacity, velocitySize)
  private var conditions: [Condition?]  // (capacity)

  init(
    _ shape: EvaluationShape, capacity: Int, latents: UnsafeMutablePointer<Float>, velocities: UnsafeMutablePointer<Float>
  ) {
    (latentSize, velocitySize) = (shape.latentSize, shape.outputSize)
    (self.latents, self.velocities) = (latents, velocities)
    conditions = Array(repeating: nil, count: capacity)
  }

  /// - Parameters:
  ///   - row: the row of the saved activations.
  ///   - latents: (latentSize), velocity: (velocitySize); both are copied.
  mutating func remember(
    _ row: Int, _ condition: Condition, latents: UnsafePointer<Float>, velocity: UnsafePointer<Float>
  ) {
    conditions[row] = condition
    (self.latents + row * latentSize).update(from: latents, count: latentSize)
    (velocities + row * velocitySize).update(from: velocity, count: velocitySize)
  }

  /// The velocity of a row if its activations belong to these inputs.
  func velocity(_ row: Int, _ condition: Condition, latents: UnsafePointer<Float>) -> UnsafePointer<Float>? {
    guard conditions[row] == condition, hasLatents(row, latents) else { return nil }
    return UnsafePointer(velocities + row * velocitySize)
  }

  mutating func forget() {
    for row in conditions.indices { conditions[row] = nil }
  }

  private func hasLatents(_ row: Int, _ other: UnsafePointer<Float>) -> Bool {
    let own = latents + row * latentSize
    return (0..<latentSize).allSatisfy { own[$0].bitPattern == other[$0].bitPattern }
  }
}
