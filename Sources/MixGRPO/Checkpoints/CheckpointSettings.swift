import MixBasics
import MixFlowModel
import MixLearning
import MixSampling

/// Every setting that a continuation depends on as text, under its name in `mixgrpo.h`.
///
/// Found by reflection, so that none can be forgotten: a field's name is its Swift name in snake case, unless the table says
/// otherwise. The cases of an enumeration are values, what they carry are fields of their own.
struct CheckpointSettings: Equatable {
  private(set) var values: [String: String] = [:]

  /// "Type.field" or "Type.case" → the header's name; "" for what the fields below it tell already.
  private static let headerNames = [
    "SamplingConfiguration.schedule": "", "SamplingConfiguration.sharedInitialNoise": "initial_noise",
    "WindowMode.initialInterval": "window_interval", "WindowMode.maximumInterval": "window_interval",
    "WindowMode.rate": "window_decay_rate", "WindowMode.threshold": "window_decay_threshold",
    "AdaptiveInterval.minimum": "window_minimum_interval", "AdaptiveInterval.maximum": "window_interval",
    "WindowMode.all": "trained_subset", "TrainedSubset.firstFraction": "trained_fraction",
    "TrainedSubset.randomSubset": "trained_fraction",
    "AdvantageConfiguration.aggregation": "advantage_mode", "AdvantageConfiguration.spread": "std_scope",
    "AdvantageConfiguration.trim": "trim_fraction", "AdvantageConfiguration.clip": "advantage_clip",
    "PolicyConfiguration.referencePenalty": "kl_reference", "PolicyConfiguration.oldPolicyPenalty": "kl_old",
    "AdamWConfiguration.maximumGradientNorm": "max_gradient_norm", "LearningRateSchedule.shape": "schedule",
    "Shape.minimumFraction": "min_rate_fraction", "LearningConfiguration.averageDecay": "ema_decay",
  ]

  /// Of types whose fields the header keeps apart by a prefix.
  private static let prefixes = ["WindowMode": "window_", "AdaptiveInterval": "window_", "FlashTail": "flash_"]

  /// Settings that change no result of a sound run; a resumed run may choose them anew. `max_batch` is in older checkpoints.
  private static let withoutEffect: Set<String> = ["fault_policy", "max_velocity_change", "roll_back_rate_factor", "max_batch"]

  /// Adds all fields of a configuration.
  mutating func add(_ configuration: Any) { addFields(of: configuration) }

  mutating func add(_ name: String, _ value: some Any) {
    if !Self.withoutEffect.contains(name) { values[name] = "\(value)" }
  }

  private mutating func addFields(of value: Any) {
    let type = "\(type(of: value))"
    for child in Mirror(reflecting: value).children {
      add(Self.headerName(type, child.label ?? ""), anyValue: child.value)
    }
  }

  private mutating func add(_ name: String, anyValue value: Any) {
    let mirror = Mirror(reflecting: value)
    switch mirror.displayStyle {
    case .optional: if let child = mirror.children.first { add(name, anyValue: child.value) }
    case .struct: addFields(of: value)
    case .enum: addChoice(name, value, mirror)
    default: add(name, value)
    }
  }

  private mutating func addChoice(_ name: String, _ value: Any, _ mirror: Mirror) {
    guard let payload = mirror.children.first, let choice = payload.label else { return add(name, Self.snakeCase("\(value)")) }
    let type = "\(type(of: value))"
    if !name.isEmpty { add(name, Self.snakeCase(choice)) }
    let fields = Mirror(reflecting: payload.value)
    guard fields.displayStyle == .tuple else { return add(Self.headerName(type, choice), anyValue: payload.value) }
    for field in fields.children { add(Self.headerName(type, field.label ?? choice), anyValue: field.value) }
  }

  private static func headerName(_ type: String, _ field: String) -> String {
    headerNames["\(type).\(field)"] ?? (prefixes[type] ?? "") + snakeCase(field)
  }

  private static func snakeCase(_ name: String) -> String {
    name.reduce(into: "") { $0 += $1.isUppercase ? "_" + $1.lowercased() : String($1) }
  }

  /// - Throws: `invalidArgument` naming all settings that are not as saved.
  func compare(saved: [String: String]) throws(MixGRPOError) {
    var check = Validation()
    for name in Set(values.keys).union(saved.keys).subtracting(Self.withoutEffect).sorted() {
      check.require(
        saved[name] == values[name], name, expected: "\(saved[name] ?? "nothing"), as saved", got: values[name] ?? "nothing")
    }
    try check.throwIfAny()
  }
}

extension CheckpointSettings {
  init(_ trainer: Trainer) {
    add(trainer.evaluator)
    add(trainer.sampling)
    add(trainer.learning)
    add("reward_names", trainer.rewardNames)
    add("keep_base", trainer.base != nil)
  }

  init(_ pretrainer: FlowMatchingPretrainer) {
    add(pretrainer.evaluator)
    add(pretrainer.configuration)
  }

  private mutating func add(_ evaluator: FlowEvaluator) {
    add(evaluator.model.configuration)
    add("text_length", evaluator.textLength)
    if evaluator.model.configuration.guidanceEmbeds { add("guidance", evaluator.guidance) }
    add("image_ids", "\(evaluator.geometry.tokens) tokens at positions with hash \(Self.hash(evaluator.geometry.positions))")
  }

  private static func hash(_ values: [Float]) -> String {
    String(FNV1a.hash(values.lazy.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) }), radix: 16)
  }
}
