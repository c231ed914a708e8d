import CMixGRPO
import MixBasics
import MixLearning
import MixSettings

// Converts the header's flat evaluation struct.

extension EvaluationConfiguration {
  /// - Throws: `invalidArgument` naming every field that is not a known choice or is out of range.
  package init(_ record: mixgrpo_evaluation_config) throws(MixGRPOError) {
    var check = Validation()
    record.check(&check)
    Self.checkRules(weights: TrainerWeights(rawValue: record.weights), &check)
    try check.throwIfAny()
    guard let weights = TrainerWeights(rawValue: record.weights), let action = WatchdogAction(rawValue: record.watchdog) else {
      throw MixGRPOError(.internalFault, "settings: expected names for all choices, got none")
    }
    (every, self.weights, keepBest) = (Int(record.every), weights, record.keep_best == 1)
    watchdog = Watchdog(
      action: action, patience: Int(record.watchdog_patience), minimumDelta: record.watchdog_minimum_delta)
  }

  /// Checks values that `EvaluationRecord` does not check, and rules between values.
  func check(_ check: inout Validation) {
    var record = mixgrpo_evaluation_config.standard
    record.every = Int32(clamping: every)
    record.check(&check)
    Self.checkRules(weights: weights, &check)
  }

  private static func checkRules(weights: TrainerWeights?, _ check: inout Validation) {
    check.require(weights != .base, "weights", expected: "the trained weights or their average", got: "base")
  }
}
