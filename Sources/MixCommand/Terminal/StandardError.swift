#if canImport(Glibc)
@preconcurrency import Glibc
#else
import Darwin
#endif

/// Standard error: everything that the command reports goes through `write`.
enum StandardError {
  /// Whether lines can be drawn again in their place: a terminal that is not called "dumb".
  static let isTerminal = isatty(STDERR_FILENO) != 0 && terminalName != "dumb" && terminalName != ""

  private static var terminalName: String { getenv("TERM").map { String(cString: $0) } ?? "" }

  /// The width of the terminal now, at least 20; 80 where it is not known.
  static var columns: Int {
    var size = winsize()
    let isKnown = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    return isKnown ? max(20, Int(size.ws_col)) : 80
  }

  /// A closed pipe, as with `| head`, stops a run like Ctrl-C, so that its progress is saved.
  static func write(_ text: String) {
    let isWritten = fputs(text, stderr) >= 0
    let code = errno
    if !isWritten && code == EPIPE { StopSignals.outputIsClosed() }
  }
}
