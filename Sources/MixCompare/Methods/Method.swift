import ProceduralWorld

/// The methods of the table, in its order.
public enum Method: String, CaseIterable, Sendable {
  case flowGRPO = "flow-grpo"
  case danceGRPO14 = "dance-14"
  case danceGRPO4 = "dance-4"
  case mixGRPO = "mixgrpo"
  case mixGRPOCPS = "mixgrpo-cps"
  case flash = "mixgrpo-flash"
  case flashStar = "mixgrpo-flash-star"

  /// The name, with the number of trained steps for the paper's 25 steps.
  var label: String {
    switch self {
    case .flowGRPO: "Flow-GRPO (all)"
    case .danceGRPO14: "DanceGRPO (14)"
    case .danceGRPO4: "DanceGRPO (4)"
    case .mixGRPO: "MixGRPO"
    case .mixGRPOCPS: "MixGRPO, CPS"
    case .flash: "MixGRPO-Flash"
    case .flashStar: "MixGRPO-Flash*"
    }
  }

  private var preset: Preset {
    switch self {
    case .flowGRPO: .flowGRPO
    case .danceGRPO14, .danceGRPO4: .danceGRPO
    case .mixGRPO, .mixGRPOCPS: .mixGRPO
    case .flash: .mixGRPOFlash
    case .flashStar: .mixGRPOFlashStar
    }
  }

  func arm(_ size: ComparisonSize) -> Arm {
    var arm = Arm(name: rawValue, label: label, preset, size, learningRate: TunedRates.rate(of: self))
    switch self {
    case .danceGRPO4:
      arm.sampling.windowMode = .all(.randomSubset(Double(arm.sampling.windowLength) / Double(size.steps - 1)))
    case .mixGRPOCPS:
      arm.sampling.dynamics = .coefficientPreserving(noiseLevel: arm.sampling.dynamics.noiseLevel)
    case .flowGRPO, .danceGRPO14, .mixGRPO, .flash, .flashStar: break
    }
    return arm
  }
}
