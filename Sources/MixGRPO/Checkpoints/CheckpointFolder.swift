import MixBasics
import MixStorage

/// A folder with the checkpoints of one run, `iteration-00000042.safetensors` and so on. Only the newest are kept.
public struct CheckpointFolder: Equatable, Sendable {
  /// The folder; created by the first save.
  public let path: String
  /// The number of newest checkpoints to keep, 1…1000000; default 3.
  public let keepLast: Int
  /// Checkpoints whose iteration is a multiple of this are kept as well; 0 (the default) for none.
  public let keepEvery: Int

  /// - Throws: `invalidArgument` naming every invalid field.
  public init(path: String, keepLast: Int = 3, keepEvery: Int = 0) throws(MixGRPOError) {
    var check = Validation()
    check.include { () throws(MixGRPOError) in try FileAccess.checkPath(path) }
    check.require((1...1_000_000).contains(keepLast), "keep_last", expected: "1…1000000", got: keepLast)
    check.require(keepEvery >= 0, "keep_every", expected: "0 or more", got: keepEvery)
    try check.throwIfAny()
    (self.path, self.keepLast, self.keepEvery) = (path, keepLast, keepEvery)
  }

  var files: NumberedFiles { NumberedFiles(folder: path, prefix: "iteration-", suffix: ".safetensors") }

  /// The iterations, of an ascending list, whose checkpoints are to be removed.
  func outdated(_ iterations: [Int]) -> [Int] {
    iterations.dropLast(keepLast).filter { keepEvery == 0 || $0 % keepEvery != 0 }
  }
}

/// The checkpoint that a run was resumed from.
public struct Resumption: Equatable, Sendable {
  /// The next iteration.
  public let iteration: Int
  /// The file that was read.
  public let path: String
  /// The problem of each newer file that was skipped because it is incomplete or corrupt, newest first.
  public let skipped: [String]
  /// Lines to log as warnings.
  public var warnings: [String] { skipped.map { "checkpoint skipped: \($0)" } }
}

extension Trainer {
  /// Saves a checkpoint under the number of the next iteration, then removes outdated ones. At any moment, also after a kill or
  /// with a full disk, the folder holds a complete checkpoint if it held one before.
  /// - Returns: the file's path.
  /// - Throws: `inputOutput`; `invalidState` when the folder holds a complete checkpoint of a later iteration, which belongs to
  ///   another run or was not resumed from.
  @discardableResult
  public func save(in folder: CheckpointFolder) throws(MixGRPOError) -> String { try folder.save(self) }

  /// Restores the newest complete checkpoint of a folder; see `restore(folder:)`.
  /// - Returns: nil, without changes, when there is no checkpoint.
  /// - Throws: `invalidArgument` naming the settings that differ from the newest complete checkpoint; `invalidFormat` when no
  ///   checkpoint is complete; `inputOutput` when the folder, or a checkpoint that may be complete, cannot be read.
  public func resume(from folder: CheckpointFolder) throws(MixGRPOError) -> Resumption? { try folder.resume(self) }
}

/// A run whose state is saved to numbered files.
protocol Checkpointed: AnyObject {
  /// The next iteration or step.
  var checkpointNumber: Int { get }
  /// The unit of the number, "iteration" or "step".
  static var checkpointUnit: String { get }
  func writeCheckpoint(to path: String) throws(MixGRPOError)
  /// An error leaves the state unchanged.
  func readCheckpoint(from path: String) throws(MixGRPOError)
}

extension CheckpointFolder {
  func save<Run: Checkpointed>(_ run: Run) throws(MixGRPOError) -> String {
    let number = run.checkpointNumber
    try FileAccess.createFolder(path)
    let others = try files.numbers().filter { $0 != number }
    let incomplete = others.filter { $0 > number }
    for later in incomplete where try Self.isComplete(files.path(later)) {
      throw MixGRPOError(
        .invalidState,
        "\(path): expected no checkpoint after \(Run.checkpointUnit) \(number), got one of "
          + "\(Run.checkpointUnit) \(later): resume from it, or choose another folder")
    }
    let file = files.path(number)
    try run.writeCheckpoint(to: file)
    let earlier = others.filter { $0 < number }
    for gone in incomplete + outdated(earlier + [number]) { try FileAccess.removeFile(files.path(gone)) }
    return file
  }

  /// - Throws: `inputOutput` for a file that cannot be read and may still be complete.
  private static func isComplete(_ path: String) throws(MixGRPOError) -> Bool {
    do {
      try SafetensorsFile(path: path).verifyChecksum()
      return true
    } catch  where error.code == .invalidFormat {
      return false
    }
  }

  func resume(_ run: some Checkpointed) throws(MixGRPOError) -> Resumption? {
    var skipped: [String] = []
    for number in try files.numbers().reversed() {
      let file = files.path(number)
      do {
        try run.readCheckpoint(from: file)
        return Resumption(iteration: run.checkpointNumber, path: file, skipped: skipped)
      } catch  where error.code == .invalidFormat {
        skipped.append(error.message)
      }
    }
    if skipped.isEmpty { return nil }
    throw MixGRPOError(.invalidFormat, "\(path): expected a complete checkpoint, got none: \(skipped.joined(separator: "; "))")
  }
}
