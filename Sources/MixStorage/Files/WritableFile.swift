import Glibc
import MixBasics

/// A file open for writing. Not thread-safe.
package final class WritableFile {
  /// The name in error messages.
  private let path: String
  private let descriptor: Int32
  private var hash = XXHash64()

  /// Creates `location`, which must not exist yet. Error messages name `path`, the final file.
  init(creating location: String, for path: String) throws(MixGRPOError) {
    self.path = path
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
    do throws(MixGRPOError) {
      self.descriptor = try FileAccess.open(location, flags: flags, wanted: "a writable folder")
    } catch {
      throw MixGRPOError(error.code, error.message.replacingPrefix(location, with: path))
    }
  }

  /// Locks the file to mark that a running process is writing it. The system releases the lock when the process ends.
  /// - Returns: false when another process removed the file as a leftover before it was locked.
  func lock() -> Bool {
    var status = stat()
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else { return false }
    return fstat(descriptor, &status) != 0 || status.st_nlink > 0
  }

  /// XXH64 of everything written so far.
  var digest: UInt64 { hash.digest }

  deinit { close(descriptor) }

  /// Appends all of `bytes`.
  package func write(_ bytes: UnsafeRawBufferPointer) throws(MixGRPOError) {
    var written = 0
    while written < bytes.count {
      let (count, code) = writeOnce(descriptor, UnsafeRawBufferPointer(rebasing: bytes[written...]))
      if count < 0 && code == EINTR { continue }
      if count <= 0 {
        throw FileAccess.failure(path, expected: "room for \(bytes.count) bytes", code: count < 0 ? code : ENOSPC)
      }
      written += count
    }
    hash.update(bytes)
  }

  package func write(_ bytes: [UInt8]) throws(MixGRPOError) {
    try bytes.withUnsafeBufferPointer { (buffer) throws(MixGRPOError) in try write(UnsafeRawBufferPointer(buffer)) }
  }

  /// Forces the content to disk. The file stays open, and thereby locked, until it has its final name.
  func sync() throws(MixGRPOError) {
    if fsync(descriptor) == 0 { return }
    let code = errno
    throw FileAccess.failure(path, expected: "content on the disk", code: code)
  }
}

/// One `write(2)` and its `errno`. SIGXFSZ (a file above the size limit) and SIGPIPE (a pipe without a reader) are blocked
/// meanwhile: by default they would end the host's process, and the return value reports the same.
func writeOnce(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> (count: Int, code: Int32) {
  var held = sigset_t()
  var pending = sigset_t()
  var previous = sigset_t()
  sigemptyset(&held)
  sigaddset(&held, SIGXFSZ)
  sigaddset(&held, SIGPIPE)
  sigemptyset(&pending)
  sigpending(&pending)
  pthread_sigmask(SIG_BLOCK, &held, &previous)
  let count = Glibc.write(descriptor, bytes.baseAddress, bytes.count)
  let code = errno
  if count < 0 && code == EFBIG { discard(SIGXFSZ, unlessIn: &pending) }
  if count < 0 && code == EPIPE { discard(SIGPIPE, unlessIn: &pending) }
  pthread_sigmask(SIG_SETMASK, &previous, nil)
  return (count, code)
}

/// Discards the signal that a failed write has just raised. A signal that was pending before belongs to the host and stays.
private func discard(_ signal: Int32, unlessIn pending: inout sigset_t) {
  guard sigismember(&pending, signal) == 0 else { return }
  var raised = sigset_t()
  var now = timespec()
  sigemptyset(&raised)
  sigaddset(&raised, signal)
  sigtimedwait(&raised, nil, &now)
}

extension String {
  fileprivate func replacingPrefix(_ prefix: String, with replacement: String) -> String {
    hasPrefix(prefix) ? replacement + dropFirst(prefix.count) : self
  }
}
