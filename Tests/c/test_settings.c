#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "tests.h"

static mixgrpo_sampling_config sampling;
static mixgrpo_learning_config learning;

static void reset(void) { DONE(mixgrpo_config_init(&sampling, sizeof sampling, &learning, sizeof learning)); }

static void defaults_are_those_of_the_header(void) {
  memset(&sampling, 0xff, sizeof sampling);
  memset(&learning, 0xff, sizeof learning);
  reset();
  CHECK(sampling.struct_size == sizeof sampling && sampling.steps == 25 && sampling.shift == 3);
  CHECK(sampling.image_tokens == 0 && sampling.dynamics == MIXGRPO_DYNAMICS_FLOW && sampling.noise_level == 0.7);
  CHECK(sampling.window_mode == MIXGRPO_WINDOW_MODE_PROGRESSIVE && sampling.window_length == 4 && sampling.window_start == 0);
  CHECK(sampling.window_stride == 1 && sampling.window_interval == 25 && sampling.window_minimum_interval == 1);
  CHECK(sampling.window_at_end == MIXGRPO_WINDOW_END_ROLL_BACK && sampling.window_decay_threshold == 13);
  CHECK(sampling.window_decay_rate == 0.1 && sampling.trained_fraction == 1);
  CHECK(sampling.window_minimum_gain == 0.01 && sampling.window_trend == 10);
  CHECK(sampling.trained_subset == MIXGRPO_TRAINED_SUBSET_FIRST && sampling.solver == MIXGRPO_SOLVER_EULER);
  CHECK(sampling.flash_ratio == 0 && sampling.flash_solver == MIXGRPO_SOLVER_DPM_2_MIDPOINT);
  CHECK(sampling.group_size == 12 && sampling.initial_noise == MIXGRPO_INITIAL_NOISE_SHARED && sampling.exact_sharing == 1);
  CHECK(sampling.log_probability == MIXGRPO_LOG_PROBABILITY_MEAN && sampling.sigma_rounding == MIXGRPO_SIGMA_ROUNDING_EXACT);
  CHECK(sampling.seed == 0);
  CHECK(learning.struct_size == sizeof learning && learning.advantage_mode == MIXGRPO_ADVANTAGE_MODE_ADVANTAGE_AGGREGATION);
  CHECK(learning.std_scope == MIXGRPO_STD_SCOPE_GROUP && learning.step_weighting == MIXGRPO_STEP_WEIGHTING_UNIFORM);
  CHECK(learning.updates_per_iteration == 4 && learning.schedule == MIXGRPO_SCHEDULE_CONSTANT);
  CHECK(learning.warmup_steps == 0 && learning.total_steps == 1000 && learning.min_rate_fraction == 0);
  CHECK(learning.learning_rate == 1e-5 && learning.beta1 == 0.9 && learning.beta2 == 0.999);
  CHECK(learning.epsilon == 1e-8 && learning.weight_decay == 1e-4 && learning.max_gradient_norm == 1);
  CHECK(learning.trim_fraction == 0 && learning.degenerate_tolerance == 1e-6 && learning.advantage_clip == 5);
  CHECK(learning.clip_range == 1e-4 && learning.kl_reference == 0 && learning.kl_old == 0 && learning.ema_decay == 0);
}

static void init_writes_both_or_none(void) {
  reset();
  sampling.steps = 3;
  INVALID("struct_size", mixgrpo_config_init(&sampling, sizeof sampling, &learning, sizeof learning + 8));
  INVALID("struct_size", mixgrpo_config_init(&sampling, 0, &learning, sizeof learning));
  INVALID("out_sampling", mixgrpo_config_init(NULL, sizeof sampling, &learning, sizeof learning));
  CHECK(sampling.steps == 3);
  DONE(mixgrpo_config_init(NULL, 0, &learning, sizeof learning));
  DONE(mixgrpo_config_init(&sampling, sizeof sampling, NULL, 0));
  CHECK(sampling.steps == 25);
}

/* Each field out of its bounds is named. */
#define WRONG(config, field, value)                                                                          \
  do {                                                                                                       \
    reset();                                                                                                 \
    config.field = value;                                                                                    \
    INVALID(#field, mixgrpo_config_check(&sampling, &learning));                                             \
  } while (0)
#define WRONG_CHOICE(config, field, count)                                                                   \
  do {                                                                                                       \
    WRONG(config, field, -1);                                                                                \
    WRONG(config, field, count);                                                                             \
    WRONG(config, field, INT32_MAX);                                                                         \
    WRONG(config, field, INT32_MIN);                                                                         \
  } while (0)

static void every_sampling_field_has_bounds(void) {
  WRONG(sampling, struct_size, 8);
  WRONG(sampling, steps, 0);
  WRONG(sampling, steps, 10001);
  WRONG(sampling, steps, INT32_MAX);
  WRONG(sampling, steps, INT32_MIN);
  WRONG(sampling, shift, 0);
  WRONG(sampling, shift, NAN);
  WRONG(sampling, shift, INFINITY);
  WRONG(sampling, image_tokens, -1);
  WRONG(sampling, image_tokens, 1000001);
  WRONG_CHOICE(sampling, dynamics, 3);
  WRONG(sampling, noise_level, 0);
  WRONG(sampling, noise_level, 10.1);
  WRONG(sampling, noise_level, NAN);
  WRONG_CHOICE(sampling, window_mode, 8);
  WRONG(sampling, window_length, 0);
  WRONG(sampling, window_length, 25);
  WRONG(sampling, window_length, INT32_MIN);
  WRONG(sampling, window_stride, 0);
  WRONG(sampling, window_interval, 0);
  WRONG(sampling, window_interval, INT32_MAX);
  WRONG_CHOICE(sampling, window_at_end, 2);
  WRONG_CHOICE(sampling, solver, 5);
  WRONG_CHOICE(sampling, flash_solver, 5);
  WRONG(sampling, flash_ratio, -0.1);
  WRONG(sampling, flash_ratio, 1.1);
  WRONG(sampling, flash_ratio, NAN);
  WRONG(sampling, group_size, 1);
  WRONG(sampling, group_size, 4097);
  WRONG_CHOICE(sampling, initial_noise, 2);
  WRONG_CHOICE(sampling, exact_sharing, 2);
  WRONG_CHOICE(sampling, log_probability, 4);
  WRONG_CHOICE(sampling, sigma_rounding, 2);
}

static void every_learning_field_has_bounds(void) {
  WRONG(learning, struct_size, 8);
  WRONG_CHOICE(learning, advantage_mode, 3);
  WRONG_CHOICE(learning, std_scope, 2);
  WRONG_CHOICE(learning, step_weighting, 2);
  WRONG(learning, updates_per_iteration, 0);
  WRONG(learning, updates_per_iteration, 13); /* more than the group has members */
  WRONG_CHOICE(learning, schedule, 2);
  WRONG_CHOICE(learning, undo, 2);
  mixgrpo_learning_config free = learning;
  free.undo = MIXGRPO_UNDO_NONE;
  free.fault_policy = MIXGRPO_FAULT_POLICY_ROLL_BACK;
  INVALID("max_velocity_change", mixgrpo_config_check(NULL, &free));
  CHECK(strstr(mixgrpo_last_error(), "fault_policy") != NULL);
  free.max_velocity_change = free.fault_policy = 0;
  DONE(mixgrpo_config_check(NULL, &free));
  WRONG(learning, warmup_steps, -1);
  WRONG(learning, learning_rate, -1);
  WRONG(learning, learning_rate, NAN);
  WRONG(learning, beta1, 1);
  WRONG(learning, beta2, NAN);
  WRONG(learning, epsilon, 0);
  WRONG(learning, weight_decay, -1);
  WRONG(learning, max_gradient_norm, -1);
  WRONG(learning, max_gradient_norm, NAN);
  WRONG(learning, trim_fraction, 0.5);
  WRONG(learning, degenerate_tolerance, -1);
  WRONG(learning, degenerate_tolerance, NAN);
  WRONG(learning, advantage_clip, -1);
  WRONG(learning, advantage_clip, NAN);
  WRONG(learning, clip_range, 0);
  WRONG(learning, clip_range, 1);
  WRONG(learning, kl_reference, -1);
  WRONG(learning, kl_old, NAN);
  WRONG(learning, ema_decay, 1.1);
  WRONG(learning, ema_decay, NAN);
  WRONG(learning, fault_policy, 3);
  WRONG(learning, fault_policy, -1);
  WRONG(learning, max_velocity_change, -1);
  WRONG(learning, max_velocity_change, NAN);
  WRONG(learning, roll_back_rate_factor, 0);
  WRONG(learning, roll_back_rate_factor, 1.5);
  WRONG(learning, roll_back_rate_factor, NAN);
}

static void fields_that_do_not_go_together_are_named(void) {
  reset();
  sampling.window_mode = MIXGRPO_WINDOW_MODE_ALL;
  sampling.flash_ratio = 0.4;
  INVALID("flash_ratio", mixgrpo_config_check(&sampling, NULL));
  reset();
  sampling.dynamics = MIXGRPO_DYNAMICS_CPS;
  sampling.noise_level = 1.5;
  INVALID("noise_level", mixgrpo_config_check(&sampling, NULL));
  reset();
  sampling.log_probability = MIXGRPO_LOG_PROBABILITY_CPS_PEER;
  INVALID("log_probability", mixgrpo_config_check(&sampling, NULL));
  reset();
  sampling.window_mode = MIXGRPO_WINDOW_MODE_FROZEN;
  sampling.window_start = 21;
  INVALID("window_start", mixgrpo_config_check(&sampling, NULL));
  reset();
  sampling.window_mode = MIXGRPO_WINDOW_MODE_LINEAR_DECAY;
  sampling.window_minimum_interval = 26;
  INVALID("window_minimum_interval", mixgrpo_config_check(&sampling, NULL));
  reset();
  sampling.window_mode = MIXGRPO_WINDOW_MODE_EXPONENTIAL_DECAY;
  sampling.window_decay_rate = -1;
  sampling.window_decay_threshold = -1;
  INVALID("window_decay_rate", mixgrpo_config_check(&sampling, NULL));
  CHECK(strstr(mixgrpo_last_error(), "window_decay_threshold") != NULL);
  reset();
  sampling.window_mode = MIXGRPO_WINDOW_MODE_ADAPTIVE;
  sampling.window_trend = 1;
  sampling.window_minimum_gain = NAN;
  sampling.window_minimum_interval = 26;
  INVALID("window_trend", mixgrpo_config_check(&sampling, NULL));
  CHECK(strstr(mixgrpo_last_error(), "window_minimum_gain") && strstr(mixgrpo_last_error(), "window_minimum_interval"));
  reset();
  sampling.window_mode = MIXGRPO_WINDOW_MODE_ALL;
  sampling.trained_fraction = 0;
  INVALID("trained_fraction", mixgrpo_config_check(&sampling, NULL));
  sampling.trained_subset = 2;
  INVALID("trained_subset", mixgrpo_config_check(&sampling, NULL));
  reset();
  learning.schedule = MIXGRPO_SCHEDULE_COSINE;
  learning.total_steps = 0;
  INVALID("total_steps", mixgrpo_config_check(NULL, &learning));
  learning.total_steps = 10;
  learning.min_rate_fraction = 2;
  INVALID("min_rate_fraction", mixgrpo_config_check(NULL, &learning));
}

static void all_problems_are_told_at_once(void) {
  reset();
  sampling.steps = 0;
  sampling.group_size = 1;
  sampling.dynamics = 9;
  learning.clip_range = 2;
  learning.beta1 = -1;
  INVALID("steps", mixgrpo_config_check(&sampling, &learning));
  const char *const others[] = {"group_size", "dynamics", "clip_range", "beta1"};
  for (int i = 0; i < 4; i++) CHECK(strstr(mixgrpo_last_error(), others[i]) != NULL);
  reset();
  DONE(mixgrpo_config_check(NULL, NULL));
  DONE(mixgrpo_config_check(&sampling, &learning));
}

static void presets_are_filled_configurations(void) {
  int presets = 0;
  for (const char *name; (name = mixgrpo_preset_name((size_t)presets)) != NULL; presets++) {
    reset();
    sampling.seed = 11;
    sampling.group_size = 6;
    learning.clip_range = 0.5;
    DONE(mixgrpo_config_init_preset(name, &sampling, &learning));
    DONE(mixgrpo_config_check(&sampling, &learning));
    CHECK(sampling.seed == 11 && sampling.group_size == 6 && learning.clip_range == 1e-4);
  }
  CHECK(presets == 6 && mixgrpo_preset_name(SIZE_MAX) == NULL);
  DONE(mixgrpo_config_init_preset("mixgrpo_flash_star", &sampling, NULL));
  CHECK(sampling.flash_ratio == 0.2 && sampling.window_mode == MIXGRPO_WINDOW_MODE_FROZEN);
  DONE(mixgrpo_config_init_preset("flow_grpo", NULL, &learning));
  CHECK(learning.kl_reference > 0);
  INVALID("best_grpo", mixgrpo_config_init_preset("best_grpo", &sampling, &learning));
  INVALID("name", mixgrpo_config_init_preset(NULL, &sampling, &learning));
  learning.struct_size = 1;
  INVALID("struct_size", mixgrpo_config_init_preset("dance_grpo", &sampling, &learning));
  CHECK(sampling.flash_ratio == 0.2); /* neither is written */
}

static void a_description_tells_what_runs(void) {
  char text[4096] = "untouched", small[8] = "same";
  size_t size = 0;
  reset();
  DONE(mixgrpo_config_describe(&sampling, &learning, NULL, 0, &size));
  CHECK(size > 100 && size < sizeof text);
  TOO_SMALL("out_text", mixgrpo_config_describe(&sampling, &learning, text, size - 1, NULL));
  CHECK(strcmp(text, "untouched") == 0);
  DONE(mixgrpo_config_describe(&sampling, &learning, text, size, NULL));
  CHECK(strlen(text) + 1 == size && strstr(text, "steps = 25\n") && strstr(text, "clip_range = 0.0001\n"));
  CHECK(strstr(text, "roll_back") && !strstr(text, "flash_solver"));
  DONE(mixgrpo_config_init_preset("dance_grpo", &sampling, NULL));
  DONE(mixgrpo_config_describe(&sampling, NULL, text, sizeof text, &size));
  CHECK(strstr(text, "dance") && strstr(text, "trained steps = 14\n") && !strstr(text, "clip_range"));
  INVALID("out_size", mixgrpo_config_describe(&sampling, NULL, NULL, 0, NULL));
  INVALID("out_text", mixgrpo_config_describe(&sampling, NULL, NULL, 9, &size));
  sampling.steps = -1;
  INVALID("steps", mixgrpo_config_describe(&sampling, NULL, small, sizeof small, NULL));
  CHECK(strcmp(small, "same") == 0);
}

/* The struct that a setting is a field of, freshly initialised. */
static void *configuration(const char *name) {
  static mixgrpo_model_config model;
  static mixgrpo_lora_config lora;
  static mixgrpo_evaluator_config evaluator;
  static mixgrpo_rollout_config rollout;
  static mixgrpo_host_config host;
  static mixgrpo_sample_config sample;
  static mixgrpo_evaluation_config evaluation;
  reset();
  DONE(mixgrpo_model_config_init(&model, sizeof model));
  DONE(mixgrpo_lora_config_init(&lora, sizeof lora));
  DONE(mixgrpo_evaluator_config_init(&evaluator, sizeof evaluator));
  DONE(mixgrpo_rollout_config_init(&rollout, sizeof rollout));
  DONE(mixgrpo_host_config_init(&host, sizeof host));
  DONE(mixgrpo_sample_config_init(&sample, sizeof sample));
  DONE(mixgrpo_evaluation_config_init(&evaluation, sizeof evaluation));
  void *const configs[] = {&model, &lora, &evaluator, &sampling, &learning, &rollout, &host, &sample, &evaluation};
  const char *const names[] = {
      "mixgrpo_model_config", "mixgrpo_lora_config",   "mixgrpo_evaluator_config", "mixgrpo_sampling_config",  "mixgrpo_learning_config",
      "mixgrpo_rollout_config", "mixgrpo_host_config",      "mixgrpo_sample_config",    "mixgrpo_evaluation_config"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(names[i], name) == 0) return configs[i];
  return NULL;
}

/* The number of a name among names separated by spaces, -1 for none. */
static int number_of(const char *name, const char *cases) {
  const size_t length = strlen(name);
  for (int number = 0; *cases; number++) {
    const size_t end = strcspn(cases, " ");
    if (end == length && strncmp(cases, name, length) == 0) return number;
    cases += end + (cases[end] == ' ');
  }
  return -1;
}

static void every_setting_tells_its_default_and_bounds(void) {
  mixgrpo_setting setting = {.struct_size = sizeof setting};
  const size_t count = mixgrpo_setting_count();
  CHECK(count > 70);
  INVALID("index", mixgrpo_setting_info(count, &setting));
  INVALID("index", mixgrpo_setting_info(SIZE_MAX, &setting));
  INVALID("out_setting", mixgrpo_setting_info(0, NULL));
  for (size_t i = 0; i < count; i++) {
    DONE(mixgrpo_setting_info(i, &setting));
    const char *config = configuration(setting.config);
    CHECK(config != NULL && *setting.key && *setting.sentence && setting.minimum <= setting.maximum);
    const char *field = config + setting.offset;
    if (setting.kind == MIXGRPO_SETTING_KIND_NUMBER) CHECK(*(const double *)(const void *)field == atof(setting.default_text));
    if (setting.kind == MIXGRPO_SETTING_KIND_INTEGER) CHECK(*(const int32_t *)(const void *)field == atoi(setting.default_text));
    if (setting.kind == MIXGRPO_SETTING_KIND_FLAG)
      CHECK(*(const int32_t *)(const void *)field == (strcmp(setting.default_text, "true") == 0));
    if (setting.kind == MIXGRPO_SETTING_KIND_CHOICE)
      CHECK(*(const int32_t *)(const void *)field == number_of(setting.default_text, setting.cases));
  }
}

static void a_setting_out_of_its_bounds_is_named(void) {
  mixgrpo_setting setting = {.struct_size = sizeof setting};
  for (size_t i = 0; i < mixgrpo_setting_count(); i++) {
    DONE(mixgrpo_setting_info(i, &setting));
    char *config = configuration(setting.config);
    if (config != (char *)&sampling && config != (char *)&learning) continue;
    if (strcmp(setting.key, "seed") == 0) continue; /* takes all there is */
    char *field = config + setting.offset;
    if (setting.kind == MIXGRPO_SETTING_KIND_NUMBER)
      *(double *)(void *)field = setting.minimum_open ? setting.minimum : setting.minimum - 1;
    else
      *(int32_t *)(void *)field = (int32_t)setting.minimum - 1;
    INVALID(setting.key, mixgrpo_config_check(&sampling, &learning));
    if (setting.kind == MIXGRPO_SETTING_KIND_NUMBER)
      *(double *)(void *)field = setting.maximum_open ? setting.maximum : setting.maximum + 1;
    else
      *(int32_t *)(void *)field = (int32_t)setting.maximum + 1;
    INVALID(setting.key, mixgrpo_config_check(&sampling, &learning));
  }
}

void test_settings(void) {
  every_setting_tells_its_default_and_bounds();
  a_setting_out_of_its_bounds_is_named();
  defaults_are_those_of_the_header();
  init_writes_both_or_none();
  every_sampling_field_has_bounds();
  every_learning_field_has_bounds();
  fields_that_do_not_go_together_are_named();
  all_problems_are_told_at_once();
  presets_are_filled_configurations();
  a_description_tells_what_runs();
}
