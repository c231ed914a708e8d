// Generated from include/mixgrpo.h; write it anew with `make generate` instead of editing it.
//! Results, and what the host passes in besides settings.

use crate::enums::*;
use crate::mirror::{copied_structs, mirrored_structs};

mirrored_structs! {
    /// The progress of one call with the built-in model.
    Progress = mixgrpo_progress {
        /// What is being done.
        stage: Stage,
        /// Latents evaluated in this call so far.
        done: i64,
        /// Latents this call will evaluate, if no sample is excluded.
        total: i64,
    }

    /// The window and the work of one iteration.
    IterationPlan = mixgrpo_iteration_plan {
        /// l; 0 with `All`.
        window_start: i32,
        /// w; T - 1 with `All`.
        window_length: i32,
        /// All steps, after Flash has shortened the tail.
        step_count: i32,
        /// Stochastic steps that the update trains.
        trained_step_count: i32,
        /// One for each step: without sharing, the way that papers count.
        model_calls_per_image: i32,
        /// Latents that the rollout evaluates, with sharing as set.
        rollout_model_calls: i64,
        /// Latents that the update evaluates forward and backward, if no sample is excluded.
        update_model_calls: i64,
    }

    /// One step is one affine transition from sigma to `next_sigma`: x' = latent·x + velocity·v + `history[0]`·m1 +
    /// `history[1]`·m2 + noise·e, e standard normal, with v the velocity at x, and m1, m2 the data predictions m = x -
    /// sigma·v of the previous step and of the one before it. The mean is affine in v with slope `velocity`; `noise` is
    /// the standard deviation s, 0 for a deterministic step.
    Step = mixgrpo_step {
        /// What the step is.
        kind: StepKind,
        /// The noise level before the step.
        sigma: f64,
        /// The noise level after it.
        next_sigma: f64,
        /// The factor of x.
        latent: f64,
        /// The factor of v.
        velocity: f64,
        /// The factors of m1 and m2.
        history: [f64; 2],
        /// s, the factor of e.
        noise: f64,
        /// The update trains this step; no step that stands alone is trained.
        trained: bool,
    }

    /// The size of a run, for predictions. `text_length` and the fields from threads on count only for the built-in
    /// model.
    Workload = mixgrpo_workload {
        /// P per iteration, 1...1000000.
        prompt_count: i32,
        /// N, 1...65536.
        token_count: i32,
        /// C, 1...65536; the built-in model's `in_channels`.
        channels: i32,
        /// L, 1...65536.
        text_length: i32,
        /// Of the evaluator, 1...65536; of the host's own model: of `Update::new`, 0 for no limit.
        max_batch: i32,
        /// Of the context, 1...1024.
        threads: i32,
        /// A frozen reference model is kept beside the trained one.
        keep_reference: bool,
        /// Of the evaluator.
        recompute_activations: bool,
        /// Of the evaluator.
        precision: Precision,
        /// Of the evaluator; 0 for no limit.
        max_bytes: usize,
        /// Of an adapter of all layers of the blocks that is trained; 0 for all weights. 0...65536.
        lora_rank: i32,
        /// With `lora_rank`: the adapted model is a frozen one.
        frozen_base: bool,
    }

    /// Predicted peak memory of one iteration, bytes. The model's values are 0 when the host owns the model. The
    /// process itself comes on top: its code and tables, 10 to 20 MB before the first model, and the host's own memory.
    Memory = mixgrpo_memory {
        /// Latents in one request of an update; 0 without one, or when the host owns the model.
        update_batch: i32,
        /// Latents of the rollout and its stored window steps; with learning, also the update's.
        trajectory_bytes: usize,
        /// Weights; with learning, also gradients, moments, average, reference, and the copy that `Undo::Memory` keeps.
        weight_bytes: usize,
        /// Working memory of the evaluators.
        activation_bytes: usize,
        /// The sum of the fields above.
        peak_bytes: usize,
    }

    /// The state of a window of `WindowMode::Adaptive`: a state and an iteration's reward give the next state. A
    /// trainer keeps the state itself. A host without a trainer keeps it and passes its `window_start` to
    /// `Rollout::new`. A line is fitted by least squares to the rewards r of the iterations at this place; one of age a
    /// has the weight w = (1 - 1/k)^a, k = `window_trend`: gain = (sum(w a) sum(w r) - sum(w) sum(w a r)) / (sum(w)
    /// sum(w a^2) - sum(w a)^2) per iteration. The window moves by `window_stride` when gain < `window_minimum_gain` ·
    /// sum(w s)/sum(w), with s the standard deviation of the reward, but not before max(`window_minimum_interval`, k)
    /// iterations, and at the latest after `window_interval`.
    AdaptiveWindow = mixgrpo_adaptive_window {
        /// l, 0...T - 1 - w.
        window_start: i32,
        /// At this place, without those that had no reward. 0...999999.
        iterations: i64,
        /// At this place; r in the sums is the difference from it.
        first_reward: f64,
        /// sum(w), sum(w a), sum(w a^2), sum(w r), sum(w a r), sum(w s).
        sums: [f64; 6],
        /// The reward's gain per iteration, NaN before two iterations; ignored in a state passed in.
        gain: f64,
    }

    /// Counts of failed rewards and excluded samples.
    AdvantageReport = mixgrpo_advantage_report {
        /// Rewards that are not finite; they are excluded, never counted as 0.
        failed_rewards: i32,
        /// Samples with a failed reward of nonzero weight, or in a dropped group.
        excluded_samples: i32,
        /// Groups whose rewards are (nearly) equal: advantage 0.
        degenerate_groups: i32,
        /// Groups with fewer than two samples left.
        dropped_groups: i32,
    }

    /// Figures of an update so far. A ratio is r of the loss. Values in nats are of the true log-density (the sum over
    /// D). NaN where nothing was seen.
    UpdateStatistics = mixgrpo_update_statistics {
        /// Optimizer steps asked for.
        optimizer_steps: i32,
        /// Mean over samples and trained steps.
        loss: f64,
        /// Smallest ratio before the first optimizer step: exactly 1 when the model answers the update as it answered
        /// the rollout.
        first_ratio_min: f64,
        /// Largest ratio before the first optimizer step: likewise 1.
        first_ratio_max: f64,
        /// Smallest ratio.
        ratio_min: f64,
        /// Largest ratio.
        ratio_max: f64,
        /// Share of ratios at which the clip stopped the gradient.
        clip_fraction: f64,
        /// Largest absolute change of log p.
        max_log_ratio_nats: f64,
        /// KL(old, new) of a step, mean.
        kl_old_nats: f64,
        /// KL(new, reference) of a step, mean; 0 without a reference.
        kl_reference_nats: f64,
        /// Latents evaluated forward and backward.
        model_calls: i64,
    }

    /// What an optimizer step did.
    OptimizerReport = mixgrpo_optimizer_report {
        /// Steps done, this one included.
        step: i64,
        /// Before the clip.
        gradient_norm: f64,
        /// Of this step.
        learning_rate: f64,
    }

    /// One iteration in figures. A ratio is r of the loss. Values in nats are of the true log-density (the sum over D).
    /// NaN where there is nothing to report.
    Metrics = mixgrpo_metrics {
        /// l, the first step of the window.
        window_start: i32,
        /// w, the steps in the window.
        window_length: i32,
        /// Rewards that were not finite.
        failed_rewards: i32,
        /// Groups without differences in reward.
        degenerate_groups: i32,
        /// Optimizer steps that `FaultPolicy::Skip` skipped.
        skipped_steps: i32,
        /// The update was undone by `FaultPolicy::Skip` or `FaultPolicy::RollBack`.
        rolled_back: bool,
        /// The iteration of these figures, from 0.
        iteration: i64,
        /// Latents that the rollout evaluated.
        model_calls_rollout: i64,
        /// Latents that the update evaluated forward and backward.
        model_calls_update: i64,
        /// Weighted mean over K of the rewards' means.
        reward_mean: f64,
        /// Weighted mean over K of the rewards' standard deviations.
        reward_std: f64,
        /// Mean over samples and trained steps.
        loss: f64,
        /// Smallest ratio before the first optimizer step: exactly 1.
        first_ratio_min: f64,
        /// Largest ratio before the first optimizer step: exactly 1.
        first_ratio_max: f64,
        /// Smallest ratio.
        ratio_min: f64,
        /// Largest ratio.
        ratio_max: f64,
        /// Share of ratios at which the clip stopped the gradient, 0...1.
        clip_fraction: f64,
        /// Largest absolute change of log p.
        max_log_ratio_nats: f64,
        /// KL(old, new) of a step, mean.
        kl_old_nats: f64,
        /// KL(new, reference) of a step, mean; 0 without a reference.
        kl_reference_nats: f64,
        /// Mean over the minibatches, before the clip.
        gradient_norm: f64,
        /// Of the last optimizer step.
        learning_rate: f64,
        /// See `max_velocity_change`; NaN where it was not measured.
        velocity_change: f64,
        /// Wall-clock time of the rollout.
        seconds_rollout: f64,
        /// Wall-clock time of the update.
        seconds_update: f64,
    }

    /// What a trainer was resumed from.
    Resumption = mixgrpo_resumption {
        /// Newer checkpoints skipped because they are incomplete; a log line (`Warning`) gives the reason for each.
        skipped: i32,
        /// The one that comes next; -1 when there is no checkpoint, or no folder: nothing was changed.
        iteration: i64,
    }
}

copied_structs! {
    /// One reward of the latest iteration.
    RewardMetrics = mixgrpo_reward_metrics {
        /// Values that were not finite.
        failed: i32,
        /// Of the finite values; NaN when there was none.
        mean: f64,
        /// Standard deviation of the finite values.
        std: f64,
    }
    texts {
        /// As given to the trainer.
        name,
    }

    /// One evaluation in figures.
    EvaluationResult = mixgrpo_evaluation_result {
        /// The score is the highest so far.
        is_best: bool,
        /// What the host should do now.
        verdict: Verdict,
        /// Scores that were not finite; they are excluded, never counted as 0.
        failed: i32,
        /// Consecutive suspicious evaluations.
        worsening: i32,
        /// Of the trainer when the samples were drawn.
        iteration: i64,
        /// -1 when no evaluation had a score.
        best_iteration: i64,
        /// Weighted mean over K of the rewards' means; NaN when one of nonzero weight has none.
        score: f64,
        /// The highest score so far, that of `best_iteration`.
        best_score: f64,
    }
    texts {
        /// The reason, in one line; "" with `Continue`.
        message,
    }
}
