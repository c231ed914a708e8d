import Glibc
import MixBasics

/// Writes a file atomically: a reader, or a machine that restarts, sees either the old content or the new one. The content goes
/// to a temporary file beside the target, which is synced and then renamed over it.
package enum AtomicFile {
  /// Replaces `path` by what `body` writes. If `body` or the system fails, `path` is unchanged and no temporary file remains. A
  /// symbolic link at `path` is replaced, not followed.
  /// - Throws: any error of `body`; `inputOutput` when the folder is missing or full, or `path` is not a regular file.
  package static func write(
    to path: String, _ body: (WritableFile) throws(MixGRPOError) -> Void
  ) throws(MixGRPOError) {
    try checkTarget(path)
    removeLeftovers(in: FileAccess.folder(of: path))
    let (file, temporary) = try makeTemporary(beside: path)
    do throws(MixGRPOError) {
      try body(file)
      try file.sync()
      try rename(temporary, to: path)
    } catch {
      unlink(temporary)
      throw error
    }
    try syncFolder(of: path)
  }

  package static func write(_ bytes: [UInt8], to path: String) throws(MixGRPOError) {
    try write(to: path) { (file) throws(MixGRPOError) in try file.write(bytes) }
  }

  /// Checks that a file can be written at `path`: makes a temporary file beside it and removes it.
  /// - Throws: `inputOutput`.
  package static func requirePlace(for path: String) throws(MixGRPOError) {
    try checkTarget(path)
    try FileAccess.removeFile(try makeTemporary(beside: path).1)
  }

  /// A rename would replace a device or a pipe by a file, and would fail only at the end on a folder.
  private static func checkTarget(_ path: String) throws(MixGRPOError) {
    guard let kind = try FileAccess.kind(of: path) else { return }
    guard kind == S_IFREG, !path.hasSuffix("/") else {
      throw MixGRPOError(.inputOutput, "\(printable(path)): expected a regular file or none, got something else")
    }
  }

  private static let temporaryPrefix = ".mixgrpo-"
  private static let temporarySuffix = ".tmp"

  /// The name is short, so that it fits wherever the target's name fits.
  private static func makeTemporary(beside path: String) throws(MixGRPOError) -> (WritableFile, String) {
    while true {
      let mark = String(UInt64.random(in: .min ... .max), radix: 36)
      let temporary = FileAccess.join(FileAccess.folder(of: path), temporaryPrefix + mark + temporarySuffix)
      let file = try WritableFile(creating: temporary, for: path)
      do throws(MixGRPOError) {
        if try file.lock() { return (file, temporary) }
      } catch {
        unlink(temporary)
        throw error
      }
    }
  }

  /// Removes the temporary files that terminated processes left in `folder`. Those of running processes are locked and stay. What
  /// cannot be removed stays too: the next write tries again, and a write does not depend on it.
  private static func removeLeftovers(in folder: String) {
    do throws(MixGRPOError) {
      for name in try FileAccess.names(in: folder) where isTemporary(name) {
        let path = FileAccess.join(folder, name)
        do throws(MixGRPOError) {
          let file = try OpenFile(path, flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK, wanted: "a temporary file")
          if try file.tryLock(.exclusive) { try FileAccess.removeFile(path) }
        } catch { continue }
      }
    } catch { return }
  }

  private static func isTemporary(_ name: String) -> Bool {
    name.hasPrefix(temporaryPrefix) && name.hasSuffix(temporarySuffix)
  }

  private static func rename(_ source: String, to path: String) throws(MixGRPOError) {
    if Glibc.rename(source, path) == 0 { return }
    let code = errno
    throw FileAccess.failure(path, expected: "a place to rename the new file to", code: code)
  }

  /// Makes the rename itself durable. Errors are ignored for folders that their file system cannot open or sync.
  private static func syncFolder(of path: String) throws(MixGRPOError) {
    let folder = FileAccess.folder(of: path)
    let descriptor = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    let result = fsync(descriptor)
    let code = errno
    close(descriptor)
    if result != 0 && code == EIO { throw FileAccess.failure(folder, expected: "entries on the disk", code: code) }
  }
}
