import CMixGRPO
import MixGRPO
import MixSettings

/// How pictures are sampled in training: the header's settings, and custom noise levels. Nobody needs to set the window's length:
/// the usual one shrinks with the steps.
struct SamplingSettings: SettingsTable, Equatable {
  /// Its `window_length` is 0 for the usual length.
  var record: mixgrpo_sampling_config
  var sigmas: [Double] = []

  private static let usualWindow = mixgrpo_sampling_config.standard.window_length

  static let settings: [Setting<SamplingSettings>] =
    mixgrpo_sampling_config.settings.map { $0.key == "window_length" ? windowLength : $0.within(\.record) } + [
      .numbers("sigmas", \.sigmas, "custom noise levels instead of steps and shift, decreasing, the last 0")
    ]

  private static let windowLength = Setting<SamplingSettings>.integer(
    "window_length", \.record.window_length, 0...9_999, unit: "steps",
    "w, steps in the window, at most T - 1; not used with window_mode all; 0 for \(usualWindow), or T - 1 when that is less")

  init() {
    record = .standard
    record.window_length = 0
  }

  init(_ configuration: SamplingConfiguration) {
    record = configuration.record
    if record.window_length == Self.usualWindow { record.window_length = 0 }
    if case .sigmas(let sigmas) = configuration.schedule { self.sigmas = sigmas }
  }

  /// - Throws: `invalidArgument` naming every invalid setting.
  func configuration() throws(MixGRPOError) -> SamplingConfiguration {
    let configuration = try SamplingConfiguration(resolved, sigmas: sigmas.isEmpty ? nil : sigmas)
    try require(
      configuration.windowMode != .given, "window_mode", expected: "a mode that schedules windows", got: "given")
    return configuration
  }

  /// The record with the window's length.
  var resolved: mixgrpo_sampling_config {
    var resolved = record
    let steps = sigmas.isEmpty ? record.steps : Int32(clamping: sigmas.count - 1)
    if record.window_length == 0 { resolved.window_length = max(1, min(Self.usualWindow, steps &- 1)) }
    return resolved
  }

  static func == (first: Self, second: Self) -> Bool { first.json == second.json }
}
