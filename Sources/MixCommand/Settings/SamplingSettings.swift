import MixGRPO

/// How pictures are sampled in training: the library's configuration as named values, names and meanings those of the C header.
struct SamplingSettings: SettingsTable, Equatable {
  enum DynamicsName: String, CaseIterable { case flow, dance, cps }
  enum ModeName: String, CaseIterable {
    case frozen, progressive, random, all, adaptive
    case linearDecay = "linear_decay"
    case exponentialDecay = "exponential_decay"
  }
  enum EndName: String, CaseIterable {
    case rollBack = "roll_back"
    case stay
  }
  enum SubsetName: String, CaseIterable { case first, random }
  enum NoiseName: String, CaseIterable { case shared, own }

  var steps = 25
  var shift = 3.0
  var imageTokens = 0
  var sigmas: [Double] = []
  var dynamics = DynamicsName.flow
  var noiseLevel = 0.7
  var windowMode = ModeName.progressive
  var windowLength = 4
  var windowStart = 0
  var windowStride = 1
  var windowInterval = 25
  var windowMinimumInterval = 1
  var windowAtEnd = EndName.rollBack
  var windowDecayThreshold = 13
  var windowDecayRate = 0.1
  var windowTrend = AdaptiveInterval().trend
  var windowMinimumGain = AdaptiveInterval().minimumGain
  var trainedFraction = 1.0
  var trainedSubset = SubsetName.first
  var solver = SolverName.euler
  var flashRatio = 0.0
  var flashSolver = SolverName.dpm2Midpoint
  var groupSize = 12
  var initialNoise = NoiseName.shared
  var exactSharing = true
  var logProbability = LogProbabilityName.mean
  var sigmaRounding = RoundingName.exact
  var seed: UInt64 = 0

  static var settings: [Setting<SamplingSettings>] {
    [
      .integer("steps", \.steps, "steps from noise to picture, 2…10000"),
      .number("shift", \.shift, "of the noise levels towards noise; 1 for none"),
      .integer("image_tokens", \.imageTokens, "above 0: the shift that goes with so many tokens, in place of shift"),
      .numbers("sigmas", \.sigmas, "own noise levels in place of steps and shift, falling, the last 0"),
      .choice("dynamics", \.dynamics, "the stochastic step"),
      .number("noise_level", \.noiseLevel, "of the stochastic step, above 0"),
      .choice("window_mode", \.windowMode, "how the window of stochastic, trained steps moves"),
      .integer("window_length", \.windowLength, "stochastic steps; not used by all"),
      .integer("window_start", \.windowStart, "of a frozen window, from 0"),
      .integer("window_stride", \.windowStride, "steps the window moves at a time"),
      .integer("window_interval", \.windowInterval, "iterations between moves; with a decay the first, with adaptive the most"),
      .integer("window_minimum_interval", \.windowMinimumInterval, "the last interval of linear_decay, the least of adaptive"),
      .choice("window_at_end", \.windowAtEnd, "what the window does after its last place"),
      .integer("window_decay_threshold", \.windowDecayThreshold, "the step at which exponential_decay begins"),
      .number("window_decay_rate", \.windowDecayRate, "of exponential_decay, per step"),
      .integer("window_trend", \.windowTrend, "iterations that adaptive judges the reward's gain over"),
      .number(
        "window_minimum_gain", \.windowMinimumGain, "adaptive moves when the reward gains less, in deviations per iteration"),
      .number("trained_fraction", \.trainedFraction, "with all: the trained share of the stochastic steps"),
      .choice("trained_subset", \.trainedSubset, "with all: which of them"),
      .choice("solver", \.solver, "of the steps outside the window"),
      .number("flash_ratio", \.flashRatio, "MixGRPO-Flash: the steps after the window shrink to this share; 0 for off"),
      .choice("flash_solver", \.flashSolver, "of these steps"),
      .integer("group_size", \.groupSize, "pictures per prompt that are compared with each other, 2…4096"),
      .choice("initial_noise", \.initialNoise, "of the members of a group"),
      .flag("exact_sharing", \.exactSharing, "evaluate equal latents once; changes no result"),
      .choice("log_probability", \.logProbability, "what the ratio is made of"),
      .choice("sigma_rounding", \.sigmaRounding, "how the model is told the noise level"),
      .seed("seed", \.seed, "of all random numbers of the run"),
    ]
  }
}

/// Solvers by their names in settings.
enum SolverName: String, CaseIterable {
  case euler
  case dpm1 = "dpm_1"
  case dpm2Midpoint = "dpm_2_midpoint"
  case dpm2Heun = "dpm_2_heun"
  case dpm3 = "dpm_3"

  var solver: Solver {
    switch self {
    case .euler: .euler
    case .dpm1: .dpmSolver1
    case .dpm2Midpoint: .dpmSolver2Midpoint
    case .dpm2Heun: .dpmSolver2Heun
    case .dpm3: .dpmSolver3
    }
  }

  init(_ solver: Solver) { self = Self.allCases.first { $0.solver == solver } ?? .euler }
}

enum LogProbabilityName: String, CaseIterable {
  case mean, sum, guarded
  case cpsPeer = "cps_peer"

  var form: LogProbabilityForm {
    switch self {
    case .mean: .mean
    case .sum: .sum
    case .guarded: .guarded
    case .cpsPeer: .coefficientPreservingPeer
    }
  }

  init(_ form: LogProbabilityForm) { self = Self.allCases.first { $0.form == form } ?? .mean }
}

enum RoundingName: String, CaseIterable {
  case exact, thousandths

  var rounding: SigmaRounding { self == .exact ? .exact : .thousandths }
}
