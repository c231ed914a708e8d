import MixGRPO
import MixTerminal

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A folder under TMPDIR (default /tmp) for the files of one batch; removed with its owner.
final class ScratchFolder {
  let path: String
  private let lastStep: Int

  init() throws(MixGRPOError) {
    let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array(FileAccess.join(parent.isEmpty ? "/tmp" : parent, "mixgrpo-XXXXXX").utf8CString)
    (path, lastStep) = try LastSteps.beforeEnd { (table) throws(MixGRPOError) in
      guard let made = mkdtemp(&template) else {
        throw FileAccess.failure(parent, expected: "a folder for temporary files (TMPDIR)", code: errno)
      }
      let path = String(cString: made)
      return (path, table.add { Self.remove(path) })
    }
  }

  deinit {
    Self.remove(path)
    LastSteps.remove(lastStep)
  }

  /// Writes without syncing: the files are not needed after a crash.
  func write(_ bytes: [UInt8], name: String) throws(MixGRPOError) -> String {
    let location = FileAccess.join(path, name)
    try LastSteps.beforeEnd { (_) throws(MixGRPOError) in
      guard let file = fopen(location, "we") else {
        throw FileAccess.failure(location, expected: "a file to write", code: errno)
      }
      let written = fwrite(bytes, 1, bytes.count, file)
      guard fclose(file) == 0, written == bytes.count else {
        throw FileAccess.failure(location, expected: "room for \(bytes.count) bytes", code: errno)
      }
    }
    return location
  }

  func clear() { Self.empty(path) }

  private static func remove(_ path: String) {
    empty(path)
    rmdir(path)
  }

  /// Removes all files in the folder; it has no subfolders.
  private static func empty(_ path: String) {
    guard let folder = opendir(path) else { return }
    defer { closedir(folder) }
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name != "." && name != ".." { unlink(FileAccess.join(path, name)) }
    }
  }
}
