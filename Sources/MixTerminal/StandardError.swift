#if canImport(Glibc)
@preconcurrency import Glibc
#else
import Darwin
#endif

/// Standard error: everything that the command reports goes through `write`.
package enum StandardError {
  /// Whether lines can be drawn again in their place: a terminal that is not called "dumb".
  package static let isTerminal = isatty(STDERR_FILENO) != 0 && terminalName != "dumb" && terminalName != ""

  private static var terminalName: String { getenv("TERM").map { String(cString: $0) } ?? "" }

  /// The width of the terminal now, at least 20; 80 where it is not known.
  package static var columns: Int { columns(of: STDERR_FILENO) ?? 80 }

  /// The same of standard output; nil when it is no terminal.
  package static var columnsOfOutput: Int? { columns(of: STDOUT_FILENO) }

  private static func columns(of descriptor: Int32) -> Int? {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return max(20, Int(size.ws_col))
  }

  /// A closed pipe, as with `| head`, stops a run like Ctrl-C, so that its progress is saved.
  package static func write(_ text: String) {
    let isWritten = fputs(text, stderr) >= 0
    let code = errno
    if !isWritten && code == EPIPE { StopSignals.outputIsClosed() }
  }
}
