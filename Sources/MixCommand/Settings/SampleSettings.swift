import MixGRPO

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
  var solver = SolverName.euler
  var seed: UInt64 = 0
  var scale = 3
  var threads = 0

  static var settings: [Setting<SampleSettings>] {
    [
      .text("model", \.model, "folder of the model"),
      .text("base", \.base, "folder of a second model, for the last steps (hybrid sampling against reward hacking)"),
      .number("trained_share", \.trainedShare, "with base: share of the steps that model takes, base the rest"),
      .text("out", \.out, "the PNG to write, a row for each prompt"),
      .text("each", \.each, "folder for every picture as a PNG of its own too"),
      .texts("texts", \.texts, "prompts, in place of a file of them"),
    ] + PictureSettings.settings.map { $0.within(\.pictures) } + [
      .integer("samples", \.samples, "pictures per prompt"),
      .integer("steps", \.steps, "from noise to picture"),
      .number("shift", \.shift, "of the noise levels towards noise; 1 for none"),
      .integer("image_tokens", \.imageTokens, "above 0: the shift that goes with so many tokens, in place of shift"),
      .choice("solver", \.solver, "how steps follow the flow"),
      .seed("seed", \.seed, "of the noise"),
      .integer("scale", \.scale, "pixels in the PNG along the side of a pixel"),
      .integer("threads", \.threads, "worker threads, 0 for one per core; changes no result"),
    ]
  }

  var schedule: TimeGrid.Schedule {
    imageTokens != 0 ? .resolutionShifted(steps: steps, imageTokens: imageTokens) : .shifted(steps: steps, shift: shift)
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
    check.require((1...4_096).contains(samples), "samples", expected: "1…4096", got: samples)
    check.require((1...1_024).contains(scale), "scale", expected: "1…1024", got: scale)
    check.require((0...1_024).contains(threads), "threads", expected: "0…1024", got: threads)
    check.require(trainedShare >= 0 && trainedShare <= 1, "trained_share", expected: "0…1", got: trainedShare)
    check.include(schedule.validate)
    pictures.validate(&check)
    try check.throwIfAny()
  }
}
