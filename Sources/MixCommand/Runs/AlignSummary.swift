import MixGRPO

/// The end of a run in words: what it has reached, and what to type next.
struct AlignSummary {
  let settings: AlignSettings
  let results: RunResults
  let prompt: String
  let seconds: Double

  /// The last line names the best model.
  /// - Parameter columns: of the table at most; nil for no limit.
  func lines(columns: Int? = nil) -> [String] {
    let model = results.bestModel ?? results.folder.model
    let done = "\(results.done) of \(settings.iterations) iterations, \(duration(seconds)) in this run"
    return [done] + results.lines(columns: columns) + notes(model) + ["next: \(nextCommand(model))", "model: \(model)"]
  }

  /// What the run leaves behind, for the page of a person.
  var leftBehind: JSONObject {
    get throws(MixGRPOError) {
      return [
        "model": .string(try FileAccess.absolute(results.bestModel ?? results.folder.model)),
        "votes": .string(try FileAccess.absolute(results.folder.votes)),
        "report": .string(try FileAccess.absolute(results.folder.report)),
        "pictures": .string(try FileAccess.absolute(FileAccess.join(results.folder.path, "pictures"))),
        "next": .string(nextCommand(results.bestModel ?? results.folder.model)),
      ]
    }
  }

  private func notes(_ model: String) -> [String] {
    if !settings.isEvaluated {
      if settings.hasPerson { return [] }
      return ["rewards of different prompts cannot be compared: evaluations (--evaluate-every 10) draw the same ones each time"]
    }
    guard let best = results.bestIteration, best != results.done, model != results.folder.model else { return [] }
    return ["\(results.folder.model) is the model of the last iteration, not the best"]
  }

  private func nextCommand(_ model: String) -> String {
    let pictures = settings.pictures
    var words = ["mixgrpo", "sample"]
    let isOption = prompt.hasPrefix("-")
    words += !pictures.embeddings.isEmpty ? ["--embeddings", pictures.embeddings] : isOption ? [] : [prompt]
    words += ["--model", model]
    let usual = PictureSettings()
    if pictures.height != usual.height { words += ["--height", "\(pictures.height)"] }
    if pictures.width != usual.width { words += ["--width", "\(pictures.width)"] }
    if pictures.embeddings.isEmpty, pictures.textLength != usual.textLength {
      words += ["--text-length", "\(pictures.textLength)"]
    }
    words += ["--out", "after.png"]
    if isOption, pictures.embeddings.isEmpty { words += ["--", prompt] }
    return words.map(shellWord).joined(separator: " ")
  }
}
