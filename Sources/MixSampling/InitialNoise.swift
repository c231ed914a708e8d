import MixBasics
import MixNumerics

/// The latents a rollout starts from: drawn with the plan's key, or given by the caller.
enum InitialNoise {
  /// Whether the members of each group start from the same latent, which then needs only one evaluation.
  /// - Parameter given: (P, D), one for each group, or (P·G, D), or nil for drawn noise.
  /// - Throws: `invalidArgument` for another size or a value that is not finite.
  static func isShared(
    _ given: UnsafeBufferPointer<Float>?, _ plan: SamplingPlan, prompts: Int, latentSize: Int
  ) throws(MixGRPOError) -> Bool {
    guard let given, let base = given.baseAddress else { return plan.sharedInitialNoise }
    let perPrompt = prompts * latentSize
    try require(
      given.count == perPrompt || given.count == perPrompt * plan.groupSize, "initial_noise",
      expected: "\(perPrompt) values (one latent per prompt) or \(perPrompt * plan.groupSize) (one per sample)",
      got: given.count)
    try require(
      Reduction.allFinite(base, count: given.count), "initial_noise", expected: "finite values", got: "NaN or infinity")
    return given.count == perPrompt || haveEqualMembers(base, plan.groupSize, prompts, latentSize)
  }

  private static func haveEqualMembers(
    _ base: UnsafePointer<Float>, _ groupSize: Int, _ prompts: Int, _ size: Int
  ) -> Bool {
    (0..<prompts * groupSize).allSatisfy { sample in
      let first = base + sample / groupSize * groupSize * size
      return (0..<size).allSatisfy { first[$0].bitPattern == base[sample * size + $0].bitPattern }
    }
  }

  /// Writes one latent per row of the first state; a row is a prompt if that state is shared, otherwise a sample.
  static func fill(
    _ state: RolloutMemory.State, from given: UnsafeBufferPointer<Float>?, isSame: Bool, _ trajectory: Trajectory,
    _ workers: Workers
  ) {
    let (plan, size) = (trajectory.plan, trajectory.latentSize)
    let membersPerRow = state.isShared ? plan.groupSize : 1
    workers.forEach(trajectory.samples / membersPerRow) { row, _ in
      let sample = row * membersPerRow
      let (prompt, member) = (sample / plan.groupSize, isSame ? 0 : sample % plan.groupSize)
      let target = state.base + row * size
      if let given, let base = given.baseAddress {
        let isPerPrompt = given.count == trajectory.prompts * size
        target.update(from: base + (isPerPrompt ? prompt : sample) * size, count: size)
      } else {
        RandomStream(
          seed: plan.seed, purpose: plan.initialNoisePurpose, iteration: plan.iteration,
          prompt: trajectory.noiseKey(prompt), member: member
        ).fillNormals(target, count: size)
      }
    }
  }
}
