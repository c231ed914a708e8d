//! Trainer and deterministic samples.

use std::ffi::c_char;

use super::*;

opaque!(mixgrpo_trainer);
c_struct!(mixgrpo_metrics {
    struct_size: u32,
    window_start: i32,
    window_length: i32,
    failed_rewards: i32,
    degenerate_groups: i32,
    reserved: i32,
    iteration: i64,
    model_calls_rollout: i64,
    model_calls_update: i64,
    reward_mean: f64,
    reward_std: f64,
    loss: f64,
    first_ratio_min: f64,
    first_ratio_max: f64,
    ratio_min: f64,
    ratio_max: f64,
    clip_fraction: f64,
    max_log_ratio_nats: f64,
    kl_old_nats: f64,
    kl_reference_nats: f64,
    gradient_norm: f64,
    learning_rate: f64,
    seconds_rollout: f64,
    seconds_update: f64,
    skipped_steps: i32,
    rolled_back: i32,
    velocity_change: f64,
});
c_struct!(mixgrpo_reward_metrics {
    struct_size: u32,
    failed: i32,
    mean: f64,
    std: f64,
    name: *const c_char,
});

c_struct!(mixgrpo_resumption { struct_size: u32, skipped: i32, iteration: i64 });

pub type mixgrpo_missing_rewards = i32;
pub const MIXGRPO_MISSING_REWARDS_REFUSE: mixgrpo_missing_rewards = 0;
pub const MIXGRPO_MISSING_REWARDS_LEAVE_OUT: mixgrpo_missing_rewards = 1;

pub type mixgrpo_weights = i32;
pub const MIXGRPO_WEIGHTS_TRAINED: mixgrpo_weights = 0;
pub const MIXGRPO_WEIGHTS_BASE: mixgrpo_weights = 1;
pub const MIXGRPO_WEIGHTS_AVERAGE: mixgrpo_weights = 2;
c_struct!(mixgrpo_sample_config {
    struct_size: u32,
    steps: i32,
    solver: i32,
    samples_per_prompt: i32,
    shift: f64,
    image_tokens: i32,
    sigma_rounding: i32,
    trained_model_share: f64,
    seed: u64,
});

opaque!(mixgrpo_evaluation);
pub type mixgrpo_watchdog = i32;
pub const MIXGRPO_WATCHDOG_OFF: mixgrpo_watchdog = 0;
pub const MIXGRPO_WATCHDOG_WARN: mixgrpo_watchdog = 1;
pub const MIXGRPO_WATCHDOG_STOP: mixgrpo_watchdog = 2;
pub type mixgrpo_verdict = i32;
pub const MIXGRPO_VERDICT_CONTINUE: mixgrpo_verdict = 0;
pub const MIXGRPO_VERDICT_WARN: mixgrpo_verdict = 1;
pub const MIXGRPO_VERDICT_STOP: mixgrpo_verdict = 2;
c_struct!(mixgrpo_evaluation_config {
    struct_size: u32,
    every: i32,
    weights: i32,
    keep_best: i32,
    watchdog: i32,
    watchdog_patience: i32,
    watchdog_minimum_delta: f64,
});
c_struct!(mixgrpo_evaluation_result {
    struct_size: u32,
    is_best: i32,
    verdict: mixgrpo_verdict,
    failed: i32,
    worsening: i32,
    reserved: i32,
    iteration: i64,
    best_iteration: i64,
    score: f64,
    best_score: f64,
    message: *const c_char,
});

extern "C" {
    pub fn mixgrpo_trainer_create(
        evaluator: *mut mixgrpo_evaluator, prompts: *const mixgrpo_prompts, plan: *const mixgrpo_plan,
        learning: *const mixgrpo_learning_config, reward_names: *const *const c_char, reward_count: usize,
        keep_base: i32, out_trainer: *mut *mut mixgrpo_trainer,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_destroy(trainer: *mut mixgrpo_trainer);
    pub fn mixgrpo_trainer_iteration(trainer: *const mixgrpo_trainer) -> i64;
    pub fn mixgrpo_trainer_rollout(
        trainer: *mut mixgrpo_trainer, prompt_indices: *const i32, prompt_count: usize, out_samples: *mut f32,
        capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_set_window(trainer: *mut mixgrpo_trainer, window_start: i32) -> mixgrpo_status;
    pub fn mixgrpo_trainer_update(
        trainer: *mut mixgrpo_trainer, rewards: *const f64, count: usize, weights: *const f64, weight_count: usize,
        out_metrics: *mut mixgrpo_metrics,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_rollout_ticket(
        trainer: *mut mixgrpo_trainer, prompt_indices: *const i32, prompt_count: usize, out_samples: *mut f32,
        capacity: usize, out_ticket: *mut i64,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_submit_rewards(
        trainer: *const mixgrpo_trainer, ticket: i64, rewards: *const f64, count: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_get_open_tickets(
        trainer: *const mixgrpo_trainer, out_tickets: *mut i64, capacity: usize, out_size: *mut usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_update_tickets(
        trainer: *mut mixgrpo_trainer, missing: mixgrpo_missing_rewards, weights: *const f64, weight_count: usize,
        out_metrics: *mut mixgrpo_metrics,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_drop_tickets(trainer: *mut mixgrpo_trainer) -> mixgrpo_status;
    pub fn mixgrpo_trainer_get_metrics(
        trainer: *const mixgrpo_trainer, out_metrics: *mut mixgrpo_metrics,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_get_reward_metrics(
        trainer: *const mixgrpo_trainer, index: usize, out_metrics: *mut mixgrpo_reward_metrics,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_get_metrics_json(
        trainer: *const mixgrpo_trainer, out_json: *mut c_char, capacity: usize, out_size: *mut usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_append_metrics(trainer: *const mixgrpo_trainer, path: *const c_char) -> mixgrpo_status;
    pub fn mixgrpo_trainer_save(trainer: *const mixgrpo_trainer, folder: *const c_char) -> mixgrpo_status;
    pub fn mixgrpo_trainer_restore(trainer: *mut mixgrpo_trainer, folder: *const c_char) -> mixgrpo_status;
    pub fn mixgrpo_trainer_checkpoint(
        trainer: *const mixgrpo_trainer, folder: *const c_char, keep_last: i32, keep_every: i64,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_resume(
        trainer: *mut mixgrpo_trainer, folder: *const c_char, out_resumption: *mut mixgrpo_resumption,
    ) -> mixgrpo_status;
    pub fn mixgrpo_sample_config_init(out_config: *mut mixgrpo_sample_config, struct_size: usize) -> mixgrpo_status;
    pub fn mixgrpo_evaluator_sample(
        evaluator: *mut mixgrpo_evaluator, base: *mut mixgrpo_evaluator, prompts: *const mixgrpo_prompts,
        config: *const mixgrpo_sample_config, prompt_indices: *const i32, prompt_count: usize,
        initial_noise: *const f32, noise_count: usize, out_samples: *mut f32, capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_sample(
        trainer: *mut mixgrpo_trainer, weights: mixgrpo_weights, config: *const mixgrpo_sample_config,
        prompt_indices: *const i32, prompt_count: usize, initial_noise: *const f32, noise_count: usize,
        out_samples: *mut f32, capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_save_model(
        trainer: *const mixgrpo_trainer, weights: mixgrpo_weights, folder: *const c_char, storage: mixgrpo_storage,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_hybrid_grid(
        trainer: *mut mixgrpo_trainer, weights: mixgrpo_weights, config: *const mixgrpo_sample_config,
        shares: *const f64, share_count: usize, prompt_indices: *const i32, prompt_count: usize, height: i32,
        width: i32, patch: i32, gap: i32, scale: i32, out_image: *mut *mut mixgrpo_image,
    ) -> mixgrpo_status;
    pub fn mixgrpo_evaluation_config_init(
        out_config: *mut mixgrpo_evaluation_config, struct_size: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_evaluation_create(
        config: *const mixgrpo_evaluation_config, sample: *const mixgrpo_sample_config, prompt_indices: *const i32,
        prompt_count: usize, reward_names: *const *const c_char, weights: *const f64, held_out: *const u8,
        reward_count: usize, out_evaluation: *mut *mut mixgrpo_evaluation,
    ) -> mixgrpo_status;
    pub fn mixgrpo_evaluation_destroy(evaluation: *mut mixgrpo_evaluation);
    pub fn mixgrpo_evaluation_is_due(evaluation: *const mixgrpo_evaluation, iteration: i64) -> i32;
    pub fn mixgrpo_evaluation_sample(
        evaluation: *mut mixgrpo_evaluation, trainer: *mut mixgrpo_trainer, out_samples: *mut f32, capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_evaluation_submit(
        evaluation: *mut mixgrpo_evaluation, iteration: i64, scores: *const f64, count: usize,
        out_result: *mut mixgrpo_evaluation_result,
    ) -> mixgrpo_status;
    pub fn mixgrpo_evaluation_get_means(
        evaluation: *const mixgrpo_evaluation, out_means: *mut f64, capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_evaluation_get_verdict(
        evaluation: *const mixgrpo_evaluation, out_iteration: *mut i64, out_verdict: *mut mixgrpo_verdict,
    ) -> mixgrpo_status;
    pub fn mixgrpo_evaluation_get_best(
        evaluation: *const mixgrpo_evaluation, model: *mut mixgrpo_model,
    ) -> mixgrpo_status;
    pub fn mixgrpo_evaluation_save_best(
        evaluation: *const mixgrpo_evaluation, folder: *const c_char, storage: mixgrpo_storage,
    ) -> mixgrpo_status;
    pub fn mixgrpo_evaluation_save(evaluation: *const mixgrpo_evaluation, folder: *const c_char) -> mixgrpo_status;
    pub fn mixgrpo_evaluation_restore(evaluation: *mut mixgrpo_evaluation, folder: *const c_char) -> mixgrpo_status;
}
