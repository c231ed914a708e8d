import CMixGRPO
import MixBasics
import MixFlowModel
import MixLearning
import MixSampling
import MixSettings
import MixStorage

/// Every setting that a resumed run depends on, as text: the rows that change results, by key, and values without a row.
struct CheckpointSettings: Equatable {
  private(set) var values: [String: String] = [:]

  mutating func add(_ name: String, _ value: some Any) { values[name] = "\(value)" }

  /// Adds the rows that change results.
  mutating func add(_ table: some SettingsTable) {
    for line in table.lines() where line.changesResults { values[line.path] = line.value.shown }
  }

  /// - Throws: `invalidArgument` naming all settings that differ from the saved ones.
  func compare(saved: [String: String]) throws(MixGRPOError) {
    var check = Validation()
    let known = Array(values.keys)
    for name in Set(known).union(saved.keys).sorted() where saved[name] != values[name] {
      let hint = values[name] == nil ? suggestion(for: name, among: known) : ""
      check.require(
        false, name, expected: "\(saved[name] ?? "nothing"), as saved", got: values[name] ?? "nothing by that name\(hint)")
    }
    try check.throwIfAny()
  }
}

extension CheckpointSettings {
  init(_ trainer: Trainer) {
    self.init(iterationOf: trainer.machine)
    add(trainer.evaluator)
    add("keep_base", trainer.base != nil)
  }

  /// The settings of a trainer whose model and optimizer belong to the host.
  init(_ trainer: ModelFreeTrainer) {
    self.init(iterationOf: trainer)
    add("latent_size", trainer.model.latentSize)
  }

  private init(iterationOf trainer: ModelFreeTrainer) {
    add(trainer.sampling.record)
    if case .sigmas(let sigmas) = trainer.sampling.schedule { add("sigmas", sigmas) }
    add(trainer.learning.record)
    add("weights", trainer.learning.advantages.weights)
    add("reward_names", trainer.rewardNames)
  }

  /// By name, sorted.
  var json: JSONObject {
    var object = JSONObject()
    for (name, value) in values.sorted(by: { $0.key < $1.key }) { object[name] = .string(value) }
    return object
  }

  init(_ pretrainer: FlowMatchingPretrainer) {
    add(pretrainer.evaluator)
    add(pretrainer.configuration)
  }

  private mutating func add(_ evaluator: FlowEvaluator) {
    add(evaluator.model.configuration.record)
    add("text_length", evaluator.textLength)
    if evaluator.model.configuration.guidanceEmbeds { add("guidance", evaluator.guidance) }
    add("precision", evaluator.precision)
    if let adapter = evaluator.model.adapter { add("adapter", Self.description(adapter)) }
    add("image_ids", "\(evaluator.geometry.tokens) tokens at positions with hash \(Self.hash(evaluator.geometry.positions))")
  }

  private static func description(_ adapter: AdapterLayout) -> String {
    let matrices = adapter.matrices.map { "\($0.module.name) \($0.low.rank) \($0.low.scale)" }
    let first = adapter.matrices[0].low
    return "\(matrices.count) layers, of rank \(first.rank) and scale \(first.scale) or others, with hash "
      + String(FNV1a.hash(matrices.joined(separator: "\n").utf8), radix: 16)
  }

  private static func hash(_ values: [Float]) -> String {
    String(FNV1a.hash(values.lazy.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) }), radix: 16)
  }
}
