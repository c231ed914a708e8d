import MixBasics
import MixLearning
import MixSampling

/// Configurations for a purpose: published methods, and learning from few votes. A preset consists only of settings.
public enum Preset: String, CaseIterable, Sendable {
  /// Mix §4.1: the defaults.
  case mixGRPO = "mixgrpo"
  /// Mix §3.3, with the window of the defaults.
  case mixGRPOFlash = "mixgrpo_flash"
  /// Mix §4.2: the shortest tail, and a window that stays at the start.
  case mixGRPOFlashStar = "mixgrpo_flash_star"
  /// arXiv 2505.05470.
  case flowGRPO = "flow_grpo"
  /// arXiv 2505.07818.
  case danceGRPO = "dance_grpo"
  /// A person as the reward: the defaults, with the settings that need the fewest votes.
  case person = "person"

  /// The published methods.
  public static var methods: [Preset] { allCases.filter { $0 != .person } }

  /// - Throws: `invalidArgument` for an unknown name.
  public init(name: String) throws(MixGRPOError) {
    guard let preset = Preset(rawValue: name) else {
      throw .invalid("name", expected: Preset.allCases.map(\.rawValue).joined(separator: ", "), got: "\"\(name)\"")
    }
    self = preset
  }

  /// The sampling settings; settings that a paper does not specify have the defaults of MixGRPO.
  public var sampling: SamplingConfiguration {
    var configuration = SamplingConfiguration()
    switch self {
    case .mixGRPO: break
    case .mixGRPOFlash: configuration.flash = FlashTail(ratio: 0.4)
    case .mixGRPOFlashStar:
      configuration.flash = FlashTail(ratio: 0.2)
      configuration.windowMode = .frozen(start: 0)
    case .flowGRPO: configuration.windowMode = .all(.full)
    case .danceGRPO:
      configuration.dynamics = .dance(noiseLevel: 0.3)
      configuration.windowMode = .all(.randomSubset(0.6))
    case .person:
      configuration.schedule = .shifted(steps: 12, shift: 3)
      configuration.windowLength = 2
    }
    return configuration
  }

  /// The learning settings; settings that a paper does not specify have the defaults of MixGRPO.
  public var learning: LearningConfiguration {
    var settings = LearningConfiguration()
    if self == .flowGRPO { settings.policy.referencePenalty = 0.04 }
    if self == .person { settings.optimizer.learningRate = 2e-4 }
    return settings
  }
}
