/* Settings and plan; the stateless pieces. */
#include <string.h>

#include "calls.h"

/* ---- Settings */

RANDOM_CALL(config_init, 1) {
  mixgrpo_sampling_config *sampling = output(sizeof *sampling);
  mixgrpo_learning_config *learning = output(sizeof *learning);
  CALL(mixgrpo_config_init, spoiled(sampling), size_near(sizeof *sampling), spoiled(learning), size_near(sizeof *learning));
}
RANDOM_CALL(preset_name, 1) {
  begin("mixgrpo_preset_name");
  const char *name = mixgrpo_preset_name(one_in(2) ? any_size() : below(7));
  must(!name || name[0], "a name or NULL");
}
RANDOM_CALL(config_init_preset, 2) {
  mixgrpo_sampling_config *sampling = output(sizeof *sampling);
  mixgrpo_learning_config *learning = output(sizeof *learning);
  const char *name = mixgrpo_preset_name(any_size());
  *sampling = some_sampling_config(), *learning = some_learning_config();
  disturb(sampling, sizeof *sampling), disturb(learning, sizeof *learning);
  if (!one_in(3)) name = mixgrpo_preset_name(below(7));
  CALL(mixgrpo_config_init_preset, one_in(8) ? any_text() : name, spoiled(sampling), spoiled(learning));
}
RANDOM_CALL(config_check, 4) {
  mixgrpo_sampling_config *sampling = room(sizeof *sampling);
  mixgrpo_learning_config *learning = room(sizeof *learning);
  *sampling = some_sampling_config(), *learning = some_learning_config();
  disturb(sampling, sizeof *sampling), disturb(learning, sizeof *learning);
  CALL(mixgrpo_config_check, one_in(6) ? NULL : spoiled(sampling), one_in(6) ? NULL : spoiled(learning));
}
RANDOM_CALL(config_describe, 4) {
  mixgrpo_sampling_config *sampling = room(sizeof *sampling);
  mixgrpo_learning_config *learning = room(sizeof *learning);
  const size_t capacity = one_in(2) ? 4000 : below(4000);
  char *text = output(capacity);
  size_t *size = output(sizeof *size);
  *sampling = some_sampling_config(), *learning = some_learning_config();
  disturb(sampling, sizeof *sampling), disturb(learning, sizeof *learning);
  CALL(mixgrpo_config_describe, one_in(6) ? NULL : spoiled(sampling), one_in(6) ? NULL : spoiled(learning), text, capacity, spoiled(size));
}

RANDOM_CALL(setting_count, 1) {
  begin("mixgrpo_setting_count");
  must(mixgrpo_setting_count() > 0, "settings");
}
RANDOM_CALL(setting_info, 1) {
  mixgrpo_setting *setting = output(sizeof *setting);
  setting->struct_size = sizeof *setting;
  disturb(setting, sizeof *setting);
  CALL(mixgrpo_setting_info, one_in(8) ? any_size() : below(mixgrpo_setting_count()), spoiled(setting));
}

/* ---- Plan */

RANDOM_CALL(plan_create, 8) {
  mixgrpo_sampling_config *config = room(sizeof *config);
  const size_t count = one_in(6) ? below(8) : 0;
  double *sigmas = doubles(count);
  void **place = output(sizeof *place);
  *config = some_sampling_config();
  disturb(config, sizeof *config);
  for (size_t i = 0; i < count; i++) sigmas[i] = one_in(32) ? any_double() : 1 - (double)i / (double)(count > 1 ? count - 1 : 1);
  const mixgrpo_status status = CALL(mixgrpo_plan_create, spoiled(config), count || one_in(64) ? sigmas : NULL, count, spoiled(place));
  mixgrpo_iteration_plan iteration = {.struct_size = sizeof iteration};
  if (status != MIXGRPO_STATUS_OK) return;
  /* Long runs are not kept: the calls on them would take their time. */
  const mixgrpo_status planned = mixgrpo_plan_get_iteration(*place, 0, config->window_mode == MIXGRPO_WINDOW_MODE_GIVEN ? 0 : -1, 1, 1, &iteration);
  must(planned == MIXGRPO_STATUS_OK || planned == MIXGRPO_STATUS_OUT_OF_MEMORY, "a plan of iteration 0");
  if (planned == MIXGRPO_STATUS_OK && iteration.rollout_model_calls <= 200) keep(PLAN, *place);
  else mixgrpo_plan_destroy(*place);
}
RANDOM_CALL(plan_destroy, 1) {
  begin("mixgrpo_plan_destroy");
  drop(PLAN, pick(PLAN));
}
static int64_t some_iteration(void) { return one_in(4) ? any_long() : (int64_t)below(40); }
static int32_t some_window(void) { return one_in(2) ? -1 : some_int(-1, 5); }
RANDOM_CALL(plan_get_iteration, 4) {
  mixgrpo_iteration_plan *iteration = result(sizeof *iteration);
  CALL(mixgrpo_plan_get_iteration, pick_const(PLAN), some_iteration(), some_window(), some_int(1, 9), some_int(1, 4), iteration);
}
RANDOM_CALL(plan_get_step, 4) {
  mixgrpo_step *step = result(sizeof *step);
  CALL(mixgrpo_plan_get_step, pick_const(PLAN), some_iteration(), some_window(), some_int(-1, 9), step);
}
RANDOM_CALL(plan_predict_memory, 6) {
  mixgrpo_learning_config *learning = room(sizeof *learning);
  mixgrpo_model_config *model = room(sizeof *model);
  mixgrpo_workload *work = room(sizeof *work);
  mixgrpo_memory *memory = result(sizeof *memory);
  *learning = some_learning_config(), *model = some_model_config();
  memset(work, 0, sizeof *work); /* fields that come later are 0 unless disturbed */
  work->struct_size = sizeof *work;
  work->prompt_count = some_int(1, 9), work->token_count = some_int(1, 9), work->channels = some_int(1, 9);
  work->text_length = some_int(1, 9), work->max_batch = some_int(1, 9), work->threads = some_int(1, 9);
  work->keep_reference = some_int(0, 1);
  disturb(learning, sizeof *learning), disturb(model, sizeof *model), disturb(work, sizeof *work);
  CALL(mixgrpo_plan_predict_memory, pick_const(PLAN), some_iteration(), some_window(), one_in(4) ? NULL : spoiled(learning),
       one_in(4) ? NULL : spoiled(model), spoiled(work), memory);
}
RANDOM_CALL(adaptive_window_init, 1) {
  mixgrpo_adaptive_window *state = output(sizeof *state);
  CALL(mixgrpo_adaptive_window_init, spoiled(state), size_near(sizeof *state));
}
RANDOM_CALL(adaptive_window_advance, 3) {
  mixgrpo_adaptive_window *state = room(sizeof *state), *next = result(sizeof *next);
  must(mixgrpo_adaptive_window_init(state, sizeof *state) == MIXGRPO_STATUS_OK, "a state to begin with");
  disturb(state, sizeof *state);
  CALL(mixgrpo_adaptive_window_advance, pick_const(PLAN), spoiled(state), some_double(-1, 1), some_double(0, 1), next);
}

/* ---- Stateless pieces */

RANDOM_CALL(time_grid, 2) {
  const size_t capacity = one_in(8) ? 10001 : below(40);
  double *sigmas = output(capacity * sizeof *sigmas);
  CALL(mixgrpo_time_grid, some_int(1, 30), one_in(2) ? 3 : any_double(), one_in(2) ? 0 : any_int(), spoiled(sigmas), capacity);
}
RANDOM_CALL(stochastic_step, 3) {
  mixgrpo_step *step = result(sizeof *step);
  CALL(mixgrpo_stochastic_step, some_int(0, 2), some_double(0, 1), some_double(0.5, 1), some_double(0, 0.5), step);
}
RANDOM_CALL(deterministic_step, 3) {
  const size_t count = below(9);
  double *sigmas = doubles(count);
  mixgrpo_step *step = result(sizeof *step);
  for (size_t i = 0; i < count; i++) sigmas[i] = one_in(48) ? any_double() : 1 - (double)i / (double)(count > 1 ? count - 1 : 1);
  CALL(mixgrpo_deterministic_step, some_int(0, 4), spoiled(sigmas), count, one_in(8) ? any_size() : below(8), step);
}
static mixgrpo_step *some_step(void) {
  mixgrpo_step *step = room(sizeof *step);
  memset(step, 0, sizeof *step);
  step->struct_size = sizeof *step;
  must(mixgrpo_stochastic_step((int32_t)below(3), 0.7, 0.8, 0.7, step) == MIXGRPO_STATUS_OK, "a usual step");
  disturb(step, sizeof *step);
  return spoiled(step);
}
RANDOM_CALL(step_log_probability, 4) {
  const size_t count = below(5), size = below(20), values = count * size;
  mixgrpo_step *step = some_step();
  float *latents = floats(values), *velocity = floats(values), *next = floats(values);
  double *out = output(count * sizeof *out);
  const int is_absurd = one_in(24);
  CALL(mixgrpo_step_log_probability, step, some_int(0, 3), spoiled(latents), spoiled(velocity), spoiled(next),
       is_absurd ? SIZE_MAX - below(9) : count, is_absurd ? SIZE_MAX / 2 : size, spoiled(out), count);
}
RANDOM_CALL(policy_loss, 6) {
  const size_t count = below(5), size = below(20), values = count * size;
  mixgrpo_learning_config *config = room(sizeof *config);
  mixgrpo_step *step = some_step();
  float *latents = floats(values), *velocity = floats(values), *next = floats(values), *reference = floats(values);
  double *old = doubles(count), *advantages = doubles(count), *loss = output(sizeof *loss), *ratios = output(count * sizeof *ratios);
  float *d_velocity = output(values * sizeof *d_velocity);
  *config = some_learning_config();
  disturb(config, sizeof *config);
  const int is_absurd = one_in(24);
  CALL(mixgrpo_policy_loss, spoiled(config), step, some_int(0, 3), spoiled(latents), spoiled(velocity), spoiled(next),
       one_in(2) ? NULL : reference, spoiled(old), spoiled(advantages), is_absurd ? SIZE_MAX - below(9) : count,
       is_absurd ? SIZE_MAX / 2 : size, spoiled(loss), one_in(3) ? NULL : ratios, count, spoiled(d_velocity), values);
}
RANDOM_CALL(normal_noise, 2) {
  const size_t count = below(300);
  float *values = output(count * sizeof *values);
  CALL(mixgrpo_normal_noise, chance_bits(), chance_bits(), chance_bits(), spoiled(values), one_in(24) ? (size_t)-1 - below(9) : count);
}
RANDOM_CALL(advantages, 6) {
  const int32_t rewards = some_int(1, 3), prompts = some_int(1, 4), group = some_int(2, 6);
  const int is_small = rewards > 0 && prompts > 0 && group > 0 && rewards < 9 && prompts < 9 && group < 9;
  const size_t samples = is_small ? (size_t)(prompts * group) : 8;
  mixgrpo_learning_config *config = room(sizeof *config);
  /* The call takes no size of it: absurd ones go with NULL. */
  double *values = is_small ? doubles(samples * (size_t)rewards) : NULL, *weights = doubles(3), *out = output(samples * sizeof *out);
  uint8_t *included = output(samples);
  mixgrpo_advantage_report *report = one_in(2) ? NULL : result(sizeof *report);
  *config = some_learning_config();
  disturb(config, sizeof *config);
  if (is_small && one_in(3)) values[below((uint32_t)samples)] = any_double();
  const size_t weight_count = one_in(2) ? 0 : one_in(2) && is_small && rewards <= 3 ? (size_t)rewards : one_in(2) ? below(4) : SIZE_MAX;
  CALL(mixgrpo_advantages, spoiled(config), is_small ? spoiled(values) : values, rewards, prompts, group,
       weight_count ? weights : NULL, weight_count, spoiled(out), spoiled(included), one_in(8) ? below((uint32_t)samples) : samples, report);
}
RANDOM_CALL(scores_from_ratings, 2) {
  const size_t count = below(9);
  double *ratings = doubles(count), *out = output(count * sizeof *out);
  if (count && one_in(3)) ratings[below((uint32_t)count)] = any_double();
  CALL(mixgrpo_scores_from_ratings, spoiled(ratings), count, spoiled(out), one_in(8) ? below((uint32_t)count) : count);
}
RANDOM_CALL(scores_from_pairs, 2) {
  const size_t count = below(9);
  const int32_t group = some_int(1, 6);
  const size_t images = group > 0 && group < 9 ? (size_t)group : 0;
  int32_t *pairs = room(2 * count * sizeof *pairs);
  double *out = output(images * sizeof *out);
  for (size_t i = 0; i < 2 * count; i++) pairs[i] = some_int(0, 5);
  CALL(mixgrpo_scores_from_pairs, spoiled(pairs), count, group, spoiled(out), one_in(8) ? below((uint32_t)images) : images);
}
