import MixGRPO

/// The files of a run in its folder.
///
///     settings.json      all settings, for --config
///     model/             the model, a diffusers folder
///     adapter/           of a run with lora.rank: the adapter alone, as PEFT saves it
///     best/              the model of the best evaluation, if there is one
///     checkpoints/       the newest checkpoints, for --resume; of a finished run only the last
///     metrics.jsonl      metrics, a line for each iteration
///     evaluations.jsonl  scores, a line for each evaluation
///     votes.jsonl        votes of a person, a line for each
///     events.out.…       metrics, scores and pictures for TensorBoard
///     pictures/          picture grids, by iteration
///     report.html        curves and pictures, to be opened in a browser
struct RunFolder {
  let path: String

  var settings: String { FileAccess.join(path, "settings.json") }
  var model: String { FileAccess.join(path, "model") }
  var adapter: String { FileAccess.join(path, "adapter") }
  var checkpoints: String { FileAccess.join(path, "checkpoints") }
  var metrics: String { FileAccess.join(path, "metrics.jsonl") }
  var best: String { FileAccess.join(path, "best") }
  var evaluations: String { FileAccess.join(path, "evaluations.jsonl") }
  var votes: String { FileAccess.join(path, "votes.jsonl") }

  var report: String { FileAccess.join(path, "report.html") }

  /// The last part of its path.
  var name: String { path.split(separator: "/").last { $0 != "." }.map(String.init) ?? path }

  /// Iterations with a picture grid, up to `last`, in their order.
  func pictureIterations(until last: Int) throws(MixGRPOError) -> [Int] {
    let names = try FileAccess.names(in: FileAccess.join(path, "pictures")).filter { $0.hasSuffix(".png") }
    return names.compactMap { Int($0.dropLast(4)) }.filter { $0 <= last }.sorted()
  }

  func pictures(iteration: Int) -> String { FileAccess.join(path, "pictures/\(padded(iteration, 6)).png") }

  /// True when the folder has files of an earlier run that a new one would overwrite.
  var isTaken: Bool {
    get throws(MixGRPOError) {
      for path in [settings, metrics] where try FileAccess.isPresent(path) { return true }
      return try hasSavedState
    }
  }

  /// Whether the folder of checkpoints has any file besides the lock of this process.
  private var hasSavedState: Bool {
    get throws(MixGRPOError) {
      guard try FileAccess.isPresent(checkpoints) else { return false }
      return try FileAccess.names(in: checkpoints).contains { $0 != FolderLock.fileName }
    }
  }

  /// Whether `Evaluation.save` has written a file beside the checkpoints.
  var hasEvaluation: Bool {
    get throws(MixGRPOError) { try FileAccess.isPresent(FileAccess.join(checkpoints, "evaluation.safetensors")) }
  }

  /// Creates or checks the folder, and locks it.
  /// - Returns: the lock, to be kept as long as the run uses the folder.
  /// - Throws: `invalidState` when another process runs there or a new run would overwrite an earlier one; `inputOutput`.
  func prepare(resuming: Bool) throws(MixGRPOError) -> FolderLock {
    let lock = try FolderLock(folder: checkpoints)
    if !resuming, try isTaken {
      throw MixGRPOError(
        .invalidState,
        "\(path): expected a folder without a run, got one; use --resume to continue it, or another --out for a new run")
    }
    try FileAccess.createFolder(FileAccess.join(path, "pictures"))
    return lock
  }

  /// Checks that this machine sees the folder that rank 0 has locked, in which it saves and from which every rank resumes.
  /// - Throws: `invalidArgument`.
  func requireLocked() throws(MixGRPOError) {
    let isThere = try FileAccess.isPresent(FileAccess.join(checkpoints, FolderLock.fileName))
    try require(
      isThere, "out", expected: "the folder of rank 0, which every machine must see", got: "\(path) without its files")
  }

  /// Checks that a run without a checkpoint may start from the beginning, which repeats all that its files report: it was stopped
  /// before its first checkpoint.
  /// - Parameter saveEvery: iterations until the first checkpoint.
  /// - Throws: `invalidState` when the metrics reach beyond it, because the checkpoints must then have been removed.
  func requireBeforeFirstCheckpoint(saveEvery: Int) throws(MixGRPOError) {
    let done = (try lines(metrics).map(\.iteration).max() ?? -1) + 1
    guard done <= saveEvery else {
      throw MixGRPOError(
        .invalidState,
        "\(checkpoints): expected a checkpoint such as iteration-\(padded(saveEvery, 8)).safetensors to resume, got none, though "
          + "\(metrics) has \(done) iterations; put the checkpoints back, or choose another --out for a new run")
    }
  }

  /// Keeps what restarted evaluations would overwrite: the best model so far, and the damaged state if there is one.
  /// - Returns: the new names.
  func setEvaluationsAside(iteration: Int) throws(MixGRPOError) -> [String] {
    var kept: [String] = []
    for place in [best, FileAccess.join(checkpoints, "evaluation.safetensors")] where try FileAccess.isPresent(place) {
      var (name, attempt) = ("\(place)-until-\(padded(iteration, 6))", 1)
      while try FileAccess.isPresent(name) {
        attempt += 1
        name = "\(place)-until-\(padded(iteration, 6))-\(attempt)"
      }
      try FileAccess.rename(place, to: name)
      kept.append(name)
    }
    return kept
  }

  /// Removes the lines of iterations that a resumed run repeats, and an incomplete last line.
  func cut(_ file: String, before iteration: Int) throws(MixGRPOError) {
    guard try FileAccess.isPresent(file) else { return }
    let bytes = try FileAccess.readText(file, limit: Self.maxBytes)
    let lines = try Self.lines(bytes, of: file).filter { $0.iteration < iteration }
    let kept = lines.flatMap { $0.bytes + [UInt8(ascii: "\n")] }
    if kept != bytes { try AtomicFile.write(kept, to: file) }
  }

  /// A line of metrics.jsonl or evaluations.jsonl.
  typealias Line = (iteration: Int, object: JSONObject, bytes: ArraySlice<UInt8>)

  /// The complete lines of a file; empty when it is missing.
  func lines(_ file: String) throws(MixGRPOError) -> [Line] {
    guard try FileAccess.isPresent(file) else { return [] }
    return try Self.lines(FileAccess.readText(file, limit: Self.maxBytes), of: file)
  }

  private static let maxBytes = 1 << 31

  /// - Throws: `invalidFormat` naming the line that is not a JSON object of a log. Only the last line may be incomplete (no line end).
  private static func lines(_ bytes: [UInt8], of file: String) throws(MixGRPOError) -> [Line] {
    let end = bytes.lastIndex(of: UInt8(ascii: "\n")) ?? bytes.startIndex
    var lines: [Line] = []
    for (index, line) in bytes[..<end].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
    where !line.isEmpty {
      let place = "\(file), line \(index + 1)"
      guard let object = try JSONParser.parse(Array(line), source: place).object, let iteration = object["iteration"]?.integer,
        (0..<Int.max).contains(iteration)
      else {
        throw .init(
          .invalidFormat, "\(place): expected an object with an integer \"iteration\" of 0 or more, got another value")
      }
      lines.append((iteration, object, line))
    }
    return lines
  }
}
