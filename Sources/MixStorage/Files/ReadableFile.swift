import Glibc
import MixBasics

/// A regular file open for reading at any offset.
///
/// The file is read, not mapped: if another process shortened a mapped file, this process would get SIGBUS. Safe to use from
/// several threads at once.
package final class ReadableFile: Sendable {
  package let path: String
  /// The size when the file was opened.
  package let byteCount: Int
  private let file: OpenFile

  /// - Throws: `inputOutput` when `path` cannot be opened or is not a regular file (a folder, a pipe, a device).
  package init(path: String) throws(MixGRPOError) {
    // Non-blocking, so that opening a pipe without a writer fails instead of waiting.
    let file = try OpenFile(path, flags: O_RDONLY | O_NONBLOCK, wanted: "a readable file")
    let status = try file.status()
    guard status.st_mode & S_IFMT == S_IFREG else {
      let other = status.st_mode & S_IFMT == S_IFDIR ? "a folder" : "something else"
      throw MixGRPOError(.inputOutput, "\(printable(path)): expected a regular file, got \(other)")
    }
    self.path = path
    self.byteCount = Int(status.st_size)
    self.file = file
  }

  /// Fills `destination` with the bytes from `offset` on.
  /// - Throws: `inputOutput` when reading fails or the file is too short.
  package func read(into destination: UnsafeMutableRawBufferPointer, at offset: Int) throws(MixGRPOError) {
    try file.read(into: destination, at: offset)
  }

  /// The `count` bytes from `offset` on; both must lie within `byteCount`.
  package func bytes(at offset: Int, count: Int) throws(MixGRPOError) -> [UInt8] {
    let isInside = offset >= 0 && count >= 0 && offset <= byteCount && count <= byteCount - offset
    try require(isInside, printable(path), expected: "\(count) bytes at \(offset)", got: "a file of \(byteCount)")
    return try file.bytes(at: offset, count: count)
  }
}
