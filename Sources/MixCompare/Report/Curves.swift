/// The charts of a comparison: one per reward, over iterations or over time.
struct Curves {
  enum Abscissa { case iterations, seconds }

  let comparison: Comparison
  let abscissa: Abscissa

  /// False for curves over time when times were not measured.
  var isKnown: Bool { abscissa == .iterations || comparison.timing != nil }

  var charts: [LineChart] {
    Judges.names.indices.map { reward in
      LineChart(
        title: Judges.names[reward] + (reward < Judges.trained ? " (trained)" : " (held out)"), xLabel: label,
        series: comparison.rows.indices.map { series(comparison.rows[$0], colour: colour($0), reward) })
    }
  }

  var legend: [(colour: Int, label: String)] {
    comparison.rows.indices.map { (colour: colour($0), label: comparison.rows[$0].arm.label) }
  }

  /// A method always has the same colour, whichever methods are compared.
  private func colour(_ row: Int) -> Int {
    Method.allCases.firstIndex { $0.rawValue == comparison.rows[row].arm.name } ?? row
  }

  private var label: String {
    switch abscissa {
    case .iterations: "iterations"
    case .seconds: "seconds of training without sharing evaluations"
    }
  }

  private func series(_ row: Comparison.Row, colour: Int, _ reward: Int) -> LineChart.Series {
    let scale = abscissa == .iterations ? 1 : row.timing?.seconds ?? .nan
    let points = comparison.curve(row, reward)
    return LineChart.Series(
      label: row.arm.label, colour: colour,
      points: points.enumerated().map { index, point in
        // Error bars at all points of all lines would hide the lines.
        (
          Double(point.iteration) * scale, point.estimate.mean,
          index == points.count - 1 ? point.estimate.standardError : .nan
        )
      })
  }

  /// All charts in one document, two per row, with the legend below.
  var svg: String {
    let (width, height) = (2 * LineChart.width, 2 * LineChart.height)
    let panels = charts.enumerated().map { index, chart in
      let (x, y) = (Double(index % 2) * LineChart.width, Double(index / 2) * LineChart.height)
      return "<g transform=\"translate(\(fixed(x, 0)) \(fixed(y, 0)))\">\(chart.content)</g>"
    }
    let key = Palette.legend(legend, width: width, top: height)
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(fixed(width, 0)) \(fixed(height + key.height, 0))" role="img" \
      aria-label="rewards over \(abscissa == .iterations ? "iterations" : "seconds")"><style>\(Palette.svgStyle)</style>\
      \(panels.joined())\(key.svg)</svg>

      """
  }
}
