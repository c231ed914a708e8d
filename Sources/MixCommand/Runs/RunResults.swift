import MixCompare
import MixGRPO

/// What a run has reached, read from its files.
struct RunResults {
  /// One reward, or the loss of pretraining.
  struct Figure {
    let name: String
    var isHeldOut = false
    let before: Double
    /// At the best evaluation; nil without evaluations.
    var best: Double?
    let after: Double
  }

  let folder: RunFolder
  /// "iteration" or "step".
  let unit: String
  let done: Int
  let planned: Int?
  let figures: [Figure]
  /// Iterations of the first and the latest evaluation; nil without evaluations.
  let evaluated: ClosedRange<Int>?
  /// Nil without evaluations, and when the best model is not kept.
  let bestIteration: Int?
  /// Iterations or steps whose mean is before and after, without evaluations.
  let span: Int
  /// The folder of the best model that the run has saved; nil before there is one.
  let bestModel: String?

  /// - Throws: `inputOutput`, `invalidFormat`.
  init(_ folder: RunFolder, settings: JSONObject) throws(MixGRPOError) {
    self.folder = folder
    let metrics = try folder.lines(folder.metrics)
    let evaluations = try folder.lines(folder.evaluations)
    let isPretraining = settings["steps"] != nil
    unit = isPretraining ? "step" : "iteration"
    planned = (settings["steps"] ?? settings["iterations"])?.integer.map { Int($0) }
    done = metrics.last.map { $0.iteration + 1 } ?? 0
    span = Self.span(metrics.count, isPretraining)
    if let first = evaluations.first, let last = evaluations.last {
      evaluated = first.iteration...max(first.iteration, last.iteration)
      let best = last.object["best_iteration"]?.integer.map { Int($0) } ?? -1
      bestIteration = Self.keepsBest(settings) && best >= 0 ? best : nil
      figures = Self.figures(evaluations, bestIteration, heldOut: Self.heldOut(settings))
    } else {
      (evaluated, bestIteration) = (nil, nil)
      figures = isPretraining ? [Self.loss(metrics, span)] : Self.training(metrics, span)
    }
    bestModel = try [folder.best, folder.model].firstModel
  }

  /// Steps of pretraining are noisier than iterations.
  private static func span(_ count: Int, _ isPretraining: Bool) -> Int { max(1, min(isPretraining ? 50 : 5, count / 2)) }

  private static func keepsBest(_ settings: JSONObject) -> Bool {
    settings["evaluation"]?.object?["keep_best"]?.bool ?? true
  }

  private static func heldOut(_ settings: JSONObject) -> Set<String> {
    let list = settings["evaluation"]?.object?["held_out"]?.array ?? []
    return Set(list.compactMap { $0.object?["name"]?.string })
  }

  private static func figures(_ lines: [RunFolder.Line], _ bestIteration: Int?, heldOut: Set<String>) -> [Figure] {
    func means(_ line: RunFolder.Line?) -> JSONObject? { line?.object["means"]?.object }
    let (first, last) = (means(lines.first), means(lines.last))
    let best = means(lines.last { $0.iteration == bestIteration })
    return (first?.members ?? []).map { member in
      Figure(
        name: member.name, isHeldOut: heldOut.contains(member.name), before: member.value.double ?? .nan,
        best: best?[member.name]?.double, after: last?[member.name]?.double ?? .nan)
    }
  }

  private static func training(_ lines: [RunFolder.Line], _ span: Int) -> [Figure] {
    let names = (lines.first?.object["rewards"]?.object?.members ?? []).map(\.name)
    return names.map { name in
      let values = lines.map { $0.object["rewards"]?.object?[name]?.object?["mean"]?.double ?? .nan }
      return Figure(name: name, before: mean(values.prefix(span)), after: mean(values.suffix(span)))
    }
  }

  private static func loss(_ lines: [RunFolder.Line], _ span: Int) -> Figure {
    let values = lines.map { $0.object["loss"]?.double ?? .nan }
    return Figure(name: "loss", before: mean(values.prefix(span)), after: mean(values.suffix(span)))
  }

  private static func mean(_ values: ArraySlice<Double>) -> Double {
    let finite = values.filter(\.isFinite)
    return finite.isEmpty ? .nan : finite.reduce(0, +) / Double(finite.count)
  }
}

extension [String] {
  /// The first of these folders that holds a model.
  fileprivate var firstModel: String? {
    get throws(MixGRPOError) {
      for path in self where try WeightFolder.holdsModel(path) { return path }
      return nil
    }
  }
}

// MARK: - In words

extension RunResults {
  /// The table of figures, and the best evaluation.
  /// - Parameter cells: of a line at most; nil for no limit.
  func lines(columns cells: Int? = nil) -> [String] {
    guard !figures.isEmpty, done > 0 || evaluated != nil else { return [] }
    let widest = ([heading] + figures.map(name)).map { CellWidth.of(Printable.text($0)) }.max() ?? 0
    let width = min(widest, max(6, (cells ?? .max) - Self.cellWidth * columns.count))
    let rows = [(heading, columns)] + figures.map { (name($0), values($0)) }
    return rows.map { Self.row($0.0, $0.1, width) } + best
  }

  private var best: [String] {
    guard let bestIteration, let evaluated else { return [] }
    let isFirst = bestIteration == evaluated.lowerBound && evaluated.count > 1
    return ["best evaluation: \(unit) \(bestIteration)" + (isFirst ? "; none after it was better" : "")]
  }

  private static let cellWidth = 10

  private var heading: String {
    evaluated != nil ? "evaluation" : span > 1 ? "mean of \(span) \(unit)s" : "\(unit)"
  }

  /// The best is a column of its own when it is neither the first nor the latest evaluation.
  private var hasBest: Bool {
    guard let bestIteration, let evaluated else { return false }
    return bestIteration != evaluated.upperBound && bestIteration != evaluated.lowerBound
  }

  private var columns: [String] { ["before"] + (hasBest ? ["best"] : []) + ["after", "change"] }

  private func values(_ figure: Figure) -> [String] {
    let best = hasBest ? [significant(figure.best ?? .nan)] : []
    return [significant(figure.before)] + best + [significant(figure.after), signed(figure.after - figure.before)]
  }

  private func name(_ figure: Figure) -> String { figure.name + (figure.isHeldOut ? " [held out]" : "") }

  private static func row(_ name: String, _ cells: [String], _ width: Int) -> String {
    CellWidth.padded(CellWidth.fit(Printable.text(name), width), width)
      + cells.map { CellWidth.padded($0, cellWidth, atLeft: true) }.joined()
  }

  var json: JSONObject {
    var object: JSONObject = ["\(unit)s_done": .integer(Int64(done))]
    if let planned { object["\(unit)s_planned"] = .integer(Int64(planned)) }
    var table = JSONObject()
    for figure in figures {
      var entry: JSONObject = ["before": .measurement(figure.before), "after": .measurement(figure.after)]
      if let best = figure.best { entry["best"] = .measurement(best) }
      if evaluated != nil { entry["held_out"] = .bool(figure.isHeldOut) }
      table[figure.name] = .object(entry)
    }
    object[evaluated != nil ? "evaluation" : "training"] = .object(table)
    if let bestIteration { object["best_iteration"] = .integer(Int64(bestIteration)) }
    if let bestModel { object["best_model"] = .string(bestModel) }
    return object
  }
}
