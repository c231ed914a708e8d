import MixBasics
import MixLearning
import MixSampling

/// Published methods as configurations. A preset consists only of settings.
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

  /// - Throws: `invalidArgument` for an unknown name.
  public init(name: String) throws(MixGRPOError) {
    guard let preset = Preset(rawValue: name) else {
      throw .invalid("name", expected: Preset.allCases.map(\.rawValue).joined(separator: ", "), got: "\"\(name)\"")
    }
    self = preset
  }

  /// The sampling settings of the method; settings that the paper does not specify have the defaults of MixGRPO.
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
    }
    return configuration
  }

  /// The learning settings of the method; settings that the paper does not specify have the defaults of MixGRPO.
  public var learning: LearningConfiguration {
    var settings = LearningConfiguration()
    if self == .flowGRPO { settings.policy.referencePenalty = 0.04 }
    return settings
  }
}
