import CMixGRPO

extension mixgrpo_model_config: SettingsRecord {
  package static let settings: [Setting<mixgrpo_model_config>] = [
    .integer("in_channels", \.in_channels, 1...65_536, default: 48, "C, channels of an image token"),
    .integer(
      "out_channels", \.out_channels, 1...65_536, default: 48,
      "channels of the velocity; sampling needs in_channels"),
    .integer("num_layers", \.num_layers, 0...1_000, default: 2, "double-stream blocks"),
    .integer("num_single_layers", \.num_single_layers, 0...1_000, default: 4, "single-stream blocks"),
    .integer(
      "attention_head_dim", \.attention_head_dim, 2...4_096, default: 32,
      "channels of an attention head, the sum of axes_dims_rope"),
    .integer(
      "num_attention_heads", \.num_attention_heads, 1...1_024, default: 4,
      "attention heads; times attention_head_dim at most 65536"),
    .integer("joint_attention_dim", \.joint_attention_dim, 1...65_536, default: 64, "J, width of a text token"),
    .integer("pooled_projection_dim", \.pooled_projection_dim, 1...65_536, default: 64, "Q, width of the pooled text"),
    .flag("guidance_embeds", \.guidance_embeds, default: false, "whether the model takes a guidance value"),
    .integers(
      "axes_dims_rope", \.axes_dims_rope, .closed(0, 4_096), default: [4, 14, 14],
      "rotary dimensions of the three position axes, each even"),
  ]
}

extension mixgrpo_lora_config: SettingsRecord {
  package static let settings: [Setting<mixgrpo_lora_config>] = [
    .integer("rank", \.rank, 1...65_536, default: 16, "rank of the adapter; at most the sizes of each adapted layer"),
    .number("alpha", \.alpha, .above(0, upTo: 65_536), default: 16, "the adapter counts alpha / rank times"),
    .flag("rank_stabilized", \.rank_stabilized, default: false, "divide alpha by the root of the rank"),
    .seed("seed", \.seed, "seed of the first values of A; B starts at 0"),
  ]
}

extension mixgrpo_evaluator_config: SettingsRecord {
  package static let settings: [Setting<mixgrpo_evaluator_config>] = [
    .integer("height_tokens", \.height_tokens, 1...4_096, default: 8, unit: "tokens", "rows of image tokens"),
    .integer(
      "width_tokens", \.width_tokens, 1...4_096, default: 8, unit: "tokens",
      "columns of image tokens; times height_tokens at most 65536"),
    .integer("text_length", \.text_length, 1...65_536, default: 16, unit: "tokens", "L, text tokens of every prompt"),
    .integer(
      "max_batch", \.max_batch, 1...65_536, default: 16, unit: "latents",
      "latents that are evaluated, or whose activations are kept, at a time; memory grows with it"
    ).withoutEffect,
    .flag(
      "recompute_activations", \.recompute_activations, default: false,
      "keep only the input of each block and compute the block again in the backward: a fraction of the memory, one more forward, the same bits"
    ).withoutEffect,
    .choice(
      "precision", \.precision, Choices.precision, default: "float32",
      "factors of the products in the model's blocks and their attention; sums, softmax and gradients of weights are float32 with both"
    ),
    .number("guidance", \.guidance, .closed(0, 1_000), default: 3.5, "guidance value for a model with guidance_embeds"),
    .integer(
      "max_bytes", \.max_bytes, 0...Int64.max, default: 0, unit: "bytes",
      "memory that model, evaluator and training may take; batches are split to stay within it; 0 for no limit"
    ).withoutEffect,
  ]
}
