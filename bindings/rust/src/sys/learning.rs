//! Rollout, advantages, update, optimizer.

use super::*;

opaque!(mixgrpo_rollout);
pub type mixgrpo_request_kind = i32;
pub const MIXGRPO_REQUEST_KIND_FINISHED: mixgrpo_request_kind = 0;
pub const MIXGRPO_REQUEST_KIND_EVALUATE: mixgrpo_request_kind = 1;
pub const MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP: mixgrpo_request_kind = 2;
c_struct!(mixgrpo_velocity_request {
    struct_size: u32,
    kind: mixgrpo_request_kind,
    count: i32,
    minibatch: i32,
    needs_reference: i32,
    reserved: i32,
    latent_size: u64,
    latents: *const f32,
    sigmas: *const f32,
    prompt_index: *const i32,
    sample: *const i32,
    step: *const i32,
});
c_struct!(mixgrpo_rollout_config {
    struct_size: u32,
    window_start: i32,
    iteration: i64,
    latent_size: u64,
    max_batch: i32,
    reserved: i32,
});

c_struct!(mixgrpo_advantage_report {
    struct_size: u32,
    failed_rewards: i32,
    excluded_samples: i32,
    degenerate_groups: i32,
    dropped_groups: i32,
});

opaque!(mixgrpo_update);
c_struct!(mixgrpo_update_statistics {
    struct_size: u32,
    optimizer_steps: i32,
    loss: f64,
    first_ratio_min: f64,
    first_ratio_max: f64,
    ratio_min: f64,
    ratio_max: f64,
    clip_fraction: f64,
    max_log_ratio_nats: f64,
    kl_old_nats: f64,
    kl_reference_nats: f64,
    model_calls: i64,
});

opaque!(mixgrpo_optimizer);
c_struct!(mixgrpo_optimizer_report {
    struct_size: u32,
    reserved: i32,
    step: i64,
    gradient_norm: f64,
    learning_rate: f64,
});

extern "C" {
    pub fn mixgrpo_rollout_config_init(out_config: *mut mixgrpo_rollout_config, struct_size: usize) -> mixgrpo_status;
    pub fn mixgrpo_rollout_create(
        context: *const mixgrpo_context, plan: *const mixgrpo_plan, config: *const mixgrpo_rollout_config,
        prompt_indices: *const i32, prompt_count: usize, initial_noise: *const f32, noise_count: usize,
        out_rollout: *mut *mut mixgrpo_rollout,
    ) -> mixgrpo_status;
    pub fn mixgrpo_rollout_destroy(rollout: *mut mixgrpo_rollout);
    pub fn mixgrpo_rollout_next(
        rollout: *mut mixgrpo_rollout, out_request: *mut mixgrpo_velocity_request,
    ) -> mixgrpo_status;
    pub fn mixgrpo_rollout_submit(rollout: *mut mixgrpo_rollout, velocity: *const f32, count: usize) -> mixgrpo_status;
    pub fn mixgrpo_rollout_run(
        rollout: *mut mixgrpo_rollout, evaluator: *mut mixgrpo_evaluator, prompts: *const mixgrpo_prompts,
    ) -> mixgrpo_status;
    pub fn mixgrpo_rollout_get_samples(
        rollout: *const mixgrpo_rollout, out_samples: *mut f32, capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_rollout_get_step(
        rollout: *const mixgrpo_rollout, index: i32, out_latents: *mut f32, latents_capacity: usize,
        out_next_latents: *mut f32, next_latents_capacity: usize, out_log_probabilities: *mut f64,
        log_probabilities_capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_rollout_model_calls(rollout: *const mixgrpo_rollout) -> i64;
    pub fn mixgrpo_advantages(
        config: *const mixgrpo_learning_config, rewards: *const f64, reward_count: i32, prompt_count: i32,
        group_size: i32, weights: *const f64, weight_count: usize, out_advantages: *mut f64, out_included: *mut u8,
        capacity: usize, out_report: *mut mixgrpo_advantage_report,
    ) -> mixgrpo_status;
    pub fn mixgrpo_update_create(
        rollout: *const mixgrpo_rollout, config: *const mixgrpo_learning_config, advantages: *const f64,
        included: *const u8, count: usize, max_batch: i32, out_update: *mut *mut mixgrpo_update,
    ) -> mixgrpo_status;
    pub fn mixgrpo_update_destroy(update: *mut mixgrpo_update);
    pub fn mixgrpo_update_next(
        update: *mut mixgrpo_update, out_request: *mut mixgrpo_velocity_request,
    ) -> mixgrpo_status;
    pub fn mixgrpo_update_submit(
        update: *mut mixgrpo_update, velocity: *const f32, reference_velocity: *const f32, count: usize,
        out_d_velocity: *mut f32, d_velocity_capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_update_get_statistics(
        update: *const mixgrpo_update, out_statistics: *mut mixgrpo_update_statistics,
    ) -> mixgrpo_status;
    pub fn mixgrpo_optimizer_create(
        context: *const mixgrpo_context, config: *const mixgrpo_learning_config, parameter_count: usize,
        out_optimizer: *mut *mut mixgrpo_optimizer,
    ) -> mixgrpo_status;
    pub fn mixgrpo_optimizer_destroy(optimizer: *mut mixgrpo_optimizer);
    pub fn mixgrpo_optimizer_step(
        optimizer: *mut mixgrpo_optimizer, weights: *mut f32, gradients: *const f32, count: usize,
        out_report: *mut mixgrpo_optimizer_report,
    ) -> mixgrpo_status;
    pub fn mixgrpo_optimizer_step_model(
        optimizer: *mut mixgrpo_optimizer, model: *mut mixgrpo_model, out_report: *mut mixgrpo_optimizer_report,
    ) -> mixgrpo_status;
    pub fn mixgrpo_update_run(
        update: *mut mixgrpo_update, evaluator: *mut mixgrpo_evaluator, prompts: *const mixgrpo_prompts,
        optimizer: *mut mixgrpo_optimizer, reference: *mut mixgrpo_evaluator,
        out_report: *mut mixgrpo_optimizer_report,
    ) -> mixgrpo_status;
}
