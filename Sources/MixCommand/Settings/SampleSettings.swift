import MixGRPO
import MixSettings

/// All settings of `mixgrpo sample`.
struct SampleSettings: SettingsTable {
  var model = ""
  var base = ""
  var lora: [String] = []
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
      .text("model", \.model, "folder of the model; empty for the model that comes with the command"),
      .text("base", \.base, "folder of a second model, for the last steps (hybrid sampling against reward hacking)"),
      .texts(
        "lora", \.lora, "adapters to apply to model: files or folders of PEFT, diffusers or kohya, each perhaps with :strength"),
      .number(
        "trained_share", \.trainedShare, .closed(0, 1),
        "with base: share of the steps that model evaluates; base evaluates the rest"),
      .text("out", \.out, "PNG to write, one row per prompt"),
      .text("each", \.each, "folder for each picture as a separate PNG"),
      .texts("texts", \.texts, "prompts, instead of a file of prompts"),
    ] + PictureSettings.settings.map { $0.within(\.pictures) } + [
      .integer("samples", \.samples, 1...4_096, "pictures per prompt"),
      .integer("steps", \.steps, 1...10_000, "number of steps from noise to picture"),
      .number("shift", \.shift, .above(0, upTo: 1_000), "shift of the noise levels towards noise; 1 for none"),
      .integer(
        "image_tokens", \.imageTokens, 0...1_000_000,
        "when above 0, the shift is computed from this number of image tokens and the setting shift is ignored"),
      .choice("solver", \.solver, Choices.solver, "ODE solver of all steps"),
      .seed("seed", \.seed, "seed of the initial noise"),
      .integer("scale", \.scale, 1...1_024, "enlargement: each pixel becomes scale × scale pixels of the PNG"),
      .integer("threads", \.threads, 0...1_024, "worker threads, 0 for one per core; results do not change")
        .withoutEffect,
    ]
  }

  var schedule: TimeGrid.Schedule {
    imageTokens != 0 ? .resolutionShifted(steps: steps, imageTokens: imageTokens) : .shifted(steps: steps, shift: shift)
  }

  /// - Throws: `invalidArgument` for an unknown solver.
  func typedSolver() throws(MixGRPOError) -> Solver {
    guard let solver = Solver(rawValue: solver) else { throw .invalid("solver", expected: "a known solver", got: solver) }
    return solver
  }

  /// - Throws: `invalidArgument` naming every invalid setting.
  func validate() throws(MixGRPOError) {
    var check = Validation()
    check.require(!out.isEmpty, "out", expected: "a PNG to write (--out)", got: "none")
    let sources = [!texts.isEmpty, !pictures.prompts.isEmpty].filter { $0 }.count
    check.require(
      sources == 1 || sources == 0 && !pictures.embeddings.isEmpty, "prompts",
      expected: "prompts, or a file of them (--prompts), or embeddings (--embeddings)",
      got: sources == 0 ? "none" : "two of these")
    self.check(&check)
    for text in lora { check.include { () throws(MixGRPOError) in _ = try AppliedAdapter(text) } }
    schedule.checkRules(&check)
    try check.throwIfAny()
  }
}
