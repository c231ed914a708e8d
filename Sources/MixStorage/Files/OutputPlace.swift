import Glibc
import MixBasics

/// Checks, before long work begins, that its result can be written.
package enum OutputPlace {
  /// Checks that a file can be created or replaced at `path`, whose folder must exist.
  /// - Returns: whether a file is there, which would be replaced.
  /// - Throws: `inputOutput` naming what is in the way.
  @discardableResult
  package static func requireFile(_ path: String) throws(MixGRPOError) -> Bool {
    let kind = try FileAccess.kind(of: path)
    guard kind == nil || kind == S_IFREG, !path.hasSuffix("/") else {
      throw MixGRPOError(.inputOutput, "\(printable(path)): expected a regular file or none, got something else")
    }
    let folder = FileAccess.folder(of: path)
    guard try FileAccess.isFolder(folder) else {
      throw MixGRPOError(.inputOutput, "\(printable(path)): expected a folder \(printable(folder)) to write into, got none")
    }
    try AtomicFile.requirePlace(for: path)
    return kind != nil
  }

  /// Checks that a folder exists where files can be created, or that it can be made.
  /// - Throws: `inputOutput` naming what is in the way.
  package static func requireFolder(_ path: String) throws(MixGRPOError) {
    var place = path
    while place.utf8.count > 1, place.hasSuffix("/") { place.removeLast() }
    while try !isPresentBelowFolder(place), place != ".", place != "/" { place = FileAccess.folder(of: place) }
    guard try FileAccess.isFolder(place) else {
      throw MixGRPOError(
        .inputOutput, "\(printable(path)): expected a folder or a place to make one, but \(printable(place)) is a file")
    }
    try AtomicFile.requirePlace(for: FileAccess.join(place, "settings.json"))
  }

  /// Nothing is below a file; the system calls that an error of its own.
  private static func isPresentBelowFolder(_ path: String) throws(MixGRPOError) -> Bool {
    try FileAccess.checkPath(path)
    var status = stat()
    if stat(path, &status) == 0 { return true }
    let code = errno
    if code == ENOENT || code == ENOTDIR { return false }
    throw FileAccess.failure(path, expected: "a folder or a place to make one", code: code)
  }
}
