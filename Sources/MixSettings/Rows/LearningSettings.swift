import CMixGRPO

extension mixgrpo_learning_config: SettingsRecord {
  package static let settings = advantageSettings + policySettings + optimizerSettings + updateSettings

  private static let advantageSettings: [Setting<mixgrpo_learning_config>] = [
    .choice(
      "advantage_mode", \.advantage_mode, Choices.advantageMode, default: "advantage_aggregation",
      "how several rewards are combined into one advantage"),
    .choice(
      "std_scope", \.std_scope, Choices.standardDeviationScope, default: "group",
      "scope of the standard deviation that advantages are divided by"),
    .number(
      "trim_fraction", \.trim_fraction, .from(0, below: 0.5), default: 0,
      "share of a group trimmed at each end before mean and standard deviation are taken"),
    .number(
      "advantage_clip", \.advantage_clip, .closed(0, 1e6), default: 5, "advantages are clipped to ± this value; 0 for no limit"),
    .number(
      "degenerate_tolerance", \.degenerate_tolerance, .closed(0, 1), default: 1e-6,
      "a group is degenerate, with advantage 0, when its standard deviation is at most this share of its largest absolute reward"
    ),
  ]

  private static let policySettings: [Setting<mixgrpo_learning_config>] = [
    .number("clip_range", \.clip_range, .between(0, 1), default: 1e-4, "the probability ratio is clipped to 1 ± this value"),
    .number(
      "kl_reference", \.kl_reference, .closed(0, 1e6), default: 0,
      "weight of the KL divergence to the reference; 0 for none"),
    .number("kl_old", \.kl_old, .closed(0, 1e6), default: 0, "weight of the penalty ½(log p − log p_old)²; 0 for none"),
    .choice(
      "step_weighting", \.step_weighting, Choices.stepWeighting, default: "uniform", "weights of the trained steps in the loss"),
    .integer(
      "updates_per_iteration", \.updates_per_iteration, 1...4_096, default: 4, unit: "optimizer steps",
      "minibatches that each group is split into, at most group_size"),
  ]

  /// AdamW and its learning rate.
  package static let optimizerSettings: [Setting<mixgrpo_learning_config>] = [
    .number("learning_rate", \.learning_rate, .closed(0, 1_000), default: 1e-5, "learning rate of AdamW"),
    .choice(
      "schedule", \.schedule, Choices.schedule, default: "constant", "course of the learning rate over the optimizer steps"),
    .integer(
      "warmup_steps", \.warmup_steps, 0...1_000_000_000, default: 0, unit: "optimizer steps",
      "steps over which the learning rate rises linearly from 0"),
    .integer(
      "total_steps", \.total_steps, 1...1_000_000_000, default: 1_000, unit: "optimizer steps",
      "step at which the cosine schedule reaches its minimum, more than warmup_steps"),
    .number(
      "min_rate_fraction", \.min_rate_fraction, .closed(0, 1), default: 0,
      "final learning rate of the cosine schedule as a share of learning_rate"),
    .number("beta1", \.beta1, .from(0, below: 1), default: 0.9, "decay of AdamW's first moment"),
    .number("beta2", \.beta2, .from(0, below: 1), default: 0.999, "decay of AdamW's second moment"),
    .number("epsilon", \.epsilon, .above(0, upTo: 1), default: 1e-8, "added to the square root of AdamW's second moment"),
    .number(
      "weight_decay", \.weight_decay, .closed(0, 1_000), default: 1e-4,
      "decoupled weight decay, multiplied by the learning rate"),
    .number(
      "max_gradient_norm", \.max_gradient_norm, .closed(0, 1e12), default: 1,
      "gradients are scaled down to at most this global norm; 0 for no limit"),
  ]

  private static let updateSettings: [Setting<mixgrpo_learning_config>] = [
    .number(
      "ema_decay", \.ema_decay, .closed(0, 1), default: 0, unit: "per optimizer step",
      "decay of the exponential moving average of the weights; 0 for no average"),
    .choice(
      "fault_policy", \.fault_policy, Choices.faultPolicy, default: "stop",
      "what happens when an update is not finite or exceeds max_velocity_change"
    ).withoutEffect,
    .number(
      "max_velocity_change", \.max_velocity_change, .closed(0, 1e6), default: 1, unit: "share of the velocity, per iteration",
      "an update that changes the velocity by more than this is a fault; 0 for no limit"
    ).withoutEffect,
    .number(
      "roll_back_rate_factor", \.roll_back_rate_factor, .above(0, upTo: 1), default: 0.5,
      "fault_policy roll_back multiplies the learning rate by this"
    ).withoutEffect,
    .choice(
      "undo", \.undo, Choices.undo, default: "memory",
      "memory restores the state after a cancelled or failed update; none keeps no copy"),
  ]
}
