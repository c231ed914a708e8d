import CMixGRPO
import MixBasics
import MixNumerics
import MixSettings

/// Everything about a rollout that is known before it runs: its steps, what is trained, what it costs.
public struct SamplingPlan: Equatable, Sendable {
  /// The steps in order; each begins at the σ at which the previous step ends, and the last ends at 0.
  public let transitions: [Transition]
  /// The stochastic steps; empty for deterministic sampling.
  public let window: Range<Int>
  /// The steps that are stored and trained, in increasing order, all of them in the window.
  public let trainedSteps: [Int]
  /// G, samples per prompt.
  public let groupSize: Int
  /// Whether the members of a group start from the same noise.
  public let sharedInitialNoise: Bool
  /// Whether latents that members share are evaluated once.
  public let exactSharing: Bool
  /// The form of the log-probability.
  public let logProbability: LogProbabilityForm
  /// How sigma is rounded before it is passed to the model.
  public let sigmaRounding: SigmaRounding
  /// Key of all noise.
  public let seed: UInt64
  /// 0-based; also keys the noise.
  public let iteration: Int
  /// The number of first steps that use the trained model; the others use the reference. All steps except in hybrid sampling.
  public let trainedModelSteps: Int
  let initialNoisePurpose: RandomPurpose

  /// Number of steps, including those of a shortened tail.
  public var steps: Int { transitions.count }

  /// The plan of one training iteration.
  /// - Parameters:
  ///   - configuration: is validated.
  ///   - iteration: 0-based.
  ///   - window: replaces the scheduled window; required with `WindowMode.given` and `.adaptive`.
  /// - Throws: `invalidArgument` naming every invalid field.
  public init(_ configuration: SamplingConfiguration, iteration: Int, window: SDEWindow? = nil) throws(MixGRPOError) {
    try configuration.validate()
    try Memory.require(configuration.schedule.steps, of: 768)
    let schedule = try configuration.windowSchedule()
    try require(iteration >= 0, "iteration", expected: "0 or more", got: iteration)
    let window = if let window { window } else { try schedule.window(iteration: iteration) }
    try schedule.check(window)
    let sigmas = Self.sigmas(try TimeGrid(configuration.schedule), window.steps, configuration.flash)
    transitions = try Self.transitions(sigmas, window.steps, configuration)
    self.window = window.steps
    trainedSteps = schedule.trainedSteps(of: window, iteration: iteration)
    groupSize = configuration.groupSize
    sharedInitialNoise = configuration.sharedInitialNoise
    exactSharing = configuration.exactSharing
    logProbability = configuration.logProbability
    sigmaRounding = configuration.sigmaRounding
    seed = configuration.seed
    self.iteration = iteration
    trainedModelSteps = transitions.count
    initialNoisePurpose = .initialNoise
  }

  private static func transitions(
    _ sigmas: [Double], _ window: Range<Int>, _ configuration: SamplingConfiguration
  ) throws(MixGRPOError) -> [Transition] {
    var transitions: [Transition] = []
    for step in 0..<sigmas.count - 1 {
      if window.contains(step) {
        transitions.append(try .stochastic(configuration.dynamics, from: sigmas[step], to: sigmas[step + 1]))
      } else {
        let isTail = step >= window.upperBound
        let solver = isTail ? configuration.flash?.solver ?? configuration.solver : configuration.solver
        transitions.append(.formula(solver, sigmas, step))
      }
    }
    return transitions
  }

  /// The grid up to the window's end, then the rest of the grid or the Flash tail.
  private static func sigmas(_ grid: TimeGrid, _ window: Range<Int>, _ flash: FlashTail?) -> [Double] {
    let remaining = grid.steps - window.upperBound
    guard let flash, remaining > 0 else { return grid.sigmas }
    let count = max(1, roundedDown(flash.ratio * Double(remaining)))
    return grid.sigmas[..<window.upperBound] + grid.tail(from: window.upperBound, steps: count)
  }
}

// MARK: - Deterministic sampling

extension SamplingPlan {
  /// Sampling without a window, for evaluation and for images: no step is stochastic, and nothing is stored or trained.
  ///
  /// Every sample starts from its own noise, keyed by seed, prompt and member, and independent of all training noise.
  /// - Parameters:
  ///   - schedule: placement of the noise levels.
  ///   - solver: solver of every step.
  ///   - samplesPerPrompt: 1 … 4096
  ///   - trainedModelShare: in [0, 1]; the first ⌊share·T + ½⌋ steps use the trained model, the others the reference
  ///     (Mix §5: 0.8).
  ///   - sigmaRounding: how sigma is rounded before it is passed to the model.
  ///   - seed: key of the noise.
  /// - Throws: one `invalidArgument` that names every invalid field.
  public static func deterministic(
    _ schedule: TimeGrid.Schedule, solver: Solver = .euler, samplesPerPrompt: Int = 1, trainedModelShare: Double = 1,
    sigmaRounding: SigmaRounding = .exact, seed: UInt64 = 0
  ) throws(MixGRPOError) -> SamplingPlan {
    var validation = Validation()
    validation.include(schedule.validate)
    var record = mixgrpo_sample_config.standard
    (record.samples_per_prompt, record.trained_model_share) = (Int32(clamping: samplesPerPrompt), trainedModelShare)
    record.check(&validation)
    try validation.throwIfAny()
    try Memory.require(schedule.steps, of: 768)
    return SamplingPlan(
      deterministic: try TimeGrid(schedule), solver, samplesPerPrompt, trainedModelShare, sigmaRounding, seed)
  }

  private init(
    deterministic grid: TimeGrid, _ solver: Solver, _ samplesPerPrompt: Int, _ trainedModelShare: Double,
    _ sigmaRounding: SigmaRounding, _ seed: UInt64
  ) {
    transitions = (0..<grid.steps).map { .formula(solver, grid.sigmas, $0) }
    window = 0..<0
    trainedSteps = []
    groupSize = samplesPerPrompt
    sharedInitialNoise = false
    exactSharing = true
    logProbability = .mean
    self.sigmaRounding = sigmaRounding
    self.seed = seed
    iteration = 0
    trainedModelSteps = Int((trainedModelShare * Double(grid.steps)).rounded())
    initialNoisePurpose = .evaluationNoise
  }
}
