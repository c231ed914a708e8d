import MixBasics
import MixFlowModel
import MixLearning
import MixStorage

/// A pretrainer on disk: one safetensors file with weights and moments, whose metadata holds counter and settings.
extension FlowMatchingPretrainer {
  private static let fileName = "pretrainer.safetensors"
  private static let format = "mixgrpo-pretrainer-1"

  /// Saves all that a bit-exact continuation needs into `folder`, made if need be; the file appears whole or not at all.
  /// - Throws: `inputOutput`.
  public func save(folder: String) throws(MixGRPOError) {
    try FileAccess.createFolder(folder)
    var metadata = settings
    metadata["format"] = Self.format
    metadata["optimizer_steps"] = "\(optimizer.stepCount)"
    let entries = parts.map { part in
      WeightEntry(name: part.name, shape: [part.values.count], values: UnsafeBufferPointer(part.values))
    }
    try SafetensorsWriter.write(
      entries, precision: .float32, metadata: metadata.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
      to: FileAccess.join(folder, Self.fileName))
  }

  /// Brings this pretrainer, made with the same model sizes and settings, to the saved state.
  ///
  /// Everything is read and checked before anything changes.
  /// - Throws: `inputOutput`, `invalidFormat`, `invalidArgument` naming the settings that differ.
  public func load(folder: String) throws(MixGRPOError) {
    let path = FileAccess.join(folder, Self.fileName)
    let file = try SafetensorsFile(path: path)
    try requireFormat(file)
    try compareSettings(file.metadata)
    guard let steps = file.metadata["optimizer_steps"].flatMap({ Int($0) }), (0...mostCounted).contains(steps) else {
      throw MixGRPOError(
        .invalidFormat, "\(path): optimizer_steps: expected a count, got \(file.metadata["optimizer_steps"] ?? "nothing")")
    }
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
    optimizer.stepCount = steps
  }

  private var parts: [(name: String, values: UnsafeMutableBufferPointer<Float>)] {
    [
      ("weights", evaluator.model.writableWeights()), ("first_moment", optimizer.firstMoment.buffer),
      ("second_moment", optimizer.secondMoment.buffer),
    ]
  }

  private func requireFormat(_ file: SafetensorsFile) throws(MixGRPOError) {
    guard file.metadata["format"] == Self.format else {
      throw MixGRPOError(
        .invalidFormat, "\(file.path): format: expected \(Self.format), got \(file.metadata["format"] ?? "none")")
    }
  }

  /// Every setting that a continuation depends on, by name.
  private var settings: [String: String] {
    let optimizer = configuration.optimizer
    var table = [
      "shift": "\(configuration.shift)", "logit_mean": "\(configuration.logitMean)",
      "logit_deviation": "\(configuration.logitDeviation)", "seed": "\(configuration.seed)",
      "learning_rate": "\(optimizer.learningRate)", "schedule": "\(optimizer.schedule.shape)",
      "warmup_steps": "\(optimizer.schedule.warmupSteps)", "weight_decay": "\(optimizer.weightDecay)",
      "beta1": "\(optimizer.beta1)", "beta2": "\(optimizer.beta2)", "epsilon": "\(optimizer.epsilon)",
      "max_gradient_norm": "\(optimizer.maximumGradientNorm)",
    ]
    for member in evaluator.model.configuration.json.members {
      table["model.\(member.name)"] = (try? member.value.text()) ?? ""
    }
    return table
  }

  private func compareSettings(_ saved: [String: String]) throws(MixGRPOError) {
    var check = Validation()
    for (name, value) in settings.sorted(by: { $0.key < $1.key }) {
      check.require(saved[name] == value, name, expected: "\(saved[name] ?? "nothing"), as saved", got: value)
    }
    try check.throwIfAny()
  }
}
