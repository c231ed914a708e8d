import Glibc
import MixBasics
import Synchronization

/// A file of JSON lines that only ever grows by whole lines, such as `metrics.jsonl`.
///
/// A line goes out in one `write(2)` at the file's end, so that lines of several threads or processes do not mix. May be
/// used from many threads at once.
public final class MetricsLog: Sendable {
  public let path: String
  private let descriptor: Int32
  /// Held while a line goes out, so that a cut tail is never another thread's.
  private let turn = Mutex(())

  /// Opens `path` to append to it, and makes it if it is missing. A last line that was left without its end stays, and the next one
  /// starts on a line of its own.
  /// - Throws: `inputOutput` naming the path.
  public init(path: String) throws(MixGRPOError) {
    self.path = path
    descriptor = try FileAccess.open(path, flags: O_RDWR | O_APPEND | O_CREAT, wanted: "a file to append to")
    if endsInsideLine { try write([UInt8(ascii: "\n")]) }
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

  private var endsInsideLine: Bool {
    let size = lseek(descriptor, 0, SEEK_END)
    var last: UInt8 = 0
    return size > 0 && pread(descriptor, &last, 1, size - 1) == 1 && last != UInt8(ascii: "\n")
  }
}
