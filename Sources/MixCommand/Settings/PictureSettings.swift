import MixGRPO
import MixSettings

/// What a model of pixels draws, and what it is told.
struct PictureSettings: SettingsTable, Equatable {
  /// A file of prompts: plain lines, or JSON lines with "prompt" where its name ends in .jsonl.
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
      .text("prompts", \.prompts, "file of prompts: a line each, or .jsonl with \"prompt\""),
      .text("embeddings", \.embeddings, "safetensors file with prompt_embeds and pooled_prompt_embeds"),
      .integer(
        "text_length", \.textLength, 1...4_096, default: 16,
        "words of a prompt that get a token, as in pretraining; not with embeddings"),
      .integer("height", \.height, 1...65_535, default: 32, "pixels from top to bottom"),
      .integer("width", \.width, 1...65_535, default: 32, "pixels from left to right"),
      .number("guidance", \.guidance, .closed(-10_000, 10_000), default: 3.5, "given to models with guidance_embeds"),
      .integer("max_batch", \.maxBatch, 1...65_536, default: 16, "pictures in memory at once; changes no result of align")
        .withoutEffect,
    ]
  }
}
