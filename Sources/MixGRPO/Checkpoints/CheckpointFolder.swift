import MixBasics
import MixStorage

/// A folder with the checkpoints of one run, `iteration-00000042.safetensors` and so on, of which the newest are kept.
public struct CheckpointFolder: Equatable, Sendable {
  /// The folder; made by the first save.
  public let path: String
  /// How many of the newest are kept, 1…1000000; default 3.
  public let keepLast: Int
  /// Those whose iteration is a multiple of this are kept beside them; 0 (the default) for none.
  public let keepEvery: Int

  /// - Throws: `invalidArgument` naming every unfit field.
  public init(path: String, keepLast: Int = 3, keepEvery: Int = 0) throws(MixGRPOError) {
    var check = Validation()
    check.include { () throws(MixGRPOError) in try FileAccess.checkPath(path) }
    check.require((1...1_000_000).contains(keepLast), "keep_last", expected: "1…1000000", got: keepLast)
    check.require(keepEvery >= 0, "keep_every", expected: "0 or more", got: keepEvery)
    try check.throwIfAny()
    (self.path, self.keepLast, self.keepEvery) = (path, keepLast, keepEvery)
  }

  var files: NumberedFiles { NumberedFiles(folder: path, prefix: "iteration-", suffix: ".safetensors") }

  /// Of `iterations`, ascending, those that are not kept.
  func outdated(_ iterations: [Int]) -> [Int] {
    iterations.dropLast(keepLast).filter { keepEvery == 0 || $0 % keepEvery != 0 }
  }
}

/// What a run was resumed from.
public struct Resumption: Equatable, Sendable {
  /// The iteration that comes next.
  public let iteration: Int
  /// The file that was read.
  public let path: String
  /// Newer files that were passed over, newest first: what is wrong with each.
  public let skipped: [String]
  /// What is easily missed and worth a line in a log each.
  public var warnings: [String] { skipped.map { "checkpoint skipped: \($0)" } }
}

extension Trainer {
  /// Saves a checkpoint under the present iteration's number, then removes those that are no longer to be kept. At any moment,
  /// also of a kill or a full disk, the folder holds a whole checkpoint if it held one before.
  /// - Returns: the file's path.
  /// - Throws: `inputOutput`; `invalidState` when the folder holds a sound checkpoint of a later iteration, which belongs to
  ///   another run or was not resumed from.
  @discardableResult
  public func save(in folder: CheckpointFolder) throws(MixGRPOError) -> String { try folder.save(self) }

  /// Brings this trainer to the newest checkpoint of a folder that is whole; see `load(folder:)`.
  /// - Returns: nil, with nothing changed, when there is no checkpoint.
  /// - Throws: `invalidArgument` naming the settings that differ from the newest whole one's; `invalidFormat` when there are
  ///   checkpoints and none is whole; `inputOutput` when the folder, or a checkpoint that may be whole, cannot be read.
  public func resume(from folder: CheckpointFolder) throws(MixGRPOError) -> Resumption? { try folder.resume(self) }
}

/// A run whose state is in one file for each number that counts it.
protocol Checkpointed: AnyObject {
  /// The iteration or step that comes next.
  var checkpointNumber: Int { get }
  /// What is counted, "iteration" or "step".
  static var checkpointUnit: String { get }
  func writeCheckpoint(to path: String) throws(MixGRPOError)
  /// Changes nothing when it throws.
  func readCheckpoint(from path: String) throws(MixGRPOError)
}

extension CheckpointFolder {
  func save<Run: Checkpointed>(_ run: Run) throws(MixGRPOError) -> String {
    let number = run.checkpointNumber
    try FileAccess.createFolder(path)
    let others = try files.numbers().filter { $0 != number }
    let torn = others.filter { $0 > number }
    for later in torn where try Self.isSound(files.path(later)) {
      throw MixGRPOError(
        .invalidState,
        "\(path): expected no checkpoint after \(Run.checkpointUnit) \(number), got one of "
          + "\(Run.checkpointUnit) \(later): resume from it, or choose another folder")
    }
    let file = files.path(number)
    try run.writeCheckpoint(to: file)
    let earlier = others.filter { $0 < number }
    for gone in torn + outdated(earlier + [number]) { try FileAccess.removeFile(files.path(gone)) }
    return file
  }

  /// - Throws: `inputOutput` for a file that cannot be read: it may be sound.
  private static func isSound(_ path: String) throws(MixGRPOError) -> Bool {
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
    throw MixGRPOError(.invalidFormat, "\(path): expected a whole checkpoint, got none: \(skipped.joined(separator: "; "))")
  }
}
