/// One batch that the library asks a model to evaluate: the velocity of `count` latents.
///
/// Rollouts and updates create requests; a host may also create its own. Each row is a distinct latent, and stands for several
/// members of a group while they share it. The pointers are views. Those of a rollout's request are valid until its next
/// `submit`, those of an update's request until its next `next`, so that a backward pass after `submit` may read them.
public struct VelocityRequest {
  /// Rows, B, at least 1.
  public let count: Int
  /// D, the number of values in one latent.
  public let latentSize: Int
  /// (B, D), row by row.
  public let latents: UnsafePointer<Float>
  /// The noise level of each row, rounded as the plan says.
  public let sigmas: UnsafeBufferPointer<Float>  // (B)
  /// The prompt id of each row, as defined by the host.
  public let promptIndex: UnsafeBufferPointer<Int32>  // (B)
  /// The guidance of each row, for models with `guidance_embeds`; nil for the evaluator's own value.
  public let guidance: UnsafeBufferPointer<Float>?  // (B)
  /// The first sample (prompt · group size + member) that each row stands for; empty in a request created by the host.
  public let sampleOfRow: UnsafeBufferPointer<Int32>  // (B)
  /// The step of the plan that each row belongs to, the same for all rows of a rollout; empty in a request created by the host.
  public let stepOfRow: UnsafeBufferPointer<Int32>  // (B)
  /// The weights to evaluate with.
  public let model: ModelChoice
  /// Index of the minibatch in an update, 0 ..< updatesPerIteration; 0 in a rollout.
  public let minibatch: Int
  /// Whether `submit` also needs the velocity of the frozen reference; only in an update.
  public let needsReference: Bool

  /// Whether the update trains on these latents, now or in a later request.
  public let isTrained: Bool
  /// Whether the optimizer step of an update's minibatch follows this request.
  public let completesMinibatch: Bool

  /// The number of values that `submit` expects.
  public var velocityCount: Int { count * latentSize }

  /// Creates a request for `sigmas.count` rows.
  /// - Parameters:
  ///   - latents: (B, D); like all pointers it must stay valid while the request is used.
  ///   - latentSize: D.
  ///   - sigmas: (B), at least one.
  ///   - promptIndex: (B).
  ///   - guidance: (B), or nil for the evaluator's own value.
  public init(
    latents: UnsafePointer<Float>, latentSize: Int, sigmas: UnsafeBufferPointer<Float>,
    promptIndex: UnsafeBufferPointer<Int32>, guidance: UnsafeBufferPointer<Float>? = nil
  ) {
    let none = UnsafeBufferPointer<Int32>(start: nil, count: 0)
    self.init(
      latents: latents, latentSize: latentSize, sigmas: sigmas, promptIndex: promptIndex, guidance: guidance,
      sampleOfRow: none, stepOfRow: none)
  }

  package init(
    latents: UnsafePointer<Float>, latentSize: Int, sigmas: UnsafeBufferPointer<Float>,
    promptIndex: UnsafeBufferPointer<Int32>, guidance: UnsafeBufferPointer<Float>? = nil,
    sampleOfRow: UnsafeBufferPointer<Int32>, stepOfRow: UnsafeBufferPointer<Int32>, model: ModelChoice = .trained,
    minibatch: Int = 0, needsReference: Bool = false, isTrained: Bool = false, completesMinibatch: Bool = false
  ) {
    (count, self.latents, self.latentSize) = (sigmas.count, latents, latentSize)
    (self.sigmas, self.promptIndex, self.guidance) = (sigmas, promptIndex, guidance)
    (self.sampleOfRow, self.stepOfRow) = (sampleOfRow, stepOfRow)
    (self.model, self.minibatch, self.needsReference) = (model, minibatch, needsReference)
    (self.isTrained, self.completesMinibatch) = (isTrained, completesMinibatch)
  }

  /// Calls `body` with a request over the arrays' values. `body` must not keep the request.
  public static func withArrays<Result>(
    latents: [Float], sigmas: [Float], promptIndex: [Int32], guidance: [Float]? = nil,
    _ body: (VelocityRequest) throws -> Result
  ) rethrows -> Result {
    func call(_ values: UnsafePointer<Float>) throws -> Result {
      try sigmas.withUnsafeBufferPointer { sigmas in
        try promptIndex.withUnsafeBufferPointer { promptIndex in
          try (guidance ?? []).withUnsafeBufferPointer { given in
            try body(
              VelocityRequest(
                latents: values, latentSize: latents.count / max(sigmas.count, 1), sigmas: sigmas,
                promptIndex: promptIndex, guidance: guidance == nil ? nil : given))
          }
        }
      }
    }
    return try call(latents)
  }
}

/// The weights that answer a request when a sampler mixes two models (Mix §5).
public enum ModelChoice: Int32, Equatable, Sendable, CaseIterable {
  /// The model in training.
  case trained = 0
  /// The model before alignment.
  case base = 1
}
