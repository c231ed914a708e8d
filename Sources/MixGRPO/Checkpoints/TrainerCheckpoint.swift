import MixBasics
import MixFlowModel
import MixLearning
import MixSampling
import MixStorage

/// Checkpoints of a trainer.
extension Trainer {
  private static let fileName = "trainer.safetensors"

  /// Saves everything that a bit-exact continuation needs to `folder`, which is created when it is missing. Samples that wait
  /// for an update are not saved: the resumed run repeats the iteration with identical results. Not affected by cancellation.
  /// - Throws: `inputOutput`.
  public func save(folder: String) throws(MixGRPOError) {
    try FileAccess.createFolder(folder)
    try writeCheckpoint(to: FileAccess.join(folder, Self.fileName))
  }

  /// Restores the saved state into this trainer, which must have the same model sizes and settings.
  ///
  /// State is replaced only after the whole file has been validated; a pending rollout, tickets and the latest metrics are
  /// discarded. The number of threads, `maxBatch`, `maxBytes` and `recomputesActivations` may differ without changing results.
  /// Prompts are not compared. Not affected by cancellation.
  /// - Throws: `inputOutput`, `invalidFormat`, `invalidArgument` naming the settings that differ.
  public func restore(folder: String) throws(MixGRPOError) {
    try readCheckpoint(from: FileAccess.join(folder, Self.fileName))
  }
}

extension Trainer: Checkpointed {
  var checkpointNumber: Int { iteration }
  static var checkpointUnit: String { "iteration" }

  func writeCheckpoint(to path: String) throws(MixGRPOError) { try checkpointFile.write(to: path) }

  func readCheckpoint(from path: String) throws(MixGRPOError) {
    try checkpointFile.read(from: path)
    machine.dropIteration()
  }

  private var checkpointFile: CheckpointFile {
    CheckpointFile(format: "mixgrpo-trainer-3", settings: CheckpointSettings(self), sections: checkpointSections)
  }
}

// MARK: - Sections

extension Trainer {
  /// All state of a run, in the order of the file. New state of a trainer needs a section here.
  var checkpointSections: [CheckpointSection] {
    [
      machine.progressSection, weightsSection,
      .optimizer(learner.optimizer, rateFactor: machine.rateFactor) { self.machine.rateFactor = $0 },
    ]
      + machine.windowSections
  }

  private var weightsSection: CheckpointSection {
    var sets = [TensorPlace("trained", weightsOf: evaluator.model)]
    if let average = learner.average?.average { sets.append(TensorPlace("average", average)) }
    if let base { sets.append(TensorPlace("base", weightsOf: base.model)) }
    return .tensors("weights", sets)
  }
}

extension CheckpointSection {
  /// Moments, completed steps, and the learning rate factor left by roll-backs.
  static func optimizer(
    _ optimizer: AdamW, rateFactor: Double = 1, takeRateFactor: @escaping (Double) -> Void = { _ in }
  ) -> CheckpointSection {
    let moments = [TensorPlace("first_moment", optimizer.firstMoment), TensorPlace("second_moment", optimizer.secondMoment)]
    let state: JSONObject = ["steps": .integer(Int64(optimizer.stepCount)), "rate_factor": .number(rateFactor)]
    return .tensors("optimizer", moments, state: state) { (saved) throws(MixGRPOError) in
      let (steps, factor) = (try saved.count("steps"), try saved.rateFactor())
      return {
        optimizer.stepCount = steps
        takeRateFactor(factor)
      }
    }
  }

  /// A section of tensors that are restored in place.
  static func tensors(
    _ name: String, _ places: [TensorPlace], state: JSONObject = [:],
    prepare: @escaping (SavedSection) throws(MixGRPOError) -> () -> Void = { _ in {} }
  ) -> CheckpointSection {
    CheckpointSection(name: name, state: state, tensors: places.map { Tensor($0.name, $0.values) }) {
      (saved) throws(MixGRPOError) in
      let takeState = try prepare(saved)
      var read: [(FloatStorage, TensorPlace)] = []
      for place in places { read.append((try saved.tensor(place.name, count: place.values.count), place)) }
      return {
        for (values, place) in read { place.target().baseAddress?.update(from: values.base, count: values.count) }
        takeState()
      }
    }
  }
}

/// A tensor of a run: the values to save and the place to restore them to. Saving changes nothing, so that several threads may
/// save at once.
struct TensorPlace {
  let name: String
  let values: UnsafeBufferPointer<Float>
  let target: () -> UnsafeMutableBufferPointer<Float>

  init(_ name: String, _ storage: FloatStorage) {
    (self.name, values, target) = (name, UnsafeBufferPointer(storage.buffer), { storage.buffer })
  }

  init(_ name: String, weightsOf model: FlowTransformer) {
    self.name = name
    values = UnsafeBufferPointer(start: model.weights, count: model.parameterCount)
    target = model.writableWeights
  }
}
