import MixGRPO
import MixSettings

/// The size and the prompts of pictures from a model on pixels. Sizes of 0 are those that the model's folder remembers.
struct PictureSettings: SettingsTable, Equatable {
  /// A file of prompts: plain lines, or JSON lines with "prompt" when its name ends in .jsonl.
  var prompts = ""
  /// A safetensors file of `prompt_embeds` and `pooled_prompt_embeds`.
  var embeddings = ""
  var textLength = 0
  var height = 0
  var width = 0
  var guidance = 3.5
  var maxBatch = 16
  var computePrecision = PrecisionName.f32

  static var settings: [Setting<PictureSettings>] {
    [
      .text("prompts", \.prompts, "file of prompts: one per line, or .jsonl with \"prompt\""),
      .text("embeddings", \.embeddings, "safetensors file with prompt_embeds and pooled_prompt_embeds"),
      .integer(
        "text_length", \.textLength, 0...4_096,
        "text tokens: words of a prompt that are encoded, as in pretraining; ignored with embeddings; 0 for the model's, or 16 when "
          + "its folder has no mixgrpo.json"),
      .integer(
        "height", \.height, 0...65_535, "height in pixels; 0 for the model's, or 32 when its folder has no mixgrpo.json"),
      .integer("width", \.width, 0...65_535, "width in pixels; 0 for the model's, or 32 when its folder has no mixgrpo.json"),
      .number("guidance", \.guidance, .closed(-10_000, 10_000), "guidance value for models with guidance_embeds"),
      .integer("max_batch", \.maxBatch, 1...65_536, "pictures evaluated at once; results of align do not change")
        .withoutEffect,
      PrecisionName.computeSetting(\.computePrecision),
    ]
  }
}

extension PictureSettings {
  /// The settings with all sizes: as set, otherwise as the model's folder remembers them, otherwise the usual ones.
  /// - Throws: the errors of reading `mixgrpo.json`; `invalidArgument` naming every size that differs from the model's.
  func resolved(model folder: String) throws(MixGRPOError) -> PictureSettings {
    let remembered = try PictureFormat.read(of: folder)
    let source = try PictureFormat.path(of: folder)
    var check = Validation()
    func resolve(_ name: String, _ set: Int, _ known: Int?, usual: Int) -> Int {
      guard set != 0 else { return known ?? usual }
      check.require(
        known == nil || known == set, name,
        expected: "\(known ?? set), which the model was trained with (\(source); remove that file to try another)", got: set)
      return set
    }
    var resolved = self
    resolved.height = resolve("height", height, remembered?.height, usual: 32)
    resolved.width = resolve("width", width, remembered?.width, usual: 32)
    let knownLength = embeddings.isEmpty ? remembered?.textLength : nil
    resolved.textLength = resolve("text_length", textLength, knownLength, usual: 16)
    try check.throwIfAny()
    return resolved
  }
}
