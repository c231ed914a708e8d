import MixBasics

extension Trajectory {
  /// Rollouts of one plan side by side, as if their prompts had been drawn together: noise belongs to a prompt and a sample
  /// meets the same arithmetic in any company, so that the joined trajectory has the same bits. The values are copied.
  /// - Parameter parts: at least one, in the order of their prompts, which all differ.
  /// - Throws: `invalidArgument` when plans or sizes differ or a prompt is there twice, `outOfMemory`.
  package convenience init(joining parts: [Trajectory]) throws(MixGRPOError) {
    guard let first = parts.first else { throw .invalid("trajectories", expected: "at least one", got: "none") }
    let numbers = parts.flatMap(\.promptNumbers)
    try require(
      parts.allSatisfy { $0.plan == first.plan && $0.latentSize == first.latentSize && $0.sharesStart == first.sharesStart },
      "trajectories", expected: "all of one plan and size", got: "different ones")
    try require(Set(numbers).count == numbers.count, "prompts", expected: "different prompts", got: numbers)
    try self.init(
      plan: first.plan, promptNumbers: numbers, latentSize: first.latentSize, sharesStart: first.sharesStart)
    var prompt = 0
    for part in parts {
      copyLatents(of: part, toPrompt: prompt)
      copyLogProbabilities(of: part, toPrompt: prompt)
      prompt += part.prompts
    }
  }

  private func copyLatents(of part: Trajectory, toPrompt prompt: Int) {
    for state in 0...plan.steps {
      guard let source = part.slot(state), let target = slot(state) else { continue }
      let rowsPerPrompt = plan.isShared(state: state, sharesStart) ? 1 : plan.groupSize
      let perPrompt = rowsPerPrompt * latentSize
      (target + prompt * perPrompt).update(from: source, count: part.prompts * perPrompt)
    }
  }

  private func copyLogProbabilities(of part: Trajectory, toPrompt prompt: Int) {
    for trained in plan.trainedSteps.indices {
      for sample in 0..<part.samples {
        logProbabilities[trained * samples + prompt * plan.groupSize + sample] =
          part.logProbabilities[trained * part.samples + sample]
      }
    }
  }
}
