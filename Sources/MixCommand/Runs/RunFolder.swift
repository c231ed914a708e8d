import MixGRPO

/// What a run leaves in its folder, and where.
///
///     settings.json      all settings, to be read with --config
///     model/             the model, a diffusers folder
///     best/              that of the best evaluation, if there are any
///     checkpoints/       all that --resume needs, the newest few
///     metrics.jsonl      figures, a line for each iteration
///     evaluations.jsonl  the same for each evaluation
///     events.out.…       the same and the pictures, for TensorBoard
///     pictures/          grids of pictures, by iteration
struct RunFolder {
  let path: String

  var settings: String { FileAccess.join(path, "settings.json") }
  var model: String { FileAccess.join(path, "model") }
  var checkpoints: String { FileAccess.join(path, "checkpoints") }
  var metrics: String { FileAccess.join(path, "metrics.jsonl") }
  var best: String { FileAccess.join(path, "best") }
  var evaluations: String { FileAccess.join(path, "evaluations.jsonl") }

  func pictures(iteration: Int) -> String { FileAccess.join(path, "pictures/\(padded(iteration, 6)).png") }

  /// True where an earlier run has left something that a new one would write over.
  var isTaken: Bool {
    get throws(MixGRPOError) {
      for path in [settings, checkpoints, metrics] where try FileAccess.isPresent(path) { return true }
      return false
    }
  }

  var hasCheckpoint: Bool { get throws(MixGRPOError) { try FileAccess.isPresent(checkpoints) } }
  /// What `Evaluation.save` leaves beside the checkpoints.
  var hasEvaluation: Bool {
    get throws(MixGRPOError) { try FileAccess.isPresent(FileAccess.join(checkpoints, "evaluation.safetensors")) }
  }

  /// Makes the folder ready.
  /// - Throws: `invalidState` when there is an earlier run and this is to be a new one, or none to resume; `inputOutput`.
  func prepare(resuming: Bool) throws(MixGRPOError) {
    if resuming {
      guard try hasCheckpoint else {
        throw MixGRPOError(.invalidState, "\(path): expected a run with a checkpoint to resume, got none")
      }
    } else if try isTaken {
      throw MixGRPOError(
        .invalidState,
        "\(path): expected a folder without a run, got one; --resume continues it, another --out starts a new one")
    }
    try FileAccess.createFolder(FileAccess.join(path, "pictures"))
  }

  /// Drops the lines of iterations that a resumed run does again, and a last line that was cut.
  func cut(_ file: String, before iteration: Int) throws(MixGRPOError) {
    guard try FileAccess.isPresent(file) else { return }
    let bytes = try FileAccess.read(file, limit: Self.maxBytes)
    let lines = try Self.lines(bytes, of: file).filter { $0.iteration < iteration }
    let kept = lines.flatMap { $0.bytes + [UInt8(ascii: "\n")] }
    if kept != bytes { try AtomicFile.write(kept, to: file) }
  }

  /// A line of metrics.jsonl or evaluations.jsonl.
  typealias Line = (iteration: Int, object: JSONObject, bytes: ArraySlice<UInt8>)

  /// The whole lines of a file; none when it is not there.
  func lines(_ file: String) throws(MixGRPOError) -> [Line] {
    guard try FileAccess.isPresent(file) else { return [] }
    return try Self.lines(FileAccess.read(file, limit: Self.maxBytes), of: file)
  }

  private static let maxBytes = 1 << 31

  /// - Throws: `invalidFormat` naming the line that is none of a log's. Only the last one may be incomplete, without its line end.
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
