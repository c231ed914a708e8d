import MixBasics
import MixNumerics
import MixSampling

@testable import MixLearning

/// A model of one weight: every output depends on its own input, σ, the prompt and θ.
func velocity(_ x: Float, _ sigma: Float, _ prompt: Int32, theta: Float) -> Float {
  theta * x * (0.4 + 0.3 * sigma) - 0.5 / (1 + x * x) + 0.1 * Float(prompt)
}

func plan(
  start: Int = 0, groupSize: Int = 6, _ change: (inout SamplingConfiguration) -> Void = { _ in }
) throws -> SamplingPlan {
  var configuration = SamplingConfiguration()
  configuration.schedule = .shifted(steps: 8, shift: 3)
  configuration.windowMode = .frozen(start: start)
  configuration.windowLength = 3
  configuration.groupSize = groupSize
  configuration.seed = 11
  change(&configuration)
  return try SamplingPlan(configuration, iteration: 2)
}

/// A finished rollout of the model with θ = 1.
func trajectory(_ plan: SamplingPlan, prompts: [Int32] = [0, 5], latentSize: Int = 29) throws -> Trajectory {
  let rollout = try Rollout(plan: plan, prompts: prompts, latentSize: latentSize, workers: Workers(threads: 1))
  while let request = try rollout.next() {
    let answer = (0..<request.velocityCount).map { i in
      let row = i / latentSize
      return velocity(request.latents[i], request.sigmas[row], request.promptIndex[row], theta: 1)
    }
    try rollout.submit(velocity: answer, count: answer.count)
  }
  return try rollout.trajectory()
}

func makeUpdate(
  _ trajectory: Trajectory, _ configuration: PolicyConfiguration = PolicyConfiguration(), isIncluded: [Bool]? = nil,
  maxBatch: Int = 0, threads: Int = 1
) throws -> Update {
  let advantages = (0..<trajectory.samples).map { Double(($0 * 7) % 5) - 2.3 }
  return try Update(
    trajectory: trajectory, advantages: advantages,
    isIncluded: isIncluded ?? advantages.map { _ in true }, configuration: configuration, maxBatch: maxBatch,
    workers: Workers(threads: threads))
}

/// Answers a request with the model at θ, and with θ = 0.9 as reference.
func answer(_ request: VelocityRequest, theta: Float) -> (velocity: [Float], reference: [Float]) {
  func values(_ theta: Float) -> [Float] {
    (0..<request.velocityCount).map { i in
      let row = i / request.latentSize
      return velocity(request.latents[i], request.sigmas[row], request.promptIndex[row], theta: theta)
    }
  }
  return (values(theta), values(0.9))
}

/// What an update found and asked for.
struct UpdateTrace: Equatable {
  var dVelocity: [Float] = []
  /// Σ dVelocity·∂v/∂θ of each minibatch: the gradient of the minibatch's loss in θ.
  var gradients: [Double] = []
  var minibatches: [Int] = []
  var metrics = UpdateMetrics()
}

/// Runs an update to its end, with θ moved by `step` after each optimizer step.
func run(_ update: Update, theta first: Float = 1, step: Float = 0) throws -> UpdateTrace {
  var trace = UpdateTrace()
  var (theta, gradient) = (first, 0.0)
  while true {
    switch update.next() {
    case .evaluate(let request):
      let (velocity, reference) = answer(request, theta: theta)
      let latents = Array(UnsafeBufferPointer(start: request.latents, count: request.velocityCount))
      let sigmas = Array(request.sigmas)
      let dVelocity = try update.submit(velocity: velocity, reference: reference, count: velocity.count)
      for i in latents.indices {
        let slope = latents[i] * (0.4 + 0.3 * sigmas[i / request.latentSize])
        gradient += Double(dVelocity[i]) * Double(slope)
        trace.dVelocity.append(dVelocity[i])
      }
    case .optimizerStep(let minibatch):
      trace.minibatches.append(minibatch)
      trace.gradients.append(gradient)
      (theta, gradient) = (theta + step, 0)
    case .finished:
      trace.metrics = update.metrics
      return trace
    }
  }
}

func failure(_ body: () throws -> Void) -> MixGRPOError? {
  do {
    try body()
    return nil
  } catch { return error as? MixGRPOError }
}
