import CMixGRPO
import MixBasics
import MixSettings

// Converts the sampling configuration to and from the header's flat record. The settings table has the ranges of single fields.

extension SamplingConfiguration {
  /// - Parameter sigmas: the host's own time grid, which replaces steps and shift.
  /// - Throws: `invalidArgument` naming every field with an unknown choice, out of range, or in conflict with another field.
  package init(_ record: mixgrpo_sampling_config, sigmas: [Double]? = nil) throws(MixGRPOError) {
    var check = Validation()
    record.check(&check)
    check.require(record.reserved == 0, "reserved", expected: "0", got: record.reserved)
    let typed = Self(unchecked: record, sigmas)
    typed?.checkRules(&check)
    try check.throwIfAny()
    guard let typed else { throw MixGRPOError(.internalFault, "settings: expected names for all choices, got none") }
    self = typed
  }

  /// Nil if a choice is unknown.
  private init?(unchecked record: mixgrpo_sampling_config, _ sigmas: [Double]?) {
    guard
      let dynamics = Dynamics(record.dynamics, noiseLevel: record.noise_level), let mode = record.typedWindowMode,
      let solver = Solver(rawValue: record.solver), let flashSolver = Solver(rawValue: record.flash_solver),
      let logProbability = LogProbabilityForm(rawValue: record.log_probability),
      let sigmaRounding = SigmaRounding(rawValue: record.sigma_rounding)
    else { return nil }
    schedule = record.schedule(sigmas)
    (self.dynamics, windowMode, self.solver) = (dynamics, mode, solver)
    if Int(record.window_mode) != MIXGRPO_WINDOW_MODE_ALL { windowLength = Int(record.window_length) }
    flash = record.flash_ratio == 0 ? nil : FlashTail(ratio: record.flash_ratio, solver: flashSolver)
    groupSize = Int(record.group_size)
    sharedInitialNoise = Int(record.initial_noise) == MIXGRPO_INITIAL_NOISE_SHARED
    exactSharing = record.exact_sharing == 1
    (self.logProbability, self.sigmaRounding, seed) = (logProbability, sigmaRounding, record.seed)
  }

  /// The rows that have an effect given the others: window_start has one only when the window is frozen.
  package static func keysInForce(_ record: mixgrpo_sampling_config) -> Set<String> {
    record.keysInForce { Self(unchecked: $0, nil)?.record }
  }
}

extension mixgrpo_sampling_config {
  fileprivate func schedule(_ sigmas: [Double]?) -> TimeGrid.Schedule {
    if let sigmas { return .sigmas(sigmas) }
    if image_tokens > 0 { return .resolutionShifted(steps: Int(steps), imageTokens: Int(image_tokens)) }
    return .shifted(steps: Int(steps), shift: shift)
  }

  fileprivate var typedWindowMode: WindowMode? {
    guard let atEnd = WindowEnd(rawValue: window_at_end), let subset = typedSubset else { return nil }
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
    case MIXGRPO_WINDOW_MODE_ALL: return .all(subset)
    case MIXGRPO_WINDOW_MODE_GIVEN: return .given
    case MIXGRPO_WINDOW_MODE_ADAPTIVE: return .adaptive(adaptiveInterval, stride: stride, atEnd: atEnd)
    default: return nil
    }
  }

  private var adaptiveInterval: AdaptiveInterval {
    AdaptiveInterval(
      minimum: Int(window_minimum_interval), maximum: Int(window_interval), trend: Int(window_trend),
      minimumGain: window_minimum_gain)
  }

  private var typedSubset: TrainedSubset? {
    switch Int(trained_subset) {
    case MIXGRPO_TRAINED_SUBSET_FIRST: trained_fraction == 1 ? .full : .firstFraction(trained_fraction)
    case MIXGRPO_TRAINED_SUBSET_RANDOM: trained_fraction == 1 ? .full : .randomSubset(trained_fraction)
    default: nil
    }
  }
}

extension Dynamics {
  /// By the header's number; nil for an unknown one.
  package init?(_ number: Int32, noiseLevel: Double) {
    switch Int(number) {
    case MIXGRPO_DYNAMICS_FLOW: self = .flow(noiseLevel: noiseLevel)
    case MIXGRPO_DYNAMICS_DANCE: self = .dance(noiseLevel: noiseLevel)
    case MIXGRPO_DYNAMICS_CPS: self = .coefficientPreserving(noiseLevel: noiseLevel)
    default: return nil
    }
  }

  fileprivate var number: Int {
    switch self {
    case .flow: MIXGRPO_DYNAMICS_FLOW
    case .dance: MIXGRPO_DYNAMICS_DANCE
    case .coefficientPreserving: MIXGRPO_DYNAMICS_CPS
    }
  }
}

// MARK: - To the record

extension SamplingConfiguration {
  /// Fields that the modes in use do not have get their defaults. A number too large for its field becomes the nearest one that
  /// fits, which is outside the setting's range. Custom sigmas are not part of the record.
  package var record: mixgrpo_sampling_config {
    var record = mixgrpo_sampling_config.standard
    record.set(schedule)
    (record.dynamics, record.noise_level) = (Int32(dynamics.number), dynamics.noiseLevel)
    record.window_length = Int32(clamping: windowLength)
    record.set(windowMode)
    record.solver = solver.rawValue
    if let flash { (record.flash_ratio, record.flash_solver) = (flash.ratio, flash.solver.rawValue) }
    record.group_size = Int32(clamping: groupSize)
    record.initial_noise = Int32(sharedInitialNoise ? MIXGRPO_INITIAL_NOISE_SHARED : MIXGRPO_INITIAL_NOISE_OWN)
    record.exact_sharing = exactSharing ? 1 : 0
    (record.log_probability, record.sigma_rounding, record.seed) = (logProbability.rawValue, sigmaRounding.rawValue, seed)
    return record
  }
}

extension mixgrpo_sampling_config {
  fileprivate mutating func set(_ schedule: TimeGrid.Schedule) {
    switch schedule {
    case .shifted(let steps, let shift): (self.steps, self.shift) = (Int32(clamping: steps), shift)
    case .resolutionShifted(let steps, let imageTokens):
      (self.steps, image_tokens) = (Int32(clamping: steps), Int32(clamping: imageTokens))
    case .sigmas: break
    }
  }

  fileprivate mutating func set(_ mode: WindowMode) {
    switch mode {
    case .frozen(let start):
      setMode(MIXGRPO_WINDOW_MODE_FROZEN)
      window_start = Int32(clamping: start)
    case .progressive(let interval, let stride, let atEnd):
      setMode(MIXGRPO_WINDOW_MODE_PROGRESSIVE, interval, stride, atEnd)
    case .linearDecay(let minimum, let maximum, let stride, let atEnd):
      setMode(MIXGRPO_WINDOW_MODE_LINEAR_DECAY, maximum, stride, atEnd)
      window_minimum_interval = Int32(clamping: minimum)
    case .exponentialDecay(let initial, let rate, let threshold, let stride, let atEnd):
      setMode(MIXGRPO_WINDOW_MODE_EXPONENTIAL_DECAY, initial, stride, atEnd)
      window_decay_rate = rate
      window_decay_threshold = Int32(clamping: threshold)
    case .random: setMode(MIXGRPO_WINDOW_MODE_RANDOM)
    case .all(let subset):
      setMode(MIXGRPO_WINDOW_MODE_ALL)
      set(subset)
    case .given: setMode(MIXGRPO_WINDOW_MODE_GIVEN)
    case .adaptive(let interval, let stride, let atEnd):
      setMode(MIXGRPO_WINDOW_MODE_ADAPTIVE, interval.maximum, stride, atEnd)
      window_minimum_interval = Int32(clamping: interval.minimum)
      (window_trend, window_minimum_gain) = (Int32(clamping: interval.trend), interval.minimumGain)
    }
  }

  private mutating func setMode(_ mode: Int) { window_mode = Int32(mode) }

  private mutating func setMode(_ mode: Int, _ interval: Int, _ stride: Int, _ atEnd: WindowEnd) {
    setMode(mode)
    window_interval = Int32(clamping: interval)
    window_stride = Int32(clamping: stride)
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
