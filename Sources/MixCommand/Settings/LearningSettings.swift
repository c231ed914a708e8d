import CMixGRPO
import MixGRPO
import MixSettings

/// How the model learns from rewards: the header's settings. Nobody needs to set the number of minibatches: the usual one shrinks
/// with the group.
struct LearningSettings: SettingsTable, Equatable {
  /// Its `updates_per_iteration` is 0 for the usual number.
  var record: mixgrpo_learning_config

  private static let usualUpdates = mixgrpo_learning_config.standard.updates_per_iteration

  static let settings: [Setting<LearningSettings>] = mixgrpo_learning_config.settings.map {
    $0.key == "updates_per_iteration" ? updates : $0.within(\.record)
  }

  private static let updates = Setting<LearningSettings>.integer(
    "updates_per_iteration", \.record.updates_per_iteration, 0...4_096, unit: "minibatches",
    "minibatches that each group is split into, one optimizer step each; at most group_size; 0 for \(usualUpdates), or the group size when that is less"
  )

  init() {
    record = .standard
    record.updates_per_iteration = 0
  }

  init(_ configuration: LearningConfiguration) {
    record = configuration.record
    if record.updates_per_iteration == Self.usualUpdates { record.updates_per_iteration = 0 }
  }

  /// The record with the number of minibatches.
  func resolved(groupSize: Int) -> mixgrpo_learning_config {
    var resolved = record
    if record.updates_per_iteration == 0 {
      resolved.updates_per_iteration = max(1, min(Self.usualUpdates, Int32(clamping: groupSize)))
    }
    return resolved
  }

  /// - Parameter weights: weight of each reward.
  /// - Throws: `invalidArgument` naming every invalid setting.
  func configuration(weights: [Double], groupSize: Int) throws(MixGRPOError) -> LearningConfiguration {
    try LearningConfiguration(resolved(groupSize: groupSize), weights: weights, groupSize: groupSize)
  }

  static func == (first: Self, second: Self) -> Bool { first.json == second.json }
}
