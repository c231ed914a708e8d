//! Settings and plan.

use std::ffi::c_char;

use super::*;

pub type mixgrpo_dynamics = i32;
pub const MIXGRPO_DYNAMICS_FLOW: mixgrpo_dynamics = 0;
pub const MIXGRPO_DYNAMICS_DANCE: mixgrpo_dynamics = 1;
pub const MIXGRPO_DYNAMICS_CPS: mixgrpo_dynamics = 2;
pub type mixgrpo_window_mode = i32;
pub const MIXGRPO_WINDOW_MODE_FROZEN: mixgrpo_window_mode = 0;
pub const MIXGRPO_WINDOW_MODE_PROGRESSIVE: mixgrpo_window_mode = 1;
pub const MIXGRPO_WINDOW_MODE_LINEAR_DECAY: mixgrpo_window_mode = 2;
pub const MIXGRPO_WINDOW_MODE_EXPONENTIAL_DECAY: mixgrpo_window_mode = 3;
pub const MIXGRPO_WINDOW_MODE_RANDOM: mixgrpo_window_mode = 4;
pub const MIXGRPO_WINDOW_MODE_ALL: mixgrpo_window_mode = 5;
pub const MIXGRPO_WINDOW_MODE_GIVEN: mixgrpo_window_mode = 6;
pub const MIXGRPO_WINDOW_MODE_ADAPTIVE: mixgrpo_window_mode = 7;
pub const MIXGRPO_WINDOW_START_SCHEDULED: i32 = -1;
pub type mixgrpo_window_end = i32;
pub const MIXGRPO_WINDOW_END_ROLL_BACK: mixgrpo_window_end = 0;
pub const MIXGRPO_WINDOW_END_STAY: mixgrpo_window_end = 1;
pub type mixgrpo_trained_subset = i32;
pub const MIXGRPO_TRAINED_SUBSET_FIRST: mixgrpo_trained_subset = 0;
pub const MIXGRPO_TRAINED_SUBSET_RANDOM: mixgrpo_trained_subset = 1;
pub type mixgrpo_solver = i32;
pub const MIXGRPO_SOLVER_EULER: mixgrpo_solver = 0;
pub const MIXGRPO_SOLVER_DPM_1: mixgrpo_solver = 1;
pub const MIXGRPO_SOLVER_DPM_2_MIDPOINT: mixgrpo_solver = 2;
pub const MIXGRPO_SOLVER_DPM_2_HEUN: mixgrpo_solver = 3;
pub const MIXGRPO_SOLVER_DPM_3: mixgrpo_solver = 4;
pub type mixgrpo_initial_noise = i32;
pub const MIXGRPO_INITIAL_NOISE_SHARED: mixgrpo_initial_noise = 0;
pub const MIXGRPO_INITIAL_NOISE_OWN: mixgrpo_initial_noise = 1;
pub type mixgrpo_log_probability = i32;
pub const MIXGRPO_LOG_PROBABILITY_MEAN: mixgrpo_log_probability = 0;
pub const MIXGRPO_LOG_PROBABILITY_SUM: mixgrpo_log_probability = 1;
pub const MIXGRPO_LOG_PROBABILITY_CPS_PEER: mixgrpo_log_probability = 2;
pub const MIXGRPO_LOG_PROBABILITY_GUARDED: mixgrpo_log_probability = 3;
pub type mixgrpo_sigma_rounding = i32;
pub const MIXGRPO_SIGMA_ROUNDING_EXACT: mixgrpo_sigma_rounding = 0;
pub const MIXGRPO_SIGMA_ROUNDING_THOUSANDTHS: mixgrpo_sigma_rounding = 1;
c_struct!(mixgrpo_sampling_config {
    struct_size: u32,
    steps: i32,
    shift: f64,
    image_tokens: i32,
    dynamics: i32,
    noise_level: f64,
    window_mode: i32,
    window_length: i32,
    window_start: i32,
    window_stride: i32,
    window_interval: i32,
    window_minimum_interval: i32,
    window_at_end: i32,
    window_decay_threshold: i32,
    window_decay_rate: f64,
    trained_fraction: f64,
    trained_subset: i32,
    solver: i32,
    flash_ratio: f64,
    flash_solver: i32,
    group_size: i32,
    initial_noise: i32,
    exact_sharing: i32,
    log_probability: i32,
    sigma_rounding: i32,
    seed: u64,
    window_minimum_gain: f64,
    window_trend: i32,
    reserved: i32,
});
pub type mixgrpo_advantage_mode = i32;
pub const MIXGRPO_ADVANTAGE_MODE_ADVANTAGE_AGGREGATION: mixgrpo_advantage_mode = 0;
pub const MIXGRPO_ADVANTAGE_MODE_REWARD_AGGREGATION: mixgrpo_advantage_mode = 1;
pub const MIXGRPO_ADVANTAGE_MODE_GDPO: mixgrpo_advantage_mode = 2;
pub type mixgrpo_std_scope = i32;
pub const MIXGRPO_STD_SCOPE_GROUP: mixgrpo_std_scope = 0;
pub const MIXGRPO_STD_SCOPE_BATCH: mixgrpo_std_scope = 1;
pub type mixgrpo_step_weighting = i32;
pub const MIXGRPO_STEP_WEIGHTING_UNIFORM: mixgrpo_step_weighting = 0;
pub const MIXGRPO_STEP_WEIGHTING_BY_NOISE: mixgrpo_step_weighting = 1;
pub type mixgrpo_schedule = i32;
pub const MIXGRPO_SCHEDULE_CONSTANT: mixgrpo_schedule = 0;
pub const MIXGRPO_SCHEDULE_COSINE: mixgrpo_schedule = 1;
pub type mixgrpo_fault_policy = i32;
pub const MIXGRPO_FAULT_POLICY_STOP: mixgrpo_fault_policy = 0;
pub const MIXGRPO_FAULT_POLICY_SKIP: mixgrpo_fault_policy = 1;
pub const MIXGRPO_FAULT_POLICY_ROLL_BACK: mixgrpo_fault_policy = 2;
pub type mixgrpo_undo = i32;
pub const MIXGRPO_UNDO_MEMORY: mixgrpo_undo = 0;
pub const MIXGRPO_UNDO_NONE: mixgrpo_undo = 1;
c_struct!(mixgrpo_learning_config {
    struct_size: u32,
    advantage_mode: i32,
    std_scope: i32,
    step_weighting: i32,
    updates_per_iteration: i32,
    schedule: i32,
    warmup_steps: i32,
    total_steps: i32,
    min_rate_fraction: f64,
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: f64,
    max_gradient_norm: f64,
    trim_fraction: f64,
    degenerate_tolerance: f64,
    advantage_clip: f64,
    clip_range: f64,
    kl_reference: f64,
    kl_old: f64,
    ema_decay: f64,
    fault_policy: i32,
    undo: i32,
    max_velocity_change: f64,
    roll_back_rate_factor: f64,
});

opaque!(mixgrpo_plan);
c_struct!(mixgrpo_iteration_plan {
    struct_size: u32,
    window_start: i32,
    window_length: i32,
    step_count: i32,
    trained_step_count: i32,
    model_calls_per_image: i32,
    rollout_model_calls: i64,
    update_model_calls: i64,
});
pub type mixgrpo_step_kind = i32;
pub const MIXGRPO_STEP_KIND_EULER: mixgrpo_step_kind = 0;
pub const MIXGRPO_STEP_KIND_DPM_1: mixgrpo_step_kind = 1;
pub const MIXGRPO_STEP_KIND_DPM_2_MIDPOINT: mixgrpo_step_kind = 2;
pub const MIXGRPO_STEP_KIND_DPM_2_HEUN: mixgrpo_step_kind = 3;
pub const MIXGRPO_STEP_KIND_DPM_3: mixgrpo_step_kind = 4;
pub const MIXGRPO_STEP_KIND_FLOW: mixgrpo_step_kind = 5;
pub const MIXGRPO_STEP_KIND_DANCE: mixgrpo_step_kind = 6;
pub const MIXGRPO_STEP_KIND_CPS: mixgrpo_step_kind = 7;
c_struct!(mixgrpo_step {
    struct_size: u32,
    kind: mixgrpo_step_kind,
    sigma: f64,
    next_sigma: f64,
    latent: f64,
    velocity: f64,
    history: [f64; 2],
    noise: f64,
    trained: i32,
    reserved: i32,
});
c_struct!(mixgrpo_adaptive_window {
    struct_size: u32,
    window_start: i32,
    iterations: i64,
    first_reward: f64,
    sums: [f64; 6],
    gain: f64,
});
c_struct!(mixgrpo_workload {
    struct_size: u32,
    prompt_count: i32,
    token_count: i32,
    channels: i32,
    text_length: i32,
    max_batch: i32,
    threads: i32,
    keep_reference: i32,
    recompute_activations: i32,
    reserved: i32,
    max_bytes: u64,
});
c_struct!(mixgrpo_memory {
    struct_size: u32,
    update_batch: i32,
    trajectory_bytes: u64,
    weight_bytes: u64,
    activation_bytes: u64,
    peak_bytes: u64,
});

pub type mixgrpo_setting_kind = i32;
pub const MIXGRPO_SETTING_KIND_INTEGER: mixgrpo_setting_kind = 0;
pub const MIXGRPO_SETTING_KIND_NUMBER: mixgrpo_setting_kind = 1;
pub const MIXGRPO_SETTING_KIND_FLAG: mixgrpo_setting_kind = 2;
pub const MIXGRPO_SETTING_KIND_CHOICE: mixgrpo_setting_kind = 3;
c_struct!(mixgrpo_setting {
    struct_size: u32,
    kind: mixgrpo_setting_kind,
    config: *const c_char,
    key: *const c_char,
    cases: *const c_char,
    default_text: *const c_char,
    unit: *const c_char,
    sentence: *const c_char,
    minimum: f64,
    maximum: f64,
    minimum_open: i32,
    maximum_open: i32,
    changes_results: i32,
    offset: u32,
    count: u32,
    reserved: u32,
});

extern "C" {
    pub fn mixgrpo_setting_count() -> usize;
    pub fn mixgrpo_setting_info(index: usize, out_setting: *mut mixgrpo_setting) -> mixgrpo_status;
    pub fn mixgrpo_config_init(
        out_sampling: *mut mixgrpo_sampling_config, sampling_size: usize, out_learning: *mut mixgrpo_learning_config,
        learning_size: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_config_init_preset(
        name: *const c_char, out_sampling: *mut mixgrpo_sampling_config, out_learning: *mut mixgrpo_learning_config,
    ) -> mixgrpo_status;
    pub fn mixgrpo_preset_name(index: usize) -> *const c_char;
    pub fn mixgrpo_config_check(
        sampling: *const mixgrpo_sampling_config, learning: *const mixgrpo_learning_config,
    ) -> mixgrpo_status;
    pub fn mixgrpo_config_describe(
        sampling: *const mixgrpo_sampling_config, learning: *const mixgrpo_learning_config, out_text: *mut c_char,
        capacity: usize, out_size: *mut usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_plan_create(
        config: *const mixgrpo_sampling_config, sigmas: *const f64, sigma_count: usize,
        out_plan: *mut *mut mixgrpo_plan,
    ) -> mixgrpo_status;
    pub fn mixgrpo_plan_destroy(plan: *mut mixgrpo_plan);
    pub fn mixgrpo_plan_get_iteration(
        plan: *const mixgrpo_plan, iteration: i64, window_start: i32, prompt_count: i32, minibatches: i32,
        out_iteration: *mut mixgrpo_iteration_plan,
    ) -> mixgrpo_status;
    pub fn mixgrpo_plan_get_step(
        plan: *const mixgrpo_plan, iteration: i64, window_start: i32, index: i32, out_step: *mut mixgrpo_step,
    ) -> mixgrpo_status;
    pub fn mixgrpo_adaptive_window_init(out_state: *mut mixgrpo_adaptive_window, struct_size: usize) -> mixgrpo_status;
    pub fn mixgrpo_adaptive_window_advance(
        plan: *const mixgrpo_plan, state: *const mixgrpo_adaptive_window, reward_mean: f64, reward_std: f64,
        out_state: *mut mixgrpo_adaptive_window,
    ) -> mixgrpo_status;
    pub fn mixgrpo_plan_predict_memory(
        plan: *const mixgrpo_plan, iteration: i64, window_start: i32, learning: *const mixgrpo_learning_config,
        model: *const mixgrpo_model_config, workload: *const mixgrpo_workload, out_memory: *mut mixgrpo_memory,
    ) -> mixgrpo_status;
}
