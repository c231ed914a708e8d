import MixBasics
import MixFlowModel
import MixLearning
import MixSampling
import MixStorage

/// A trainer on disk.
extension Trainer {
  private static let fileName = "trainer.safetensors"

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
  /// number of threads, `maxBatch`, `maxBytes` and `recomputesActivations` may differ and change no bit; other prompts are not
  /// noticed. Not stopped by a cancel.
  /// - Throws: `inputOutput`, `invalidFormat`, `invalidArgument` naming the settings that differ.
  public func load(folder: String) throws(MixGRPOError) {
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
  /// All state of a run, in the file's order. What a trainer gains in state gets a section here.
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
  /// Moments, steps done, and what roll-backs have left of the learning rate.
  static func optimizer(
    _ optimizer: AdamW, rateFactor: Double = 1, takeRateFactor: @escaping (Double) -> Void = { _ in }
  ) -> CheckpointSection {
    let moments = [TensorPlace("first_moment", optimizer.firstMoment), TensorPlace("second_moment", optimizer.secondMoment)]
    let state: JSONObject = ["steps": .integer(Int64(optimizer.stepCount)), "rate_factor": .number(rateFactor)]
    return .tensors("optimizer", moments, state: state) { (saved) throws(MixGRPOError) in
      let (steps, factor) = (try saved.count("steps"), try saved.double("rate_factor"))
      return {
        optimizer.stepCount = steps
        takeRateFactor(factor)
      }
    }
  }

  /// Tensors that are read back to where they came from.
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

/// A tensor of a run: what is saved, and where a load puts it. To save changes nothing, so that many threads may at once.
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
