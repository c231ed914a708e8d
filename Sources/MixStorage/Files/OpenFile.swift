import Glibc
import MixBasics

/// A file descriptor, and the one place for the system calls on it. Each call is checked, repeated after an interruption, and fails
/// with an error that names the path. Safe to use from several threads at once.
final class OpenFile: Sendable {
  /// The name in error messages.
  let path: String
  private let descriptor: Int32

  /// Opens `location` with close-on-exec. Error messages name `path`, if given.
  init(_ location: String, flags: Int32, wanted: String, as path: String? = nil) throws(MixGRPOError) {
    self.path = path ?? location
    try FileAccess.checkPath(location)
    while true {
      let descriptor = Glibc.open(location, flags | O_CLOEXEC, 0o666)
      let code = errno
      if descriptor >= 0 {
        self.descriptor = descriptor
        return
      }
      if code != EINTR { throw FileAccess.failure(self.path, expected: wanted, code: code) }
    }
  }

  deinit { close(descriptor) }

  /// - Throws: `inputOutput` when the system cannot say.
  func status() throws(MixGRPOError) -> stat {
    var status = stat()
    if fstat(descriptor, &status) == 0 { return status }
    throw FileAccess.failure(path, expected: "a file that can be examined", code: errno)
  }

  func byteCount() throws(MixGRPOError) -> Int { Int(try status().st_size) }

  // MARK: - Content

  /// Fills `destination` with the bytes from `offset` on.
  /// - Throws: `inputOutput` when reading fails or the file is too short.
  func read(into destination: UnsafeMutableRawBufferPointer, at offset: Int) throws(MixGRPOError) {
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

  /// The `count` bytes from `offset` on, after asking for their memory.
  func bytes(at offset: Int, count: Int) throws(MixGRPOError) -> [UInt8] {
    try Memory.require(bytes: count)
    var bytes = [UInt8](repeating: 0, count: count)
    try bytes.withUnsafeMutableBufferPointer { (buffer) throws(MixGRPOError) in
      try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
    }
    return bytes
  }

  /// Writes all of `bytes`, in several pieces if the system takes fewer at once.
  func write(_ bytes: UnsafeRawBufferPointer) throws(MixGRPOError) {
    var written = 0
    while written < bytes.count {
      let count = try writePiece(UnsafeRawBufferPointer(rebasing: bytes[written...]), of: bytes.count)
      if count == 0 { throw FileAccess.failure(path, expected: "room for \(bytes.count) bytes", code: ENOSPC) }
      written += count
    }
  }

  /// One `write(2)`, so that records of several processes do not mix. An error names the bytes `of` the whole, if given.
  /// - Returns: the bytes that were written, which may be fewer.
  func writePiece(_ bytes: UnsafeRawBufferPointer, of whole: Int? = nil) throws(MixGRPOError) -> Int {
    while true {
      let (count, code) = writeWithoutSignals(descriptor, bytes)
      if count >= 0 { return count }
      if code != EINTR { throw FileAccess.failure(path, expected: "room for \(whole ?? bytes.count) bytes", code: code) }
    }
  }

  func writePiece(_ bytes: [UInt8]) throws(MixGRPOError) -> Int {
    try bytes.withUnsafeBufferPointer { (bytes) throws(MixGRPOError) in try writePiece(UnsafeRawBufferPointer(bytes)) }
  }

  /// Where the latest write of this descriptor ended.
  func position() throws(MixGRPOError) -> Int {
    let place = lseek(descriptor, 0, SEEK_CUR)
    if place >= 0 { return Int(place) }
    throw FileAccess.failure(path, expected: "a file with a position", code: errno)
  }

  func truncate(to byteCount: Int) throws(MixGRPOError) {
    while ftruncate(descriptor, off_t(byteCount)) != 0 {
      let code = errno
      if code != EINTR { throw FileAccess.failure(path, expected: "a file that can be shortened", code: code) }
    }
  }

  /// Forces the content to disk. The file stays open, and thereby locked, until it has its final name.
  func sync() throws(MixGRPOError) {
    while fsync(descriptor) != 0 {
      let code = errno
      if code != EINTR { throw FileAccess.failure(path, expected: "content on the disk", code: code) }
    }
  }

  // MARK: - Locks

  enum Lock {
    /// Held by one at a time.
    case exclusive
    /// Held by many, but by none while another holds the exclusive one.
    case shared
  }

  /// Takes the lock if nobody holds it against us. The system releases it when the process ends.
  /// - Returns: false when another holds it. True on file systems without locks, where nobody can hold one.
  func tryLock(_ lock: Lock) throws(MixGRPOError) -> Bool {
    let operation = lock == .exclusive ? LOCK_EX : LOCK_SH
    while flock(descriptor, operation | LOCK_NB) != 0 {
      switch errno {
      case EINTR: continue
      case EWOULDBLOCK: return false
      case ENOLCK, ENOSYS, EOPNOTSUPP, EINVAL: return true
      case let code: throw FileAccess.failure(path, expected: "a file that can be locked", code: code)
      }
    }
    return true
  }

  /// Waits for the lock.
  /// - Throws: `inputOutput` when another holds it for `seconds`.
  func lock(_ lock: Lock, seconds: Double) throws(MixGRPOError) {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while try !tryLock(lock) {
      if ContinuousClock.now >= deadline {
        throw MixGRPOError(
          .inputOutput,
          "\(printable(path)): expected the file's lock within \(seconds) seconds, got none: another process or thread holds it"
        )
      }
      usleep(1_000)
    }
  }

  func unlock() { flock(descriptor, LOCK_UN) }
}

/// One `write(2)` and its `errno`. SIGXFSZ (a file above the size limit) and SIGPIPE (a pipe without a reader) are blocked
/// meanwhile: by default they would end the host's process, and the return value reports the same.
private func writeWithoutSignals(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> (count: Int, code: Int32) {
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
