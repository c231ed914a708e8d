import MixBasics
import MixFlowModel
import MixLearning
import MixSampling
import MixStorage

/// A trainer on disk: one safetensors file of sections (see `CheckpointSection`), with the settings and the library's version in
/// its header and a checksum of all at its end. Written aside, synced and renamed, so that what is there is always whole.
extension Trainer {
  private static let fileName = "trainer.safetensors"
  private static let format = "mixgrpo-trainer-2"

  /// Saves all that a bit-exact continuation needs into `folder`, made if need be. Samples that wait for an update are not
  /// saved: the iteration begins again, with the same numbers. Not stopped by a cancel.
  /// - Throws: `inputOutput`.
  public func save(folder: String) throws(MixGRPOError) {
    try FileAccess.createFolder(folder)
    try writeCheckpoint(to: FileAccess.join(folder, Self.fileName))
  }

  /// Brings this trainer, made with the same model sizes and settings, to the saved state.
  ///
  /// Everything is read and checked before anything changes; a pending rollout, tickets and the latest metrics are dropped. The
  /// number of threads may differ and changes no bit; other prompts are not noticed. Not stopped by a cancel.
  /// - Throws: `inputOutput`, `invalidFormat`, `invalidArgument` naming the settings that differ.
  public func load(folder: String) throws(MixGRPOError) {
    try readCheckpoint(from: FileAccess.join(folder, Self.fileName))
  }

  func writeCheckpoint(to path: String) throws(MixGRPOError) {
    try AtomicFile.removeLeftovers(in: FileAccess.folder(of: path))
    let sections = checkpointSections
    var metadata = [("format", Self.format), ("library_version", libraryVersion)]
    metadata.append(("settings", try text(of: CheckpointSettings(self).values)))
    for section in sections { metadata.append((section.name, try JSONValue.object(section.state).text())) }
    try SafetensorsWriter.write(
      sections.flatMap(\.entries), precision: .float32, metadata: metadata, checksum: true, to: path)
  }

  func readCheckpoint(from path: String) throws(MixGRPOError) {
    let file = try SafetensorsFile(path: path)
    guard file.metadata["format"] == Self.format else {
      throw MixGRPOError(.invalidFormat, "\(path): format: expected \(Self.format), got \(file.metadata["format"] ?? "none")")
    }
    try file.verifyChecksum()
    try CheckpointSettings(self).compare(saved: savedSettings(file))
    var takeOver: [() -> Void] = []
    for section in checkpointSections { takeOver.append(try section.prepare(SavedSection(section.name, in: file))) }
    for take in takeOver { take() }
    dropIteration()
  }

  private func text(of settings: [String: String]) throws(MixGRPOError) -> String {
    var object = JSONObject()
    for (name, value) in settings.sorted(by: { $0.key < $1.key }) { object[name] = .string(value) }
    return try JSONValue.object(object).text()
  }

  private func savedSettings(_ file: SafetensorsFile) throws(MixGRPOError) -> [String: String] {
    var settings: [String: String] = [:]
    for member in try SavedSection("settings", in: file).state.members { settings[member.name] = member.value.string }
    return settings
  }
}

// MARK: - Sections

extension Trainer {
  /// All state of a run, in the file's order. What a trainer gains in state gets a section here.
  var checkpointSections: [CheckpointSection] {
    [progressSection, weightsSection, optimizerSection] + (adaptiveWindow.map { [section(of: $0)] } ?? [])
  }

  /// Counters, and the window if the host has set one. Random numbers are keyed by seed and counters and need no state.
  private var progressSection: CheckpointSection {
    var state: JSONObject = ["iteration": .integer(Int64(iteration))]
    if let window { state["window_start"] = .integer(Int64(window.start)) }
    return CheckpointSection(name: "progress", state: state) { (saved) throws(MixGRPOError) in
      let iteration = try saved.count("iteration")
      let start = saved.state["window_start"] == nil ? nil : try saved.count("window_start")
      let schedule = try self.sampling.windowSchedule()
      let window = start.map { SDEWindow(start: $0, length: schedule.length) }
      if let window { try schedule.check(window) }
      return {
        self.iteration = iteration
        self.window = window
      }
    }
  }

  /// Where an adaptive window stands; there in that mode alone, which is one of the settings.
  private func section(of adaptiveWindow: AdaptiveWindowState) -> CheckpointSection {
    CheckpointSection(name: "adaptive_window", state: ["state": .string(adaptiveWindow.text)]) {
      (saved) throws(MixGRPOError) in
      guard let state = saved.state["state"]?.string.flatMap(AdaptiveWindowState.init(text:)) else {
        throw saved.failure("state", expected: "an adaptive window's")
      }
      do throws(MixGRPOError) { try self.sampling.windowSchedule().check(state) } catch { throw saved.failure("state", expected: error.message) }
      return { self.adaptiveWindow = state }
    }
  }

  private var weightsSection: CheckpointSection {
    var sets = [("trained", evaluator.model.writableWeights())]
    if let average = learner.average?.average { sets.append(("average", average.buffer)) }
    if let base { sets.append(("base", base.model.writableWeights())) }
    return .tensors("weights", sets)
  }

  private var optimizerSection: CheckpointSection {
    let optimizer = learner.optimizer
    let moments = [("first_moment", optimizer.firstMoment.buffer), ("second_moment", optimizer.secondMoment.buffer)]
    let state: JSONObject = ["steps": .integer(Int64(optimizer.stepCount)), "rate_factor": .number(optimizer.rateFactor)]
    return .tensors("optimizer", moments, state: state) { (saved) throws(MixGRPOError) in
      let (steps, factor) = (try saved.count("steps"), try saved.double("rate_factor"))
      return { (optimizer.stepCount, optimizer.rateFactor) = (steps, factor) }
    }
  }
}

extension CheckpointSection {
  /// Tensors that are read back to where they came from.
  static func tensors(
    _ name: String, _ sets: [(String, UnsafeMutableBufferPointer<Float>)], state: JSONObject = [:],
    prepare: @escaping (SavedSection) throws(MixGRPOError) -> () -> Void = { _ in {} }
  ) -> CheckpointSection {
    CheckpointSection(
      name: name, state: state, tensors: sets.map { Tensor($0, UnsafeBufferPointer($1)) }
    ) { (saved) throws(MixGRPOError) in
      let takeState = try prepare(saved)
      var read: [(FloatStorage, UnsafeMutableBufferPointer<Float>)] = []
      for (tensor, place) in sets { read.append((try saved.tensor(tensor, count: place.count), place)) }
      return {
        for (values, place) in read { place.baseAddress?.update(from: values.base, count: values.count) }
        takeState()
      }
    }
  }
}
