import MixStorage
import ProceduralWorld

/// Writes the report files of a comparison.
struct Publication {
  let comparison: Comparison
  let folder: String

  func write() throws(MixGRPOError) {
    let table = ResultTable(comparison: comparison)
    try write(table.markdown, "table.md")
    try write(table.csv, "table.csv")
    for (abscissa, name) in [(Curves.Abscissa.iterations, "curves-iterations.svg"), (.seconds, "curves-seconds.svg")] {
      let curves = Curves(comparison: comparison, abscissa: abscissa)
      if curves.isKnown { try write(curves.svg, name) }
    }
    let pictures = try pictures()
    for (arm, file) in zip(comparison.rows.filter { $0.pictures != nil }, pictures.dropFirst()) {
      try AtomicFile.write(file.file, to: FileAccess.join(folder, "samples-\(arm.arm.name).png"))
    }
    try write(ReportPage(comparison: comparison, pictures: pictures).html, "report.html")
  }

  /// The pictures of the base model, then those of the finished arms.
  private func pictures() throws(MixGRPOError) -> [(label: String, file: [UInt8])] {
    let base = try comparison.base.grid(picturesPerScene: comparison.size.evaluationPictures)
    var pictures: [(label: String, file: [UInt8])] = [("base model", try PNG.encode(base))]
    try AtomicFile.write(pictures[0].file, to: FileAccess.join(folder, "samples-base.png"))
    for row in comparison.rows {
      guard let path = row.pictures else { continue }
      pictures.append((row.arm.label, try FileAccess.read(path, limit: 1 << 26)))
    }
    return pictures
  }

  private func write(_ text: String, _ name: String) throws(MixGRPOError) {
    try AtomicFile.write(Array(text.utf8), to: FileAccess.join(folder, name))
  }
}
