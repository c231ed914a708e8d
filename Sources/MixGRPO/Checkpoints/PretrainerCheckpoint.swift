import MixBasics
import MixFlowModel
import MixLearning
import MixStorage

/// A pretrainer on disk.
extension FlowMatchingPretrainer {
  private static let fileName = "pretrainer.safetensors"

  /// Saves all that a bit-exact continuation needs into `folder`, made if need be; the file appears whole or not at all.
  /// - Throws: `inputOutput`.
  public func save(folder: String) throws(MixGRPOError) {
    try FileAccess.createFolder(folder)
    try writeCheckpoint(to: FileAccess.join(folder, Self.fileName))
  }

  /// Brings this pretrainer, made with the same model sizes and settings, to the saved state.
  ///
  /// Everything is read and checked before anything changes. The number of threads may differ and changes no bit; other data
  /// are not noticed.
  /// - Throws: `inputOutput`, `invalidFormat`, `invalidArgument` naming the settings that differ.
  public func load(folder: String) throws(MixGRPOError) {
    try readCheckpoint(from: FileAccess.join(folder, Self.fileName))
  }

  /// Saves a checkpoint under the number of steps done, then removes those that are no longer to be kept; as
  /// `Trainer.save(in:)`.
  /// - Returns: the file's path.
  /// - Throws: `inputOutput`; `invalidState` when the folder holds a sound checkpoint of a later step.
  @discardableResult
  public func save(in folder: CheckpointFolder) throws(MixGRPOError) -> String { try folder.save(self) }

  /// Brings this pretrainer to the newest checkpoint of a folder that is whole; as `Trainer.resume(from:)`.
  /// - Returns: nil, with nothing changed, when there is no checkpoint; an iteration is a step.
  /// - Throws: `invalidArgument` naming the settings that differ; `invalidFormat` when there are checkpoints and none is whole;
  ///   `inputOutput`.
  public func resume(from folder: CheckpointFolder) throws(MixGRPOError) -> Resumption? { try folder.resume(self) }
}

extension FlowMatchingPretrainer: Checkpointed {
  var checkpointNumber: Int { optimizer.stepCount }
  static var checkpointUnit: String { "step" }

  func writeCheckpoint(to path: String) throws(MixGRPOError) { try checkpointFile.write(to: path) }

  func readCheckpoint(from path: String) throws(MixGRPOError) { try checkpointFile.read(from: path) }

  /// Noise is keyed by seed and step and needs no state.
  private var checkpointFile: CheckpointFile {
    CheckpointFile(
      format: "mixgrpo-pretrainer-3", settings: CheckpointSettings(self),
      sections: [.tensors("weights", [TensorPlace("trained", weightsOf: evaluator.model)]), .optimizer(optimizer)])
  }
}
