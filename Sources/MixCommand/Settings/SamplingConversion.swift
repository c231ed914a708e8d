import MixGRPO

// Sampling settings in both directions: the defaults are the library's, and presets come from there.

extension SamplingSettings {
  /// - Throws: `invalidArgument` naming every unfit setting.
  func configuration() throws(MixGRPOError) -> SamplingConfiguration {
    var configuration = SamplingConfiguration()
    configuration.schedule = schedule
    configuration.dynamics = stochasticStep
    configuration.windowLength = windowLength
    configuration.windowMode = mode
    configuration.solver = solver.solver
    configuration.flash = flashRatio == 0 ? nil : FlashTail(ratio: flashRatio, solver: flashSolver.solver)
    configuration.groupSize = groupSize
    configuration.sharedInitialNoise = initialNoise == .shared
    configuration.exactSharing = exactSharing
    configuration.logProbability = logProbability.form
    configuration.sigmaRounding = sigmaRounding.rounding
    configuration.seed = seed
    try configuration.validate()
    return configuration
  }

  var schedule: TimeGrid.Schedule {
    if !sigmas.isEmpty { return .sigmas(sigmas) }
    if imageTokens != 0 { return .resolutionShifted(steps: steps, imageTokens: imageTokens) }
    return .shifted(steps: steps, shift: shift)
  }

  private var stochasticStep: Dynamics {
    switch dynamics {
    case .flow: .flow(noiseLevel: noiseLevel)
    case .dance: .dance(noiseLevel: noiseLevel)
    case .cps: .coefficientPreserving(noiseLevel: noiseLevel)
    }
  }

  private var mode: WindowMode {
    let atEnd: WindowEnd = windowAtEnd == .rollBack ? .rollBack : .stay
    return switch windowMode {
    case .frozen: .frozen(start: windowStart)
    case .progressive: .progressive(interval: windowInterval, stride: windowStride, atEnd: atEnd)
    case .linearDecay:
      .linearDecay(
        minimumInterval: windowMinimumInterval, maximumInterval: windowInterval, stride: windowStride, atEnd: atEnd)
    case .exponentialDecay:
      .exponentialDecay(
        initialInterval: windowInterval, rate: windowDecayRate, threshold: windowDecayThreshold, stride: windowStride,
        atEnd: atEnd)
    case .random: .random
    case .all: .all(subset)
    case .adaptive: .adaptive(adaptiveInterval, stride: windowStride, atEnd: atEnd)
    }
  }

  private var adaptiveInterval: AdaptiveInterval {
    AdaptiveInterval(
      minimum: windowMinimumInterval, maximum: windowInterval, trend: windowTrend, minimumGain: windowMinimumGain)
  }

  private var subset: TrainedSubset {
    if trainedFraction == 1 { return .full }
    return trainedSubset == .first ? .firstFraction(trainedFraction) : .randomSubset(trainedFraction)
  }
}

// MARK: - From the library

extension SamplingSettings {
  init(_ configuration: SamplingConfiguration) {
    set(configuration.schedule)
    set(configuration.dynamics)
    windowLength = configuration.windowLength
    set(configuration.windowMode)
    solver = SolverName(configuration.solver)
    flashRatio = configuration.flash?.ratio ?? 0
    flashSolver = SolverName((configuration.flash ?? FlashTail()).solver)
    groupSize = configuration.groupSize
    initialNoise = configuration.sharedInitialNoise ? .shared : .own
    exactSharing = configuration.exactSharing
    logProbability = LogProbabilityName(configuration.logProbability)
    sigmaRounding = configuration.sigmaRounding == .exact ? .exact : .thousandths
    seed = configuration.seed
  }

  private mutating func set(_ schedule: TimeGrid.Schedule) {
    steps = schedule.steps
    switch schedule {
    case .shifted(_, let shift): self.shift = shift
    case .resolutionShifted(_, let tokens): imageTokens = tokens
    case .sigmas(let sigmas): self.sigmas = sigmas
    }
  }

  private mutating func set(_ dynamics: Dynamics) {
    noiseLevel = dynamics.noiseLevel
    switch dynamics {
    case .flow: self.dynamics = .flow
    case .dance: self.dynamics = .dance
    case .coefficientPreserving: self.dynamics = .cps
    }
  }

  private mutating func set(_ mode: WindowMode) {
    switch mode {
    case .frozen(let start): (windowMode, windowStart) = (.frozen, start)
    case .progressive(let interval, let stride, let atEnd): set(.progressive, interval, stride, atEnd)
    case .linearDecay(let minimum, let maximum, let stride, let atEnd):
      set(.linearDecay, maximum, stride, atEnd)
      windowMinimumInterval = minimum
    case .exponentialDecay(let initial, let rate, let threshold, let stride, let atEnd):
      set(.exponentialDecay, initial, stride, atEnd)
      (windowDecayRate, windowDecayThreshold) = (rate, threshold)
    case .random, .given: windowMode = .random
    case .all(let subset): set(subset)
    case .adaptive(let interval, let stride, let atEnd):
      set(.adaptive, interval.maximum, stride, atEnd)
      windowMinimumInterval = interval.minimum
      (windowTrend, windowMinimumGain) = (interval.trend, interval.minimumGain)
    }
  }

  private mutating func set(_ mode: ModeName, _ interval: Int, _ stride: Int, _ atEnd: WindowEnd) {
    (windowMode, windowInterval, windowStride) = (mode, interval, stride)
    windowAtEnd = atEnd == .rollBack ? .rollBack : .stay
  }

  private mutating func set(_ subset: TrainedSubset) {
    windowMode = .all
    switch subset {
    case .full: trainedFraction = 1
    case .firstFraction(let fraction): (trainedSubset, trainedFraction) = (.first, fraction)
    case .randomSubset(let fraction): (trainedSubset, trainedFraction) = (.random, fraction)
    }
  }
}
