import MixBasics
import MixSettings

/// The shortened deterministic tail of MixGRPO-Flash (Mix §3.3).
public struct FlashTail: Equatable, Sendable {
  /// r̃ in (0, 1]: R steps after the window become max(1, ⌊r̃·R⌋). The paper uses 0.4, and 0.2 with a frozen window for Flash*.
  public var ratio: Double
  /// Solver of the tail's steps; default DPM-Solver++ 2M, midpoint form.
  public var solver: Solver

  /// Checked by `SamplingConfiguration.validate`.
  public init(ratio: Double = 0.4, solver: Solver = .dpmSolver2Midpoint) {
    self.ratio = ratio
    self.solver = solver
  }
}

/// The form of the log-probability, whose difference is the log-ratio of the policy loss. Raw values are stable.
public enum LogProbabilityForm: Int32, Equatable, Sendable, CaseIterable {
  /// mean_D[−(x'−μ)²/(2s²) − ln s − ½ ln 2π]: the log-density per latent value (Flow-GRPO, DanceGRPO, Mix).
  case mean = 0
  /// The log-density itself: a sum instead of the mean.
  case sum = 1
  /// −mean_D (x'−μ)², which public trainers use with coefficient-preserving steps; not a density.
  case coefficientPreservingPeer = 2
  /// mean_D(ε·μ), so that the log-ratio is mean_D(ε·Δμ): GRPO-Guard's balanced ratio (arXiv 2510.22319).
  case guarded = 3
}

/// How sigma is rounded before it is passed to the model. Raw values are stable.
public enum SigmaRounding: Int32, Equatable, Sendable, CaseIterable {
  /// Not rounded.
  case exact = 0
  /// ⌊1000σ⌋/1000, for models served behind integer timesteps.
  case thousandths = 1
}

/// Settings of mixed ODE–SDE sampling, with the defaults of MixGRPO (arXiv 2507.21802).
public struct SamplingConfiguration: Equatable, Sendable {
  /// Default: 25 steps, shift 3.
  public var schedule = TimeGrid.Schedule.shifted(steps: 25, shift: 3)
  /// Default: Flow-SDE with noise level 0.7.
  public var dynamics = Dynamics.flow(noiseLevel: 0.7)
  /// w, the number of stochastic steps, 1 … steps − 1; default 4. Not used with `WindowMode.all`.
  public var windowLength = 4
  /// Default: one step further every 25 iterations, back to 0 after the end.
  public var windowMode = WindowMode.standard
  /// Solver of the steps outside the window; default Euler.
  public var solver = Solver.euler
  /// Default: none.
  public var flash: FlashTail?
  /// G, the samples per prompt, 2 … 4096; default 12.
  public var groupSize = 12
  /// Whether the members of a group start from the same noise; default true.
  public var sharedInitialNoise = true
  /// Whether latents that members share are evaluated once; the result is the same either way. Default true.
  public var exactSharing = true
  /// Default: the log-density per latent value.
  public var logProbability = LogProbabilityForm.mean
  /// Default: exact.
  public var sigmaRounding = SigmaRounding.exact
  /// Key of all noise; default 0.
  public var seed: UInt64 = 0

  /// The defaults of MixGRPO (Mix §4.1).
  public init() {}

  /// - Throws: one `invalidArgument` that names every invalid field.
  public func validate() throws(MixGRPOError) {
    var validation = Validation()
    record.check(&validation)
    checkRules(&validation)
    try validation.throwIfAny()
  }

  /// Conditions on more than one value.
  func checkRules(_ validation: inout Validation) {
    schedule.checkRules(&validation)
    if case .sigmas = schedule {
      validation.require(
        schedule.steps >= 2, "steps", expected: "2…10000, as the last step is never stochastic", got: schedule.steps)
    }
    dynamics.checkRules(&validation)
    WindowSchedule.checkRules(windowMode, length: windowLength, steps: schedule.steps, &validation)
    checkFlash(&validation)
    checkLogProbability(&validation)
  }

  /// The schedule that gives each iteration its window.
  public func windowSchedule() throws(MixGRPOError) -> WindowSchedule {
    try WindowSchedule(windowMode, length: windowLength, steps: schedule.steps, seed: seed)
  }

  private func checkFlash(_ validation: inout Validation) {
    guard let flash else { return }
    validation.require(flash.ratio != 0, "flash_ratio", expected: "a value in (0, 1]", got: flash.ratio)
    if case .all = windowMode {
      validation.require(
        false, "flash_ratio", expected: "none, as window_mode all leaves no tail to shorten", got: flash.ratio)
    }
  }

  private func checkLogProbability(_ validation: inout Validation) {
    guard logProbability == .coefficientPreservingPeer else { return }
    if case .coefficientPreserving = dynamics { return }
    validation.require(
      false, "log_probability", expected: "cps_peer only with the dynamics cps",
      got: dynamics)
  }
}
