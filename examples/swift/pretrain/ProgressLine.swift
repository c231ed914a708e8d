#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// One line that tells how far a run is: rewritten in place on a terminal, otherwise a new line at every twentieth of the run.
struct ProgressLine {
  private let total: Int
  private let start = ContinuousClock.now
  private let isTerminal = isatty(STDOUT_FILENO) != 0

  init(total: Int) { self.total = total }

  func show(_ done: Int, _ text: String) {
    let isMilestone = done == total || done % max(1, total / 20) == 0
    guard isTerminal || isMilestone else { return }
    let elapsed = (ContinuousClock.now - start) / Duration.seconds(1)
    let left = Int((elapsed / Double(done) * Double(total - done)).rounded(.up))
    let seconds = left % 60
    let line = "\(done)/\(total)  \(text)  \(left / 60):\(seconds < 10 ? "0" : "")\(seconds) left "
    print((isTerminal ? "\r" : "") + line, terminator: isTerminal && done < total ? "" : "\n")
    fflush(nil)
  }
}
