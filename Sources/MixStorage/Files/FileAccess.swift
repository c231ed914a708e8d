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

  /// The path from the root, without `.` and `..`; `..` is taken to lead back through the component before it.
  /// - Throws: `inputOutput` when the current folder has no name.
  package static func absolute(_ path: String) throws(MixGRPOError) -> String {
    var components: [Substring] = []
    let whole = path.hasPrefix("/") ? path : join(try currentFolder(), path)
    for component in whole.split(separator: "/") where component != "." {
      if component == ".." { _ = components.popLast() } else { components.append(component) }
    }
    return "/" + components.joined(separator: "/")
  }

  private static func currentFolder() throws(MixGRPOError) -> String {
    guard let path = getcwd(nil, 0) else { throw failure(".", expected: "a current folder", code: errno) }
    defer { free(path) }
    return String(cString: path)
  }

  /// True for a name that can only mean a file directly inside a folder.
  package static func isPlainName(_ name: String) -> Bool {
    !name.isEmpty && name != "." && name != ".." && !name.utf8.contains { $0 == 0 || $0 == UInt8(ascii: "/") }
  }

  /// True for a relative path whose every component is a plain name, such as `train/0001.png`.
  package static func staysInside(_ path: String) -> Bool {
    path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { isPlainName(String($0)) }
  }

  /// Whether something is at a path. A link that leads nowhere is nothing.
  /// - Throws: `inputOutput` when the system cannot say, for example without permission to search a folder above.
  package static func isPresent(_ path: String) throws(MixGRPOError) -> Bool { try kind(of: path) != nil }

  /// - Throws: `inputOutput` when the system cannot say.
  package static func isFolder(_ path: String) throws(MixGRPOError) -> Bool { try kind(of: path) == S_IFDIR }

  /// What is at a path, behind links: `S_IFREG`, `S_IFDIR` and so on; nil when nothing is there.
  /// - Throws: `inputOutput` when the system cannot say: only "no such file" means that nothing is there.
  static func kind(of path: String) throws(MixGRPOError) -> mode_t? {
    try checkPath(path)
    var status = stat()
    if stat(path, &status) == 0 { return status.st_mode & S_IFMT }
    let code = errno
    if code == ENOENT { return nil }
    throw failure(path, expected: "a file, a folder or nothing", code: code)
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

  private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

  /// The whole content of a text file in UTF-8, without the byte order mark that some editors write first.
  /// - Throws: the errors of `read`; `invalidFormat` for a text in UTF-16, which begins with a mark too.
  package static func readText(_ path: String, limit: Int) throws(MixGRPOError) -> [UInt8] {
    let bytes = try read(path, limit: limit)
    if bytes.starts(with: byteOrderMark) { return Array(bytes.dropFirst(byteOrderMark.count)) }
    guard !bytes.starts(with: [0xFF, 0xFE]), !bytes.starts(with: [0xFE, 0xFF]) else {
      throw MixGRPOError(
        .invalidFormat, "\(printable(path)): expected text in UTF-8, got UTF-16; convert it: iconv -f UTF-16 -t UTF-8")
    }
    return bytes
  }

  /// Creates a folder and its missing ancestors; does nothing when it exists.
  package static func createFolder(_ path: String) throws(MixGRPOError) {
    try checkPath(path)
    var prefix = path.hasPrefix("/") ? "/" : ""
    for component in path.split(separator: "/") {
      prefix = prefix.isEmpty ? String(component) : join(prefix, String(component))
      try makeFolder(prefix)
    }
  }

  /// Creates a folder whose parent exists; does nothing when the folder itself exists.
  package static func createFolderInParent(_ path: String) throws(MixGRPOError) {
    try checkPath(path)
    try makeFolder(path)
  }

  /// The folder may exist although it cannot be made, as on a read-only file system.
  private static func makeFolder(_ path: String) throws(MixGRPOError) {
    if mkdir(path, 0o777) == 0 { return }
    let code = errno
    if try isFolder(path) { return }
    throw failure(path, expected: "a folder or a place to make one", code: code)
  }

  /// The names in a folder, sorted, without `.` and `..`.
  package static func names(in path: String) throws(MixGRPOError) -> [String] {
    try checkPath(path)
    guard let folder = opendir(path) else { throw failure(path, expected: "a readable folder", code: errno) }
    defer { closedir(folder) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(folder) else { break }
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: entry.pointee.d_name)) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    let code = errno
    if code != 0 { throw failure(path, expected: "a folder whose names can be read", code: code) }
    return names.sorted()
  }

  /// Gives a file or folder another name beside it, which must be free.
  package static func rename(_ path: String, to name: String) throws(MixGRPOError) {
    try checkPath(path)
    try checkPath(name)
    if Glibc.rename(path, name) == 0 { return }
    let code = errno
    throw failure(path, expected: "a place to rename it to \(printable(name))", code: code)
  }

  /// Removes a file; does nothing when it is missing.
  package static func removeFile(_ path: String) throws(MixGRPOError) {
    try checkPath(path)
    if unlink(path) == 0 { return }
    let code = errno
    if code != ENOENT { throw failure(path, expected: "a file that can be removed", code: code) }
  }
}
