import MixGRPO

/// The files of a run in its folder.
///
///     settings.json      all settings, for --config
///     model/             the model, a diffusers folder
///     best/              the model of the best evaluation, if there is one
///     checkpoints/       the newest checkpoints, for --resume
///     metrics.jsonl      metrics, a line for each iteration
///     evaluations.jsonl  scores, a line for each evaluation
///     events.out.…       metrics, scores and pictures for TensorBoard
///     pictures/          picture grids, by iteration
struct RunFolder {
  let path: String

  var settings: String { FileAccess.join(path, "settings.json") }
  var model: String { FileAccess.join(path, "model") }
  var checkpoints: String { FileAccess.join(path, "checkpoints") }
  var metrics: String { FileAccess.join(path, "metrics.jsonl") }
  var best: String { FileAccess.join(path, "best") }
  var evaluations: String { FileAccess.join(path, "evaluations.jsonl") }

  func pictures(iteration: Int) -> String { FileAccess.join(path, "pictures/\(padded(iteration, 6)).png") }

  /// True when the folder has files of an earlier run that a new one would overwrite.
  var isTaken: Bool {
    get throws(MixGRPOError) {
      for path in [settings, checkpoints, metrics] where try FileAccess.isPresent(path) { return true }
      return false
    }
  }

  var hasCheckpoint: Bool { get throws(MixGRPOError) { try FileAccess.isPresent(checkpoints) } }
  /// Whether `Evaluation.save` has written a file beside the checkpoints.
  var hasEvaluation: Bool {
    get throws(MixGRPOError) { try FileAccess.isPresent(FileAccess.join(checkpoints, "evaluation.safetensors")) }
  }

  /// Creates or checks the folder.
  /// - Throws: `invalidState` when a new run would overwrite an earlier one, or when there is no run to resume; `inputOutput`.
  func prepare(resuming: Bool) throws(MixGRPOError) {
    if resuming {
      guard try hasCheckpoint else {
        throw MixGRPOError(.invalidState, "\(path): expected a run with a checkpoint to resume, got none")
      }
    } else if try isTaken {
      throw MixGRPOError(
        .invalidState,
        "\(path): expected a folder without a run, got one; use --resume to continue it, or another --out for a new run")
    }
    try FileAccess.createFolder(FileAccess.join(path, "pictures"))
  }

  /// Removes the lines of iterations that a resumed run repeats, and an incomplete last line.
  func cut(_ file: String, before iteration: Int) throws(MixGRPOError) {
    guard try FileAccess.isPresent(file) else { return }
    let bytes = try FileAccess.read(file, limit: Self.maxBytes)
    let lines = try Self.lines(bytes, of: file).filter { $0.iteration < iteration }
    let kept = lines.flatMap { $0.bytes + [UInt8(ascii: "\n")] }
    if kept != bytes { try AtomicFile.write(kept, to: file) }
  }

  /// A line of metrics.jsonl or evaluations.jsonl.
  typealias Line = (iteration: Int, object: JSONObject, bytes: ArraySlice<UInt8>)

  /// The complete lines of a file; empty when it is missing.
  func lines(_ file: String) throws(MixGRPOError) -> [Line] {
    guard try FileAccess.isPresent(file) else { return [] }
    return try Self.lines(FileAccess.read(file, limit: Self.maxBytes), of: file)
  }

  private static let maxBytes = 1 << 31

  /// - Throws: `invalidFormat` naming the line that is not a JSON object of a log. Only the last line may be incomplete (no line end).
  private static func lines(_ bytes: [UInt8], of file: String) throws(MixGRPOError) -> [Line] {
    let end = bytes.lastIndex(of: UInt8(ascii: "\n")) ?? bytes.startIndex
    var lines: [Line] = []
    for (index, line) in bytes[..<end].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
    where !line.isEmpty {
      let place = "\(file), line \(index + 1)"
      guard let object = try JSONParser.parse(Array(line), source: place).object, let iteration = object["iteration"]?.integer
      else { throw .init(.invalidFormat, "\(place): expected an object with an integer \"iteration\", got another value") }
      lines.append((iteration, object, line))
    }
    return lines
  }
}
