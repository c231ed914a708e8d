//! What a trainer tells in figures: an iteration, its rewards, a resumption.

use crate::mirror::mirrored_struct;

mirrored_struct! {
    /// One iteration in figures. Rewards are the weighted mean over K; NaN where there is nothing to report. Values in nats
    /// are of the true log-density (the sum over D).
    Metrics = mixgrpo_metrics {
        /// l.
        window_start: i32,
        /// w.
        window_length: i32,
        /// Rewards that were not finite.
        failed_rewards: i32,
        /// Groups without differences in reward.
        degenerate_groups: i32,
        /// 0-based, of the iteration these figures are of.
        iteration: i64,
        /// Latents that the rollout evaluated.
        model_calls_rollout: i64,
        /// Latents that the update evaluated forward and backward.
        model_calls_update: i64,
        /// Over all samples.
        reward_mean: f64,
        /// Over all samples.
        reward_std: f64,
        /// Mean over samples and trained steps.
        loss: f64,
        /// Before the first optimizer step: exactly 1.
        first_ratio_min: f64,
        /// Before the first optimizer step: exactly 1.
        first_ratio_max: f64,
        /// Over all samples.
        ratio_min: f64,
        /// Over all samples.
        ratio_max: f64,
        /// Share of ratios at which the clip stopped the gradient, 0…1.
        clip_fraction: f64,
        /// Largest |log p − log p_old|.
        max_log_ratio_nats: f64,
        /// KL(old, new) of a step, mean.
        kl_old_nats: f64,
        /// KL(new, reference) of a step, mean; 0 without reference.
        kl_reference_nats: f64,
        /// Mean over the parts, before the clip.
        gradient_norm: f64,
        /// Of the last optimizer step.
        learning_rate: f64,
        /// Of the rollout.
        seconds_rollout: f64,
        /// Of the update.
        seconds_update: f64,
        /// Optimizer steps that `FaultPolicy::Skip` left out.
        skipped_steps: i32,
        /// Whether the update was undone by `FaultPolicy::Skip` or `RollBack`.
        rolled_back: bool,
        /// See `LearningConfig::max_velocity_change`; NaN where it was not measured.
        velocity_change: f64,
    }
}

mirrored_struct! {
    /// What a trainer was resumed from.
    Resumption = mixgrpo_resumption {
        /// Newer checkpoints that were torn and passed over.
        skipped: i32,
        /// The iteration that comes next.
        iteration: i64,
    }
}

/// One reward of the latest iteration.
#[derive(Clone, Debug, PartialEq)]
pub struct RewardMetrics {
    /// As given to the trainer.
    pub name: String,
    /// How many were not finite.
    pub failed: i32,
    /// Of the finite ones; NaN when there was none.
    pub mean: f64,
    /// Of the finite ones.
    pub std: f64,
}
