import CMixGRPO
import MixGRPO
import MixSettings

/// How the model learns from rewards: the header's settings.
struct LearningSettings: SettingsTable, Equatable {
  var record = mixgrpo_learning_config.standard

  static let settings: [Setting<LearningSettings>] = mixgrpo_learning_config.settings.map { $0.within(\.record) }

  init() {}

  init(_ configuration: LearningConfiguration) { record = configuration.record }

  /// - Parameter weights: weight of each reward.
  /// - Throws: `invalidArgument` naming every invalid setting.
  func configuration(weights: [Double], groupSize: Int) throws(MixGRPOError) -> LearningConfiguration {
    try LearningConfiguration(record, weights: weights, groupSize: groupSize)
  }

  static func == (first: Self, second: Self) -> Bool { first.json == second.json }
}
