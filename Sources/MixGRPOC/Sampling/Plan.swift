import CMixGRPO
import MixBasics
import MixSampling

final class PlanObject: HandleObject, @unchecked Sendable {
  override class var kind: String { "plan" }
  let configuration: SamplingConfiguration

  init(_ configuration: SamplingConfiguration) { self.configuration = configuration }

  /// - Parameter windowStart: `MIXGRPO_WINDOW_START_SCHEDULED` or the host's own.
  func plan(iteration: Int64, windowStart: Int32) throws(MixGRPOError) -> SamplingPlan {
    try SamplingPlan(configuration, iteration: Int(iteration), window: configuration.window(windowStart))
  }

  /// The plan of an iteration; with an adaptive window, its forecast.
  func forecast(iteration: Int64, windowStart: Int32) throws(MixGRPOError) -> SamplingPlan {
    guard case .adaptive = configuration.windowMode, Int(windowStart) == MIXGRPO_WINDOW_START_SCHEDULED else {
      return try plan(iteration: iteration, windowStart: windowStart)
    }
    let window = try configuration.windowSchedule().forecast(iteration: Int(iteration))
    return try SamplingPlan(configuration, iteration: Int(iteration), window: window)
  }
}

extension SamplingConfiguration {
  /// - Parameter start: `MIXGRPO_WINDOW_START_SCHEDULED`, which gives nil, or the host's own.
  func window(_ start: Int32) throws(MixGRPOError) -> SDEWindow? {
    if Int(start) == MIXGRPO_WINDOW_START_SCHEDULED { return nil }
    return SDEWindow(start: Int(start), length: try windowSchedule().length)
  }
}

/// A copy of the host's own time grid; nil for NULL with count 0.
func ownSigmas(
  _ sigmas: UnsafePointer<Double>?, count: Int, atLeast least: Int
) throws(MixGRPOError) -> [Double]? {
  guard sigmas != nil || count != 0 else { return nil }
  try requireRange(count, least...10_001, "sigma_count")
  let values = try input(sigmas, count: count, "sigmas")
  try requireFinite(values, "sigmas")
  return Array(values)
}

@_cdecl("mixgrpo_plan_create") @implementation
public func mixgrpo_plan_create(
  _ config: UnsafePointer<mixgrpo_sampling_config>?, _ sigmas: UnsafePointer<Double>?, _ sigma_count: Int,
  _ out_plan: UnsafeMutablePointer<OpaquePointer?>?
) -> mixgrpo_status {
  handOut(out_plan, "out_plan") {
    let config = try read(config, "config")
    let own = try ownSigmas(sigmas, count: sigma_count, atLeast: 3)
    return PlanObject(try SamplingConfiguration(config, sigmas: own))
  }
}

@_cdecl("mixgrpo_plan_destroy") @implementation
public func mixgrpo_plan_destroy(_ plan: OpaquePointer?) {
  HandleTable.live.remove(plan, PlanObject.self)
}

@_cdecl("mixgrpo_plan_get_iteration") @implementation
public func mixgrpo_plan_get_iteration(
  _ plan: OpaquePointer?, _ iteration: Int64, _ window_start: Int32, _ prompt_count: Int32, _ minibatches: Int32,
  _ out_iteration: UnsafeMutablePointer<mixgrpo_iteration_plan>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(plan, "plan", as: PlanObject.self)
    let result = try HostStruct(out_iteration, "out_iteration")
    try requireRange(prompt_count, 1...1_000_000, "prompt_count")
    try requireRange(minibatches, 1...4_096, "minibatches")
    let plan = try object.forecast(iteration: iteration, windowStart: window_start)
    result.write(mixgrpo_iteration_plan(plan, prompts: Int(prompt_count), minibatches: Int(minibatches)))
  }
}

extension mixgrpo_iteration_plan {
  fileprivate init(_ plan: SamplingPlan, prompts: Int, minibatches: Int) {
    self.init()
    window_start = Int32(truncatingIfNeeded: plan.window.lowerBound)
    window_length = Int32(truncatingIfNeeded: plan.window.count)
    step_count = Int32(truncatingIfNeeded: plan.steps)
    trained_step_count = Int32(truncatingIfNeeded: plan.trainedSteps.count)
    model_calls_per_image = step_count
    rollout_model_calls = Int64(plan.modelCalls(prompts: prompts))
    update_model_calls = Int64(plan.trainingEvaluations(prompts: prompts, minibatches: minibatches))
  }
}

@_cdecl("mixgrpo_plan_get_step") @implementation
public func mixgrpo_plan_get_step(
  _ plan: OpaquePointer?, _ iteration: Int64, _ window_start: Int32, _ index: Int32,
  _ out_step: UnsafeMutablePointer<mixgrpo_step>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(plan, "plan", as: PlanObject.self)
    let result = try HostStruct(out_step, "out_step")
    let plan = try object.forecast(iteration: iteration, windowStart: window_start)
    try require(
      plan.transitions.indices.contains(Int(index)), "index", expected: "0…\(plan.steps - 1)", got: index)
    var step = mixgrpo_step(plan.transitions[Int(index)])
    step.trained = plan.trainedSteps.contains(Int(index)) ? 1 : 0
    result.write(step)
  }
}

extension mixgrpo_step {
  init(_ transition: Transition) {
    self.init()
    kind = transition.kind.rawValue
    (sigma, next_sigma) = (transition.sigma, transition.nextSigma)
    (latent, velocity, noise) = (transition.latentScale, transition.velocityScale, transition.noiseScale)
    history = (transition.previousDataScale, transition.earlierDataScale)
  }
}
