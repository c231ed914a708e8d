import Glibc
import MixBasics

/// An append-only file of JSON lines, such as `metrics.jsonl`. Only whole lines are appended.
///
/// Each line is one `write(2)` at the end of the file, so that lines of several threads or processes do not mix. An incomplete
/// last line, left by a crash, is removed when the file is opened next. Safe to use from several threads at once.
public final class MetricsLog: Sendable {
  /// The file.
  public let path: String
  private static let longestLine = 1 << 20
  /// Others hold the lock for one write or one repair.
  private static let secondsForLock = 10.0
  private let file: OpenFile
  /// Held while a line is written, so that a removed tail never belongs to another thread.
  private let turn = Guarded(())

  /// Opens `path` for appending, and creates it when it is missing. If the last line has no line break, it is removed when it
  /// is the beginning of an object; otherwise the line break is added.
  /// - Throws: `inputOutput` naming the path; `outOfMemory`.
  public init(path: String) throws(MixGRPOError) {
    self.path = path
    // Non-blocking, so that opening a pipe fails instead of waiting.
    file = try OpenFile(path, flags: O_RDWR | O_APPEND | O_CREAT | O_NONBLOCK, wanted: "a file to append to")
    if try file.status().st_mode & S_IFMT == S_IFIFO {
      throw MixGRPOError(
        .inputOutput, "\(printable(path)): expected a file to append to, got a pipe, which may fill up and block")
    }
    if try endsInsideLine() { try repairLastLine() }
  }

  /// Appends one JSON document as a line.
  /// - Throws: `invalidFormat` when `json` is not valid JSON; `invalidArgument` when it spans lines; `inputOutput` naming the
  ///   path when the whole line could not be written, or when another process holds the file's lock for 10 seconds; a partly
  ///   written line is removed again.
  public func append(_ json: String) throws(MixGRPOError) {
    _ = try JSONParser.parse(json, source: "metrics line")
    let isOneLine = !json.utf8.contains { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
    try require(isOneLine, "metrics line", expected: "one line", got: "several")
    try write(Array(json.utf8) + [UInt8(ascii: "\n")])
  }

  /// Appends an object as a line.
  /// - Throws: `notFinite` for a NaN or an infinity; `inputOutput` as for a line of JSON.
  package func append(_ object: JSONObject) throws(MixGRPOError) {
    try write(Array(try JSONValue.object(object).text().utf8) + [UInt8(ascii: "\n")])
  }

  private func write(_ line: [UInt8]) throws(MixGRPOError) {
    try turn.withLock { (_) throws(MixGRPOError) in try writeInTurn(line) }
  }

  private func writeInTurn(_ line: [UInt8]) throws(MixGRPOError) {
    // Writers of all processes share this lock; a repair excludes them.
    try file.lock(.shared, seconds: Self.secondsForLock)
    defer { file.unlock() }
    let count = try file.writePiece(line)
    if count == line.count { return }
    try removeTail(of: count)
    throw MixGRPOError(.inputOutput, "\(printable(path)): expected \(line.count) bytes written, got \(count)")
  }

  /// Removes a partly written line. Only when the file ends at the offset of this process's write does the tail belong to it.
  private func removeTail(of count: Int) throws(MixGRPOError) {
    let end = try file.position()
    let size = try file.byteCount()
    if end >= count && size == end { try file.truncate(to: end - count) }
  }

  /// Does nothing without the exclusive lock: another process is still writing the last line.
  private func repairLastLine() throws(MixGRPOError) {
    guard try file.tryLock(.exclusive) else { return }
    defer { file.unlock() }
    guard try endsInsideLine() else { return }
    let size = try file.byteCount()
    if let lastLine = try tail(size), try isTorn(lastLine) { return try file.truncate(to: size - lastLine.count) }
    try writeInTurn([UInt8(ascii: "\n")])
  }

  private func isTorn(_ line: [UInt8]) throws(MixGRPOError) -> Bool {
    guard line.first == UInt8(ascii: "{") else { return false }
    return try JSONParser.parseIfJSON(line) == nil
  }

  /// The bytes after the last line break; nil when there are more than a line may have.
  private func tail(_ size: Int) throws(MixGRPOError) -> [UInt8]? {
    let count = min(size, Self.longestLine)
    let bytes = try file.bytes(at: size - count, count: count)
    guard let end = bytes.lastIndex(of: UInt8(ascii: "\n")) else { return count == size ? bytes : nil }
    return Array(bytes[(end + 1)...])
  }

  private func endsInsideLine() throws(MixGRPOError) -> Bool {
    let size = try file.byteCount()
    guard size > 0 else { return false }
    return try file.bytes(at: size - 1, count: 1) != [UInt8(ascii: "\n")]
  }
}
