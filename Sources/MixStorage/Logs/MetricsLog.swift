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
  private let descriptor: Int32
  /// Held while a line is written, so that a removed tail never belongs to another thread.
  private let turn = Guarded(())

  /// Opens `path` for appending, and creates it when it is missing. If the last line has no line break, it is removed when it
  /// is the beginning of an object; otherwise the line break is added.
  /// - Throws: `inputOutput` naming the path.
  public init(path: String) throws(MixGRPOError) {
    self.path = path
    descriptor = try FileAccess.open(path, flags: O_RDWR | O_APPEND | O_CREAT, wanted: "a file to append to")
    if isPipe {
      throw MixGRPOError(
        .inputOutput, "\(printable(path)): expected a file to append to, got a pipe, which may fill up and block")
    }
    if endsInsideLine { try repairLastLine() }
  }

  deinit { close(descriptor) }

  /// Appends one JSON document as a line.
  /// - Throws: `invalidFormat` when `json` is not valid JSON; `invalidArgument` when it spans lines; `inputOutput` naming the
  ///   path when the whole line could not be written; a partly written line is removed again.
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
    flock(descriptor, LOCK_SH)
    defer { flock(descriptor, LOCK_UN) }
    let (count, code) = line.withUnsafeBytes { bytes in
      while true {
        let (count, code) = writeOnce(descriptor, bytes)
        if count >= 0 || code != EINTR { return (count, code) }
      }
    }
    if count == line.count { return }
    if count < 0 { throw FileAccess.failure(path, expected: "room for \(line.count) bytes", code: code) }
    removeTail(of: count)
    throw MixGRPOError(.inputOutput, "\(printable(path)): expected \(line.count) bytes written, got \(count)")
  }

  /// Removes a partly written line. Only when the file ends at the offset of this process's write does the tail belong to it.
  private func removeTail(of count: Int) {
    let end = lseek(descriptor, 0, SEEK_CUR)
    if end >= count && lseek(descriptor, 0, SEEK_END) == end { ftruncate(descriptor, end - off_t(count)) }
  }

  /// Does nothing without the exclusive lock: another process is still writing the last line.
  private func repairLastLine() throws(MixGRPOError) {
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else { return }
    defer { flock(descriptor, LOCK_UN) }
    let lastLine = endsInsideLine ? tail : nil
    if let lastLine, try isTorn(lastLine) { ftruncate(descriptor, lseek(descriptor, 0, SEEK_END) - off_t(lastLine.count)) }
    if endsInsideLine { try write([UInt8(ascii: "\n")]) }
  }

  private func isTorn(_ line: [UInt8]) throws(MixGRPOError) -> Bool {
    guard line.first == UInt8(ascii: "{") else { return false }
    return try JSONParser.parseIfJSON(line) == nil
  }

  /// The bytes after the last line break; nil when there are more than a line may have.
  private var tail: [UInt8]? {
    let size = Int(lseek(descriptor, 0, SEEK_END))
    var bytes = [UInt8](repeating: 0, count: min(size, Self.longestLine))
    guard pread(descriptor, &bytes, bytes.count, off_t(size - bytes.count)) == bytes.count else { return nil }
    guard let end = bytes.lastIndex(of: UInt8(ascii: "\n")) else { return bytes.count == size ? bytes : nil }
    return Array(bytes[(end + 1)...])
  }

  private var isPipe: Bool {
    var status = stat()
    return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
  }

  private var endsInsideLine: Bool {
    let size = lseek(descriptor, 0, SEEK_END)
    var last: UInt8 = 0
    return size > 0 && pread(descriptor, &last, 1, size - 1) == 1 && last != UInt8(ascii: "\n")
  }
}
