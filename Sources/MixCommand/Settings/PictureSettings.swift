import MixGRPO

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
      .integer("text_length", \.textLength, "words of a prompt that get a token, as in pretraining; not with embeddings"),
      .integer("height", \.height, "pixels from top to bottom"),
      .integer("width", \.width, "pixels from left to right"),
      .number("guidance", \.guidance, "told to models with guidance_embeds"),
      .integer("max_batch", \.maxBatch, "pictures in memory at once; changes no result of align"),
    ]
  }

  /// - Throws: `invalidArgument` naming every unfit setting; sizes that depend on the model are checked with it.
  func validate(_ check: inout Validation) {
    check.require((1...65_535).contains(height), "height", expected: "1…65535", got: height)
    check.require((1...65_535).contains(width), "width", expected: "1…65535", got: width)
    check.require((1...4_096).contains(textLength), "text_length", expected: "1…4096", got: textLength)
    check.require((1...65_536).contains(maxBatch), "max_batch", expected: "1…65536", got: maxBatch)
    check.require(guidance.magnitude <= 1e4, "guidance", expected: "-10000…10000", got: guidance)
  }
}
