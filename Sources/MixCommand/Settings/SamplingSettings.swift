import CMixGRPO
import MixGRPO
import MixSettings

/// How pictures are sampled in training: the header's settings, and custom noise levels.
struct SamplingSettings: SettingsTable, Equatable {
  var record = mixgrpo_sampling_config.standard
  var sigmas: [Double] = []

  static let settings: [Setting<SamplingSettings>] =
    mixgrpo_sampling_config.settings.map { $0.within(\.record) } + [
      .numbers("sigmas", \.sigmas, "custom noise levels instead of steps and shift, decreasing, the last 0")
    ]

  init() {}

  init(_ configuration: SamplingConfiguration) {
    record = configuration.record
    if case .sigmas(let sigmas) = configuration.schedule { self.sigmas = sigmas }
  }

  /// - Throws: `invalidArgument` naming every invalid setting.
  func configuration() throws(MixGRPOError) -> SamplingConfiguration {
    let configuration = try SamplingConfiguration(record, sigmas: sigmas.isEmpty ? nil : sigmas)
    try require(
      configuration.windowMode != .given, "window_mode", expected: "a mode that schedules windows", got: "given")
    return configuration
  }

  static func == (first: Self, second: Self) -> Bool { first.json == second.json }
}
