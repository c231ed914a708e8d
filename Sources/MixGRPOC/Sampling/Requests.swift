import CMixGRPO
import MixBasics
import MixGRPO
import MixLearning
import MixSampling

// Requests of rollouts, updates and trainers, as the header's struct.

extension mixgrpo_velocity_request {
  static var finished: mixgrpo_velocity_request { mixgrpo_velocity_request(MIXGRPO_REQUEST_KIND_FINISHED) }

  private init(_ kind: Int) {
    self.init()
    self.kind = mixgrpo_request_kind(kind)
    rate_factor = 1
  }

  init(_ request: VelocityRequest, weights: TrainerWeights = .trained, needsGradient: Bool = false) {
    self.init(MIXGRPO_REQUEST_KIND_EVALUATE)
    count = request.count
    minibatch = Int32(truncatingIfNeeded: request.minibatch)
    needs_reference = request.needsReference ? 1 : 0
    needs_gradient = needsGradient ? 1 : 0
    is_trained = request.isTrained ? 1 : 0
    completes_minibatch = request.completesMinibatch ? 1 : 0
    self.weights = weights.rawValue
    latent_size = request.latentSize
    latents = request.latents
    sigmas = request.sigmas.baseAddress
    prompt_index = request.promptIndex.baseAddress
    sample = request.sampleOfRow.baseAddress
    step = request.stepOfRow.baseAddress
  }

  private init(optimizerStep minibatch: Int, rateFactor: Double) {
    self.init(MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP)
    self.minibatch = Int32(truncatingIfNeeded: minibatch)
    rate_factor = rateFactor
  }

  init(_ action: UpdateAction) {
    switch action {
    case .finished: self = .finished
    case .optimizerStep(let minibatch): self.init(optimizerStep: minibatch, rateFactor: 1)
    case .evaluate(let request): self.init(request, needsGradient: true)
    }
  }

  init(_ action: TrainerAction) {
    switch action {
    case .evaluate(let request, let weights): self.init(request, weights: weights)
    case .differentiate(let request): self.init(request, needsGradient: true)
    case .measure(let request): self.init(request, needsGradient: false)
    case .optimizerStep(let minibatch, let rateFactor): self.init(optimizerStep: minibatch, rateFactor: rateFactor)
    case .keepState: self.init(MIXGRPO_REQUEST_KIND_KEEP_STATE)
    case .restoreState: self.init(MIXGRPO_REQUEST_KIND_RESTORE_STATE)
    case .combineFigures: self.init(MIXGRPO_REQUEST_KIND_COMBINE_FIGURES)
    case .zeroGradients: self.init(MIXGRPO_REQUEST_KIND_ZERO_GRADIENTS)
    case .finished: self = .finished
    }
  }
}

/// What a host answers a request with.
struct VelocityAnswer {
  let velocity: UnsafePointer<Float>  // (B, D)
  /// Of the frozen reference; nil for NULL.
  let reference: UnsafePointer<Float>?  // (B, D)

  /// - Throws: `invalidArgument` for a velocity of NULL, or for a reference that is not finite.
  init(
    _ velocity: UnsafePointer<Float>?, _ reference: UnsafePointer<Float>?, count: Int
  ) throws(MixGRPOError) {
    guard let first = try input(velocity, count: count, "velocity").baseAddress else {
      throw .invalid("velocity", expected: "the velocity of the request", got: "NULL")
    }
    let other = reference == nil ? nil : try input(reference, count: count, "reference_velocity")
    if let other { try requireFinite(other, "reference_velocity") }
    (self.velocity, self.reference) = (first, other?.baseAddress)
  }
}
