import MixBasics

#if canImport(Glibc)
@preconcurrency import Glibc
#else
import Darwin
#endif

/// Prints to standard output, at once. A closed pipe, as with `| head`, stops a run like Ctrl-C.
package func show(_ text: String) {
  let text = Printable.lines(text)
  fputs(text.hasSuffix("\n") ? text : text + "\n", stdout)
  let isWritten = fflush(stdout) == 0
  let code = errno
  if !isWritten && code == EPIPE { StopSignals.outputIsClosed() }
}
