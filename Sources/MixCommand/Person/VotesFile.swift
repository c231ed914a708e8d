import MixGRPO

/// The votes of a run, a line of JSON for each, from which the same run can be repeated without the person:
///
///     {"iteration": 3, "prompt_index": 7, "prompt": "a cat", "seed": 0, "pictures": "9f…", "favourites": [2, 5], "seconds": 4.1}
///
/// `pictures` is the XXH64 of the pixels of the group. The last line of a group counts; `"undone": true` takes its vote back.
final class VotesFile {
  /// A group: the pictures of one prompt in one iteration.
  struct Group: Hashable {
    let iteration: Int
    /// The prompt's row.
    let prompt: Int
  }

  private struct Line {
    let place: String
    let object: JSONObject
  }

  private static let maximumBytes = 1 << 30
  private var lines: [Group: Line] = [:]
  private let log: MetricsLog
  private let seed: UInt64

  /// - Parameters:
  ///   - path: the run's own file, to which votes are appended.
  ///   - replayed: the file of another run; empty for none. The run's own votes come first.
  /// - Throws: `inputOutput`; `invalidFormat` naming the line.
  init(path: String, replayed: String, seed: UInt64) throws(MixGRPOError) {
    self.seed = seed
    if !replayed.isEmpty { lines = try Self.read(replayed) }
    log = try MetricsLog(path: path)
    lines.merge(try Self.read(path)) { $1 }
  }

  private static func read(_ path: String) throws(MixGRPOError) -> [Group: Line] {
    let text = try FileAccess.readText(path, limit: maximumBytes)
    var lines: [Group: Line] = [:]
    for (number, bytes) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
    where !bytes.isEmpty {
      let place = "\(path), line \(number + 1)"
      let object = try JSONParser.parse(Array(bytes), source: place).object ?? JSONObject()
      guard let iteration = object["iteration"]?.integer, let prompt = object["prompt_index"]?.integer else {
        throw MixGRPOError(.invalidFormat, "\(place): expected iteration and prompt_index\(object.memberNames), got none")
      }
      lines[Group(iteration: iteration, prompt: prompt)] = Line(place: place, object: object)
    }
    return lines
  }

  /// The stored vote on a group, nil when there is none.
  /// - Throws: `invalidFormat` for a vote that does not fit; `invalidArgument` when it was given to other pictures.
  func vote(on group: Group, pictures: [RGBImage]) throws(MixGRPOError) -> Vote? {
    guard let line = lines[group], line.object["undone"] != .bool(true) else { return nil }
    let digest = Self.digest(pictures)
    guard line.object["pictures"]?.string == digest else {
      throw MixGRPOError(
        .invalidArgument,
        "\(line.place): pictures: expected \(digest), as this run draws them, got "
          + "\"\(excerpt(line.object["pictures"]?.string ?? "none"))\"; votes can be repeated only with the model, prompts and "
          + "settings of their run")
    }
    do throws(MixGRPOError) {
      return try Vote(line.object, pictures: pictures.count)
    } catch {
      throw MixGRPOError(.invalidFormat, "\(line.place): \(error.message)")
    }
  }

  /// Whether votes of these groups are stored; they may still be of other pictures.
  func holds(_ groups: [Group]) -> Bool {
    groups.allSatisfy { lines[$0].map { $0.object["undone"] != .bool(true) } ?? false }
  }

  /// Appends a vote.
  /// - Parameter seconds: that the person took; nil for a repeated vote.
  func append(
    _ vote: Vote, on group: Group, prompt: String, pictures: [RGBImage], seconds: Double?
  ) throws(MixGRPOError) {
    var object = head(group, prompt)
    object["pictures"] = .string(Self.digest(pictures))
    for member in vote.json.members { object[member.name] = member.value }
    if let seconds { object["seconds"] = .measurement((seconds * 1000).rounded() / 1000) }
    try log.append(object)
  }

  /// Takes a vote back.
  func appendUndo(of group: Group, prompt: String) throws(MixGRPOError) {
    var object = head(group, prompt)
    object["undone"] = true
    try log.append(object)
  }

  private func head(_ group: Group, _ prompt: String) -> JSONObject {
    [
      "iteration": .integer(Int64(group.iteration)), "prompt_index": .integer(Int64(group.prompt)), "prompt": .string(prompt),
      "seed": Int64(exactly: seed).map { .integer($0) } ?? .string("\(seed)"),
    ]
  }

  private static func digest(_ pictures: [RGBImage]) -> String {
    var hash = XXHash64()
    for picture in pictures { picture.pixels.withUnsafeBytes { hash.update($0) } }
    let digits = String(hash.digest, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
