import MixBasics
import MixSampling
import MixStorage

/// The state of a trainer without a model, for the checkpoint of the model owner.
extension ModelFreeTrainer {
  private static let format = "mixgrpo-progress-1"

  /// Everything that a bit-exact continuation needs besides the host's weights and optimizer, as one line of JSON: iteration,
  /// window, the learning rate factor left by roll-backs, and the settings. Samples that wait for an update are not included:
  /// the resumed run repeats the iteration with identical results.
  /// - Throws: `invalidState` while an update is not finished.
  public func progressText() throws(MixGRPOError) -> String {
    try requireNoUpdate("progress")
    var object: JSONObject = [
      "format": .string(Self.format), "library_version": .string(libraryVersion),
      "settings": .object(CheckpointSettings(self).json),
    ]
    for section in sections { object[section.name] = .object(section.state) }
    return try JSONValue.object(object).text(.compact)
  }

  /// Restores the state saved by `progressText`; the host must restore its weights and optimizer of that time. The next rollout
  /// then gives identical results. A pending rollout, tickets and the latest metrics are discarded. State is replaced only
  /// after the whole text has been validated.
  /// - Throws: `invalidFormat`; `invalidArgument` naming the settings that differ; `invalidState` while an update is not
  ///   finished.
  public func restore(progressText text: String) throws(MixGRPOError) {
    try requireNoUpdate("progress")
    guard let saved = try JSONParser.parse(text, source: "progress").object, saved["format"]?.string == Self.format else {
      throw MixGRPOError(.invalidFormat, "progress: expected format \(Self.format), got another")
    }
    var settings: [String: String] = [:]
    for member in try SavedSection("settings", in: saved, source: "progress").state.members {
      settings[member.name] = member.value.string
    }
    try CheckpointSettings(self).compare(saved: settings)
    var takeOver: [() -> Void] = []
    for section in sections { takeOver.append(try section.prepare(SavedSection(section.name, in: saved, source: "progress"))) }
    for take in takeOver { take() }
    dropIteration()
  }

  private var sections: [CheckpointSection] { [progressSection, rateSection] + windowSections }

  private var rateSection: CheckpointSection {
    CheckpointSection(name: "optimizer", state: ["rate_factor": .number(rateFactor)]) { (saved) throws(MixGRPOError) in
      let factor = try saved.rateFactor()
      return { self.rateFactor = factor }
    }
  }

  /// The section of an adaptive window; empty in other modes.
  var windowSections: [CheckpointSection] { adaptiveWindow.map { [section(of: $0)] } ?? [] }

  /// Counters, and the window if the host has set one. Random numbers depend only on seed and counters, so no random state is
  /// saved.
  var progressSection: CheckpointSection {
    var state: JSONObject = ["iteration": .integer(Int64(iteration))]
    if let window { state["window_start"] = .integer(Int64(window.start)) }
    return CheckpointSection(name: "progress", state: state) { (saved) throws(MixGRPOError) in
      let iteration = try saved.count("iteration")
      let start = saved.state["window_start"] == nil ? nil : try saved.count("window_start")
      let schedule = try self.sampling.windowSchedule()
      let window = start.map { SDEWindow(start: $0, length: schedule.length) }
      if let window {
        do throws(MixGRPOError) { try schedule.check(window) } catch {
          throw saved.failure("window_start", expected: "a window of these settings: \(error.message)")
        }
      }
      return {
        self.iteration = iteration
        self.window = window
      }
    }
  }

  /// The position of an adaptive window. The section exists only in that mode, which is one of the compared settings.
  private func section(of adaptiveWindow: AdaptiveWindowState) -> CheckpointSection {
    CheckpointSection(name: "adaptive_window", state: ["state": .string(adaptiveWindow.text)]) {
      (saved) throws(MixGRPOError) in
      guard let state = saved.state["state"]?.string.flatMap(AdaptiveWindowState.init(text:)) else {
        throw saved.failure("state", expected: "an adaptive window's")
      }
      do throws(MixGRPOError) { try self.sampling.windowSchedule().check(state) } catch {
        throw saved.failure("state", expected: error.message)
      }
      return { self.adaptiveWindow = state }
    }
  }
}
