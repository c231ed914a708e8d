import CMixGRPO
import MixGRPO
import MixSettings

/// When and how the model is evaluated during training: always the same prompts from the same noise, also with held-out
/// rewards. The watchdog has the header's settings.
struct EvaluationSettings: SettingsTable {
  /// Its `every` is 0 for no evaluations.
  var record = mixgrpo_evaluation_config.standard
  var heldOut: [RewardSetting] = []
  var prompts = 16
  var samplesPerPrompt = 1

  static let settings: [Setting<EvaluationSettings>] =
    [
      .integer(
        "every", \.record.every, 0...1_000_000, unit: "iterations",
        "iterations between evaluations; the last iteration is always evaluated; 0 for no evaluations"),
      .rewards("held_out", \.heldOut, "rewards that score the pictures but are not trained on"),
      .integer("prompts", \.prompts, 0...65_536, "most prompts to evaluate, evenly spread over the file; 0 for all"),
      .integer("samples_per_prompt", \.samplesPerPrompt, 1...4_096, "pictures of each prompt"),
      .flag("keep_best", \.record.keep_best, default: true, "save the model of the best evaluation to best/"),
    ] + mixgrpo_evaluation_config.settings.filter { $0.key.hasPrefix("watchdog") }.map { $0.within(\.record) }

  var isOn: Bool { record.every > 0 }

  /// - Parameter trained: the training rewards.
  func validate(_ check: inout Validation, trained: [RewardSetting]) {
    self.check(&check, prefix: "evaluation.")
    let reason = heldOut.isEmpty ? "the watchdog is on" : "rewards are held out"
    check.require(
      isOn || (heldOut.isEmpty && Int(record.watchdog) == MIXGRPO_WATCHDOG_OFF), "evaluation.every",
      expected: "a number above 0 (--evaluate-every), because \(reason)", got: record.every)
    guard isOn, !trained.isEmpty else { return }
    var others = self
    others.record = .standard  // the watchdog's bounds are checked above
    others.record.watchdog = record.watchdog
    check.include { () throws(MixGRPOError) in
      _ = try EvaluationRecord(rewards: rewards(trained: trained), watchdog: others.configuration().watchdog)
    }
  }

  /// The training rewards, then the held-out ones. The best model is chosen by the held-out rewards, or by the training rewards
  /// when none is held out.
  func rewards(trained: [RewardSetting]) -> [EvaluationReward] {
    trained.map { EvaluationReward($0.name, weight: heldOut.isEmpty ? $0.weight : 0) }
      + heldOut.map { EvaluationReward($0.name, weight: $0.weight, isHeldOut: true) }
  }

  /// - Throws: `invalidArgument` naming every setting that is out of range.
  func configuration() throws(MixGRPOError) -> EvaluationConfiguration {
    var record = record
    record.every = max(record.every, 1)
    return try EvaluationConfiguration(record)
  }

  /// Evenly chosen rows of `count` prompts.
  func rows(of count: Int) -> [Int32] {
    let wanted = prompts == 0 ? count : min(prompts, count)
    return (0..<wanted).map { Int32(truncatingIfNeeded: $0 * count / wanted) }
  }
}
