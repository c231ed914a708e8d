import MixCompare
import MixGRPO

/// The page of a run: report.html in its folder, made from the folder's files, so that a resumed run continues it.
final class RunReport {
  enum State: String { case running, stopped, finished }

  /// A running run writes its page at most this often.
  private static let pause = Duration.seconds(5)
  /// Picture grids on the page: the first, the latest, and some between.
  private static let mostMoments = 9
  private static let mark = Array(#"<script type="application/json" id="mixgrpo-report">"#.utf8)

  private let folder: RunFolder
  private let settings: AlignSettings
  private let codec: PixelCodec
  /// Of the rows of its picture grids.
  private let prompts: [String]
  private var moments: [Int: JSONValue] = [:]  // by iteration
  private var writtenAt: ContinuousClock.Instant?

  init(_ folder: RunFolder, _ settings: AlignSettings, _ model: PixelModel) {
    (self.folder, self.settings, codec) = (folder, settings, model.codec)
    prompts = Array(model.prompts.texts.prefix(settings.picturePrompts))
  }

  /// Writes the page, unless a running run has written it a moment ago.
  func write(_ state: State) throws(MixGRPOError) {
    if state == .running, let writtenAt, .now - writtenAt < Self.pause { return }
    try AtomicFile.write(Self.page(try JSONValue.object(content(state)).text(.compact)), to: folder.report)
    writtenAt = .now
  }

  private static func page(_ json: String) -> [UInt8] {
    let template = PackageResources.report_html
    // The mark stands in the template, which the tests look at.
    let place = (template.firstRange(of: mark) ?? template.endIndex..<template.endIndex).upperBound
    let escaped = json.utf8.flatMap { $0 == UInt8(ascii: "<") ? Array("\\u003c".utf8) : [$0] }
    return template[..<place] + escaped + template[place...]
  }

  private func content(_ state: State) throws(MixGRPOError) -> JSONObject {
    let iterations = try folder.lines(folder.metrics)
    return [
      "format": 2, "title": .string(folder.name), "state": .string(state.rawValue),
      "planned": .integer(Int64(settings.iterations)),
      "iterations": .array(iterations.map { .object($0.object) }),
      "evaluations": .array(try folder.lines(folder.evaluations).map { .object($0.object) }),
      "held_out": .array(settings.evaluation.heldOut.map { .string($0.name) }),
      "warnings": .array(Self.warnings(iterations)),
      "prompts": .array(prompts.map { .string($0) }),
      "pictures": .array(try pictures(until: (iterations.last?.iteration ?? -1) + 1)),
      "settings": .object(settings.json),
    ]
  }

  /// Each kind once, where it was given first.
  private static func warnings(_ iterations: [RunFolder.Line]) -> [JSONValue] {
    var seen: Set<String> = []
    var found: [JSONValue] = []
    for line in iterations {
      for warning in line.object["warnings"]?.object?.members ?? [] where seen.insert(warning.name).inserted {
        found.append(.string("iteration \(line.iteration): \(warning.value.string ?? warning.name)"))
      }
    }
    return found
  }

  // MARK: - Pictures

  private func pictures(until last: Int) throws(MixGRPOError) -> [JSONValue] {
    var found: [JSONValue] = []
    for iteration in Self.spread(try folder.pictureIterations(until: last)) {
      if moments[iteration] == nil { moments[iteration] = try moment(iteration) }
      if let moment = moments[iteration], moment != .null { found.append(moment) }
    }
    return found
  }

  /// The first, the last, and some between.
  static func spread(_ iterations: [Int]) -> [Int] {
    guard iterations.count > mostMoments else { return iterations }
    return (0..<mostMoments).map { iterations[$0 * (iterations.count - 1) / (mostMoments - 1)] }
  }

  /// The pictures of a grid; null for a grid of another size, as of other settings.
  private func moment(_ iteration: Int) throws(MixGRPOError) -> JSONValue {
    let grid = try PNG.read(path: folder.pictures(iteration: iteration))
    let rows = try ImageGrid.split(
      grid, width: codec.width, height: codec.height, gap: PictureScale.gap, scale: PictureScale.fitting(codec))
    guard rows.count == prompts.count else { return .null }
    var encoded: [JSONValue] = []
    for row in rows {
      var pictures: [JSONValue] = []
      for image in row { pictures.append(.string(Base64.encode(try PNG.encode(image)))) }
      encoded.append(.array(pictures))
    }
    return ["iteration": .integer(Int64(iteration)), "rows": .array(encoded)]
  }
}
