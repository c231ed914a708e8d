import MixGRPO
import MixSettings

/// When and how the model in training is evaluated: always the same prompts from the same noise, also with rewards that
/// training does not see.
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

  var every = 0
  var heldOut: [RewardSetting] = []
  var prompts = 0
  var samplesPerPrompt = 1
  var keepBest = true
  var watchdog = WatchdogName.off
  var patience = Watchdog().patience
  var minimumDelta = Watchdog().minimumDelta

  static var settings: [Setting<EvaluationSettings>] {
    [
      .integer(
        "every", \.every, 0...1_000_000, default: 0, unit: "iterations",
        "between evaluations, one at the end in any case; 0 for none at all"),
      .rewards("held_out", \.heldOut, "what pictures are scored by without being trained on it"),
      .integer("prompts", \.prompts, 0...65_536, default: 0, "prompts that are drawn, spread evenly over the file; 0 for all"),
      .integer("samples_per_prompt", \.samplesPerPrompt, 1...4_096, default: 1, "pictures of each"),
      .flag("keep_best", \.keepBest, default: true, "leave the model of the best evaluation in best/"),
      .choice("watchdog", \.watchdog, default: .off, "when trained rewards rise while held-out ones fall"),
      .integer(
        "watchdog_patience", \.patience, 1...1_000_000, default: 3, unit: "evaluations",
        "suspicious ones in a row before the watchdog acts"),
      .number(
        "watchdog_minimum_delta", \.minimumDelta, .closed(0, 1_000), default: 0,
        "the change that counts, in standard deviations of the first evaluation"),
    ]
  }

  var isOn: Bool { every > 0 }

  /// - Parameter trained: the rewards of training.
  func validate(_ check: inout Validation, trained: [RewardSetting]) {
    self.check(&check, prefix: "evaluation.")
    let reason = heldOut.isEmpty ? "the watchdog is on" : "rewards are held out"
    check.require(
      isOn || (heldOut.isEmpty && watchdog == .off), "evaluation.every",
      expected: "a number above 0 (--evaluate-every), as \(reason)", got: every)
    guard isOn, !trained.isEmpty else { return }
    check.include { () throws(MixGRPOError) in _ = try EvaluationRecord(rewards: rewards(trained: trained), watchdog: dog) }
  }

  /// The trained rewards, then those held out. The best model is the one that does best by the latter, where there are any.
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

  /// Rows of `count` prompts, evenly chosen.
  func rows(of count: Int) -> [Int32] {
    let wanted = prompts == 0 ? count : min(prompts, count)
    return (0..<wanted).map { Int32(truncatingIfNeeded: $0 * count / wanted) }
  }
}
