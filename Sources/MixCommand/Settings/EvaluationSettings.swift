import MixGRPO
import MixSettings

/// When and how the model is evaluated during training: always the same prompts from the same noise, also with held-out
/// rewards.
struct EvaluationSettings: SettingsTable {
  enum WatchdogName: String, CaseIterable {
    case off, warn, stop

    var action: WatchdogAction {
      switch self {
      case .off: .off
      case .warn: .warn
      case .stop: .stop
      }
    }
  }

  var every = 10
  var heldOut: [RewardSetting] = []
  var prompts = 16
  var samplesPerPrompt = 1
  var keepBest = true
  var watchdog = WatchdogName.off
  var patience = Watchdog().patience
  var minimumDelta = Watchdog().minimumDelta

  static var settings: [Setting<EvaluationSettings>] {
    [
      .integer(
        "every", \.every, 0...1_000_000, unit: "iterations",
        "iterations between evaluations; the last iteration is always evaluated; 0 for no evaluations"),
      .rewards("held_out", \.heldOut, "rewards that score the pictures but are not trained on"),
      .integer("prompts", \.prompts, 0...65_536, "most prompts to evaluate, evenly spread over the file; 0 for all"),
      .integer("samples_per_prompt", \.samplesPerPrompt, 1...4_096, "pictures of each prompt"),
      .flag("keep_best", \.keepBest, "save the model of the best evaluation to best/"),
      .choice("watchdog", \.watchdog, "reaction when training rewards rise while held-out rewards fall"),
      .integer(
        "watchdog_patience", \.patience, 1...1_000_000, unit: "evaluations",
        "consecutive suspicious evaluations before the watchdog triggers"),
      .number(
        "watchdog_minimum_delta", \.minimumDelta, .closed(0, 1_000),
        "smallest change of a score that counts, in standard deviations of the first evaluation"),
    ]
  }

  var isOn: Bool { every > 0 }

  /// - Parameter trained: the training rewards.
  func validate(_ check: inout Validation, trained: [RewardSetting]) {
    self.check(&check, prefix: "evaluation.")
    let reason = heldOut.isEmpty ? "the watchdog is on" : "rewards are held out"
    check.require(
      isOn || (heldOut.isEmpty && watchdog == .off), "evaluation.every",
      expected: "a number above 0 (--evaluate-every), because \(reason)", got: every)
    guard isOn, !trained.isEmpty else { return }
    check.include { () throws(MixGRPOError) in _ = try EvaluationRecord(rewards: rewards(trained: trained), watchdog: dog) }
  }

  /// The training rewards, then the held-out ones. The best model is chosen by the held-out rewards, or by the training rewards
  /// when none is held out.
  func rewards(trained: [RewardSetting]) -> [EvaluationReward] {
    trained.map { EvaluationReward($0.name, weight: heldOut.isEmpty ? $0.weight : 0) }
      + heldOut.map { EvaluationReward($0.name, weight: $0.weight, isHeldOut: true) }
  }

  var configuration: EvaluationConfiguration {
    var configuration = EvaluationConfiguration()
    configuration.every = max(every, 1)
    configuration.keepBest = keepBest
    configuration.watchdog = dog
    return configuration
  }

  private var dog: Watchdog { Watchdog(action: watchdog.action, patience: patience, minimumDelta: minimumDelta) }

  /// Evenly chosen rows of `count` prompts.
  func rows(of count: Int) -> [Int32] {
    let wanted = prompts == 0 ? count : min(prompts, count)
    return (0..<wanted).map { Int32(truncatingIfNeeded: $0 * count / wanted) }
  }
}
