import MixBasics
import MixFlowModel
import MixLearning
import MixStorage

/// Checkpoints of a pretrainer.
extension FlowMatchingPretrainer {
  private static let fileName = "pretrainer.safetensors"

  /// Saves everything that a bit-exact continuation needs to `folder`, which is created when it is missing. The file is written
  /// atomically.
  /// - Throws: `inputOutput`.
  public func save(folder: String) throws(MixGRPOError) {
    try FileAccess.createFolder(folder)
    try writeCheckpoint(to: FileAccess.join(folder, Self.fileName))
  }

  /// Restores the saved state into this pretrainer, which must have the same model sizes and settings.
  ///
  /// State is replaced only after the whole file has been validated. The number of threads may differ without changing results.
  /// The training data is not compared.
  /// - Throws: `inputOutput`, `invalidFormat`, `invalidArgument` naming the settings that differ.
  public func restore(folder: String) throws(MixGRPOError) {
    try readCheckpoint(from: FileAccess.join(folder, Self.fileName))
  }

  /// Saves a checkpoint under the number of completed steps, then removes outdated ones; see `Trainer.save(in:)`.
  /// - Returns: the file's path.
  /// - Throws: `inputOutput`; `invalidState` when the folder holds a complete checkpoint of a later step.
  @discardableResult
  public func save(in folder: CheckpointFolder) throws(MixGRPOError) -> String { try folder.save(self) }

  /// Restores the newest complete checkpoint of a folder; see `Trainer.resume(from:)`.
  /// - Returns: nil, without changes, when there is no checkpoint. Its iteration is a step.
  /// - Throws: `invalidArgument` naming the settings that differ; `invalidFormat` when no checkpoint is complete;
  ///   `inputOutput`.
  public func resume(from folder: CheckpointFolder) throws(MixGRPOError) -> Resumption? { try folder.resume(self) }
}

extension FlowMatchingPretrainer: Checkpointed {
  var checkpointNumber: Int { optimizer.stepCount }
  static var checkpointUnit: String { "step" }

  func writeCheckpoint(to path: String) throws(MixGRPOError) { try checkpointFile.write(to: path) }

  func readCheckpoint(from path: String) throws(MixGRPOError) { try checkpointFile.read(from: path) }

  /// Noise depends only on seed and step, so no random state is saved.
  private var checkpointFile: CheckpointFile {
    CheckpointFile(
      format: "mixgrpo-pretrainer-3", settings: CheckpointSettings(self),
      sections: [.tensors("weights", [TensorPlace("trained", weightsOf: evaluator.model)]), .optimizer(optimizer)])
  }
}
