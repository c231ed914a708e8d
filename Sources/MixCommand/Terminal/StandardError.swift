#if canImport(Glibc)
@preconcurrency import Glibc
#else
import Darwin
#endif

/// Standard error: everything that the command reports goes through `write`.
enum StandardError {
  static let isTerminal = isatty(STDERR_FILENO) != 0

  /// A closed pipe, as with `| head`, stops a run like Ctrl-C, so that its progress is saved.
  static func write(_ text: String) {
    let isWritten = fputs(text, stderr) >= 0
    let code = errno
    if !isWritten && code == EPIPE { StopSignals.outputIsClosed() }
  }
}
