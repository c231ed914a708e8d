import MixGRPO
import MixSettings

/// All settings of `mixgrpo sample`.
struct SampleSettings: SettingsTable {
  var model = ""
  var base = ""
  var trainedShare = 0.8
  var out = "samples.png"
  var each = ""
  var texts: [String] = []
  var pictures = PictureSettings()
  var samples = 6
  var steps = 25
  var shift = 3.0
  var imageTokens = 0
  var solver = Solver.euler.rawValue
  var seed: UInt64 = 0
  var scale = 3
  var threads = 0

  static var settings: [Setting<SampleSettings>] {
    [
      .text("model", \.model, "folder of the model"),
      .text("base", \.base, "folder of a second model, for the last steps (hybrid sampling against reward hacking)"),
      .number(
        "trained_share", \.trainedShare, .closed(0, 1), default: 0.8,
        "with base: share of the steps that model takes, base the rest"),
      .text("out", \.out, "the PNG to write, a row for each prompt"),
      .text("each", \.each, "folder for every picture as a PNG of its own too"),
      .texts("texts", \.texts, "prompts, in place of a file of them"),
    ] + PictureSettings.settings.map { $0.within(\.pictures) } + [
      .integer("samples", \.samples, 1...4_096, default: 6, "pictures per prompt"),
      .integer("steps", \.steps, 1...10_000, default: 25, "from noise to picture"),
      .number("shift", \.shift, .above(0, upTo: 1_000), default: 3, "of the noise levels towards noise; 1 for none"),
      .integer(
        "image_tokens", \.imageTokens, 0...1_000_000, default: 0,
        "above 0: the shift that goes with so many tokens, in place of shift"),
      .choice("solver", \.solver, Choices.solver, default: "euler", "how steps follow the flow"),
      .seed("seed", \.seed, "of the noise"),
      .integer("scale", \.scale, 1...1_024, default: 3, "pixels in the PNG along the side of a pixel"),
      .integer("threads", \.threads, 0...1_024, default: 0, "worker threads, 0 for one per core; changes no result")
        .withoutEffect,
    ]
  }

  var schedule: TimeGrid.Schedule {
    imageTokens != 0 ? .resolutionShifted(steps: steps, imageTokens: imageTokens) : .shifted(steps: steps, shift: shift)
  }

  /// - Throws: `invalidArgument` for a number that is none.
  func typedSolver() throws(MixGRPOError) -> Solver {
    guard let solver = Solver(rawValue: solver) else { throw .invalid("solver", expected: "a known solver", got: solver) }
    return solver
  }

  /// - Throws: `invalidArgument` naming every unfit setting.
  func validate() throws(MixGRPOError) {
    var check = Validation()
    check.require(!model.isEmpty, "model", expected: "a model's folder (--model)", got: "none")
    check.require(!out.isEmpty, "out", expected: "a PNG to write (--out)", got: "none")
    let sources = [!texts.isEmpty, !pictures.prompts.isEmpty].filter { $0 }.count
    check.require(
      sources == 1 || sources == 0 && !pictures.embeddings.isEmpty, "prompts",
      expected: "prompts, or a file of them (--prompts), or embeddings (--embeddings)",
      got: sources == 0 ? "none" : "two of these")
    self.check(&check)
    schedule.checkRules(&check)
    try check.throwIfAny()
  }
}
