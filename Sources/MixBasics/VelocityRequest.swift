/// One batch that the library asks a model to evaluate: the velocity of each of `count` latents.
///
/// Rollouts and updates hand requests out; a host may also make its own. Each row is a distinct latent. A row stands for
/// several members of a group while these share it. The pointers are views: those of a request that a rollout handed out hold
/// until its next `submit`, those of an update until its next `next`, so that a backward after `submit` may read them.
public struct VelocityRequest {
  /// Rows, B, at least 1.
  public let count: Int
  /// D, the values of one latent.
  public let latentSize: Int
  /// (B, D), row by row.
  public let latents: UnsafePointer<Float>
  /// The noise level of each row, as the model sees it.
  public let sigmas: UnsafeBufferPointer<Float>  // (B)
  /// The prompt id of each row, as defined by the host.
  public let promptIndex: UnsafeBufferPointer<Int32>  // (B)
  /// The guidance of each row, for models with `guidance_embeds`; nil: the evaluator's.
  public let guidance: UnsafeBufferPointer<Float>?  // (B)
  /// The first sample (prompt · group size + member) that each row stands for; empty in a host's own request.
  public let sampleOfRow: UnsafeBufferPointer<Int32>  // (B)
  /// The step of the plan that each row belongs to, the same for all rows of a rollout; empty in a host's own request.
  public let stepOfRow: UnsafeBufferPointer<Int32>  // (B)
  /// Which weights must answer.
  public let model: ModelChoice
  /// Index of the minibatch in an update, 0 ..< updatesPerIteration; 0 in a rollout.
  public let minibatch: Int
  /// Whether `submit` needs the frozen reference's velocity, too; only in an update.
  public let needsReference: Bool

  /// Whether the update asks for these latents, or will ask for them again.
  public let isTrained: Bool

  /// Values that `submit` expects.
  public var velocityCount: Int { count * latentSize }

  /// A request for `sigmas.count` rows.
  /// - Parameters:
  ///   - latents: (B, D); like all pointers it must stay valid while the request is used.
  ///   - latentSize: D.
  ///   - sigmas: (B), at least one.
  ///   - promptIndex: (B).
  ///   - guidance: (B), or nil for the evaluator's.
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
    minibatch: Int = 0, needsReference: Bool = false, isTrained: Bool = false
  ) {
    (count, self.latents, self.latentSize) = (sigmas.count, latents, latentSize)
    (self.sigmas, self.promptIndex, self.guidance) = (sigmas, promptIndex, guidance)
    (self.sampleOfRow, self.stepOfRow) = (sampleOfRow, stepOfRow)
    (self.model, self.minibatch, self.needsReference) = (model, minibatch, needsReference)
    self.isTrained = isTrained
  }

  /// Calls `body` with a request for the values of arrays; it must not keep the request.
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

/// Which weights answer a request when a sampler mixes two models (Mix §5).
public enum ModelChoice: Int32, Equatable, Sendable, CaseIterable {
  /// The model in training.
  case trained = 0
  /// The model as it was before.
  case base = 1
}
