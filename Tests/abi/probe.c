/* Generated from include/mixgrpo.h; write it anew with `make generate` instead of editing it.
 * Tests/abi/run.sh compares what its debug information says of the header with the baseline. */
#include "mixgrpo.h"

enum probe_mixgrpo_status {
  probe_MIXGRPO_STATUS_OK = MIXGRPO_STATUS_OK,
  probe_MIXGRPO_STATUS_CANCELLED = MIXGRPO_STATUS_CANCELLED,
  probe_MIXGRPO_STATUS_INVALID_ARGUMENT = MIXGRPO_STATUS_INVALID_ARGUMENT,
  probe_MIXGRPO_STATUS_INVALID_STATE = MIXGRPO_STATUS_INVALID_STATE,
  probe_MIXGRPO_STATUS_BUFFER_TOO_SMALL = MIXGRPO_STATUS_BUFFER_TOO_SMALL,
  probe_MIXGRPO_STATUS_OUT_OF_MEMORY = MIXGRPO_STATUS_OUT_OF_MEMORY,
  probe_MIXGRPO_STATUS_INPUT_OUTPUT = MIXGRPO_STATUS_INPUT_OUTPUT,
  probe_MIXGRPO_STATUS_INVALID_FORMAT = MIXGRPO_STATUS_INVALID_FORMAT,
  probe_MIXGRPO_STATUS_UNSUPPORTED = MIXGRPO_STATUS_UNSUPPORTED,
  probe_MIXGRPO_STATUS_NOT_FINITE = MIXGRPO_STATUS_NOT_FINITE,
  probe_MIXGRPO_STATUS_INTERNAL = MIXGRPO_STATUS_INTERNAL,
  probe_MIXGRPO_STATUS_DIVERGED = MIXGRPO_STATUS_DIVERGED,
} probe_mixgrpo_status;

enum probe_mixgrpo_log_level {
  probe_MIXGRPO_LOG_LEVEL_INFO = MIXGRPO_LOG_LEVEL_INFO,
  probe_MIXGRPO_LOG_LEVEL_WARNING = MIXGRPO_LOG_LEVEL_WARNING,
} probe_mixgrpo_log_level;

enum probe_mixgrpo_stage {
  probe_MIXGRPO_STAGE_ROLLOUT = MIXGRPO_STAGE_ROLLOUT,
  probe_MIXGRPO_STAGE_UPDATE = MIXGRPO_STAGE_UPDATE,
  probe_MIXGRPO_STAGE_SAMPLE = MIXGRPO_STAGE_SAMPLE,
} probe_mixgrpo_stage;

enum probe_mixgrpo_storage {
  probe_MIXGRPO_STORAGE_F32 = MIXGRPO_STORAGE_F32,
  probe_MIXGRPO_STORAGE_BF16 = MIXGRPO_STORAGE_BF16,
} probe_mixgrpo_storage;

enum probe_mixgrpo_adapter_format {
  probe_MIXGRPO_ADAPTER_FORMAT_PEFT = MIXGRPO_ADAPTER_FORMAT_PEFT,
  probe_MIXGRPO_ADAPTER_FORMAT_DIFFUSERS = MIXGRPO_ADAPTER_FORMAT_DIFFUSERS,
  probe_MIXGRPO_ADAPTER_FORMAT_KOHYA = MIXGRPO_ADAPTER_FORMAT_KOHYA,
} probe_mixgrpo_adapter_format;

enum probe_mixgrpo_precision {
  probe_MIXGRPO_PRECISION_FLOAT32 = MIXGRPO_PRECISION_FLOAT32,
  probe_MIXGRPO_PRECISION_BFLOAT16 = MIXGRPO_PRECISION_BFLOAT16,
} probe_mixgrpo_precision;

enum probe_mixgrpo_dynamics {
  probe_MIXGRPO_DYNAMICS_FLOW = MIXGRPO_DYNAMICS_FLOW,
  probe_MIXGRPO_DYNAMICS_DANCE = MIXGRPO_DYNAMICS_DANCE,
  probe_MIXGRPO_DYNAMICS_CPS = MIXGRPO_DYNAMICS_CPS,
} probe_mixgrpo_dynamics;

enum probe_mixgrpo_window_mode {
  probe_MIXGRPO_WINDOW_MODE_FROZEN = MIXGRPO_WINDOW_MODE_FROZEN,
  probe_MIXGRPO_WINDOW_MODE_PROGRESSIVE = MIXGRPO_WINDOW_MODE_PROGRESSIVE,
  probe_MIXGRPO_WINDOW_MODE_LINEAR_DECAY = MIXGRPO_WINDOW_MODE_LINEAR_DECAY,
  probe_MIXGRPO_WINDOW_MODE_EXPONENTIAL_DECAY = MIXGRPO_WINDOW_MODE_EXPONENTIAL_DECAY,
  probe_MIXGRPO_WINDOW_MODE_RANDOM = MIXGRPO_WINDOW_MODE_RANDOM,
  probe_MIXGRPO_WINDOW_MODE_ALL = MIXGRPO_WINDOW_MODE_ALL,
  probe_MIXGRPO_WINDOW_MODE_GIVEN = MIXGRPO_WINDOW_MODE_GIVEN,
  probe_MIXGRPO_WINDOW_MODE_ADAPTIVE = MIXGRPO_WINDOW_MODE_ADAPTIVE,
} probe_mixgrpo_window_mode;

enum probe_mixgrpo_window_end {
  probe_MIXGRPO_WINDOW_END_ROLL_BACK = MIXGRPO_WINDOW_END_ROLL_BACK,
  probe_MIXGRPO_WINDOW_END_STAY = MIXGRPO_WINDOW_END_STAY,
} probe_mixgrpo_window_end;

enum probe_mixgrpo_trained_subset {
  probe_MIXGRPO_TRAINED_SUBSET_FIRST = MIXGRPO_TRAINED_SUBSET_FIRST,
  probe_MIXGRPO_TRAINED_SUBSET_RANDOM = MIXGRPO_TRAINED_SUBSET_RANDOM,
} probe_mixgrpo_trained_subset;

enum probe_mixgrpo_solver {
  probe_MIXGRPO_SOLVER_EULER = MIXGRPO_SOLVER_EULER,
  probe_MIXGRPO_SOLVER_DPM_1 = MIXGRPO_SOLVER_DPM_1,
  probe_MIXGRPO_SOLVER_DPM_2_MIDPOINT = MIXGRPO_SOLVER_DPM_2_MIDPOINT,
  probe_MIXGRPO_SOLVER_DPM_2_HEUN = MIXGRPO_SOLVER_DPM_2_HEUN,
  probe_MIXGRPO_SOLVER_DPM_3 = MIXGRPO_SOLVER_DPM_3,
} probe_mixgrpo_solver;

enum probe_mixgrpo_initial_noise {
  probe_MIXGRPO_INITIAL_NOISE_SHARED = MIXGRPO_INITIAL_NOISE_SHARED,
  probe_MIXGRPO_INITIAL_NOISE_OWN = MIXGRPO_INITIAL_NOISE_OWN,
} probe_mixgrpo_initial_noise;

enum probe_mixgrpo_log_probability {
  probe_MIXGRPO_LOG_PROBABILITY_MEAN = MIXGRPO_LOG_PROBABILITY_MEAN,
  probe_MIXGRPO_LOG_PROBABILITY_SUM = MIXGRPO_LOG_PROBABILITY_SUM,
  probe_MIXGRPO_LOG_PROBABILITY_CPS_PEER = MIXGRPO_LOG_PROBABILITY_CPS_PEER,
  probe_MIXGRPO_LOG_PROBABILITY_GUARDED = MIXGRPO_LOG_PROBABILITY_GUARDED,
} probe_mixgrpo_log_probability;

enum probe_mixgrpo_sigma_rounding {
  probe_MIXGRPO_SIGMA_ROUNDING_EXACT = MIXGRPO_SIGMA_ROUNDING_EXACT,
  probe_MIXGRPO_SIGMA_ROUNDING_THOUSANDTHS = MIXGRPO_SIGMA_ROUNDING_THOUSANDTHS,
} probe_mixgrpo_sigma_rounding;

enum probe_mixgrpo_advantage_mode {
  probe_MIXGRPO_ADVANTAGE_MODE_ADVANTAGE_AGGREGATION = MIXGRPO_ADVANTAGE_MODE_ADVANTAGE_AGGREGATION,
  probe_MIXGRPO_ADVANTAGE_MODE_REWARD_AGGREGATION = MIXGRPO_ADVANTAGE_MODE_REWARD_AGGREGATION,
  probe_MIXGRPO_ADVANTAGE_MODE_GDPO = MIXGRPO_ADVANTAGE_MODE_GDPO,
} probe_mixgrpo_advantage_mode;

enum probe_mixgrpo_std_scope {
  probe_MIXGRPO_STD_SCOPE_GROUP = MIXGRPO_STD_SCOPE_GROUP,
  probe_MIXGRPO_STD_SCOPE_BATCH = MIXGRPO_STD_SCOPE_BATCH,
} probe_mixgrpo_std_scope;

enum probe_mixgrpo_step_weighting {
  probe_MIXGRPO_STEP_WEIGHTING_UNIFORM = MIXGRPO_STEP_WEIGHTING_UNIFORM,
  probe_MIXGRPO_STEP_WEIGHTING_BY_NOISE = MIXGRPO_STEP_WEIGHTING_BY_NOISE,
} probe_mixgrpo_step_weighting;

enum probe_mixgrpo_schedule {
  probe_MIXGRPO_SCHEDULE_CONSTANT = MIXGRPO_SCHEDULE_CONSTANT,
  probe_MIXGRPO_SCHEDULE_COSINE = MIXGRPO_SCHEDULE_COSINE,
} probe_mixgrpo_schedule;

enum probe_mixgrpo_fault_policy {
  probe_MIXGRPO_FAULT_POLICY_STOP = MIXGRPO_FAULT_POLICY_STOP,
  probe_MIXGRPO_FAULT_POLICY_SKIP = MIXGRPO_FAULT_POLICY_SKIP,
  probe_MIXGRPO_FAULT_POLICY_ROLL_BACK = MIXGRPO_FAULT_POLICY_ROLL_BACK,
} probe_mixgrpo_fault_policy;

enum probe_mixgrpo_undo {
  probe_MIXGRPO_UNDO_MEMORY = MIXGRPO_UNDO_MEMORY,
  probe_MIXGRPO_UNDO_NONE = MIXGRPO_UNDO_NONE,
} probe_mixgrpo_undo;

enum probe_mixgrpo_setting_kind {
  probe_MIXGRPO_SETTING_KIND_INTEGER = MIXGRPO_SETTING_KIND_INTEGER,
  probe_MIXGRPO_SETTING_KIND_NUMBER = MIXGRPO_SETTING_KIND_NUMBER,
  probe_MIXGRPO_SETTING_KIND_FLAG = MIXGRPO_SETTING_KIND_FLAG,
  probe_MIXGRPO_SETTING_KIND_CHOICE = MIXGRPO_SETTING_KIND_CHOICE,
} probe_mixgrpo_setting_kind;

enum probe_mixgrpo_step_kind {
  probe_MIXGRPO_STEP_KIND_EULER = MIXGRPO_STEP_KIND_EULER,
  probe_MIXGRPO_STEP_KIND_DPM_1 = MIXGRPO_STEP_KIND_DPM_1,
  probe_MIXGRPO_STEP_KIND_DPM_2_MIDPOINT = MIXGRPO_STEP_KIND_DPM_2_MIDPOINT,
  probe_MIXGRPO_STEP_KIND_DPM_2_HEUN = MIXGRPO_STEP_KIND_DPM_2_HEUN,
  probe_MIXGRPO_STEP_KIND_DPM_3 = MIXGRPO_STEP_KIND_DPM_3,
  probe_MIXGRPO_STEP_KIND_FLOW = MIXGRPO_STEP_KIND_FLOW,
  probe_MIXGRPO_STEP_KIND_DANCE = MIXGRPO_STEP_KIND_DANCE,
  probe_MIXGRPO_STEP_KIND_CPS = MIXGRPO_STEP_KIND_CPS,
} probe_mixgrpo_step_kind;

enum probe_mixgrpo_weights {
  probe_MIXGRPO_WEIGHTS_TRAINED = MIXGRPO_WEIGHTS_TRAINED,
  probe_MIXGRPO_WEIGHTS_BASE = MIXGRPO_WEIGHTS_BASE,
  probe_MIXGRPO_WEIGHTS_AVERAGE = MIXGRPO_WEIGHTS_AVERAGE,
} probe_mixgrpo_weights;

enum probe_mixgrpo_request_kind {
  probe_MIXGRPO_REQUEST_KIND_FINISHED = MIXGRPO_REQUEST_KIND_FINISHED,
  probe_MIXGRPO_REQUEST_KIND_EVALUATE = MIXGRPO_REQUEST_KIND_EVALUATE,
  probe_MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP = MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP,
  probe_MIXGRPO_REQUEST_KIND_KEEP_STATE = MIXGRPO_REQUEST_KIND_KEEP_STATE,
  probe_MIXGRPO_REQUEST_KIND_RESTORE_STATE = MIXGRPO_REQUEST_KIND_RESTORE_STATE,
  probe_MIXGRPO_REQUEST_KIND_ZERO_GRADIENTS = MIXGRPO_REQUEST_KIND_ZERO_GRADIENTS,
  probe_MIXGRPO_REQUEST_KIND_COMBINE_FIGURES = MIXGRPO_REQUEST_KIND_COMBINE_FIGURES,
} probe_mixgrpo_request_kind;

enum probe_mixgrpo_missing_rewards {
  probe_MIXGRPO_MISSING_REWARDS_REFUSE = MIXGRPO_MISSING_REWARDS_REFUSE,
  probe_MIXGRPO_MISSING_REWARDS_EXCLUDE = MIXGRPO_MISSING_REWARDS_EXCLUDE,
} probe_mixgrpo_missing_rewards;

enum probe_mixgrpo_watchdog {
  probe_MIXGRPO_WATCHDOG_OFF = MIXGRPO_WATCHDOG_OFF,
  probe_MIXGRPO_WATCHDOG_WARN = MIXGRPO_WATCHDOG_WARN,
  probe_MIXGRPO_WATCHDOG_STOP = MIXGRPO_WATCHDOG_STOP,
} probe_mixgrpo_watchdog;

enum probe_mixgrpo_verdict {
  probe_MIXGRPO_VERDICT_CONTINUE = MIXGRPO_VERDICT_CONTINUE,
  probe_MIXGRPO_VERDICT_WARN = MIXGRPO_VERDICT_WARN,
  probe_MIXGRPO_VERDICT_STOP = MIXGRPO_VERDICT_STOP,
} probe_mixgrpo_verdict;

uint32_t mixgrpo_abi_version(void) { return 0; }
const char *mixgrpo_version(void) { return 0; }
const char *mixgrpo_status_name(mixgrpo_status status) { return 0; }
const char *mixgrpo_last_error(void) { return 0; }
mixgrpo_status mixgrpo_context_create(int32_t threads, mixgrpo_context **out_context) { return 0; }
void mixgrpo_context_destroy(mixgrpo_context *context) {}
int32_t mixgrpo_context_threads(const mixgrpo_context *context) { return 0; }
mixgrpo_status mixgrpo_context_set_log(mixgrpo_context *context, mixgrpo_log_callback callback, void *user_data) { return 0; }
mixgrpo_status mixgrpo_context_set_progress(mixgrpo_context *context, mixgrpo_progress_callback callback, void *user_data) { return 0; }
mixgrpo_status mixgrpo_context_cancel(const mixgrpo_context *context) { return 0; }
mixgrpo_status mixgrpo_context_reset_cancel(const mixgrpo_context *context) { return 0; }
int32_t mixgrpo_context_is_cancelled(const mixgrpo_context *context) { return 0; }
mixgrpo_status mixgrpo_model_config_init(mixgrpo_model_config *out_config, size_t struct_size) { return 0; }
mixgrpo_status mixgrpo_model_config_load(const char *folder, mixgrpo_model_config *out_config) { return 0; }
mixgrpo_status mixgrpo_model_create(const mixgrpo_context *context, const mixgrpo_model_config *config, uint64_t seed, mixgrpo_model **out_model) { return 0; }
mixgrpo_status mixgrpo_model_load(const mixgrpo_context *context, const char *folder, mixgrpo_model **out_model) { return 0; }
mixgrpo_status mixgrpo_model_save(const mixgrpo_model *model, const char *folder, mixgrpo_storage storage) { return 0; }
mixgrpo_status mixgrpo_model_copy(const mixgrpo_model *model, mixgrpo_model **out_copy) { return 0; }
void mixgrpo_model_destroy(mixgrpo_model *model) {}
mixgrpo_status mixgrpo_model_freeze(const mixgrpo_model *model, mixgrpo_model **out_model) { return 0; }
mixgrpo_status mixgrpo_model_load_frozen(const mixgrpo_context *context, const char *folder, mixgrpo_model **out_model) { return 0; }
mixgrpo_status mixgrpo_lora_config_init(mixgrpo_lora_config *out_config, size_t struct_size) { return 0; }
mixgrpo_status mixgrpo_model_adapt(const mixgrpo_model *base, const mixgrpo_lora_config *config, const char *const *targets, size_t target_count, mixgrpo_model **out_model) { return 0; }
mixgrpo_status mixgrpo_model_load_adapter(const mixgrpo_model *base, const char *path, mixgrpo_model **out_model) { return 0; }
mixgrpo_status mixgrpo_model_save_adapter(const mixgrpo_model *model, const char *path, mixgrpo_adapter_format format) { return 0; }
mixgrpo_status mixgrpo_model_merge(const mixgrpo_model *model, mixgrpo_model **out_model) { return 0; }
mixgrpo_status mixgrpo_model_set_adapter_strength(mixgrpo_model *model, double strength) { return 0; }
mixgrpo_status mixgrpo_model_get_config(const mixgrpo_model *model, mixgrpo_model_config *out_config) { return 0; }
mixgrpo_status mixgrpo_model_get_size(const mixgrpo_model *model, size_t *out_tensors, size_t *out_values) { return 0; }
mixgrpo_status mixgrpo_model_get_parameter(const mixgrpo_model *model, size_t index, mixgrpo_parameter_info *out_info) { return 0; }
mixgrpo_status mixgrpo_model_find_parameter(const mixgrpo_model *model, const char *name, size_t *out_index) { return 0; }
mixgrpo_status mixgrpo_model_get_weights(const mixgrpo_model *model, size_t offset, float *out_values, size_t count) { return 0; }
mixgrpo_status mixgrpo_model_set_weights(mixgrpo_model *model, size_t offset, const float *values, size_t count) { return 0; }
mixgrpo_status mixgrpo_model_get_gradients(const mixgrpo_model *model, size_t offset, float *out_values, size_t count) { return 0; }
mixgrpo_status mixgrpo_model_set_gradients(mixgrpo_model *model, size_t offset, const float *values, size_t count) { return 0; }
mixgrpo_status mixgrpo_model_zero_gradients(mixgrpo_model *model) { return 0; }
mixgrpo_status mixgrpo_prompts_create(const mixgrpo_context *context, const float *text, size_t text_count, const float *pooled, size_t pooled_count, size_t prompt_count, int32_t text_length, int32_t text_width, int32_t pooled_width, mixgrpo_prompts **out_prompts) { return 0; }
void mixgrpo_prompts_destroy(mixgrpo_prompts *prompts) {}
size_t mixgrpo_prompts_count(const mixgrpo_prompts *prompts) { return 0; }
mixgrpo_status mixgrpo_evaluator_config_init(mixgrpo_evaluator_config *out_config, size_t struct_size) { return 0; }
mixgrpo_status mixgrpo_evaluator_create(mixgrpo_model *model, const mixgrpo_evaluator_config *config, const float *image_ids, size_t image_id_count, mixgrpo_evaluator **out_evaluator) { return 0; }
void mixgrpo_evaluator_destroy(mixgrpo_evaluator *evaluator) {}
size_t mixgrpo_evaluator_latent_size(const mixgrpo_evaluator *evaluator) { return 0; }
mixgrpo_status mixgrpo_evaluator_velocity(mixgrpo_evaluator *evaluator, const mixgrpo_prompts *prompts, const float *latents, const float *sigmas, const int32_t *prompt_index, size_t count, int32_t keep_activations, float *out_velocity, size_t velocity_capacity) { return 0; }
mixgrpo_status mixgrpo_evaluator_backward(mixgrpo_evaluator *evaluator, const float *d_velocity, size_t count, float *out_d_latents, size_t d_latents_capacity) { return 0; }
size_t mixgrpo_setting_count(void) { return 0; }
mixgrpo_status mixgrpo_setting_info(size_t index, mixgrpo_setting *out_setting) { return 0; }
mixgrpo_status mixgrpo_config_init(mixgrpo_sampling_config *out_sampling, size_t sampling_size, mixgrpo_learning_config *out_learning, size_t learning_size) { return 0; }
mixgrpo_status mixgrpo_config_init_preset(const char *name, mixgrpo_sampling_config *out_sampling, mixgrpo_learning_config *out_learning) { return 0; }
const char *mixgrpo_preset_name(size_t index) { return 0; }
mixgrpo_status mixgrpo_config_check(const mixgrpo_sampling_config *sampling, const mixgrpo_learning_config *learning) { return 0; }
mixgrpo_status mixgrpo_config_describe(const mixgrpo_sampling_config *sampling, const mixgrpo_learning_config *learning, char *out_text, size_t capacity, size_t *out_size) { return 0; }
mixgrpo_status mixgrpo_plan_create(const mixgrpo_sampling_config *config, const double *sigmas, size_t sigma_count, mixgrpo_plan **out_plan) { return 0; }
void mixgrpo_plan_destroy(mixgrpo_plan *plan) {}
mixgrpo_status mixgrpo_plan_get_iteration(const mixgrpo_plan *plan, int64_t iteration, int32_t window_start, int32_t prompt_count, int32_t minibatches, mixgrpo_iteration_plan *out_iteration) { return 0; }
mixgrpo_status mixgrpo_plan_get_step(const mixgrpo_plan *plan, int64_t iteration, int32_t window_start, int32_t index, mixgrpo_step *out_step) { return 0; }
mixgrpo_status mixgrpo_adaptive_window_init(mixgrpo_adaptive_window *out_state, size_t struct_size) { return 0; }
mixgrpo_status mixgrpo_adaptive_window_advance(const mixgrpo_plan *plan, const mixgrpo_adaptive_window *state, double reward_mean, double reward_std, mixgrpo_adaptive_window *out_state) { return 0; }
mixgrpo_status mixgrpo_plan_predict_memory(const mixgrpo_plan *plan, int64_t iteration, int32_t window_start, const mixgrpo_learning_config *learning, const mixgrpo_model_config *model, const mixgrpo_workload *workload, mixgrpo_memory *out_memory) { return 0; }
mixgrpo_status mixgrpo_rollout_config_init(mixgrpo_rollout_config *out_config, size_t struct_size) { return 0; }
mixgrpo_status mixgrpo_rollout_create(const mixgrpo_context *context, const mixgrpo_plan *plan, const mixgrpo_rollout_config *config, const int32_t *prompt_ids, size_t prompt_count, const float *initial_noise, size_t noise_count, mixgrpo_rollout **out_rollout) { return 0; }
void mixgrpo_rollout_destroy(mixgrpo_rollout *rollout) {}
mixgrpo_status mixgrpo_rollout_next(mixgrpo_rollout *rollout, mixgrpo_velocity_request *out_request) { return 0; }
mixgrpo_status mixgrpo_rollout_submit(mixgrpo_rollout *rollout, const float *velocity, size_t count) { return 0; }
mixgrpo_status mixgrpo_rollout_run(mixgrpo_rollout *rollout, mixgrpo_evaluator *evaluator, const mixgrpo_prompts *prompts) { return 0; }
mixgrpo_status mixgrpo_rollout_get_samples(const mixgrpo_rollout *rollout, float *out_samples, size_t capacity) { return 0; }
mixgrpo_status mixgrpo_rollout_get_step(const mixgrpo_rollout *rollout, int32_t index, float *out_latents, size_t latents_capacity, float *out_next_latents, size_t next_latents_capacity, double *out_log_probabilities, size_t log_probabilities_capacity) { return 0; }
int64_t mixgrpo_rollout_model_calls(const mixgrpo_rollout *rollout) { return 0; }
mixgrpo_status mixgrpo_advantages(const mixgrpo_learning_config *config, const double *rewards, size_t reward_count, size_t prompt_count, int32_t group_size, const double *weights, size_t weight_count, double *out_advantages, uint8_t *out_included, size_t capacity, mixgrpo_advantage_report *out_report) { return 0; }
mixgrpo_status mixgrpo_scores_from_ratings(const double *ratings, size_t count, double *out_scores, size_t capacity) { return 0; }
mixgrpo_status mixgrpo_scores_from_pairs(const int32_t *pairs, size_t pair_count, int32_t group_size, double *out_scores, size_t capacity) { return 0; }
mixgrpo_status mixgrpo_update_create(const mixgrpo_rollout *rollout, const mixgrpo_learning_config *config, const double *advantages, const uint8_t *included, size_t count, int32_t max_batch, mixgrpo_update **out_update) { return 0; }
void mixgrpo_update_destroy(mixgrpo_update *update) {}
mixgrpo_status mixgrpo_update_next(mixgrpo_update *update, mixgrpo_velocity_request *out_request) { return 0; }
mixgrpo_status mixgrpo_update_submit(mixgrpo_update *update, const float *velocity, const float *reference_velocity, size_t count, float *out_d_velocity, size_t d_velocity_capacity) { return 0; }
mixgrpo_status mixgrpo_update_get_statistics(const mixgrpo_update *update, mixgrpo_update_statistics *out_statistics) { return 0; }
mixgrpo_status mixgrpo_optimizer_create(const mixgrpo_context *context, const mixgrpo_learning_config *config, size_t parameter_count, mixgrpo_optimizer **out_optimizer) { return 0; }
void mixgrpo_optimizer_destroy(mixgrpo_optimizer *optimizer) {}
mixgrpo_status mixgrpo_optimizer_step(mixgrpo_optimizer *optimizer, float *weights, const float *gradients, size_t count, mixgrpo_optimizer_report *out_report) { return 0; }
mixgrpo_status mixgrpo_optimizer_step_model(mixgrpo_optimizer *optimizer, mixgrpo_model *model, mixgrpo_optimizer_report *out_report) { return 0; }
mixgrpo_status mixgrpo_update_run(mixgrpo_update *update, mixgrpo_evaluator *evaluator, const mixgrpo_prompts *prompts, mixgrpo_optimizer *optimizer, mixgrpo_evaluator *reference, mixgrpo_optimizer_report *out_report) { return 0; }
mixgrpo_status mixgrpo_trainer_create(mixgrpo_evaluator *evaluator, const mixgrpo_prompts *prompts, const mixgrpo_plan *plan, const mixgrpo_learning_config *learning, const char *const *reward_names, size_t reward_count, int32_t keep_base, mixgrpo_trainer **out_trainer) { return 0; }
void mixgrpo_trainer_destroy(mixgrpo_trainer *trainer) {}
int64_t mixgrpo_trainer_iteration(const mixgrpo_trainer *trainer) { return 0; }
mixgrpo_status mixgrpo_trainer_rollout(mixgrpo_trainer *trainer, const int32_t *prompt_indices, size_t prompt_count, float *out_samples, size_t capacity) { return 0; }
mixgrpo_status mixgrpo_trainer_set_window(mixgrpo_trainer *trainer, int32_t window_start) { return 0; }
mixgrpo_status mixgrpo_trainer_update(mixgrpo_trainer *trainer, const double *rewards, size_t count, const double *weights, size_t weight_count, mixgrpo_metrics *out_metrics) { return 0; }
mixgrpo_status mixgrpo_trainer_get_metrics(const mixgrpo_trainer *trainer, mixgrpo_metrics *out_metrics) { return 0; }
mixgrpo_status mixgrpo_trainer_get_reward_metrics(const mixgrpo_trainer *trainer, size_t index, mixgrpo_reward_metrics *out_metrics) { return 0; }
mixgrpo_status mixgrpo_trainer_get_metrics_json(const mixgrpo_trainer *trainer, char *out_json, size_t capacity, size_t *out_size) { return 0; }
mixgrpo_status mixgrpo_trainer_append_metrics(const mixgrpo_trainer *trainer, const char *path) { return 0; }
mixgrpo_status mixgrpo_trainer_rollout_ticket(mixgrpo_trainer *trainer, const int32_t *prompt_indices, size_t prompt_count, float *out_samples, size_t capacity, int64_t *out_ticket) { return 0; }
mixgrpo_status mixgrpo_trainer_submit_rewards(const mixgrpo_trainer *trainer, int64_t ticket, const double *rewards, size_t count) { return 0; }
mixgrpo_status mixgrpo_trainer_get_open_tickets(const mixgrpo_trainer *trainer, int64_t *out_tickets, size_t capacity, size_t *out_size) { return 0; }
mixgrpo_status mixgrpo_trainer_update_tickets(mixgrpo_trainer *trainer, mixgrpo_missing_rewards missing, const double *weights, size_t weight_count, mixgrpo_metrics *out_metrics) { return 0; }
mixgrpo_status mixgrpo_trainer_drop_tickets(mixgrpo_trainer *trainer) { return 0; }
mixgrpo_status mixgrpo_trainer_set_collective(mixgrpo_trainer *trainer, const mixgrpo_collective *collective) { return 0; }
mixgrpo_status mixgrpo_local_ranks_create(int32_t count, double time_limit, mixgrpo_local_ranks **out_ranks) { return 0; }
void mixgrpo_local_ranks_destroy(mixgrpo_local_ranks *ranks) {}
mixgrpo_status mixgrpo_local_ranks_get_collective(const mixgrpo_local_ranks *ranks, int32_t rank, mixgrpo_collective *out_collective) { return 0; }
mixgrpo_status mixgrpo_local_ranks_abandon(const mixgrpo_local_ranks *ranks, const char *reason) { return 0; }
mixgrpo_status mixgrpo_trainer_save(const mixgrpo_trainer *trainer, const char *folder) { return 0; }
mixgrpo_status mixgrpo_trainer_restore(mixgrpo_trainer *trainer, const char *folder) { return 0; }
mixgrpo_status mixgrpo_trainer_checkpoint(const mixgrpo_trainer *trainer, const char *folder, int32_t keep_last, int64_t keep_every) { return 0; }
mixgrpo_status mixgrpo_trainer_resume(mixgrpo_trainer *trainer, const char *folder, mixgrpo_resumption *out_resumption) { return 0; }
mixgrpo_status mixgrpo_sample_config_init(mixgrpo_sample_config *out_config, size_t struct_size) { return 0; }
mixgrpo_status mixgrpo_evaluator_sample(mixgrpo_evaluator *evaluator, mixgrpo_evaluator *base, const mixgrpo_prompts *prompts, const mixgrpo_sample_config *config, const int32_t *prompt_indices, size_t prompt_count, const float *initial_noise, size_t noise_count, float *out_samples, size_t capacity) { return 0; }
mixgrpo_status mixgrpo_trainer_sample(mixgrpo_trainer *trainer, mixgrpo_weights weights, const mixgrpo_sample_config *config, const int32_t *prompt_indices, size_t prompt_count, const float *initial_noise, size_t noise_count, float *out_samples, size_t capacity) { return 0; }
mixgrpo_status mixgrpo_trainer_save_model(const mixgrpo_trainer *trainer, mixgrpo_weights weights, const char *folder, mixgrpo_storage storage) { return 0; }
mixgrpo_status mixgrpo_host_config_init(mixgrpo_host_config *out_config, size_t struct_size) { return 0; }
mixgrpo_status mixgrpo_trainer_create_for_host(const mixgrpo_context *context, const mixgrpo_plan *plan, const mixgrpo_learning_config *learning, const mixgrpo_host_config *host, const char *const *reward_names, size_t reward_count, mixgrpo_trainer **out_trainer) { return 0; }
mixgrpo_status mixgrpo_trainer_begin_rollout(mixgrpo_trainer *trainer, const int32_t *prompt_indices, size_t prompt_count, int32_t with_ticket) { return 0; }
mixgrpo_status mixgrpo_trainer_begin_sample(mixgrpo_trainer *trainer, mixgrpo_weights weights, const mixgrpo_sample_config *config, const int32_t *prompt_indices, size_t prompt_count, const float *initial_noise, size_t noise_count) { return 0; }
mixgrpo_status mixgrpo_trainer_begin_update(mixgrpo_trainer *trainer, const double *rewards, size_t count, const double *weights, size_t weight_count) { return 0; }
mixgrpo_status mixgrpo_trainer_begin_update_tickets(mixgrpo_trainer *trainer, mixgrpo_missing_rewards missing, const double *weights, size_t weight_count) { return 0; }
mixgrpo_status mixgrpo_trainer_next(mixgrpo_trainer *trainer, mixgrpo_velocity_request *out_request) { return 0; }
mixgrpo_status mixgrpo_trainer_submit(mixgrpo_trainer *trainer, const float *velocity, const float *reference_velocity, size_t count, float *out_d_velocity, size_t d_velocity_capacity) { return 0; }
mixgrpo_status mixgrpo_trainer_submit_step(mixgrpo_trainer *trainer, double gradient_norm, double learning_rate) { return 0; }
mixgrpo_status mixgrpo_trainer_set_rank(mixgrpo_trainer *trainer, int32_t rank, int32_t rank_count) { return 0; }
mixgrpo_status mixgrpo_trainer_get_figures(const mixgrpo_trainer *trainer, double *out_figures, size_t capacity) { return 0; }
mixgrpo_status mixgrpo_trainer_submit_figures(mixgrpo_trainer *trainer, const double *figures, size_t count) { return 0; }
mixgrpo_status mixgrpo_trainer_fail(mixgrpo_trainer *trainer, mixgrpo_status status, const char *message) { return 0; }
mixgrpo_status mixgrpo_trainer_get_samples(const mixgrpo_trainer *trainer, float *out_samples, size_t capacity, int64_t *out_ticket) { return 0; }
mixgrpo_status mixgrpo_trainer_get_progress(const mixgrpo_trainer *trainer, char *out_json, size_t capacity, size_t *out_size) { return 0; }
mixgrpo_status mixgrpo_trainer_set_progress(mixgrpo_trainer *trainer, const char *json) { return 0; }
mixgrpo_status mixgrpo_evaluation_config_init(mixgrpo_evaluation_config *out_config, size_t struct_size) { return 0; }
mixgrpo_status mixgrpo_evaluation_create(const mixgrpo_evaluation_config *config, const mixgrpo_sample_config *sample, const int32_t *prompt_indices, size_t prompt_count, const char *const *reward_names, const double *weights, const uint8_t *held_out, size_t reward_count, mixgrpo_evaluation **out_evaluation) { return 0; }
void mixgrpo_evaluation_destroy(mixgrpo_evaluation *evaluation) {}
int32_t mixgrpo_evaluation_is_due(const mixgrpo_evaluation *evaluation, int64_t iteration) { return 0; }
mixgrpo_status mixgrpo_evaluation_sample(mixgrpo_evaluation *evaluation, mixgrpo_trainer *trainer, float *out_samples, size_t capacity) { return 0; }
mixgrpo_status mixgrpo_evaluation_begin_sample(const mixgrpo_evaluation *evaluation, mixgrpo_trainer *trainer) { return 0; }
mixgrpo_status mixgrpo_evaluation_submit(mixgrpo_evaluation *evaluation, int64_t iteration, const double *scores, size_t count, mixgrpo_evaluation_result *out_result) { return 0; }
mixgrpo_status mixgrpo_evaluation_get_means(const mixgrpo_evaluation *evaluation, double *out_means, size_t capacity) { return 0; }
mixgrpo_status mixgrpo_evaluation_get_verdict(const mixgrpo_evaluation *evaluation, int64_t *out_iteration, mixgrpo_verdict *out_verdict) { return 0; }
mixgrpo_status mixgrpo_evaluation_get_best(const mixgrpo_evaluation *evaluation, mixgrpo_model *model) { return 0; }
mixgrpo_status mixgrpo_evaluation_save_best(const mixgrpo_evaluation *evaluation, const char *folder, mixgrpo_storage storage) { return 0; }
mixgrpo_status mixgrpo_evaluation_save(const mixgrpo_evaluation *evaluation, const char *folder) { return 0; }
mixgrpo_status mixgrpo_evaluation_restore(mixgrpo_evaluation *evaluation, const char *folder) { return 0; }
mixgrpo_status mixgrpo_time_grid(int32_t steps, double shift, int32_t image_tokens, double *out_sigmas, size_t capacity) { return 0; }
mixgrpo_status mixgrpo_stochastic_step(mixgrpo_dynamics dynamics, double noise_level, double sigma, double next_sigma, mixgrpo_step *out_step) { return 0; }
mixgrpo_status mixgrpo_deterministic_step(mixgrpo_solver solver, const double *sigmas, size_t sigma_count, size_t index, mixgrpo_step *out_step) { return 0; }
mixgrpo_status mixgrpo_step_log_probability(const mixgrpo_step *step, mixgrpo_log_probability form, const float *latents, const float *velocity, const float *next_latents, size_t count, size_t latent_size, double *out_log_probabilities, size_t capacity) { return 0; }
mixgrpo_status mixgrpo_policy_loss(const mixgrpo_learning_config *config, const mixgrpo_step *step, mixgrpo_log_probability form, const float *latents, const float *velocity, const float *next_latents, const float *reference_velocity, const double *old_log_probabilities, const double *advantages, size_t count, size_t latent_size, double *out_loss, double *out_ratios, size_t ratios_capacity, float *out_d_velocity, size_t d_velocity_capacity) { return 0; }
mixgrpo_status mixgrpo_normal_noise(uint64_t seed, uint64_t stream, uint64_t index, float *out_values, size_t count) { return 0; }
mixgrpo_status mixgrpo_hashed_words_encode(const char *const *prompts, size_t prompt_count, int32_t text_length, int32_t text_width, int32_t pooled_width, float *out_text, size_t text_capacity, float *out_pooled, size_t pooled_capacity) { return 0; }
mixgrpo_status mixgrpo_prompts_create_hashed_words(const mixgrpo_context *context, const char *const *prompts, size_t prompt_count, int32_t text_length, int32_t text_width, int32_t pooled_width, mixgrpo_prompts **out_prompts) { return 0; }
mixgrpo_status mixgrpo_pixels_decode(const float *latents, size_t latent_count, size_t image_count, int32_t height, int32_t width, int32_t patch, uint8_t *out_pixels, size_t capacity) { return 0; }
mixgrpo_status mixgrpo_pixels_encode(const uint8_t *pixels, size_t pixel_count, size_t image_count, int32_t height, int32_t width, int32_t patch, float *out_latents, size_t capacity) { return 0; }
mixgrpo_status mixgrpo_image_create(const uint8_t *pixels, size_t count, int32_t width, int32_t height, mixgrpo_image **out_image) { return 0; }
mixgrpo_status mixgrpo_image_create_grid(const uint8_t *pixels, size_t count, size_t image_count, int32_t width, int32_t height, int32_t columns, int32_t gap, int32_t scale, mixgrpo_image **out_image) { return 0; }
mixgrpo_status mixgrpo_image_decode(const uint8_t *png, size_t size, mixgrpo_image **out_image) { return 0; }
mixgrpo_status mixgrpo_image_load(const char *path, mixgrpo_image **out_image) { return 0; }
void mixgrpo_image_destroy(mixgrpo_image *image) {}
mixgrpo_status mixgrpo_image_get_info(const mixgrpo_image *image, mixgrpo_image_info *out_info) { return 0; }
mixgrpo_status mixgrpo_image_get_pixels(const mixgrpo_image *image, uint8_t *out_pixels, size_t capacity) { return 0; }
mixgrpo_status mixgrpo_image_get_text(const mixgrpo_image *image, size_t index, mixgrpo_text *out_text) { return 0; }
mixgrpo_status mixgrpo_image_set_texts(mixgrpo_image *image, const mixgrpo_text *texts, size_t text_count) { return 0; }
mixgrpo_status mixgrpo_image_encode(const mixgrpo_image *image, uint8_t *out_png, size_t capacity, size_t *out_size) { return 0; }
mixgrpo_status mixgrpo_image_save(const mixgrpo_image *image, const char *path) { return 0; }
