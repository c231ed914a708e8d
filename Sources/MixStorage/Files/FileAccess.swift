import Glibc
import MixBasics

/// The system calls that storage needs. Each error names the path and the system's reason.
package enum FileAccess {
  /// The error for `errno` after a failed call: `path: expected <wanted>, got <reason>`. Without memory it is `outOfMemory`.
  package static func failure(_ path: String, expected wanted: String, code: Int32) -> MixGRPOError {
    MixGRPOError(
      code == ENOMEM ? .outOfMemory : .inputOutput,
      "\(printable(path)): expected \(wanted), got \(String(cString: strerror(code)))")
  }

  /// Rejects a path that C would read differently from Swift: an empty one, or one with a zero byte.
  package static func checkPath(_ path: String) throws(MixGRPOError) {
    let isWhole = !path.isEmpty && !path.utf8.contains(0)
    try require(isWhole, "path", expected: "a non-empty path without zero bytes", got: "\"\(excerpt(path))\"")
  }

  package static func join(_ folder: String, _ name: String) -> String {
    folder.hasSuffix("/") ? folder + name : folder + "/" + name
  }

  /// The folder that holds `path`, as a path.
  package static func folder(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == path.utf8.startIndex ? "/" : String(path[..<slash])
  }

  /// True for a name that can only mean a file directly inside a folder.
  package static func isPlainName(_ name: String) -> Bool {
    !name.isEmpty && name != "." && name != ".." && !name.utf8.contains { $0 == 0 || $0 == UInt8(ascii: "/") }
  }

  /// True for a relative path whose every component is a plain name, such as `train/0001.png`.
  package static func staysInside(_ path: String) -> Bool {
    path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { isPlainName(String($0)) }
  }

  package static func exists(_ path: String) -> Bool {
    !path.utf8.contains(0) && access(path, F_OK) == 0
  }

  /// Whether something is at a path. Use it where a wrong no would lose data.
  /// - Throws: `inputOutput` when the system cannot say, for example without permission to search a folder above.
  package static func isPresent(_ path: String) throws(MixGRPOError) -> Bool {
    try checkPath(path)
    if access(path, F_OK) == 0 { return true }
    let code = errno
    if code == ENOENT { return false }
    throw failure(path, expected: "a file, a folder or nothing", code: code)
  }

  /// Opens with close-on-exec, and retries after an interruption.
  static func open(_ path: String, flags: Int32, mode: mode_t = 0o666, wanted: String) throws(MixGRPOError) -> Int32 {
    try checkPath(path)
    while true {
      let descriptor = Glibc.open(path, flags | O_CLOEXEC, mode)
      if descriptor >= 0 { return descriptor }
      let code = errno
      if code != EINTR { throw failure(path, expected: wanted, code: code) }
    }
  }

  /// The whole content of a regular file.
  /// - Throws: `inputOutput` when it cannot be read, `invalidFormat` when it is larger than `limit` bytes.
  package static func read(_ path: String, limit: Int) throws(MixGRPOError) -> [UInt8] {
    let file = try ReadableFile(path: path)
    guard file.byteCount <= limit else {
      throw MixGRPOError(.invalidFormat, "\(printable(path)): expected at most \(limit) bytes, got \(file.byteCount)")
    }
    return try file.bytes(at: 0, count: file.byteCount)
  }

  /// Creates a folder and its missing ancestors; does nothing when it exists.
  package static func createFolder(_ path: String) throws(MixGRPOError) {
    try checkPath(path)
    var prefix = path.hasPrefix("/") ? "/" : ""
    for component in path.split(separator: "/") {
      prefix = prefix.isEmpty ? String(component) : join(prefix, String(component))
      if mkdir(prefix, 0o777) == 0 { continue }
      let code = errno
      if !isFolder(prefix) { throw failure(prefix, expected: "a folder or a place to make one", code: code) }
    }
  }

  package static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// The names in a folder, sorted, without `.` and `..`.
  package static func names(in path: String) throws(MixGRPOError) -> [String] {
    try checkPath(path)
    guard let folder = opendir(path) else { throw failure(path, expected: "a readable folder", code: errno) }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: entry.pointee.d_name)) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Removes a file; does nothing when it is missing.
  package static func removeFile(_ path: String) throws(MixGRPOError) {
    try checkPath(path)
    if unlink(path) == 0 { return }
    let code = errno
    if code != ENOENT { throw failure(path, expected: "a file that can be removed", code: code) }
  }
}
