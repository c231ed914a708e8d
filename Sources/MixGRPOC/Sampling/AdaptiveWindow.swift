import CMixGRPO
import MixBasics
import MixSampling

extension AdaptiveWindowState {
  init(_ state: mixgrpo_adaptive_window) {
    self.init()
    (start, iterations, firstReward) = (Int(state.window_start), Int(state.iterations), state.first_reward)
    (sums.weight, sums.age, sums.squaredAge, sums.reward, sums.agedReward, sums.deviation) = state.sums
  }
}

extension mixgrpo_adaptive_window {
  init(_ state: AdaptiveWindowState) {
    self.init()
    window_start = Int32(truncatingIfNeeded: state.start)
    iterations = Int64(state.iterations)
    first_reward = state.firstReward
    let sums = state.sums
    self.sums = (sums.weight, sums.age, sums.squaredAge, sums.reward, sums.agedReward, sums.deviation)
    gain = state.gain
  }
}

@_cdecl("mixgrpo_adaptive_window_init") @implementation
public func mixgrpo_adaptive_window_init(
  _ out_state: UnsafeMutablePointer<mixgrpo_adaptive_window>?, _ struct_size: Int
) -> mixgrpo_status {
  withStatus {
    try writeDefaults(mixgrpo_adaptive_window(AdaptiveWindowState()), to: out_state, size: struct_size, "out_state")
  }
}

@_cdecl("mixgrpo_adaptive_window_advance") @implementation
public func mixgrpo_adaptive_window_advance(
  _ plan: OpaquePointer?, _ state: UnsafePointer<mixgrpo_adaptive_window>?, _ reward_mean: Double,
  _ reward_std: Double, _ out_state: UnsafeMutablePointer<mixgrpo_adaptive_window>?
) -> mixgrpo_status {
  withStatus {
    let object = try resolve(plan, "plan", as: PlanObject.self)
    let state = AdaptiveWindowState(try read(state, "state"))
    let result = try HostStruct(out_state, "out_state")
    let next = try object.configuration.windowSchedule().advance(
      state, rewardMean: reward_mean, rewardDeviation: reward_std)
    result.write(mixgrpo_adaptive_window(next))
  }
}
