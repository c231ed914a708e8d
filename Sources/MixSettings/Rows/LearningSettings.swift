import CMixGRPO

extension mixgrpo_learning_config: SettingsRecord {
  package static let settings = advantageSettings + policySettings + optimizerSettings + updateSettings

  private static let advantageSettings: [Setting<mixgrpo_learning_config>] = [
    .choice(
      "advantage_mode", \.advantage_mode, Choices.advantageMode, default: "advantage_aggregation",
      "how several rewards become one advantage"),
    .choice(
      "std_scope", \.std_scope, Choices.standardDeviationScope, default: "group",
      "samples whose standard deviation divides the advantages"),
    .number(
      "trim_fraction", \.trim_fraction, .from(0, below: 0.5), default: 0,
      "share of a group that is cut off at each end for mean and standard deviation"),
    .number(
      "advantage_clip", \.advantage_clip, .closed(0, 1e6), default: 5, "advantages are clipped to ± this; 0 for no limit"),
    .number(
      "degenerate_tolerance", \.degenerate_tolerance, .closed(0, 1), default: 1e-6,
      "a group whose standard deviation is at most this share of its largest absolute reward is degenerate: advantage 0"),
  ]

  private static let policySettings: [Setting<mixgrpo_learning_config>] = [
    .number(
      "clip_range", \.clip_range, .between(0, 1), default: 1e-4,
      "the ratio is clipped to 1 ± this; with log_probability mean this is D*clip_range nats of the true log-ratio"),
    .number(
      "kl_reference", \.kl_reference, .closed(0, 1e6), default: 0,
      "weight of the KL to a frozen reference; 0 for none"),
    .number("kl_old", \.kl_old, .closed(0, 1e6), default: 0, "weight of ½(log p − log p_old)²; 0 for none"),
    .choice(
      "step_weighting", \.step_weighting, Choices.stepWeighting, default: "uniform", "weight of each trained step in the loss"),
    .integer(
      "updates_per_iteration", \.updates_per_iteration, 1...4_096, default: 4, unit: "minibatches",
      "minibatches that each group is split into, one optimizer step each; at most group_size"),
  ]

  /// AdamW and its learning rate.
  package static let optimizerSettings = rateSettings + momentSettings

  private static let rateSettings: [Setting<mixgrpo_learning_config>] = [
    .number("learning_rate", \.learning_rate, .closed(0, 1_000), default: 1e-5, "learning rate of AdamW, per optimizer step"),
    .choice("schedule", \.schedule, Choices.schedule, default: "constant", "schedule of the learning rate"),
    .integer(
      "warmup_steps", \.warmup_steps, 0...1_000_000_000, default: 0, unit: "optimizer steps",
      "linear rise of the learning rate from 0"),
    .integer(
      "total_steps", \.total_steps, 1...1_000_000_000, default: 1_000, unit: "optimizer steps",
      "end of schedule cosine, where the learning rate is at its minimum; more than warmup_steps"),
    .number(
      "min_rate_fraction", \.min_rate_fraction, .closed(0, 1), default: 0, "schedule cosine ends at this share of learning_rate"
    ),
  ]

  private static let momentSettings: [Setting<mixgrpo_learning_config>] = [
    .number("beta1", \.beta1, .from(0, below: 1), default: 0.9, "decay of AdamW's first moment"),
    .number("beta2", \.beta2, .from(0, below: 1), default: 0.999, "decay of AdamW's second moment"),
    .number("epsilon", \.epsilon, .above(0, upTo: 1), default: 1e-8, "added to the root of AdamW's second moment"),
    .number(
      "weight_decay", \.weight_decay, .closed(0, 1_000), default: 1e-4,
      "decoupled weight decay, multiplied by the learning rate"),
    .number(
      "max_gradient_norm", \.max_gradient_norm, .closed(0, 1e12), default: 1,
      "global norm that gradients are scaled down to; 0 for no limit"),
  ]

  private static let updateSettings: [Setting<mixgrpo_learning_config>] = [
    .number(
      "ema_decay", \.ema_decay, .closed(0, 1), default: 0, unit: "per optimizer step",
      "decay of the averaged weights; 0 for none"),
    .choice(
      "fault_policy", \.fault_policy, Choices.faultPolicy, default: "stop",
      "what a trainer does when an update is not finite or changes the model too much"
    ).withoutEffect,
    .number(
      "max_velocity_change", \.max_velocity_change, .closed(0, 1e6), default: 1, unit: "times the velocity",
      "largest change that one iteration may cause in the velocity of its first trained latent, by root mean square; 0 for no limit"
    ).withoutEffect,
    .number(
      "roll_back_rate_factor", \.roll_back_rate_factor, .above(0, upTo: 1), default: 0.5,
      "fault_policy roll_back multiplies the learning rate by this"
    ).withoutEffect,
    .choice(
      "undo", \.undo, Choices.undo, default: "memory",
      "state left by a cancelled or failed update: the state before it, or that after its last finished optimizer step"),
  ]
}
