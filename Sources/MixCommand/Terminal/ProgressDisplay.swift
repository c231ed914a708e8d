import MixGRPO

/// Shows the progress of a run on standard error: a bar on a terminal, otherwise plain lines.
final class ProgressDisplay {
  private let total: Int
  /// Steps done before this process started.
  private let begun: Int
  /// Steps between plain lines.
  private let lineEvery: Int
  private let start = ContinuousClock.now
  private let isTerminal = StandardError.isTerminal
  private var isBarOpen = false

  init(total: Int, begun: Int = 0, lineEvery: Int = 1) {
    (self.total, self.begun, self.lineEvery) = (total, begun, max(1, lineEvery))
  }

  /// - Parameters:
  ///   - done: completed steps.
  ///   - share: completed share of the current step, 0…1; shown only by the bar.
  func show(_ done: Int, share: Double = 0, _ text: String) {
    let text = Printable.text(text)
    if isTerminal {
      write("\r\(bar(Double(done) + share)) \(done)/\(total)  \(text)  \(remaining(Double(done) + share))\u{1B}[K")
      isBarOpen = true
    } else if share == 0 && (done == total || done % lineEvery == 0) {
      write("\(done)/\(total)  \(text)  \(remaining(Double(done)))\n")
    }
  }

  /// Prints a separate line above the bar.
  func announce(_ line: String) {
    write((isBarOpen ? "\r\u{1B}[K" : "") + Printable.lines(line) + "\n")
    isBarOpen = false
  }

  /// Ends the line of the bar.
  func finish() {
    if isBarOpen { write("\n") }
    isBarOpen = false
  }

  private func bar(_ done: Double) -> String {
    let width = 24
    let filled = min(width, Int(done / Double(max(total, 1)) * Double(width)))
    return "[" + String(repeating: "█", count: filled) + String(repeating: "·", count: width - filled) + "]"
  }

  private func remaining(_ done: Double) -> String {
    let doneHere = done - Double(begun)
    guard doneHere > 0 else { return "" }
    let elapsed = (ContinuousClock.now - start) / .seconds(1)
    return "\(duration(elapsed / doneHere * (Double(total) - done))) left"
  }

  private func write(_ text: String) { StandardError.write(text) }
}

/// 1:05, or 2:03:04 from an hour on.
func duration(_ seconds: Double) -> String {
  guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return "?" }
  let whole = Int(seconds.rounded(.up))
  let minutes = whole / 60 % 60
  let hours = whole / 3600
  return (hours > 0 ? "\(hours):\(padded(minutes, 2))" : "\(minutes)") + ":\(padded(whole % 60, 2))"
}

/// Formats with a fixed number of decimal digits; NaN and infinities by name.
func fixed(_ value: Double, _ digits: Int) -> String {
  guard value.isFinite, value.magnitude < 1e12 else { return "\(value)" }
  let scale = (0..<digits).reduce(1) { power, _ in power * 10 }
  let scaled = Int((value.magnitude * Double(scale)).rounded())
  let sign = value < 0 && scaled > 0 ? "-" : ""
  return sign + "\(scaled / scale)" + (digits > 0 ? ".\(padded(scaled % scale, digits))" : "")
}

extension ProgressDisplay {
  /// Prints a whole line from another thread.
  static func note(_ line: String) { StandardError.write("\n\(Printable.lines(line))\n") }
}
