import MixBasics
import MixFlowModel
import MixLearning
import MixNumerics
import MixStorage

/// An evaluation on disk: one safetensors file with the best weights, the evaluation's state as metadata, and a checksum of
/// everything at its end.
///
/// The trainer's file can be saved to the same folder.
extension Evaluation {
  private static let fileName = "evaluation.safetensors"
  private static let format = "mixgrpo-evaluation-1"

  /// Saves the state to `folder`, which is created when it is missing: the best result with its weights, and the watchdog's
  /// state.
  /// - Throws: `inputOutput`.
  public func save(folder: String) throws(MixGRPOError) {
    try FileAccess.createFolder(folder)
    var metadata = settings + [("format", Self.format)] + numbers.map { ($0.key, $0.value) }
    var entries: [WeightEntry] = []
    // A file says nothing of the frozen weights of an adapter: it has all weights.
    let best = try best.map { (model) throws(MixGRPOError) in model.frozen == nil ? model : try model.merged() }
    if let best {
      metadata.append(("model", try JSONValue.object(best.configuration.json).text()))
      entries = best.parameters.map { entry in
        WeightEntry(
          name: entry.name, shape: entry.shape,
          values: UnsafeBufferPointer(start: best.weights + entry.offset, count: entry.count))
      }
    }
    let path = FileAccess.join(folder, Self.fileName)
    try withExtendedLifetime(best) { () throws(MixGRPOError) in
      try SafetensorsWriter.write(
        entries, precision: .float32, metadata: metadata.sorted { $0.0 < $1.0 }, checksum: true, to: path)
    }
  }

  /// Restores the saved state into this evaluation, which must have the same settings. State is replaced only after the whole
  /// file has been validated. Its last verdict is restored, too.
  /// - Throws: `inputOutput`, `invalidFormat`, `invalidArgument` naming the settings that differ, `outOfMemory`.
  public func restore(folder: String) throws(MixGRPOError) {
    let file = try SafetensorsFile(path: FileAccess.join(folder, Self.fileName))
    guard file.metadata["format"] == Self.format else {
      throw MixGRPOError(
        .invalidFormat, "\(file.path): expected format \(Self.format), got \(file.metadata["format"] ?? "none")")
    }
    try file.verifyChecksum()
    var check = Validation()
    for (name, value) in settings {
      let saved = file.metadata[name]
      check.require(saved == value, name, expected: "\(saved ?? "nothing"), as saved", got: value)
    }
    try check.throwIfAny()
    restore(try savedState(file), best: configuration.keepBest ? try savedBest(file) : nil)
  }

  /// The settings that a resumed run depends on, by name.
  private var settings: [(String, String)] {
    [
      (
        "rewards",
        record.rewards.map { "\($0.name)\($0.isHeldOut ? " (held out)" : "") × \($0.weight)" }.joined(separator: ", ")
      ),
      ("prompt_indices", "\(prompts)"), ("weights", "\(configuration.weights)"),
      (
        "sampling",
        "\(plan.steps) steps, \(plan.transitions.map(\.kind.rawValue)), \(plan.transitions.map(\.sigma)), "
          + "\(plan.groupSize) per prompt, \(plan.trainedModelSteps) trained, \(plan.sigmaRounding), seed \(plan.seed)"
      ),
    ]
  }

  // MARK: - State

  private var numbers: [String: String] {
    [
      "latest_iteration": "\(state.latestIteration)", "best_iteration": "\(state.bestIteration)",
      "best_score": "\(state.bestScore)", "origins": Self.text(state.origins), "scales": Self.text(state.scales),
      "peak_iteration": "\(state.watchdog.peakIteration)", "worsening": "\(state.watchdog.worsening)",
      "held_out_peak": "\(state.watchdog.heldOutPeak)", "trained_at_peak": "\(state.watchdog.trainedAtPeak)",
    ]
  }

  private static func text(_ values: [Double]) -> String { values.map { "\($0)" }.joined(separator: " ") }

  private func savedState(_ file: SafetensorsFile) throws(MixGRPOError) -> EvaluationRecord.State {
    var state = EvaluationRecord.State(rewards: record.rewards.count)
    state.latestIteration = try integer("latest_iteration", file)
    state.bestIteration = try integer("best_iteration", file)
    state.bestScore = try values("best_score", 1, file)[0]
    state.origins = try values("origins", record.rewards.count, file)
    state.scales = try values("scales", record.rewards.count, file)
    state.watchdog.peakIteration = try integer("peak_iteration", file)
    state.watchdog.worsening = try integer("worsening", file)
    state.watchdog.heldOutPeak = try values("held_out_peak", 1, file)[0]
    state.watchdog.trainedAtPeak = try values("trained_at_peak", 1, file)[0]
    if let problem = state.problem {
      throw MixGRPOError(.invalidFormat, "\(printable(file.path)): expected \(problem), got other values")
    }
    return state
  }

  private func integer(_ name: String, _ file: SafetensorsFile) throws(MixGRPOError) -> Int {
    guard let value = file.metadata[name].flatMap({ Int($0) }), (-1...maximumCount).contains(value) else {
      throw fault(name, file, expected: "-1…\(maximumCount)")
    }
    return value
  }

  private func values(_ name: String, _ count: Int, _ file: SafetensorsFile) throws(MixGRPOError) -> [Double] {
    let words = file.metadata[name]?.split(separator: " ") ?? []
    let values = words.compactMap { Double($0) }
    guard values.count == count, words.count == count else { throw fault(name, file, expected: "\(count) numbers") }
    return values
  }

  private func fault(_ name: String, _ file: SafetensorsFile, expected: String) -> MixGRPOError {
    let found = file.metadata[name] == nil ? "none" : "something else"
    return MixGRPOError(.invalidFormat, "\(file.path): \(name): expected \(expected), got \(found)")
  }

  // MARK: - The best weights

  private func savedBest(_ file: SafetensorsFile) throws(MixGRPOError) -> FlowTransformer? {
    guard let text = file.metadata["model"] else { return nil }
    guard let json = try JSONParser.parse(text, source: file.path).object else {
      throw fault("model", file, expected: "an object")
    }
    let configuration = try FlowTransformerConfiguration(json: json, source: file.path)
    // The sizes are used only when the file holds that many weights.
    let wanted = try ParameterLayout(configuration).count
    guard file.tensors.reduce(0, { $0 + $1.elementCount }) >= wanted else {
      throw fault("model", file, expected: "the sizes of the weights beside it")
    }
    let best = try FlowTransformer(configuration: configuration)
    for entry in best.parameters {
      let target = UnsafeMutableBufferPointer(rebasing: best.writableWeights()[entry.offset..<entry.offset + entry.count])
      try file.read(entry.name, expectedShape: entry.shape, into: target)
    }
    guard Reduction.allFinite(best.weights, count: best.parameterCount) else {
      throw MixGRPOError(.invalidFormat, "\(file.path): expected finite weights, got NaN or infinity")
    }
    return best
  }
}
