import Glibc
import MixBasics

/// A new file open for writing. Not thread-safe.
package final class WritableFile {
  private let file: OpenFile
  private var hash = XXHash64()

  /// Creates `location`, which must not exist yet. Error messages name `path`, the final file.
  init(creating location: String, for path: String) throws(MixGRPOError) {
    file = try OpenFile(location, flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, wanted: "a writable folder", as: path)
  }

  /// Locks the file to mark that a running process is writing it. The system releases the lock when the process ends.
  /// - Returns: false when another process removed the file as a leftover before it was locked.
  func lock() throws(MixGRPOError) -> Bool {
    guard try file.tryLock(.exclusive) else { return false }
    return try file.status().st_nlink > 0
  }

  /// XXH64 of everything written so far.
  var digest: UInt64 { hash.digest }

  /// Appends all of `bytes`.
  package func write(_ bytes: UnsafeRawBufferPointer) throws(MixGRPOError) {
    try file.write(bytes)
    hash.update(bytes)
  }

  package func write(_ bytes: [UInt8]) throws(MixGRPOError) {
    try bytes.withUnsafeBufferPointer { (buffer) throws(MixGRPOError) in try write(UnsafeRawBufferPointer(buffer)) }
  }

  /// Forces the content to disk. The file stays open, and thereby locked, until it has its final name.
  func sync() throws(MixGRPOError) { try file.sync() }
}
