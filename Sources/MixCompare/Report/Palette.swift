/// Colours that colour-blind readers can distinguish (Okabe and Ito), and dashes for readers without colour.
enum Palette {
  private static let colours = ["#8a8a8a", "#d55e00", "#e69f00", "#0072b2", "#56b4e9", "#009e73", "#cc79a7", "#a6761d"]
  private static let dashes = ["", "", "5 3", "", "5 3", "7 2 2 2", "2 3", ""]
  /// Lighter variants of the darkest colours, for the dark scheme.
  private static let lighter = [3: "#4da3e0", 5: "#2cc49a"]

  static func name(_ index: Int) -> String { "s\(index % colours.count)" }

  /// The rules for `name`d groups, axes and text.
  static let svgStyle: String = {
    let groups = colours.indices.map { rule($0, colours[$0]) + ".\(name($0)) polyline{stroke-dasharray:\(dash($0))}" }
    let dark = lighter.sorted { $0.key < $1.key }.map { rule($0.key, $0.value) }
    return """
      text{font-family:system-ui,sans-serif;fill:#333}.title{font-size:15px;font-weight:600}.tick{font-size:12px;fill:#666}\
      .grid{stroke:#8885;stroke-width:1}polyline{fill:none;stroke-width:2;stroke-linejoin:round}\
      \(groups.joined())@media(prefers-color-scheme:dark){text{fill:#ddd}.tick{fill:#aaa}\(dark.joined())}
      """
  }()

  private static func rule(_ index: Int, _ colour: String) -> String {
    ".\(name(index)){stroke:\(colour)}.\(name(index)) circle{fill:\(colour);stroke:none}"
  }

  private static func dash(_ index: Int) -> String { dashes[index].isEmpty ? "none" : dashes[index] }

  /// The legend of a chart: a line sample and a name for each series.
  static func legend(_ labels: [(colour: Int, label: String)], width: Double, top: Double) -> (svg: String, height: Double) {
    let columns = 3
    var text = ""
    for (index, entry) in labels.enumerated() {
      let x = 10 + Double(index % columns) * (width - 20) / Double(columns)
      let y = top + 14 + Double(index / columns) * 20
      let (left, right) = ("\(fixed(x, 0)),\(fixed(y, 0))", "\(fixed(x + 28, 0)),\(fixed(y, 0))")
      text += "<g class=\"\(name(entry.colour))\"><polyline points=\"\(left) \(right)\"/>"
      text += "<circle cx=\"\(fixed(x + 14, 0))\" cy=\"\(fixed(y, 0))\" r=\"2.6\"/></g>"
      text += "<text style=\"font-size:13px\" x=\"\(fixed(x + 36, 0))\" y=\"\(fixed(y + 4, 0))\">\(escaped(entry.label))</text>"
    }
    return (text, Double((labels.count + columns - 1) / columns) * 20 + 10)
  }
}
