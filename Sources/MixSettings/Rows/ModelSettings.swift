import CMixGRPO

extension mixgrpo_model_config: SettingsRecord {
  package static let settings: [Setting<mixgrpo_model_config>] = [
    .integer("in_channels", \.in_channels, 1...65_536, default: 48, "C, channels of an image token"),
    .integer(
      "out_channels", \.out_channels, 1...65_536, default: 48,
      "channels of the velocity; equal to in_channels in a model that can be sampled from"),
    .integer("num_layers", \.num_layers, 0...1_000, default: 2, "number of double-stream blocks"),
    .integer("num_single_layers", \.num_single_layers, 0...1_000, default: 4, "number of single-stream blocks"),
    .integer(
      "attention_head_dim", \.attention_head_dim, 2...4_096, default: 32,
      "channels per attention head, equal to the sum of axes_dims_rope"),
    .integer(
      "num_attention_heads", \.num_attention_heads, 1...1_024, default: 4,
      "attention heads; num_attention_heads × attention_head_dim is at most 65536"),
    .integer("joint_attention_dim", \.joint_attention_dim, 1...65_536, default: 64, "J, channels of a text token"),
    .integer(
      "pooled_projection_dim", \.pooled_projection_dim, 1...65_536, default: 64, "Q, channels of the pooled text embedding"),
    .flag("guidance_embeds", \.guidance_embeds, default: false, "whether the model takes a guidance value"),
    .integers(
      "axes_dims_rope", \.axes_dims_rope, .closed(0, 4_096), default: [4, 14, 14],
      "rotary dimensions of the three position axes, each even"),
  ]
}

extension mixgrpo_evaluator_config: SettingsRecord {
  package static let settings: [Setting<mixgrpo_evaluator_config>] = [
    .integer("height_tokens", \.height_tokens, 1...4_096, default: 8, unit: "tokens", "rows of image tokens in a latent"),
    .integer(
      "width_tokens", \.width_tokens, 1...4_096, default: 8, unit: "tokens",
      "columns of image tokens in a latent; height_tokens × width_tokens is at most 65536"),
    .integer("text_length", \.text_length, 1...65_536, default: 16, unit: "tokens", "L, number of text tokens of every prompt"),
    .integer(
      "max_batch", \.max_batch, 1...65_536, default: 16, unit: "latents",
      "latents evaluated at a time, and latents whose activations can be kept"
    ).withoutEffect,
    .flag(
      "recompute_activations", \.recompute_activations, default: false,
      "keep only the input of each block: a fraction of the memory, one more forward pass, the same results"
    ).withoutEffect,
    .number("guidance", \.guidance, .closed(0, 1_000), default: 3.5, "guidance value for models with guidance_embeds"),
    .integer(
      "max_bytes", \.max_bytes, 0...Int64.max, default: 0, unit: "bytes",
      "memory limit for model, evaluator and training; 0 for no limit"
    ).withoutEffect,
  ]
}
