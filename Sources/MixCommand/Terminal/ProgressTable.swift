import MixCompare
import MixGRPO

/// The figures of a finished iteration or step.
struct ProgressRow {
  let done: Int
  let total: Int
  /// By name, in a fixed order; the first is shown in any case.
  let figures: [(name: String, value: Double)]
  /// What shows whether it works, such as the trend: columns that stay; where there is little room, the last of them.
  var gauges: [(name: String, text: String)] = []
  let secondsLeft: Double?
  var remarks: [String] = []
}

/// The lines of finished iterations: columns of a table for a terminal, or complete lines for a file.
struct ProgressTable {
  let unit: String

  private static let numberWidth = 9
  private static let narrow = 60
  private static let nameWidth = 14

  /// A line with everything, however long.
  func line(_ row: ProgressRow) -> String {
    var parts = ["\(row.done)/\(row.total)"] + row.figures.map { "\($0.name) \(significant($0.value))" }
    parts += row.gauges.filter { !$0.text.isEmpty }.map { "\($0.name) \($0.text)" }
    if let left = row.secondsLeft { parts.append("\(duration(left)) left") }
    return (parts + row.remarks).joined(separator: "  ")
  }

  /// The names of the columns.
  func header(_ row: ProgressRow, columns: Int) -> String {
    cells(row, columns: columns, first: unit, figure: { Printable.text($0.name) }, gauge: \.name, left: "left", last: "")
  }

  /// The same columns with the row's figures.
  func tableRow(_ row: ProgressRow, columns: Int) -> String {
    cells(
      row, columns: columns, first: "\(row.done)/\(row.total)", figure: { significant($0.value) },
      gauge: { $0.text.isEmpty ? "–" : $0.text }, left: row.secondsLeft.map { duration($0) } ?? "",
      last: row.remarks.joined(separator: ", "))
  }

  private func cells(
    _ row: ProgressRow, columns: Int, first: String, figure: ((name: String, value: Double)) -> String,
    gauge: ((name: String, text: String)) -> String, left: String, last: String
  ) -> String {
    let lead = max(CellWidth.of(unit), 2 * "\(row.total)".count + 1)
    let ends = row.gauges.suffix(columns < Self.narrow ? 1 : .max).map(gauge) + [left]
    let endsWidth = ends.count * (Self.numberWidth + 1)
    var line = CellWidth.padded(CellWidth.fit(first, lead), lead, atLeft: true)
    var room = columns - lead - endsWidth
    for (index, entry) in row.figures.enumerated() {
      let wanted = min(Self.nameWidth, max(Self.numberWidth, CellWidth.of(Printable.text(entry.name))))
      let width = index == 0 ? max(6, min(wanted, room - 1)) : wanted
      if index > 0, room < width + 1 { break }
      line += " " + CellWidth.padded(CellWidth.fit(figure(entry), width), width, atLeft: true)
      room -= width + 1
    }
    for end in ends { line += " " + CellWidth.padded(end, Self.numberWidth, atLeft: true) }
    return CellWidth.fit(last.isEmpty ? line : "\(line)  \(last)", columns)
  }
}

/// The line of work in progress.
enum ProgressBar {
  /// - Parameters:
  ///   - share: completed share of everything, 0…1.
  ///   - columns: cells to fill at most.
  static func line(share: Double, count: String, what: String, left: String, columns: Int) -> String {
    let width = columns < 60 ? 8 : 24
    let filled = min(width, max(0, Int(share * Double(width))))
    let bar = "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled) + "]"
    let end = left.isEmpty ? "" : "  \(left)"
    let start = "\(bar) \(count)  "
    let room = columns - CellWidth.of(start) - CellWidth.of(end)
    return CellWidth.fit(start + CellWidth.fit(what, max(room, 0)) + end, columns)
  }
}
