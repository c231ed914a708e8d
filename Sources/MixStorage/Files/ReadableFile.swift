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
  private let descriptor: Int32

  /// - Throws: `inputOutput` when `path` cannot be opened or is not a regular file (a folder, a pipe, a device).
  package init(path: String) throws(MixGRPOError) {
    // Non-blocking, so that opening a pipe without a writer fails instead of waiting.
    let descriptor = try FileAccess.open(path, flags: O_RDONLY | O_NONBLOCK, wanted: "a readable file")
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw MixGRPOError(.inputOutput, "\(printable(path)): expected a regular file, got something else")
    }
    self.path = path
    self.byteCount = Int(status.st_size)
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Fills `destination` with the bytes from `offset` on.
  /// - Throws: `inputOutput` when reading fails or the file is too short.
  package func read(into destination: UnsafeMutableRawBufferPointer, at offset: Int) throws(MixGRPOError) {
    var filled = 0
    while filled < destination.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: destination[filled...])
      let count = pread(descriptor, rest.baseAddress, rest.count, off_t(offset + filled))
      let code = errno
      if count < 0 && code == EINTR { continue }
      if count < 0 { throw FileAccess.failure(path, expected: "\(destination.count) readable bytes at \(offset)", code: code) }
      if count == 0 {
        throw MixGRPOError(.inputOutput, "\(printable(path)): expected \(destination.count) bytes at \(offset), got \(filled)")
      }
      filled += count
    }
  }

  /// The `count` bytes from `offset` on; both must lie within `byteCount`.
  package func bytes(at offset: Int, count: Int) throws(MixGRPOError) -> [UInt8] {
    let isInside = offset >= 0 && count >= 0 && offset <= byteCount && count <= byteCount - offset
    try require(isInside, printable(path), expected: "\(count) bytes at \(offset)", got: "a file of \(byteCount)")
    try Memory.require(bytes: count)
    var bytes = [UInt8](repeating: 0, count: count)
    try bytes.withUnsafeMutableBufferPointer { (buffer) throws(MixGRPOError) in
      try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
    }
    return bytes
  }
}
