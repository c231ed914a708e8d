import Glibc
import MixBasics

/// The right to run in a folder, held by at most one process at a time.
///
/// An exclusive `flock` on the file `run.lock`, which contains who holds it as one line of JSON. The system releases the lock when
/// the process ends in whatever way. Python's `train` uses the same file. On a file system without locks nothing is excluded.
package final class FolderLock: Sendable {
  package static let fileName = "run.lock"
  private let path: String
  private let descriptor: Int32

  /// - Throws: `invalidState` naming the holder; `inputOutput`.
  package init(folder: String) throws(MixGRPOError) {
    try FileAccess.createFolder(folder)
    path = FileAccess.join(folder, Self.fileName)
    descriptor = try Self.lock(path, folder)
    let holder = Self.holder()
    ftruncate(descriptor, 0)
    _ = Array(holder.utf8).withUnsafeBytes { writeOnce(descriptor, $0) }
  }

  /// Removes the file before it is unlocked; whoever opened it meanwhile notices that it is gone.
  deinit {
    unlink(path)
    close(descriptor)
  }

  private static func lock(_ path: String, _ folder: String) throws(MixGRPOError) -> Int32 {
    while true {
      let flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK
      let descriptor = try FileAccess.open(path, flags: flags, wanted: "a lock file that can be written")
      let isTaken = flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
      if !isTaken, isLinked(descriptor) { return descriptor }
      let holder = isTaken ? readHolder(descriptor) : ""
      close(descriptor)
      guard !isTaken else {
        throw MixGRPOError(
          .invalidState,
          "\(printable(folder)): expected a folder that no other run is using, got one in use by \(holder); wait until that run "
            + "has ended, or choose another folder")
      }
    }
  }

  /// Whether the file still has a name; the holder before may have removed it.
  private static func isLinked(_ descriptor: Int32) -> Bool {
    var status = stat()
    return fstat(descriptor, &status) != 0 || status.st_nlink > 0
  }

  // MARK: - The holder

  private static func holder() -> String {
    var name = [CChar](repeating: 0, count: 256)
    gethostname(&name, name.count - 1)
    let host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let object: JSONObject = ["pid": .integer(Int64(getpid())), "host": .string(host), "since": .string(now())]
    return ((try? JSONValue.object(object).text(.compact)) ?? "{}") + "\n"
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
  private static func readHolder(_ descriptor: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 1024)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    guard count > 0, let object = (try? JSONParser.parseIfJSON(Array(bytes.prefix(count))))??.object,
      let process = object["pid"]?.integer
    else { return "another process" }
    let (host, since) = (object["host"]?.string ?? "?", object["since"]?.string ?? "?")
    return "process \(process) on \(printable(host)) since \(printable(since))"
  }
}
