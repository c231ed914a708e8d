import MixBasics
import MixFlowModel
import MixLearning
import MixSampling
import MixStorage

/// A trainer on disk: one safetensors file with weights, moments and averages, whose metadata holds counters and settings.
///
/// One file, written aside and renamed, so that what is there is always whole.
extension Trainer {
  private static let fileName = "trainer.safetensors"
  private static let format = "mixgrpo-trainer-1"

  /// Saves all that a bit-exact continuation needs into `folder`, made if need be.
  /// - Throws: `inputOutput`.
  public func save(folder: String) throws(MixGRPOError) {
    try FileAccess.createFolder(folder)
    var metadata = settings
    metadata["format"] = Self.format
    metadata["iteration"] = "\(iteration)"
    metadata["optimizer_steps"] = "\(learner.optimizer.stepCount)"
    metadata["adaptive_window"] = adaptiveWindow?.text
    let entries = parts.map { part in
      WeightEntry(
        name: part.name, shape: [part.values.count], values: UnsafeBufferPointer(part.values))
    }
    try SafetensorsWriter.write(
      entries, precision: .float32, metadata: metadata.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, to: FileAccess.join(folder, Self.fileName))
  }

  /// Brings this trainer, made with the same model sizes and settings, to the saved state.
  ///
  /// Everything is read and checked before anything changes; a pending rollout is dropped.
  /// - Throws: `inputOutput`, `invalidFormat`, `invalidArgument` naming the settings that differ.
  public func load(folder: String) throws(MixGRPOError) {
    let path = FileAccess.join(folder, Self.fileName)
    let file = try SafetensorsFile(path: path)
    guard file.metadata["format"] == Self.format else {
      throw MixGRPOError(.invalidFormat, "\(path): expected format \(Self.format), got \(file.metadata["format"] ?? "none")")
    }
    try compareSettings(file.metadata)
    let iteration = try counter("iteration", file), steps = try counter("optimizer_steps", file)
    let window = try savedWindow(file)
    var read: [FloatStorage] = []
    for part in parts {
      let values = try FloatStorage(count: part.values.count)
      try file.read(part.name, expectedShape: [values.count], into: values.buffer)
      guard values.buffer.allSatisfy(\.isFinite) else {
        throw MixGRPOError(.invalidFormat, "\(path): \(part.name): expected finite values, got NaN or infinity")
      }
      read.append(values)
    }
    for (part, values) in zip(parts, read) { part.values.baseAddress?.update(from: values.base, count: values.count) }
    learner.optimizer.stepCount = steps
    self.iteration = iteration
    adaptiveWindow = window
    dropRollout()
  }

  private var parts: [(name: String, values: UnsafeMutableBufferPointer<Float>)] {
    var parts = [
      ("weights", evaluator.model.writableWeights()), ("first_moment", learner.optimizer.firstMoment.buffer),
      ("second_moment", learner.optimizer.secondMoment.buffer),
    ]
    if let average = learner.average?.average { parts.append(("average", average.buffer)) }
    if let base { parts.append(("base", base.model.writableWeights())) }
    return parts
  }

  /// Every setting that a continuation depends on, by name.
  private var settings: [String: String] {
    var table: [String: String] = [:]
    func add(_ group: String, _ value: Any) {
      for child in Mirror(reflecting: value).children {
        table["\(group).\(child.label ?? "")"] = "\(child.value)"
      }
    }
    add("model", evaluator.model.configuration)
    add("sampling", sampling)
    add("advantages", learning.advantages)
    add("policy", learning.policy)
    add("optimizer", learning.optimizer)
    table["average_decay"] = "\(learning.averageDecay)"
    table["reward_names"] = "\(rewardNames)"
    table["positions"] = "\(FNV1a.hash(evaluator.geometry.positions.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) }))"
    return table
  }

  private func compareSettings(_ saved: [String: String]) throws(MixGRPOError) {
    var check = Validation()
    for (name, value) in settings.sorted(by: { $0.key < $1.key }) {
      check.require(saved[name] == value, name, expected: "\(saved[name] ?? "nothing"), as saved", got: value)
    }
    try check.throwIfAny()
  }

  /// Nil where the window is not adaptive.
  private func savedWindow(_ file: SafetensorsFile) throws(MixGRPOError) -> AdaptiveWindowState? {
    guard adaptiveWindow != nil else { return nil }
    guard let text = file.metadata["adaptive_window"], let state = AdaptiveWindowState(text: text) else {
      throw MixGRPOError(.invalidFormat, "\(file.path): adaptive_window: expected a state, got none")
    }
    do { try sampling.windowSchedule().check(state) } catch {
      throw MixGRPOError(.invalidFormat, "\(file.path): adaptive_window: \(error.message)")
    }
    return state
  }

  private func counter(_ name: String, _ file: SafetensorsFile) throws(MixGRPOError) -> Int {
    guard let value = file.metadata[name].flatMap({ Int($0) }), value >= 0 else {
      throw MixGRPOError(.invalidFormat, "\(file.path): \(name): expected a count, got \(file.metadata[name] ?? "nothing")")
    }
    return value
  }
}
