/// A line chart with markers, as an SVG that follows the reader's light or dark scheme.
struct LineChart: Sendable {
  struct Series: Sendable {
    let label: String
    /// Index into `Palette`.
    let colour: Int
    /// `error` is drawn as an error bar; NaN for none.
    let points: [(x: Double, y: Double, error: Double)]
  }

  let title: String
  let xLabel: String
  let series: [Series]

  static let width = 420.0
  static let height = 280.0
  private let frame = (left: 46.0, right: 410.0, top: 30.0, bottom: 238.0)

  /// The chart as a complete SVG document.
  var svg: String {
    """
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(fixed(Self.width, 0)) \(fixed(Self.height, 0))" role="img" \
    aria-label="\(escaped(title))"><style>\(Palette.svgStyle)</style>\(content)</svg>
    """
  }

  /// The chart's elements, without the enclosing document.
  var content: String {
    let drawable = series.filter { $0.points.contains { $0.x.isFinite && $0.y.isFinite } }
    let all = drawable.flatMap(\.points).filter { $0.x.isFinite && $0.y.isFinite }
    let x = Axis(all.map(\.x) + [0])
    let y = Axis(all.flatMap { $0.error.isFinite ? [$0.y - $0.error, $0.y + $0.error] : [$0.y] })
    return axes(x, y) + drawable.map { line($0, x, y) }.joined()
  }

  private func place(_ x: Double, _ y: Double, _ xAxis: Axis, _ yAxis: Axis) -> (x: Double, y: Double) {
    (
      frame.left + xAxis.share(x) * (frame.right - frame.left),
      frame.bottom - yAxis.share(y) * (frame.bottom - frame.top)
    )
  }

  private func axes(_ x: Axis, _ y: Axis) -> String {
    var text = "<text class=\"title\" x=\"\(fixed(frame.left, 0))\" y=\"18\">\(escaped(title))</text>"
    for tick in y.ticks {
      let (_, at) = place(x.low, tick, x, y)
      text += "<line class=\"grid\" x1=\"\(fixed(frame.left, 0))\" x2=\"\(fixed(frame.right, 0))\" "
      text += "y1=\"\(fixed(at, 1))\" y2=\"\(fixed(at, 1))\"/>"
      text += "<text class=\"tick\" text-anchor=\"end\" x=\"\(fixed(frame.left - 6, 0))\" y=\"\(fixed(at + 4, 1))\">"
      text += "\(y.name(tick))</text>"
    }
    for tick in x.ticks {
      let (at, _) = place(tick, y.low, x, y)
      text += "<text class=\"tick\" text-anchor=\"middle\" x=\"\(fixed(at, 1))\" y=\"\(fixed(frame.bottom + 16, 0))\">"
      text += "\(x.name(tick))</text>"
    }
    let middle = (frame.left + frame.right) / 2
    text += "<text class=\"tick\" text-anchor=\"middle\" x=\"\(fixed(middle, 0))\" y=\"\(fixed(Self.height - 6, 0))\">"
    return text + "\(escaped(xLabel))</text>"
  }

  private func line(_ series: Series, _ x: Axis, _ y: Axis) -> String {
    let points = series.points.filter { $0.x.isFinite && $0.y.isFinite }
    let places = points.map { place($0.x, $0.y, x, y) }
    let path = places.map { "\(fixed($0.x, 1)),\(fixed($0.y, 1))" }.joined(separator: " ")
    let name = Palette.name(series.colour)
    var text = "<g class=\"\(name)\"><title>\(escaped(series.label))</title><polyline points=\"\(path)\"/>"
    for (point, at) in zip(points, places) where point.error.isFinite {
      let (low, high) = (place(point.x, point.y - point.error, x, y), place(point.x, point.y + point.error, x, y))
      text += "<line x1=\"\(fixed(at.x, 1))\" x2=\"\(fixed(at.x, 1))\" y1=\"\(fixed(low.y, 1))\" y2=\"\(fixed(high.y, 1))\"/>"
    }
    for at in places { text += "<circle cx=\"\(fixed(at.x, 1))\" cy=\"\(fixed(at.y, 1))\" r=\"2.6\"/>" }
    return text + "</g>"
  }
}

/// The range of an axis, with ticks at round numbers.
struct Axis: Sendable {
  let low: Double
  let high: Double
  let ticks: [Double]
  private let decimals: Int

  init(_ values: [Double]) {
    let finite = values.filter(\.isFinite)
    let (smallest, largest) = (finite.min() ?? 0, finite.max() ?? 1)
    let span = largest - smallest > 1e-9 ? largest - smallest : max(abs(largest), 1) * 0.1
    let step = Self.roundStep(span / 4)
    low = (smallest / step + 1e-9).rounded(.down) * step
    high = max((largest / step - 1e-9).rounded(.up) * step, low + step)
    ticks = (0...min(20, Int(((high - low) / step).rounded()))).map { [low] in low + Double($0) * step }
    decimals = (0...6).first { Self.isWhole(step * Self.power($0)) } ?? 6
  }

  func share(_ value: Double) -> Double { (value - low) / (high - low) }
  func name(_ tick: Double) -> String { fixed(tick, decimals) }

  /// The smallest of 1, 2, 5 times a power of ten that is at least `step`.
  private static func roundStep(_ step: Double) -> Double {
    for exponent in -6...12 {
      for digit in [1.0, 2, 5] {
        let candidate = exponent < 0 ? digit / power(-exponent) : digit * power(exponent)
        if candidate >= step * 0.999 { return candidate }
      }
    }
    return step
  }

  private static func isWhole(_ value: Double) -> Bool { abs(value - value.rounded()) <= 1e-6 }
  private static func power(_ exponent: Int) -> Double { (0..<exponent).reduce(1.0) { value, _ in value * 10 } }
}

/// Escapes text for SVG and HTML.
func escaped(_ text: String) -> String {
  text.reduce(into: "") { result, character in
    switch character {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    default: result.append(character)
    }
  }
}
