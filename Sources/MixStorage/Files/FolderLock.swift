import Glibc
import MixBasics

/// The right to run in a folder, held by at most one process at a time.
///
/// An exclusive `flock` on the file `run.lock`, which contains who holds it as one line of JSON. The system releases the lock when
/// the process ends in whatever way. Python's `train` uses the same file. On a file system without locks nothing is excluded.
package final class FolderLock: Sendable {
  package static let fileName = "run.lock"
  private static let longestHolder = 1024
  private let file: OpenFile

  /// - Throws: `invalidState` naming the holder; `inputOutput`.
  package init(folder: String) throws(MixGRPOError) {
    try FileAccess.createFolder(folder)
    let path = FileAccess.join(folder, Self.fileName)
    file = try Self.lock(path, folder)
    try file.truncate(to: 0)
    _ = try file.writePiece(Array(try Self.holder().utf8))
  }

  /// Removes the file before it is unlocked; whoever opened it meanwhile notices that it is gone.
  deinit {
    // A file that stays is not locked, so that it stops nobody.
    do throws(MixGRPOError) { try FileAccess.removeFile(file.path) } catch { return }
  }

  private static func lock(_ path: String, _ folder: String) throws(MixGRPOError) -> OpenFile {
    while true {
      let flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK
      let file = try OpenFile(path, flags: flags, wanted: "a lock file that can be written")
      guard try file.tryLock(.exclusive) else {
        throw MixGRPOError(
          .invalidState,
          "\(printable(folder)): expected a folder that no other run is using, got one in use by \(try readHolder(file)); wait until "
            + "that run has ended, or choose another folder")
      }
      // The holder before may have removed the file.
      if try file.status().st_nlink > 0 { return file }
    }
  }

  // MARK: - The holder

  private static func holder() throws(MixGRPOError) -> String {
    var name = [CChar](repeating: 0, count: 256)
    gethostname(&name, name.count - 1)
    let host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let object: JSONObject = ["pid": .integer(Int64(getpid())), "host": .string(host), "since": .string(now())]
    return try JSONValue.object(object).text(.compact) + "\n"
  }

  /// UTC, such as 2026-11-27T05:42:25Z.
  private static func now() -> String {
    var (seconds, parts) = (time(nil), tm())
    gmtime_r(&seconds, &parts)
    var text = [CChar](repeating: 0, count: 32)
    let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
    return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The file may be empty while its holder is writing it.
  private static func readHolder(_ file: OpenFile) throws(MixGRPOError) -> String {
    let bytes = try file.bytes(at: 0, count: min(longestHolder, try file.byteCount()))
    guard let object = try JSONParser.parseIfJSON(bytes)?.object, let process = object["pid"]?.integer else {
      return "another process"
    }
    let (host, since) = (object["host"]?.string ?? "?", object["since"]?.string ?? "?")
    return "process \(process) on \(printable(host)) since \(printable(since))"
  }
}
