import MixGRPO
import MixSettings

/// The size and the prompts of pictures from a model on pixels.
struct PictureSettings: SettingsTable, Equatable {
  /// A file of prompts: plain lines, or JSON lines with "prompt" when its name ends in .jsonl.
  var prompts = ""
  /// A safetensors file of `prompt_embeds` and `pooled_prompt_embeds`.
  var embeddings = ""
  var textLength = 16
  var height = 32
  var width = 32
  var guidance = 3.5
  var maxBatch = 16

  static var settings: [Setting<PictureSettings>] {
    [
      .text("prompts", \.prompts, "file of prompts: one per line, or .jsonl with \"prompt\""),
      .text("embeddings", \.embeddings, "safetensors file with prompt_embeds and pooled_prompt_embeds"),
      .integer(
        "text_length", \.textLength, 1...4_096, default: 16,
        "text tokens: words of a prompt that are encoded, as in pretraining; ignored with embeddings"),
      .integer("height", \.height, 1...65_535, default: 32, "height in pixels"),
      .integer("width", \.width, 1...65_535, default: 32, "width in pixels"),
      .number("guidance", \.guidance, .closed(-10_000, 10_000), default: 3.5, "guidance value for models with guidance_embeds"),
      .integer("max_batch", \.maxBatch, 1...65_536, default: 16, "pictures evaluated at once; results of align do not change")
        .withoutEffect,
    ]
  }
}
