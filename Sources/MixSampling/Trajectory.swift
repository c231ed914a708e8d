import MixBasics
import MixNumerics

/// The result of a rollout that training needs: the latents before and after each trained step, and its log-probability.
///
/// Samples are numbered prompt · G + member. Latents that the members of a group share are stored once per prompt. Noise is
/// not stored: it can be drawn again from its key.
public final class Trajectory: @unchecked Sendable {
  /// The plan of the rollout.
  public let plan: SamplingPlan
  /// The host's prompt ids.
  public let promptNumbers: [Int32]  // (P)
  /// The place of each prompt among those of all ranks.
  package let places: [Int]  // (P)
  /// Prompts of all ranks; P for a process that trains alone.
  package let allPrompts: Int
  /// D
  public let latentSize: Int
  package let sharesStart: Bool
  /// One for a rollout; several for joined rollouts, each with the latents of its prompts.
  private let parts: [Part]
  let logProbabilities: Table<Double>  // (trained steps, P·G)

  private struct Part {
    let firstPrompt: Int
    let states: StoredStates
    let storage: FloatStorage
  }

  init(
    plan: SamplingPlan, promptNumbers: [Int32], places: Range<Int>, allPrompts: Int, latentSize: Int, sharesStart: Bool
  ) throws(MixGRPOError) {
    self.plan = plan
    self.promptNumbers = promptNumbers
    (self.places, self.allPrompts) = (Array(places), allPrompts)
    self.latentSize = latentSize
    self.sharesStart = sharesStart
    let (storage, states) = try Arena.allocate("trajectory") {
      StoredStates(plan, prompts: promptNumbers.count, latentSize: latentSize, sharesStart: sharesStart, &$0)
    }
    parts = [Part(firstPrompt: 0, states: states, storage: storage)]
    logProbabilities = try Self.table(plan, prompts: promptNumbers.count)
  }

  /// Joins rollouts of one plan. The result has the same bits as one rollout of all prompts: noise is keyed by prompt, and the
  /// arithmetic of a sample does not depend on other samples. Latents are shared with the given trajectories, not copied.
  /// - Parameter trajectories: at least one, in the order of their prompts, which must all differ.
  /// - Throws: `invalidArgument` when plans or sizes differ or a prompt occurs twice, `outOfMemory`.
  package init(joining trajectories: [Trajectory]) throws(MixGRPOError) {
    guard let first = trajectories.first else { throw .invalid("trajectories", expected: "at least one", got: "none") }
    let numbers = trajectories.flatMap(\.promptNumbers)
    try require(
      trajectories.allSatisfy { first.hasForm(of: $0) }, "trajectories", expected: "all of one plan and size",
      got: "different ones")
    try require(
      Set(numbers).count == numbers.count && numbers.count <= Int(Int32.max) / first.plan.groupSize, "prompts",
      expected: "different prompts with at most 2³¹ − 1 samples", got: numbers.count)
    (plan, promptNumbers, latentSize, sharesStart) = (first.plan, numbers, first.latentSize, first.sharesStart)
    logProbabilities = try Self.table(first.plan, prompts: numbers.count)
    var parts: [Part] = []
    var (prompts, places, allPrompts) = (0, [Int](), 0)
    for one in trajectories {
      parts += one.parts.map { Part(firstPrompt: prompts + $0.firstPrompt, states: $0.states, storage: $0.storage) }
      places += one.places.map { allPrompts + $0 }
      (prompts, allPrompts) = (prompts + one.prompts, allPrompts + one.allPrompts)
    }
    (self.parts, self.places, self.allPrompts) = (parts, places, allPrompts)
    copyLogProbabilities(of: trajectories)
  }

  private func hasForm(of other: Trajectory) -> Bool {
    plan == other.plan && latentSize == other.latentSize && sharesStart == other.sharesStart
  }

  private static func table(_ plan: SamplingPlan, prompts: Int) throws(MixGRPOError) -> Table<Double> {
    try Table(count: product(plan.trainedSteps.count, prompts, plan.groupSize, field: "trajectory"), filledWith: .nan)
  }

  private func copyLogProbabilities(of trajectories: [Trajectory]) {
    var firstSample = 0
    for one in trajectories {
      for trained in plan.trainedSteps.indices {
        (logProbabilities.base + trained * samples + firstSample).update(
          from: one.logProbabilities.base + trained * one.samples, count: one.samples)
      }
      firstSample += one.samples
    }
  }

  /// P
  public var prompts: Int { promptNumbers.count }

  /// P·G
  public var samples: Int { prompts * plan.groupSize }

  /// The number of a sample among those of all ranks.
  package func place(ofSample sample: Int) -> Int {
    places[sample / plan.groupSize] * plan.groupSize + sample % plan.groupSize
  }

  /// The log-probabilities of the rollout, in the plan's form.
  public var oldLogProbabilities: UnsafeBufferPointer<Double> { logProbabilities.buffer }  // (trained steps, P·G)

  /// The memory for the latents of a state, which the rollout writes; nil for a state that is not stored.
  func slot(_ state: Int) -> UnsafeMutablePointer<Float>? { parts.first?.states.base[state] }

  /// The latents of a state that contain `prompt`, and the prompt's index among them.
  private func place(_ state: Int, prompt: Int) -> (latents: UnsafeMutablePointer<Float>, prompt: Int)? {
    guard let part = parts.last(where: { $0.firstPrompt <= prompt }), let latents = part.states.base[state] else { return nil }
    return (latents, prompt - part.firstPrompt)
  }
}

// MARK: - Access by trained step (index into plan.trainedSteps) and sample

extension Trajectory {
  package func transition(_ trained: Int) -> Transition { plan.transitions[plan.trainedSteps[trained]] }

  /// Whether the members of a group share the latent before the step.
  package func isShared(_ trained: Int) -> Bool { plan.isShared(state: plan.trainedSteps[trained], sharesStart) }

  package func oldLogProbability(_ trained: Int, sample: Int) -> Double {
    logProbabilities[trained * samples + sample]
  }

  /// x and x' of one sample's step, and its noise.
  /// - Precondition: indices are in range.
  package func row(_ trained: Int, sample: Int) -> StepRow? {
    let step = plan.trainedSteps[trained]
    let (prompt, member) = (sample / plan.groupSize, sample % plan.groupSize)
    guard let before = place(step, prompt: prompt), let after = place(step + 1, prompt: prompt) else { return nil }
    let latentRow = isShared(trained) ? before.prompt : before.prompt * plan.groupSize + member
    let nextRow = after.prompt * plan.groupSize + member
    return StepRow(
      latent: before.latents + latentRow * latentSize, next: after.latents + nextRow * latentSize,
      count: latentSize, noise: noise(step: step, sample: sample))
  }

  /// The stream of ε of one sample's step.
  func noise(step: Int, sample: Int) -> RandomStream {
    RandomStream(
      seed: plan.seed, purpose: .stepNoise, iteration: plan.iteration, prompt: noiseKey(sample / plan.groupSize),
      member: sample % plan.groupSize, step: step)
  }

  /// Training noise is keyed by prompt id; evaluation noise by the prompt's index, so that prompts may repeat.
  func noiseKey(_ prompt: Int) -> Int {
    plan.initialNoisePurpose == .evaluationNoise ? places[prompt] : Int(promptNumbers[prompt])
  }
}
