import MixStorage
import ProceduralWorld

/// A comparison as one self-contained HTML page without scripts, for phones and desktops, light and dark.
struct ReportPage {
  let comparison: Comparison
  /// PNG files with their captions.
  let pictures: [(label: String, file: [UInt8])]

  var html: String {
    """
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>\(escaped(comparison.title))</title>
    <style>\(PageStyle.css)\(Palette.svgStyle)</style>
    </head>
    <body>
    <main>
    <h1>\(escaped(comparison.title))</h1>
    \(introduction)
    <h2>Results</h2>
    \(table)
    \(findings)
    \(curves(.iterations, "Rewards over iterations"))
    \(curves(.seconds, "Rewards over time"))
    <h2>Pictures</h2>
    <p>The same prompts, none of them trained on, and the same noise; after the first seed's training.</p>
    <div class="cards">\(pictures.map(figure).joined())</div>
    <h2>How this was made</h2>
    \(settings)
    </main>
    </body>
    </html>

    """
  }

  private var introduction: String {
    let size = comparison.size
    let rewards = Judges.names.indices.map { index in
      "<li><b>\(Judges.names[index])</b> (\(index < Judges.trained ? "trained" : "held out")): \(escaped(Judges.meanings[index]))</li>"
    }
    return """
      <p>Each method aligns the same flow model of 32 × 32 pictures for \(counted(size.iterations, "iteration")) of \
      \(counted(size.prompts, "prompt")) with \(size.groupSize) pictures each, with \(counted(comparison.seeds, "seed")). Rewards are means over pictures of prompts that were never \
      trained on, drawn without randomness, ± the standard error over seeds. All rewards lie between 0 and 1:</p>
      <ul>\(rewards.joined())</ul>
      """
  }

  // MARK: Table

  private var table: String {
    let table = ResultTable(comparison: comparison)
    let head = table.header.map { "<th scope=\"col\">\(escaped($0))</th>" }.joined()
    let body = table.cells.map { cells in
      let fields = zip(table.header, cells).dropFirst().map { name, cell in
        "<td data-name=\"\(escaped(name))\">\(escaped(cell))</td>"
      }
      return "<tr><th scope=\"row\">\(escaped(cells[0]))</th>\(fields.joined())</tr>"
    }
    return """
      <table><thead><tr>\(head)</tr></thead><tbody>\(body.joined(separator: "\n"))</tbody></table>
      <p class="note">Model calls and seconds count every picture at every step, as the papers do; “shared” evaluates latents \
      that the pictures of a group have in common once, which changes no picture.\(timingNote)</p>
      """
  }

  private var timingNote: String {
    guard let timing = comparison.timing else { return " Times were not measured." }
    let busy = timing.load > 0.5 ? " The machine was busy (load \(fixed(timing.load, 1))): times are rough." : ""
    return
      " Times: \(escaped(timing.processor)), \(timing.threads) threads, medians of \(counted(timing.turns, "turn")).\(busy)"
  }

  private var findings: String {
    let all = Findings(comparison: comparison).all
    guard !all.isEmpty else { return "" }
    let items = all.map { "<li><span class=\"\($0.verdict)\">\($0.verdict.rawValue)</span> \(escaped($0.text))</li>" }
    return "<h2>Compared with the paper</h2><ul class=\"findings\">\(items.joined())</ul>"
  }

  // MARK: Curves and pictures

  private func curves(_ abscissa: Curves.Abscissa, _ title: String) -> String {
    let curves = Curves(comparison: comparison, abscissa: abscissa)
    guard curves.isKnown else { return "" }
    let key = curves.legend.map { entry in
      "<li><svg viewBox=\"0 0 28 10\" aria-hidden=\"true\"><g class=\"\(Palette.name(entry.colour))\"><polyline points=\"0,5 28,5\"/>"
        + "<circle cx=\"14\" cy=\"5\" r=\"2.6\"/></g></svg>\(escaped(entry.label))</li>"
    }
    return """
      <h2>\(title)</h2>
      <ul class="key">\(key.joined())</ul>
      <div class="charts">\(curves.charts.map(chart).joined())</div>
      """
  }

  private func chart(_ chart: LineChart) -> String {
    """
    <svg viewBox="0 0 \(fixed(LineChart.width, 0)) \(fixed(LineChart.height, 0))" role="img" \
    aria-label="\(escaped(chart.title))">\(chart.content)</svg>
    """
  }

  private func figure(_ label: String, _ file: [UInt8]) -> String {
    let source = "data:image/png;base64,\(Base64.encode(file))"
    let caption = "<figcaption>\(escaped(label))</figcaption>"
    return "<figure><img alt=\"pictures of \(escaped(label))\" src=\"\(source)\">\(caption)</figure>\n"
  }

  // MARK: Settings

  private var settings: String {
    let rows = comparison.rows.map { "<dt>\(escaped($0.arm.label))</dt><dd>\(escaped($0.arm.settings))</dd>" }
    return """
      <p>Evaluated in \(counted(comparison.size.evaluationSteps, "step")), \(counted(comparison.size.evaluationPictures, "picture")) for each of \
      \(World.evaluationScenes.count) prompts. Learning rates were sought with equal effort for every method: the same rates and \
      iterations, with a seed that is not used here. The clip is the paper's in nats.</p>
      <dl>\(rows.joined())</dl>
      """
  }
}
