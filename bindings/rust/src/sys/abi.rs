// Generated from include/mixgrpo.h; write it anew with `make generate` instead of editing it.
//! Everything that `mixgrpo.h` declares, in its order.

use std::ffi::{c_char, c_void};

// Version                                                                                        stable, since 0.1.0

pub const MIXGRPO_VERSION_MAJOR: u32 = 0;
pub const MIXGRPO_VERSION_MINOR: u32 = 1;
pub const MIXGRPO_VERSION_PATCH: u32 = 0;
pub const MIXGRPO_ABI_VERSION: u32 = 1;

extern "C" {
    pub fn mixgrpo_abi_version() -> u32;
    pub fn mixgrpo_version() -> *const c_char;
}

// Status and errors                                                                              stable, since 0.1.0

pub type mixgrpo_status = i32;
pub const MIXGRPO_STATUS_OK: mixgrpo_status = 0;
pub const MIXGRPO_STATUS_CANCELLED: mixgrpo_status = 1;
pub const MIXGRPO_STATUS_INVALID_ARGUMENT: mixgrpo_status = -1;
pub const MIXGRPO_STATUS_INVALID_STATE: mixgrpo_status = -2;
pub const MIXGRPO_STATUS_BUFFER_TOO_SMALL: mixgrpo_status = -3;
pub const MIXGRPO_STATUS_OUT_OF_MEMORY: mixgrpo_status = -4;
pub const MIXGRPO_STATUS_INPUT_OUTPUT: mixgrpo_status = -5;
pub const MIXGRPO_STATUS_INVALID_FORMAT: mixgrpo_status = -6;
pub const MIXGRPO_STATUS_UNSUPPORTED: mixgrpo_status = -7;
pub const MIXGRPO_STATUS_NOT_FINITE: mixgrpo_status = -8;
pub const MIXGRPO_STATUS_INTERNAL: mixgrpo_status = -9;
pub const MIXGRPO_STATUS_DIVERGED: mixgrpo_status = -10;

extern "C" {
    pub fn mixgrpo_status_name(status: mixgrpo_status) -> *const c_char;
    pub fn mixgrpo_last_error() -> *const c_char;
}

// Context: threads, log, progress, cancel                                                        stable, since 0.1.0

opaque!(mixgrpo_context);

pub type mixgrpo_log_level = i32;
pub const MIXGRPO_LOG_LEVEL_INFO: mixgrpo_log_level = 0;
pub const MIXGRPO_LOG_LEVEL_WARNING: mixgrpo_log_level = 1;

pub type mixgrpo_log_callback =
    Option<unsafe extern "C" fn(user_data: *mut c_void, level: mixgrpo_log_level, message: *const c_char)>;

pub type mixgrpo_stage = i32;
pub const MIXGRPO_STAGE_ROLLOUT: mixgrpo_stage = 0;
pub const MIXGRPO_STAGE_UPDATE: mixgrpo_stage = 1;
pub const MIXGRPO_STAGE_SAMPLE: mixgrpo_stage = 2;

structure! { sized mixgrpo_progress: 24 {
    stage: mixgrpo_stage,
    done: i64,
    total: i64,
}}

pub type mixgrpo_progress_callback =
    Option<unsafe extern "C" fn(user_data: *mut c_void, progress: *const mixgrpo_progress)>;

extern "C" {
    pub fn mixgrpo_context_create(threads: i32, out_context: *mut *mut mixgrpo_context) -> mixgrpo_status;
    pub fn mixgrpo_context_destroy(context: *mut mixgrpo_context);
    pub fn mixgrpo_context_threads(context: *const mixgrpo_context) -> i32;
    pub fn mixgrpo_context_set_log(
        context: *mut mixgrpo_context, callback: mixgrpo_log_callback, user_data: *mut c_void,
    ) -> mixgrpo_status;
    pub fn mixgrpo_context_set_progress(
        context: *mut mixgrpo_context, callback: mixgrpo_progress_callback, user_data: *mut c_void,
    ) -> mixgrpo_status;
    pub fn mixgrpo_context_cancel(context: *const mixgrpo_context) -> mixgrpo_status;
    pub fn mixgrpo_context_reset_cancel(context: *const mixgrpo_context) -> mixgrpo_status;
    pub fn mixgrpo_context_is_cancelled(context: *const mixgrpo_context) -> i32;
}

// Model: the built-in flow transformer                                                           stable, since 0.1.0

opaque!(mixgrpo_model);

structure! { sized mixgrpo_model_config: 56 {
    in_channels: i32,
    out_channels: i32,
    num_layers: i32,
    num_single_layers: i32,
    attention_head_dim: i32,
    num_attention_heads: i32,
    joint_attention_dim: i32,
    pooled_projection_dim: i32,
    guidance_embeds: i32,
    axes_dims_rope: [i32; 3],
    reserved: i32,
}}

structure! { sized mixgrpo_parameter_info: 48 {
    rank: i32,
    shape: [usize; 2],
    offset: usize,
    count: usize,
    name: *const c_char,
}}

pub type mixgrpo_storage = i32;
pub const MIXGRPO_STORAGE_F32: mixgrpo_storage = 0;
pub const MIXGRPO_STORAGE_BF16: mixgrpo_storage = 1;

structure! { sized mixgrpo_lora_config: 32 {
    rank: i32,
    alpha: f64,
    rank_stabilized: i32,
    reserved: i32,
    seed: u64,
}}

pub type mixgrpo_adapter_format = i32;
pub const MIXGRPO_ADAPTER_FORMAT_PEFT: mixgrpo_adapter_format = 0;
pub const MIXGRPO_ADAPTER_FORMAT_DIFFUSERS: mixgrpo_adapter_format = 1;
pub const MIXGRPO_ADAPTER_FORMAT_KOHYA: mixgrpo_adapter_format = 2;

extern "C" {
    pub fn mixgrpo_model_config_init(out_config: *mut mixgrpo_model_config, struct_size: usize) -> mixgrpo_status;
    pub fn mixgrpo_model_config_load(folder: *const c_char, out_config: *mut mixgrpo_model_config) -> mixgrpo_status;
    pub fn mixgrpo_model_create(
        context: *const mixgrpo_context, config: *const mixgrpo_model_config, seed: u64,
        out_model: *mut *mut mixgrpo_model,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_load(
        context: *const mixgrpo_context, folder: *const c_char, out_model: *mut *mut mixgrpo_model,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_save(
        model: *const mixgrpo_model, folder: *const c_char, storage: mixgrpo_storage,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_copy(model: *const mixgrpo_model, out_copy: *mut *mut mixgrpo_model) -> mixgrpo_status;
    pub fn mixgrpo_model_destroy(model: *mut mixgrpo_model);
    pub fn mixgrpo_model_freeze(model: *const mixgrpo_model, out_model: *mut *mut mixgrpo_model) -> mixgrpo_status;
    pub fn mixgrpo_model_load_frozen(
        context: *const mixgrpo_context, folder: *const c_char, out_model: *mut *mut mixgrpo_model,
    ) -> mixgrpo_status;
    pub fn mixgrpo_lora_config_init(out_config: *mut mixgrpo_lora_config, struct_size: usize) -> mixgrpo_status;
    pub fn mixgrpo_model_adapt(
        base: *const mixgrpo_model, config: *const mixgrpo_lora_config, targets: *const *const c_char,
        target_count: usize, out_model: *mut *mut mixgrpo_model,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_load_adapter(
        base: *const mixgrpo_model, path: *const c_char, out_model: *mut *mut mixgrpo_model,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_save_adapter(
        model: *const mixgrpo_model, path: *const c_char, format: mixgrpo_adapter_format,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_merge(model: *const mixgrpo_model, out_model: *mut *mut mixgrpo_model) -> mixgrpo_status;
    pub fn mixgrpo_model_set_adapter_strength(model: *mut mixgrpo_model, strength: f64) -> mixgrpo_status;
    pub fn mixgrpo_model_get_config(
        model: *const mixgrpo_model, out_config: *mut mixgrpo_model_config,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_get_size(
        model: *const mixgrpo_model, out_tensors: *mut usize, out_values: *mut usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_get_parameter(
        model: *const mixgrpo_model, index: usize, out_info: *mut mixgrpo_parameter_info,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_find_parameter(
        model: *const mixgrpo_model, name: *const c_char, out_index: *mut usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_get_weights(
        model: *const mixgrpo_model, offset: usize, out_values: *mut f32, count: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_set_weights(
        model: *mut mixgrpo_model, offset: usize, values: *const f32, count: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_get_gradients(
        model: *const mixgrpo_model, offset: usize, out_values: *mut f32, count: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_set_gradients(
        model: *mut mixgrpo_model, offset: usize, values: *const f32, count: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_model_zero_gradients(model: *mut mixgrpo_model) -> mixgrpo_status;
}

// Prompts: text embeddings for the built-in model                                                stable, since 0.1.0

opaque!(mixgrpo_prompts);

extern "C" {
    pub fn mixgrpo_prompts_create(
        context: *const mixgrpo_context, text: *const f32, text_count: usize, pooled: *const f32, pooled_count: usize,
        prompt_count: usize, text_length: i32, text_width: i32, pooled_width: i32,
        out_prompts: *mut *mut mixgrpo_prompts,
    ) -> mixgrpo_status;
    pub fn mixgrpo_prompts_destroy(prompts: *mut mixgrpo_prompts);
    pub fn mixgrpo_prompts_count(prompts: *const mixgrpo_prompts) -> usize;
}

// Evaluator: velocity and backward of the built-in model                                         stable, since 0.1.0

opaque!(mixgrpo_evaluator);

pub type mixgrpo_precision = i32;
pub const MIXGRPO_PRECISION_FLOAT32: mixgrpo_precision = 0;
pub const MIXGRPO_PRECISION_BFLOAT16: mixgrpo_precision = 1;

structure! { sized mixgrpo_evaluator_config: 48 {
    height_tokens: i32,
    width_tokens: i32,
    text_length: i32,
    max_batch: i32,
    recompute_activations: i32,
    precision: mixgrpo_precision,
    reserved: i32,
    guidance: f64,
    max_bytes: usize,
}}

extern "C" {
    pub fn mixgrpo_evaluator_config_init(
        out_config: *mut mixgrpo_evaluator_config, struct_size: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_evaluator_create(
        model: *mut mixgrpo_model, config: *const mixgrpo_evaluator_config, image_ids: *const f32,
        image_id_count: usize, out_evaluator: *mut *mut mixgrpo_evaluator,
    ) -> mixgrpo_status;
    pub fn mixgrpo_evaluator_destroy(evaluator: *mut mixgrpo_evaluator);
    pub fn mixgrpo_evaluator_latent_size(evaluator: *const mixgrpo_evaluator) -> usize;
    pub fn mixgrpo_evaluator_velocity(
        evaluator: *mut mixgrpo_evaluator, prompts: *const mixgrpo_prompts, latents: *const f32, sigmas: *const f32,
        prompt_index: *const i32, count: usize, keep_activations: i32, out_velocity: *mut f32,
        velocity_capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_evaluator_backward(
        evaluator: *mut mixgrpo_evaluator, d_velocity: *const f32, count: usize, out_d_latents: *mut f32,
        d_latents_capacity: usize,
    ) -> mixgrpo_status;
}

// Settings: how to sample and how to learn                                                       stable, since 0.1.0

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

structure! { sized mixgrpo_sampling_config: 144 {
    steps: i32,
    shift: f64,
    image_tokens: i32,
    sigma_rounding: mixgrpo_sigma_rounding,
    dynamics: mixgrpo_dynamics,
    solver: mixgrpo_solver,
    noise_level: f64,
    flash_ratio: f64,
    flash_solver: mixgrpo_solver,
    window_mode: mixgrpo_window_mode,
    window_length: i32,
    window_start: i32,
    window_stride: i32,
    window_interval: i32,
    window_minimum_interval: i32,
    window_at_end: mixgrpo_window_end,
    window_decay_threshold: i32,
    window_trend: i32,
    window_decay_rate: f64,
    window_minimum_gain: f64,
    trained_fraction: f64,
    trained_subset: mixgrpo_trained_subset,
    group_size: i32,
    initial_noise: mixgrpo_initial_noise,
    exact_sharing: i32,
    log_probability: mixgrpo_log_probability,
    reserved: i32,
    seed: u64,
}}

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

structure! { sized mixgrpo_learning_config: 168 {
    advantage_mode: mixgrpo_advantage_mode,
    std_scope: mixgrpo_std_scope,
    step_weighting: mixgrpo_step_weighting,
    trim_fraction: f64,
    degenerate_tolerance: f64,
    advantage_clip: f64,
    clip_range: f64,
    kl_reference: f64,
    kl_old: f64,
    updates_per_iteration: i32,
    schedule: mixgrpo_schedule,
    warmup_steps: i32,
    total_steps: i32,
    min_rate_fraction: f64,
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: f64,
    max_gradient_norm: f64,
    ema_decay: f64,
    fault_policy: mixgrpo_fault_policy,
    undo: mixgrpo_undo,
    max_velocity_change: f64,
    roll_back_rate_factor: f64,
}}

pub type mixgrpo_setting_kind = i32;
pub const MIXGRPO_SETTING_KIND_INTEGER: mixgrpo_setting_kind = 0;
pub const MIXGRPO_SETTING_KIND_NUMBER: mixgrpo_setting_kind = 1;
pub const MIXGRPO_SETTING_KIND_FLAG: mixgrpo_setting_kind = 2;
pub const MIXGRPO_SETTING_KIND_CHOICE: mixgrpo_setting_kind = 3;

structure! { sized mixgrpo_setting: 104 {
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
    reserved: i32,
    offset: usize,
    count: usize,
}}

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
}

// Plan: grid, window and steps of every iteration, before anything runs                          stable, since 0.1.0

opaque!(mixgrpo_plan);

structure! { sized mixgrpo_iteration_plan: 40 {
    window_start: i32,
    window_length: i32,
    step_count: i32,
    trained_step_count: i32,
    model_calls_per_image: i32,
    rollout_model_calls: i64,
    update_model_calls: i64,
}}

pub type mixgrpo_step_kind = i32;
pub const MIXGRPO_STEP_KIND_EULER: mixgrpo_step_kind = 0;
pub const MIXGRPO_STEP_KIND_DPM_1: mixgrpo_step_kind = 1;
pub const MIXGRPO_STEP_KIND_DPM_2_MIDPOINT: mixgrpo_step_kind = 2;
pub const MIXGRPO_STEP_KIND_DPM_2_HEUN: mixgrpo_step_kind = 3;
pub const MIXGRPO_STEP_KIND_DPM_3: mixgrpo_step_kind = 4;
pub const MIXGRPO_STEP_KIND_FLOW: mixgrpo_step_kind = 5;
pub const MIXGRPO_STEP_KIND_DANCE: mixgrpo_step_kind = 6;
pub const MIXGRPO_STEP_KIND_CPS: mixgrpo_step_kind = 7;

structure! { sized mixgrpo_step: 72 {
    kind: mixgrpo_step_kind,
    sigma: f64,
    next_sigma: f64,
    latent: f64,
    velocity: f64,
    history: [f64; 2],
    noise: f64,
    trained: i32,
    reserved: i32,
}}

structure! { sized mixgrpo_workload: 56 {
    prompt_count: i32,
    token_count: i32,
    channels: i32,
    text_length: i32,
    max_batch: i32,
    threads: i32,
    keep_reference: i32,
    recompute_activations: i32,
    precision: mixgrpo_precision,
    max_bytes: usize,
    lora_rank: i32,
    frozen_base: i32,
}}

structure! { sized mixgrpo_memory: 40 {
    update_batch: i32,
    trajectory_bytes: usize,
    weight_bytes: usize,
    activation_bytes: usize,
    peak_bytes: usize,
}}

structure! { sized mixgrpo_adaptive_window: 80 {
    window_start: i32,
    iterations: i64,
    first_reward: f64,
    sums: [f64; 6],
    gain: f64,
}}

extern "C" {
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

// Rollout: sample groups of images                                                               stable, since 0.1.0

opaque!(mixgrpo_rollout);

pub type mixgrpo_weights = i32;
pub const MIXGRPO_WEIGHTS_TRAINED: mixgrpo_weights = 0;
pub const MIXGRPO_WEIGHTS_BASE: mixgrpo_weights = 1;
pub const MIXGRPO_WEIGHTS_AVERAGE: mixgrpo_weights = 2;

pub type mixgrpo_request_kind = i32;
pub const MIXGRPO_REQUEST_KIND_FINISHED: mixgrpo_request_kind = 0;
pub const MIXGRPO_REQUEST_KIND_EVALUATE: mixgrpo_request_kind = 1;
pub const MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP: mixgrpo_request_kind = 2;
pub const MIXGRPO_REQUEST_KIND_KEEP_STATE: mixgrpo_request_kind = 3;
pub const MIXGRPO_REQUEST_KIND_RESTORE_STATE: mixgrpo_request_kind = 4;
pub const MIXGRPO_REQUEST_KIND_ZERO_GRADIENTS: mixgrpo_request_kind = 5;
pub const MIXGRPO_REQUEST_KIND_COMBINE_FIGURES: mixgrpo_request_kind = 6;

structure! { sized mixgrpo_velocity_request: 96 {
    kind: mixgrpo_request_kind,
    minibatch: i32,
    needs_reference: i32,
    needs_gradient: i32,
    is_trained: i32,
    weights: mixgrpo_weights,
    completes_minibatch: i32,
    count: usize,
    latent_size: usize,
    latents: *const f32,
    sigmas: *const f32,
    prompt_index: *const i32,
    sample: *const i32,
    step: *const i32,
    rate_factor: f64,
}}

structure! { sized mixgrpo_rollout_config: 32 {
    window_start: i32,
    iteration: i64,
    latent_size: usize,
    max_batch: i32,
    reserved: i32,
}}

extern "C" {
    pub fn mixgrpo_rollout_config_init(out_config: *mut mixgrpo_rollout_config, struct_size: usize) -> mixgrpo_status;
    pub fn mixgrpo_rollout_create(
        context: *const mixgrpo_context, plan: *const mixgrpo_plan, config: *const mixgrpo_rollout_config,
        prompt_ids: *const i32, prompt_count: usize, initial_noise: *const f32, noise_count: usize,
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
}

// Advantages                                                                                     stable, since 0.1.0

structure! { sized mixgrpo_advantage_report: 20 {
    failed_rewards: i32,
    excluded_samples: i32,
    degenerate_groups: i32,
    dropped_groups: i32,
}}

extern "C" {
    pub fn mixgrpo_advantages(
        config: *const mixgrpo_learning_config, rewards: *const f64, reward_count: usize, prompt_count: usize,
        group_size: i32, weights: *const f64, weight_count: usize, out_advantages: *mut f64, out_included: *mut u8,
        capacity: usize, out_report: *mut mixgrpo_advantage_report,
    ) -> mixgrpo_status;
}

// Votes of a person                                                                        experimental, since 0.1.0

extern "C" {
    pub fn mixgrpo_scores_from_ratings(
        ratings: *const f64, count: usize, out_scores: *mut f64, capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_scores_from_pairs(
        pairs: *const i32, pair_count: usize, group_size: i32, out_scores: *mut f64, capacity: usize,
    ) -> mixgrpo_status;
}

// Update: policy gradients of one iteration                                                      stable, since 0.1.0

opaque!(mixgrpo_update);

structure! { sized mixgrpo_update_statistics: 88 {
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
}}

extern "C" {
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
}

// Optimizer                                                                                      stable, since 0.1.0

opaque!(mixgrpo_optimizer);

structure! { sized mixgrpo_optimizer_report: 32 {
    reserved: i32,
    step: i64,
    gradient_norm: f64,
    learning_rate: f64,
}}

extern "C" {
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

// Trainer: rollout, the host's rewards, update                                                   stable, since 0.1.0

opaque!(mixgrpo_trainer);

structure! { sized mixgrpo_metrics: 184 {
    window_start: i32,
    window_length: i32,
    failed_rewards: i32,
    degenerate_groups: i32,
    skipped_steps: i32,
    rolled_back: i32,
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
    velocity_change: f64,
    seconds_rollout: f64,
    seconds_update: f64,
}}

structure! { sized mixgrpo_reward_metrics: 32 {
    failed: i32,
    mean: f64,
    std: f64,
    name: *const c_char,
}}

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
}

// Tickets: an iteration whose rewards come later                                                 stable, since 0.1.0

pub type mixgrpo_missing_rewards = i32;
pub const MIXGRPO_MISSING_REWARDS_REFUSE: mixgrpo_missing_rewards = 0;
pub const MIXGRPO_MISSING_REWARDS_EXCLUDE: mixgrpo_missing_rewards = 1;

extern "C" {
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
}

// Ranks: processes that train one model together                                                 stable, since 0.1.0

pub type mixgrpo_all_gather_callback = Option<
    unsafe extern "C" fn(user_data: *mut c_void, sent: *const c_void, received: *mut c_void, bytes: usize) -> i32,
>;

pub type mixgrpo_all_to_all_callback = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        sent: *const c_void,
        sent_bytes: *const usize,
        received: *mut c_void,
        received_bytes: *const usize,
    ) -> i32,
>;

structure! { sized mixgrpo_collective: 40 {
    rank: i32,
    size: i32,
    reserved: i32,
    user_data: *mut c_void,
    all_gather: mixgrpo_all_gather_callback,
    all_to_all: mixgrpo_all_to_all_callback,
}}

opaque!(mixgrpo_local_ranks);

extern "C" {
    pub fn mixgrpo_trainer_set_collective(
        trainer: *mut mixgrpo_trainer, collective: *const mixgrpo_collective,
    ) -> mixgrpo_status;
    pub fn mixgrpo_local_ranks_create(
        count: i32, time_limit: f64, out_ranks: *mut *mut mixgrpo_local_ranks,
    ) -> mixgrpo_status;
    pub fn mixgrpo_local_ranks_destroy(ranks: *mut mixgrpo_local_ranks);
    pub fn mixgrpo_local_ranks_get_collective(
        ranks: *const mixgrpo_local_ranks, rank: i32, out_collective: *mut mixgrpo_collective,
    ) -> mixgrpo_status;
    pub fn mixgrpo_local_ranks_abandon(ranks: *const mixgrpo_local_ranks, reason: *const c_char) -> mixgrpo_status;
}

// Checkpoints of a trainer                                                                       stable, since 0.1.0

structure! { sized mixgrpo_resumption: 16 {
    skipped: i32,
    iteration: i64,
}}

extern "C" {
    pub fn mixgrpo_trainer_save(trainer: *const mixgrpo_trainer, folder: *const c_char) -> mixgrpo_status;
    pub fn mixgrpo_trainer_restore(trainer: *mut mixgrpo_trainer, folder: *const c_char) -> mixgrpo_status;
    pub fn mixgrpo_trainer_checkpoint(
        trainer: *const mixgrpo_trainer, folder: *const c_char, keep_last: i32, keep_every: i64,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_resume(
        trainer: *mut mixgrpo_trainer, folder: *const c_char, out_resumption: *mut mixgrpo_resumption,
    ) -> mixgrpo_status;
}

// Deterministic samples: evaluation and inference                                                stable, since 0.1.0

structure! { sized mixgrpo_sample_config: 64 {
    steps: i32,
    solver: mixgrpo_solver,
    samples_per_prompt: i32,
    shift: f64,
    image_tokens: i32,
    sigma_rounding: mixgrpo_sigma_rounding,
    trained_model_share: f64,
    seed: u64,
    sigmas: *const f64,
    sigma_count: usize,
}}

extern "C" {
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
}

// Trainer for a model that the host owns                                                    experimental, since 0.1.0

structure! { sized mixgrpo_host_config: 24 {
    max_batch: i32,
    prompt_count: usize,
    latent_size: usize,
}}

pub const MIXGRPO_FIGURE_COUNT: u32 = 15;

extern "C" {
    pub fn mixgrpo_host_config_init(out_config: *mut mixgrpo_host_config, struct_size: usize) -> mixgrpo_status;
    pub fn mixgrpo_trainer_create_for_host(
        context: *const mixgrpo_context, plan: *const mixgrpo_plan, learning: *const mixgrpo_learning_config,
        host: *const mixgrpo_host_config, reward_names: *const *const c_char, reward_count: usize,
        out_trainer: *mut *mut mixgrpo_trainer,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_begin_rollout(
        trainer: *mut mixgrpo_trainer, prompt_indices: *const i32, prompt_count: usize, with_ticket: i32,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_begin_sample(
        trainer: *mut mixgrpo_trainer, weights: mixgrpo_weights, config: *const mixgrpo_sample_config,
        prompt_indices: *const i32, prompt_count: usize, initial_noise: *const f32, noise_count: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_begin_update(
        trainer: *mut mixgrpo_trainer, rewards: *const f64, count: usize, weights: *const f64, weight_count: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_begin_update_tickets(
        trainer: *mut mixgrpo_trainer, missing: mixgrpo_missing_rewards, weights: *const f64, weight_count: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_next(
        trainer: *mut mixgrpo_trainer, out_request: *mut mixgrpo_velocity_request,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_submit(
        trainer: *mut mixgrpo_trainer, velocity: *const f32, reference_velocity: *const f32, count: usize,
        out_d_velocity: *mut f32, d_velocity_capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_submit_step(
        trainer: *mut mixgrpo_trainer, gradient_norm: f64, learning_rate: f64,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_set_rank(trainer: *mut mixgrpo_trainer, rank: i32, rank_count: i32) -> mixgrpo_status;
    pub fn mixgrpo_trainer_get_figures(
        trainer: *const mixgrpo_trainer, out_figures: *mut f64, capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_submit_figures(
        trainer: *mut mixgrpo_trainer, figures: *const f64, count: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_fail(
        trainer: *mut mixgrpo_trainer, status: mixgrpo_status, message: *const c_char,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_get_samples(
        trainer: *const mixgrpo_trainer, out_samples: *mut f32, capacity: usize, out_ticket: *mut i64,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_get_progress(
        trainer: *const mixgrpo_trainer, out_json: *mut c_char, capacity: usize, out_size: *mut usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_trainer_set_progress(trainer: *mut mixgrpo_trainer, json: *const c_char) -> mixgrpo_status;
}

// Evaluation: the best model, and a watchdog against reward hacking                              stable, since 0.1.0

opaque!(mixgrpo_evaluation);

pub type mixgrpo_watchdog = i32;
pub const MIXGRPO_WATCHDOG_OFF: mixgrpo_watchdog = 0;
pub const MIXGRPO_WATCHDOG_WARN: mixgrpo_watchdog = 1;
pub const MIXGRPO_WATCHDOG_STOP: mixgrpo_watchdog = 2;

pub type mixgrpo_verdict = i32;
pub const MIXGRPO_VERDICT_CONTINUE: mixgrpo_verdict = 0;
pub const MIXGRPO_VERDICT_WARN: mixgrpo_verdict = 1;
pub const MIXGRPO_VERDICT_STOP: mixgrpo_verdict = 2;

structure! { sized mixgrpo_evaluation_config: 32 {
    every: i32,
    weights: mixgrpo_weights,
    keep_best: i32,
    watchdog: mixgrpo_watchdog,
    watchdog_patience: i32,
    watchdog_minimum_delta: f64,
}}

structure! { sized mixgrpo_evaluation_result: 64 {
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
}}

extern "C" {
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
    pub fn mixgrpo_evaluation_begin_sample(
        evaluation: *const mixgrpo_evaluation, trainer: *mut mixgrpo_trainer,
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

// Stateless pieces. All may be called from any thread.                                     experimental, since 0.1.0

extern "C" {
    pub fn mixgrpo_time_grid(
        steps: i32, shift: f64, image_tokens: i32, out_sigmas: *mut f64, capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_stochastic_step(
        dynamics: mixgrpo_dynamics, noise_level: f64, sigma: f64, next_sigma: f64, out_step: *mut mixgrpo_step,
    ) -> mixgrpo_status;
    pub fn mixgrpo_deterministic_step(
        solver: mixgrpo_solver, sigmas: *const f64, sigma_count: usize, index: usize, out_step: *mut mixgrpo_step,
    ) -> mixgrpo_status;
    pub fn mixgrpo_step_log_probability(
        step: *const mixgrpo_step, form: mixgrpo_log_probability, latents: *const f32, velocity: *const f32,
        next_latents: *const f32, count: usize, latent_size: usize, out_log_probabilities: *mut f64, capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_policy_loss(
        config: *const mixgrpo_learning_config, step: *const mixgrpo_step, form: mixgrpo_log_probability,
        latents: *const f32, velocity: *const f32, next_latents: *const f32, reference_velocity: *const f32,
        old_log_probabilities: *const f64, advantages: *const f64, count: usize, latent_size: usize,
        out_loss: *mut f64, out_ratios: *mut f64, ratios_capacity: usize, out_d_velocity: *mut f32,
        d_velocity_capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_normal_noise(
        seed: u64, stream: u64, index: u64, out_values: *mut f32, count: usize,
    ) -> mixgrpo_status;
}

// Conveniences: hashed words                                                               experimental, since 0.1.0

extern "C" {
    pub fn mixgrpo_hashed_words_encode(
        prompts: *const *const c_char, prompt_count: usize, text_length: i32, text_width: i32, pooled_width: i32,
        out_text: *mut f32, text_capacity: usize, out_pooled: *mut f32, pooled_capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_prompts_create_hashed_words(
        context: *const mixgrpo_context, prompts: *const *const c_char, prompt_count: usize, text_length: i32,
        text_width: i32, pooled_width: i32, out_prompts: *mut *mut mixgrpo_prompts,
    ) -> mixgrpo_status;
}

// Conveniences: pixels, images, PNG                                                        experimental, since 0.1.0

opaque!(mixgrpo_image);

structure! { sized mixgrpo_image_info: 24 {
    width: i32,
    height: i32,
    reserved: i32,
    text_count: usize,
}}

structure! { mixgrpo_text: 16 {
    key: *const c_char,
    value: *const c_char,
}}

extern "C" {
    pub fn mixgrpo_pixels_decode(
        latents: *const f32, latent_count: usize, image_count: usize, height: i32, width: i32, patch: i32,
        out_pixels: *mut u8, capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_pixels_encode(
        pixels: *const u8, pixel_count: usize, image_count: usize, height: i32, width: i32, patch: i32,
        out_latents: *mut f32, capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_image_create(
        pixels: *const u8, count: usize, width: i32, height: i32, out_image: *mut *mut mixgrpo_image,
    ) -> mixgrpo_status;
    pub fn mixgrpo_image_create_grid(
        pixels: *const u8, count: usize, image_count: usize, width: i32, height: i32, columns: i32, gap: i32,
        scale: i32, out_image: *mut *mut mixgrpo_image,
    ) -> mixgrpo_status;
    pub fn mixgrpo_image_decode(png: *const u8, size: usize, out_image: *mut *mut mixgrpo_image) -> mixgrpo_status;
    pub fn mixgrpo_image_load(path: *const c_char, out_image: *mut *mut mixgrpo_image) -> mixgrpo_status;
    pub fn mixgrpo_image_destroy(image: *mut mixgrpo_image);
    pub fn mixgrpo_image_get_info(image: *const mixgrpo_image, out_info: *mut mixgrpo_image_info) -> mixgrpo_status;
    pub fn mixgrpo_image_get_pixels(
        image: *const mixgrpo_image, out_pixels: *mut u8, capacity: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_image_get_text(
        image: *const mixgrpo_image, index: usize, out_text: *mut mixgrpo_text,
    ) -> mixgrpo_status;
    pub fn mixgrpo_image_set_texts(
        image: *mut mixgrpo_image, texts: *const mixgrpo_text, text_count: usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_image_encode(
        image: *const mixgrpo_image, out_png: *mut u8, capacity: usize, out_size: *mut usize,
    ) -> mixgrpo_status;
    pub fn mixgrpo_image_save(image: *const mixgrpo_image, path: *const c_char) -> mixgrpo_status;
}
