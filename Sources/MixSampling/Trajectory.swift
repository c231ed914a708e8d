import MixBasics
import MixNumerics

/// What a rollout leaves for training: the latents around each trained step and the log-probability of its outcome.
///
/// Samples are numbered prompt · G + member. Latents that the members of a group share are stored once per prompt. Noise is
/// not stored: its stream is keyed and can be drawn again.
public final class Trajectory: @unchecked Sendable {
  public let plan: SamplingPlan
  /// The host's numbers for its prompts.
  public let promptNumbers: [Int32]  // (P)
  /// D
  public let latentSize: Int
  let sharesStart: Bool
  private let slots: [FloatStorage?]  // (T + 1), each (rows of that state, D)
  let logProbabilities: Table<Double>  // (trained steps, P·G)

  init(
    plan: SamplingPlan, promptNumbers: [Int32], latentSize: Int, sharesStart: Bool
  ) throws(MixGRPOError) {
    let prompts = promptNumbers.count
    self.plan = plan
    self.promptNumbers = promptNumbers
    self.latentSize = latentSize
    self.sharesStart = sharesStart
    var slots: [FloatStorage?] = []
    for state in 0...plan.steps {
      guard plan.isStored(state: state) else {
        slots.append(nil)
        continue
      }
      let rowsPerPrompt = plan.isShared(state: state, sharesStart) ? 1 : plan.groupSize
      slots.append(try FloatStorage(count: product(prompts, rowsPerPrompt, latentSize, field: "trajectory")))
    }
    self.slots = slots
    logProbabilities = try Table(
      count: product(plan.trainedSteps.count, prompts, plan.groupSize, field: "trajectory"), filledWith: .nan)
  }

  /// P
  public var prompts: Int { promptNumbers.count }

  /// P·G
  public var samples: Int { prompts * plan.groupSize }

  /// The log-probabilities that the rollout found, in the plan's form.
  public var oldLogProbabilities: UnsafeBufferPointer<Double> { logProbabilities.buffer }  // (trained steps, P·G)

  func slot(_ state: Int) -> UnsafeMutablePointer<Float>? { slots[state]?.base }
}

// MARK: - Access by trained step (index into plan.trainedSteps) and sample

extension Trajectory {
  package func transition(_ trained: Int) -> Transition { plan.transitions[plan.trainedSteps[trained]] }

  /// Whether the members of a group share the latent before the step.
  package func isShared(_ trained: Int) -> Bool { plan.isShared(state: plan.trainedSteps[trained], sharesStart) }

  package func oldLogProbability(_ trained: Int, sample: Int) -> Double {
    logProbabilities[trained * samples + sample]
  }

  /// x and x' of one sample's step, with the noise that led from one to the other.
  /// - Precondition: indices are in range.
  package func row(_ trained: Int, sample: Int) -> StepRow? {
    let step = plan.trainedSteps[trained]
    guard let latents = slots[step], let next = slots[step + 1] else { return nil }
    let latentRow = isShared(trained) ? sample / plan.groupSize : sample
    return StepRow(
      latent: latents.base + latentRow * latentSize, next: next.base + sample * latentSize, count: latentSize,
      noise: noise(step: step, sample: sample))
  }

  /// The stream of ε of one sample's step.
  func noise(step: Int, sample: Int) -> RandomStream {
    RandomStream(
      seed: plan.seed, purpose: .stepNoise, iteration: plan.iteration, prompt: noiseKey(sample / plan.groupSize),
      member: sample % plan.groupSize, step: step)
  }

  /// Training noise belongs to a prompt wherever it stands; evaluation noise to the place, so that prompts may repeat.
  func noiseKey(_ prompt: Int) -> Int {
    plan.initialNoisePurpose == .evaluationNoise ? prompt : Int(promptNumbers[prompt])
  }
}
