/// The comparison as a table, in Markdown and CSV.
struct ResultTable {
  let comparison: Comparison

  var header: [String] {
    ["method", "model calls per picture", "trained steps", "s per iteration", "of \(referenceLabel)"]
      + ["calls, shared", "s, shared"] + Judges.names
  }

  private var referenceLabel: String {
    comparison.rows.first { $0.arm.name == comparison.reference }?.arm.label ?? comparison.reference
  }

  /// The base model's row, then one per arm.
  var cells: [[String]] { [baseCells] + comparison.rows.map(cells) }

  private var baseCells: [String] {
    ["base model"] + Array(repeating: "–", count: 6) + comparison.base.rewards.map { fixed($0, 3) }
  }

  private func cells(_ row: Comparison.Row) -> [String] {
    [
      row.arm.label, fixed(row.calls, 1), "\(row.trainedSteps)", fixed(row.timing?.seconds ?? .nan, 2),
      fixed(comparison.relativeTime(row), 2), fixed(row.callsShared, 1), fixed(row.timing?.secondsShared ?? .nan, 2),
    ] + Judges.names.indices.map { comparison.final(row, $0).text() }
  }

  var markdown: String {
    let rule = ["---"] + header.dropFirst().map { _ in "--:" }
    let lines = [header, rule] + cells
    return lines.map { "| " + $0.joined(separator: " | ") + " |\n" }.joined()
  }

  /// Full precision; unknown values are empty fields.
  var csv: String {
    let rewards = Judges.names.map { $0.split(separator: " ").joined(separator: "_") }
    let names =
      ["method", "calls_per_picture", "trained_steps", "seconds_per_iteration", "calls_per_picture_shared"]
      + ["seconds_per_iteration_shared", "seeds", "learning_rate"] + rewards.flatMap { ["\($0)_mean", "\($0)_standard_error"] }
    let base = ["base"] + Array(repeating: "", count: 7) + comparison.base.rewards.flatMap { ["\($0)", ""] }
    return ([names, base] + comparison.rows.map(fields)).map { $0.joined(separator: ",") + "\n" }.joined()
  }

  private func fields(_ row: Comparison.Row) -> [String] {
    func number(_ value: Double?) -> String { value.map { $0.isFinite ? "\($0)" : "" } ?? "" }
    return [
      row.arm.name, number(row.calls), "\(row.trainedSteps)", number(row.timing?.seconds), number(row.callsShared),
      number(row.timing?.secondsShared), "\(row.results.count)", number(row.arm.learning.optimizer.learningRate),
    ]
      + Judges.names.indices.flatMap { reward in
        let estimate = comparison.final(row, reward)
        return [number(estimate.mean), number(estimate.standardError)]
      }
  }
}
