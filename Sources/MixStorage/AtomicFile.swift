import Glibc
import MixBasics

/// Writes a file so that a reader, or a machine that restarts, sees the old content or the new one and nothing between:
/// a temporary file beside the target, synced, then renamed over it.
package enum AtomicFile {
  /// Replaces `path` by what `body` writes. If `body` or the system fails, `path` is as it was and nothing is left beside it.
  /// A symbolic link at `path` is replaced, not followed.
  /// - Throws: what `body` throws; `inputOutput` when the folder is missing or full, or `path` is no regular file.
  package static func write(
    to path: String, _ body: (WritableFile) throws(MixGRPOError) -> Void
  ) throws(MixGRPOError) {
    try checkTarget(path)
    let temporary = temporaryPath(beside: path)
    let file = try WritableFile(creating: temporary, for: path)
    do throws(MixGRPOError) {
      try body(file)
      try file.finish()
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

  /// A rename would replace a device or a pipe by a file, and fail late on a folder.
  private static func checkTarget(_ path: String) throws(MixGRPOError) {
    try FileAccess.checkPath(path)
    var status = stat()
    guard stat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFREG, !path.hasSuffix("/") else {
      throw MixGRPOError(.inputOutput, "\(printable(path)): expected a regular file or none, got something else")
    }
  }

  /// Short, so that it fits where the target's own name does.
  private static func temporaryPath(beside path: String) -> String {
    let mark = String(UInt64.random(in: .min ... .max), radix: 36)
    return FileAccess.join(FileAccess.folder(of: path), ".\(mark).tmp")
  }

  private static func rename(_ source: String, to path: String) throws(MixGRPOError) {
    if Glibc.rename(source, path) == 0 { return }
    let code = errno
    throw FileAccess.failure(path, expected: "a place to rename the new file to", code: code)
  }

  /// Makes the rename itself durable. Folders that cannot be opened or synced on their file system are left to it.
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
