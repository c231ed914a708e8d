import CMixGRPO
import MixBasics
import MixSampling

// The sampling configuration in both directions: the defaults in C are those of Swift.

extension SamplingConfiguration {
  /// - Parameter sigmas: the host's own time grid in place of steps and shift.
  /// - Throws: `invalidArgument` naming every field that is no choice, out of bounds, or does not go with another.
  init(_ config: mixgrpo_sampling_config, sigmas: [Double]? = nil) throws(MixGRPOError) {
    self.init()
    var check = Validation()
    func include(_ part: () throws(MixGRPOError) -> Void) { check.include(part) }
    schedule = config.schedule(sigmas)
    include { () throws(MixGRPOError) in dynamics = try config.chosenDynamics() }
    include { () throws(MixGRPOError) in windowMode = try config.chosenWindowMode() }
    include { () throws(MixGRPOError) in solver = try choice(config.solver, "solver") }
    include { () throws(MixGRPOError) in flash = try config.flashTail() }
    include { () throws(MixGRPOError) in try requireRange(config.initial_noise, 0...1, "initial_noise") }
    include { () throws(MixGRPOError) in exactSharing = try flag(config.exact_sharing, "exact_sharing") }
    include { () throws(MixGRPOError) in logProbability = try choice(config.log_probability, "log_probability") }
    include { () throws(MixGRPOError) in sigmaRounding = try choice(config.sigma_rounding, "sigma_rounding") }
    include { () throws(MixGRPOError) in try requireRange(config.image_tokens, 0...1_000_000, "image_tokens") }
    include { () throws(MixGRPOError) in try requireReserved(config.reserved) }
    windowLength = Int(config.window_length)
    groupSize = Int(config.group_size)
    sharedInitialNoise = Int(config.initial_noise) == MIXGRPO_INITIAL_NOISE_SHARED
    seed = config.seed
    let complete = self
    include { () throws(MixGRPOError) in try complete.validate() }
    try check.throwIfAny()
  }
}

extension mixgrpo_sampling_config {
  fileprivate func schedule(_ sigmas: [Double]?) -> TimeGrid.Schedule {
    if let sigmas { return .sigmas(sigmas) }
    if image_tokens > 0 { return .resolutionShifted(steps: Int(steps), imageTokens: Int(image_tokens)) }
    return .shifted(steps: Int(steps), shift: shift)
  }

  fileprivate func chosenDynamics() throws(MixGRPOError) -> Dynamics {
    try Dynamics(dynamics, noiseLevel: noise_level)
  }

  fileprivate func chosenWindowMode() throws(MixGRPOError) -> WindowMode {
    let atEnd: WindowEnd = try choice(window_at_end, "window_at_end")
    let (interval, stride) = (Int(window_interval), Int(window_stride))
    switch Int(window_mode) {
    case MIXGRPO_WINDOW_MODE_FROZEN: return .frozen(start: Int(window_start))
    case MIXGRPO_WINDOW_MODE_PROGRESSIVE: return .progressive(interval: interval, stride: stride, atEnd: atEnd)
    case MIXGRPO_WINDOW_MODE_LINEAR_DECAY:
      return .linearDecay(
        minimumInterval: Int(window_minimum_interval), maximumInterval: interval, stride: stride, atEnd: atEnd)
    case MIXGRPO_WINDOW_MODE_EXPONENTIAL_DECAY:
      return .exponentialDecay(
        initialInterval: interval, rate: window_decay_rate, threshold: Int(window_decay_threshold), stride: stride,
        atEnd: atEnd)
    case MIXGRPO_WINDOW_MODE_RANDOM: return .random
    case MIXGRPO_WINDOW_MODE_ALL: return .all(try chosenSubset())
    case MIXGRPO_WINDOW_MODE_GIVEN: return .given
    case MIXGRPO_WINDOW_MODE_ADAPTIVE: return .adaptive(adaptiveInterval, stride: stride, atEnd: atEnd)
    default: throw .invalid("window_mode", expected: "a mixgrpo_window_mode, 0…7", got: window_mode)
    }
  }

  private var adaptiveInterval: AdaptiveInterval {
    AdaptiveInterval(
      minimum: Int(window_minimum_interval), maximum: Int(window_interval), trend: Int(window_trend),
      minimumGain: window_minimum_gain)
  }

  private func chosenSubset() throws(MixGRPOError) -> TrainedSubset {
    try requireRange(trained_subset, 0...1, "trained_subset")
    if trained_fraction == 1 { return .full }
    return Int(trained_subset) == MIXGRPO_TRAINED_SUBSET_FIRST
      ? .firstFraction(trained_fraction) : .randomSubset(trained_fraction)
  }

  fileprivate func flashTail() throws(MixGRPOError) -> FlashTail? {
    let solver: Solver = try choice(flash_solver, "flash_solver")
    return flash_ratio == 0 ? nil : FlashTail(ratio: flash_ratio, solver: solver)
  }
}

extension Dynamics {
  init(_ dynamics: mixgrpo_dynamics, noiseLevel: Double) throws(MixGRPOError) {
    switch Int(dynamics) {
    case MIXGRPO_DYNAMICS_FLOW: self = .flow(noiseLevel: noiseLevel)
    case MIXGRPO_DYNAMICS_DANCE: self = .dance(noiseLevel: noiseLevel)
    case MIXGRPO_DYNAMICS_CPS: self = .coefficientPreserving(noiseLevel: noiseLevel)
    default: throw .invalid("dynamics", expected: "a mixgrpo_dynamics, 0…2", got: dynamics)
    }
  }

  fileprivate var constant: Int {
    switch self {
    case .flow: MIXGRPO_DYNAMICS_FLOW
    case .dance: MIXGRPO_DYNAMICS_DANCE
    case .coefficientPreserving: MIXGRPO_DYNAMICS_CPS
    }
  }
}

// MARK: - To C

extension mixgrpo_sampling_config {
  static var standard: mixgrpo_sampling_config { mixgrpo_sampling_config(SamplingConfiguration()) }

  /// - Precondition: `configuration` is valid and has no sigmas of its own.
  init(_ configuration: SamplingConfiguration) {
    self.init()
    struct_size = UInt32(Self.byteCount)
    setUnused()
    set(configuration.schedule)
    dynamics = Int32(configuration.dynamics.constant)
    noise_level = configuration.dynamics.noiseLevel
    window_length = Int32(truncatingIfNeeded: configuration.windowLength)
    set(configuration.windowMode)
    solver = configuration.solver.rawValue
    flash_ratio = configuration.flash?.ratio ?? 0
    flash_solver = (configuration.flash ?? FlashTail()).solver.rawValue
    group_size = Int32(truncatingIfNeeded: configuration.groupSize)
    initial_noise = Int32(configuration.sharedInitialNoise ? MIXGRPO_INITIAL_NOISE_SHARED : MIXGRPO_INITIAL_NOISE_OWN)
    exact_sharing = configuration.exactSharing ? 1 : 0
    log_probability = configuration.logProbability.rawValue
    sigma_rounding = configuration.sigmaRounding.rawValue
    seed = configuration.seed
  }

  /// Values of the fields that the modes in use may not set.
  private mutating func setUnused() {
    shift = 3
    (window_stride, window_interval, window_minimum_interval, window_decay_threshold) = (1, 25, 1, 13)
    (window_decay_rate, trained_fraction) = (0.1, 1)
    let adaptive = AdaptiveInterval()
    (window_trend, window_minimum_gain) = (Int32(truncatingIfNeeded: adaptive.trend), adaptive.minimumGain)
  }

  private mutating func set(_ schedule: TimeGrid.Schedule) {
    steps = Int32(truncatingIfNeeded: schedule.steps)
    switch schedule {
    case .shifted(_, let shift): self.shift = shift
    case .resolutionShifted(_, let imageTokens): image_tokens = Int32(truncatingIfNeeded: imageTokens)
    case .sigmas: break
    }
  }

  private mutating func set(_ mode: WindowMode) {
    switch mode {
    case .frozen(let start):
      setMode(MIXGRPO_WINDOW_MODE_FROZEN)
      window_start = Int32(truncatingIfNeeded: start)
    case .progressive(let interval, let stride, let atEnd):
      setMode(MIXGRPO_WINDOW_MODE_PROGRESSIVE, interval, stride, atEnd)
    case .linearDecay(let minimum, let maximum, let stride, let atEnd):
      setMode(MIXGRPO_WINDOW_MODE_LINEAR_DECAY, maximum, stride, atEnd)
      window_minimum_interval = Int32(truncatingIfNeeded: minimum)
    case .exponentialDecay(let initial, let rate, let threshold, let stride, let atEnd):
      setMode(MIXGRPO_WINDOW_MODE_EXPONENTIAL_DECAY, initial, stride, atEnd)
      window_decay_rate = rate
      window_decay_threshold = Int32(truncatingIfNeeded: threshold)
    case .random: setMode(MIXGRPO_WINDOW_MODE_RANDOM)
    case .all(let subset):
      setMode(MIXGRPO_WINDOW_MODE_ALL)
      set(subset)
    case .given: setMode(MIXGRPO_WINDOW_MODE_GIVEN)
    case .adaptive(let interval, let stride, let atEnd):
      setMode(MIXGRPO_WINDOW_MODE_ADAPTIVE, interval.maximum, stride, atEnd)
      window_minimum_interval = Int32(truncatingIfNeeded: interval.minimum)
      (window_trend, window_minimum_gain) = (Int32(truncatingIfNeeded: interval.trend), interval.minimumGain)
    }
  }

  private mutating func setMode(_ mode: Int) { window_mode = Int32(mode) }

  private mutating func setMode(_ mode: Int, _ interval: Int, _ stride: Int, _ atEnd: WindowEnd) {
    setMode(mode)
    window_interval = Int32(truncatingIfNeeded: interval)
    window_stride = Int32(truncatingIfNeeded: stride)
    window_at_end = atEnd.rawValue
  }

  private mutating func set(_ subset: TrainedSubset) {
    switch subset {
    case .full: break
    case .firstFraction(let fraction): (trained_subset, trained_fraction) = (Int32(MIXGRPO_TRAINED_SUBSET_FIRST), fraction)
    case .randomSubset(let fraction): (trained_subset, trained_fraction) = (Int32(MIXGRPO_TRAINED_SUBSET_RANDOM), fraction)
    }
  }
}
