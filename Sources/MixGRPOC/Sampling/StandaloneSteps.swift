import CMixGRPO
import MixBasics
import MixNumerics
import MixSampling

@_cdecl("mixgrpo_time_grid") @implementation
public func mixgrpo_time_grid(
  _ steps: Int32, _ shift: Double, _ image_tokens: Int32, _ out_sigmas: UnsafeMutablePointer<Double>?, _ capacity: Int
) -> mixgrpo_status {
  withStatus {
    try requireRange(image_tokens, 0...1_000_000, "image_tokens")
    let schedule: TimeGrid.Schedule =
      image_tokens == 0
      ? .shifted(steps: Int(steps), shift: shift)
      : .resolutionShifted(steps: Int(steps), imageTokens: Int(image_tokens))
    let grid = try TimeGrid(schedule)
    try output(out_sigmas, capacity: capacity, needed: grid.sigmas.count, "out_sigmas").copy(grid.sigmas)
  }
}

@_cdecl("mixgrpo_stochastic_step") @implementation
public func mixgrpo_stochastic_step(
  _ dynamics: mixgrpo_dynamics, _ noise_level: Double, _ sigma: Double, _ next_sigma: Double,
  _ out_step: UnsafeMutablePointer<mixgrpo_step>?
) -> mixgrpo_status {
  withStatus {
    let result = try HostStruct(out_step, "out_step")
    guard let dynamics = Dynamics(dynamics, noiseLevel: noise_level) else {
      throw MixGRPOError.invalid("dynamics", expected: "a mixgrpo_dynamics, 0…2", got: dynamics)
    }
    try dynamics.validate()
    let transition = try Transition.stochastic(dynamics, from: sigma, to: next_sigma)
    result.write(mixgrpo_step(transition))
  }
}

@_cdecl("mixgrpo_deterministic_step") @implementation
public func mixgrpo_deterministic_step(
  _ solver: mixgrpo_solver, _ sigmas: UnsafePointer<Double>?, _ sigma_count: Int, _ index: Int,
  _ out_step: UnsafeMutablePointer<mixgrpo_step>?
) -> mixgrpo_status {
  withStatus {
    let result = try HostStruct(out_step, "out_step")
    let solver: Solver = try choice(solver, "solver")
    try requireRange(sigma_count, 2...10_001, "sigma_count")
    let sigmas = try input(sigmas, count: sigma_count, "sigmas")
    try requireFinite(sigmas, "sigmas")
    let grid = try TimeGrid(.sigmas(Array(sigmas)))
    try require((0..<grid.steps).contains(index), "index", expected: "0…\(grid.steps - 1)", got: index)
    result.write(mixgrpo_step(try .deterministic(solver, sigmas: grid.sigmas, step: index)))
  }
}

@_cdecl("mixgrpo_normal_noise") @implementation
public func mixgrpo_normal_noise(
  _ seed: UInt64, _ stream: UInt64, _ index: UInt64, _ out_values: UnsafeMutablePointer<Float>?, _ count: Int
) -> mixgrpo_status {
  withStatus {
    try requireRange(count, 0...1 << 32, "count")
    let target = try output(out_values, capacity: count, needed: count, "out_values")
    guard let base = target.baseAddress else { return }
    let halves = (Int(truncatingIfNeeded: index & 0xFFFF_FFFF), Int(truncatingIfNeeded: index >> 32))
    RandomStream(
      seed: seed, purpose: .host, iteration: Int(truncatingIfNeeded: stream), prompt: halves.0, member: halves.1
    ).fillNormals(base, count: count)
  }
}
