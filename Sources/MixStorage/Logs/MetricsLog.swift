import Glibc
import MixBasics

/// A file of JSON lines that only ever grows by whole lines, such as `metrics.jsonl`.
///
/// A line goes out in one `write(2)` at the file's end, so that lines of several threads or processes do not mix. A line that a
/// kill or a crash has left torn at the end goes when the file is opened next: lines are whole or absent. May be used from
/// many threads at once.
public final class MetricsLog: Sendable {
  /// The file.
  public let path: String
  private static let longestLine = 1 << 20
  private let descriptor: Int32
  /// Held while a line goes out, so that a cut tail is never another thread's.
  private let turn = Guarded(())

  /// Opens `path` to append to it, and makes it if it is missing. Of a last line without its end the beginning of an object is
  /// taken away; anything else gets its end and stays.
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
  /// - Throws: `invalidFormat` when `json` is not valid JSON; `invalidArgument` when it spans lines; `inputOutput`
  ///   naming the path when the system does not take the whole line; what it took of it is cut off again.
  public func append(_ json: String) throws(MixGRPOError) {
    _ = try JSONParser.parse(json, source: "metrics line")
    let isOneLine = !json.utf8.contains { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
    try require(isOneLine, "metrics line", expected: "one line", got: "several")
    try write(Array(json.utf8) + [UInt8(ascii: "\n")])
  }

  /// Appends an object as a line.
  /// - Throws: `notFinite` for a NaN or an infinity in it; `inputOutput` as above.
  package func append(_ object: JSONObject) throws(MixGRPOError) {
    try write(Array(try JSONValue.object(object).text().utf8) + [UInt8(ascii: "\n")])
  }

  private func write(_ line: [UInt8]) throws(MixGRPOError) {
    try turn.withLock { (_) throws(MixGRPOError) in try writeInTurn(line) }
  }

  private func writeInTurn(_ line: [UInt8]) throws(MixGRPOError) {
    // Shared by writers of all processes; a repair excludes them.
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

  /// After a short write by this process the file ends where its offset stands; only then is the tail ours to cut.
  private func removeTail(of count: Int) {
    let end = lseek(descriptor, 0, SEEK_CUR)
    if end >= count && lseek(descriptor, 0, SEEK_END) == end { ftruncate(descriptor, end - off_t(count)) }
  }

  /// Without a lock another process is writing: its line is not torn but on its way.
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

  /// What stands after the last line end; nil beyond any line that a log may hold.
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
