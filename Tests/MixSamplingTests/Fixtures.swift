import MixBasics
import MixNumerics
import Testing

@testable import MixSampling

/// Data x₀ ~ N(m, c²) in every value, for which the exact velocity and the exact marginals are known:
/// x_σ ~ N((1−σ)m, V) with V = (1−σ)²c² + σ².
struct GaussianFlow {
  var mean = 0.8
  var deviation = 0.5

  func variance(_ sigma: Double) -> Double { (1 - sigma) * (1 - sigma) * deviation * deviation + sigma * sigma }

  /// v = E[ε|x] − E[x₀|x] = slope·(x − (1−σ)m) − m
  func slope(_ sigma: Double) -> Double { (sigma - (1 - sigma) * deviation * deviation) / variance(sigma) }

  func velocity(_ x: Double, _ sigma: Double) -> Double { slope(sigma) * (x - (1 - sigma) * mean) - mean }

  /// Where the ODE brings x from σ to σ'.
  func solution(_ x: Double, from sigma: Double, to nextSigma: Double) -> Double {
    let scale = (variance(nextSigma) / variance(sigma)).squareRoot()
    return (1 - nextSigma) * mean + scale * (x - (1 - sigma) * mean)
  }

  /// Mean and variance after history-free transitions from N(0, 1): every step is affine, so both are known without sampling.
  func moments(after transitions: [Transition]) -> (mean: Double, variance: Double) {
    transitions.reduce((0.0, 1.0)) { state, step in
      let (a, b, sigma) = (step.latentScale, step.velocityScale, step.sigma)
      let factor = a + b * slope(sigma)
      let shift = -b * (slope(sigma) * (1 - sigma) * mean + mean)
      return (factor * state.0 + shift, factor * factor * state.1 + step.noiseScale * step.noiseScale)
    }
  }
}

/// Some model in which every output depends on its own input, σ and the prompt.
func wavyVelocity(_ x: Float, _ sigma: Float, _ prompt: Int32) -> Float {
  x * (0.4 + 0.3 * sigma) - 0.5 / (1 + x * x) + 0.1 * Float(prompt)
}

/// Answers all requests; `velocity` gives one value from (x, σ, prompt).
func run(_ rollout: Rollout, velocity: (Float, Float, Int32) -> Float = wavyVelocity) throws {
  while let request = try rollout.next() {
    let answer = (0..<request.velocityCount).map { index in
      let row = index / request.latentSize
      return velocity(request.latents[index], request.sigmas[row], request.promptIndex[row])
    }
    try rollout.submit(velocity: answer, count: answer.count)
  }
}

func makeRollout(
  _ plan: SamplingPlan, prompts: [Int32] = [0, 1], latentSize: Int = 37, initialNoise: [Float]? = nil, maxBatch: Int = 0,
  threads: Int = 1
) throws -> Rollout {
  guard let initialNoise else {
    return try Rollout(
      plan: plan, prompts: prompts, latentSize: latentSize, maxBatch: maxBatch, workers: Workers(threads: threads))
  }
  return try initialNoise.withUnsafeBufferPointer { noise in
    try Rollout(
      plan: plan, prompts: prompts, latentSize: latentSize, initialNoise: noise, maxBatch: maxBatch,
      workers: Workers(threads: threads))
  }
}

func samples(of rollout: Rollout) throws -> [Float] { Array(try rollout.samples()) }

/// The message and code that `body` throws.
func failure(_ body: () throws -> Void) -> MixGRPOError? {
  do {
    try body()
    return nil
  } catch { return error as? MixGRPOError }
}
