import MixGRPO
import MixTerminal

/// Shows the progress of a run on standard error. On a terminal: a line for each finished iteration, below them a bar that is
/// drawn again in its place. Elsewhere: plain lines.
///
/// Never uses escape sequences: the bar returns to the beginning of its line and is filled up with spaces.
final class ProgressDisplay {
  private let total: Int
  /// Steps done before this process started.
  private let begun: Int
  /// Steps between lines.
  private let lineEvery: Int
  private let table: ProgressTable
  private let isShown: Bool
  private let start = ContinuousClock.now
  private var hasHeader = false
  /// Cells of the open bar; 0 without one.
  private var barWidth = 0
  private var lastDrawn: ContinuousClock.Instant?

  /// - Parameter isShown: false to show nothing.
  init(total: Int, begun: Int = 0, lineEvery: Int = 1, unit: String = "step", isShown: Bool = true) {
    self.isShown = isShown
    (self.total, self.begun, self.lineEvery) = (total, begun, max(1, lineEvery))
    table = ProgressTable(unit: unit)
  }

  /// Draws the bar; does nothing elsewhere.
  /// - Parameters:
  ///   - done: completed steps.
  ///   - share: completed share of the current step, 0…1.
  ///   - secondsLeft: where it is better known than from the time so far.
  func show(_ done: Int, share: Double = 0, _ what: String, secondsLeft: Double? = nil) {
    guard StandardError.isTerminal, isTimeToDraw else { return }
    let position = Double(done) + share
    let left = (secondsLeft ?? self.secondsLeft(position)).map { "\(duration($0)) left" } ?? ""
    let columns = StandardError.columns - 1
    let line = ProgressBar.line(
      share: position / Double(max(total, 1)), count: "\(done)/\(total)", what: Printable.text(what), left: left,
      columns: columns)
    let width = CellWidth.of(line)
    write("\r" + CellWidth.padded(line, min(barWidth, columns)))
    barWidth = width
  }

  /// Writes the line of a finished step.
  /// - Parameters:
  ///   - figures: see `ProgressRow`.
  ///   - gauges: see `ProgressRow`.
  func finished(
    _ done: Int, _ figures: [(name: String, value: Double)], gauges: [(name: String, text: String)] = [], remarks: [String] = []
  ) {
    guard done == total || done % lineEvery == 0 else { return }
    let row = ProgressRow(
      done: done, total: total, figures: figures, gauges: gauges, secondsLeft: secondsLeft(Double(done)), remarks: remarks)
    guard StandardError.isTerminal else { return write(Printable.text(table.line(row)) + "\n") }
    let columns = StandardError.columns - 1
    if !hasHeader { announce(table.header(row, columns: columns)) }
    hasHeader = true
    announce(table.tableRow(row, columns: columns))
  }

  /// Writes a separate line above the bar.
  func announce(_ line: String) {
    clearBar()
    write(Printable.lines(line) + "\n")
  }

  /// Removes the bar.
  func finish() { clearBar() }

  /// Seconds since the display was made.
  var secondsSoFar: Double { (ContinuousClock.now - start) / .seconds(1) }

  private func clearBar() {
    if barWidth > 0 { write("\r" + String(repeating: " ", count: min(barWidth, StandardError.columns - 1)) + "\r") }
    (barWidth, lastDrawn) = (0, nil)
  }

  /// At most twenty times in a second.
  private var isTimeToDraw: Bool {
    let now = ContinuousClock.now
    if let lastDrawn, now - lastDrawn < .milliseconds(50) { return false }
    lastDrawn = now
    return true
  }

  private func secondsLeft(_ done: Double) -> Double? {
    let doneHere = done - Double(begun)
    return doneHere > 0 ? secondsSoFar / doneHere * (Double(total) - done) : nil
  }

  private func write(_ text: String) {
    if isShown { StandardError.write(text) }
  }
}

extension ProgressDisplay {
  /// Prints a whole line from another thread.
  static func note(_ line: String) { StandardError.write("\n\(Printable.lines(line))\n") }
}
