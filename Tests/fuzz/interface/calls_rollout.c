/* Evaluator, rollout, update, optimizer. */
#include <stdlib.h>
#include <string.h>

#include "calls.h"

enum { MOST_VALUES = 4096 };

/* ---- Evaluator */

RANDOM_CALL(evaluator_config_init, 1) {
  mixgrpo_evaluator_config *config = output(sizeof *config);
  CALL(mixgrpo_evaluator_config_init, spoiled(config), size_near(sizeof *config));
}
RANDOM_CALL(evaluator_create, 5) {
  mixgrpo_evaluator_config *config = room(sizeof *config);
  const size_t ids = one_in(4) ? 12 : 0;
  float *positions = floats(ids);
  void **place = output(sizeof *place);
  must(mixgrpo_evaluator_config_init(config, sizeof *config) == MIXGRPO_STATUS_OK, "defaults");
  config->height_tokens = config->width_tokens = 2;
  config->text_length = one_in(4) ? some_int(1, 4) : 3;
  config->max_batch = some_int(1, 5);
  disturb(config, sizeof *config);
  const mixgrpo_status status =
      CALL(mixgrpo_evaluator_create, pick(MODEL), spoiled(config), ids ? positions : NULL, size_near(ids), spoiled(place));
  if (status != MIXGRPO_STATUS_OK) return;
  if (mixgrpo_evaluator_latent_size(*place) <= 64 && config->text_length <= 64 && config->max_batch <= 64) keep(EVALUATOR, *place);
  else mixgrpo_evaluator_destroy(*place);
}
RANDOM_CALL(evaluator_destroy, 1) {
  begin("mixgrpo_evaluator_destroy");
  drop(EVALUATOR, pick(EVALUATOR));
}
static size_t latent_size(const void *evaluator) { return mixgrpo_evaluator_latent_size(evaluator); }
RANDOM_CALL(evaluator_latent_size, 1) {
  begin("mixgrpo_evaluator_latent_size");
  must(latent_size(pick_const(EVALUATOR)) <= 64, "the latent size of a small evaluator, or 0");
}
/* The values of the latest velocities that kept activations, as a host remembers them: whatever happened to the evaluator since,
 * a backward must not write more than that. */
static _Thread_local struct { const void *evaluator; size_t values; } kept;

RANDOM_CALL(evaluator_velocity, 5) {
  void *const evaluator = pick(EVALUATOR);
  const size_t count = below(7), size = latent_size(evaluator);
  float *latents = floats(count * size), *sigmas = room(count * sizeof *sigmas), *velocity = output(count * size * sizeof *velocity);
  int32_t *prompts = room(count * sizeof *prompts);
  for (size_t i = 0; i < count; i++) sigmas[i] = (float)some_double(0, 1);
  fill_indices(prompts, count, 3);
  const size_t claimed = one_in(32) ? SIZE_MAX - below(9) : count;
  const int32_t keeps = some_int(0, 1);
  const mixgrpo_status status = CALL(mixgrpo_evaluator_velocity, evaluator, pick_const(PROMPTS), spoiled(latents), spoiled(sigmas),
                                     spoiled(prompts), claimed, keeps, spoiled(velocity), count * size);
  if (status == MIXGRPO_STATUS_OK && keeps) kept.evaluator = evaluator, kept.values = count * size;
}
RANDOM_CALL(evaluator_backward, 4) {
  void *const evaluator = pick(EVALUATOR);
  const size_t values = evaluator == kept.evaluator && !one_in(8) ? kept.values : below(7) * latent_size(evaluator);
  float *d_velocity = floats(values), *latents = output(values * sizeof *latents);
  CALL(mixgrpo_evaluator_backward, evaluator, spoiled(d_velocity), size_near(values), one_in(3) ? NULL : spoiled(latents), values);
}
RANDOM_CALL(sample_config_init, 1) {
  mixgrpo_sample_config *config = output(sizeof *config);
  CALL(mixgrpo_sample_config_init, spoiled(config), size_near(sizeof *config));
}

/* ---- Rollout */

/* The latest request of each machine, so that most answers fit. */
static _Thread_local struct { const void *machine; size_t values; } asked[2];

static void note_request(int which, const void *machine, mixgrpo_status status, const mixgrpo_velocity_request *request) {
  if (status != MIXGRPO_STATUS_OK || !request) return;
  const size_t values = request->count * request->latent_size;
  float sum = 0;
  for (size_t i = 0; i < values; i++) sum += request->latents[i];
  for (size_t i = 0; i < request->count; i++)
    sum += request->sigmas[i] + (float)(request->prompt_index[i] + request->sample[i] + request->step[i]);
  must(sum == sum || sum != sum, "readable arrays");
  asked[which].machine = machine, asked[which].values = values;
}

RANDOM_CALL(rollout_config_init, 1) {
  mixgrpo_rollout_config *config = output(sizeof *config);
  CALL(mixgrpo_rollout_config_init, spoiled(config), size_near(sizeof *config));
}
RANDOM_CALL(rollout_create, 6) {
  mixgrpo_rollout_config *config = room(sizeof *config);
  const size_t prompts = one_in(16) ? below(50) : 1 + below(2), noise = one_in(6) ? below(8) * 16 : 0;
  int32_t *indices = room(prompts * sizeof *indices);
  float *values = floats(noise);
  void **place = output(sizeof *place);
  must(mixgrpo_rollout_config_init(config, sizeof *config) == MIXGRPO_STATUS_OK, "defaults");
  config->latent_size = one_in(4) ? 1 + below(20) : 16;
  config->max_batch = one_in(2) ? 0 : some_int(0, 4);
  config->iteration = some_int(0, 50);
  config->window_start = one_in(2) ? -1 : some_int(-1, 4);
  disturb(config, sizeof *config);
  fill_indices(indices, prompts, one_in(8) ? 1 << 30 : 3);
  const mixgrpo_status status = CALL(mixgrpo_rollout_create, pick_const(CONTEXT), pick_const(PLAN), spoiled(config), spoiled(indices),
                                     prompts, noise ? values : NULL, size_near(noise), spoiled(place));
  if (status != MIXGRPO_STATUS_OK) return;
  if (config->latent_size <= 64 && prompts <= 4) keep(ROLLOUT, *place);
  else mixgrpo_rollout_destroy(*place);
}
RANDOM_CALL(rollout_destroy, 1) {
  begin("mixgrpo_rollout_destroy");
  drop(ROLLOUT, pick(ROLLOUT));
}
RANDOM_CALL(rollout_next, 14) {
  void *const rollout = pick(ROLLOUT);
  mixgrpo_velocity_request *request = result(sizeof *request);
  note_request(0, rollout, CALL(mixgrpo_rollout_next, rollout, request), request);
}
RANDOM_CALL(rollout_submit, 14) {
  void *const rollout = asked[0].machine && !one_in(16) ? (void *)(uintptr_t)asked[0].machine : pick(ROLLOUT);
  const size_t values = asked[0].values <= MOST_VALUES && !one_in(16) ? asked[0].values : below(64);
  float *velocity = floats(values);
  CALL(mixgrpo_rollout_submit, rollout, spoiled(velocity), values);
}
RANDOM_CALL(rollout_run, 5) { CALL(mixgrpo_rollout_run, pick(ROLLOUT), pick(EVALUATOR), pick_const(PROMPTS)); }
RANDOM_CALL(rollout_get_samples, 2) {
  const size_t capacity = one_in(2) ? MOST_VALUES : below(600);
  float *samples = output(capacity * sizeof *samples);
  CALL(mixgrpo_rollout_get_samples, pick_const(ROLLOUT), spoiled(samples), capacity);
}
RANDOM_CALL(rollout_get_step, 2) {
  const size_t capacity = one_in(2) ? MOST_VALUES : below(600);
  float *latents = output(capacity * sizeof *latents), *next = output(capacity * sizeof *next);
  double *log_probabilities = output(64 * sizeof *log_probabilities);
  CALL(mixgrpo_rollout_get_step, pick_const(ROLLOUT), some_int(0, 3), spoiled(latents), capacity, spoiled(next), capacity,
       spoiled(log_probabilities), 64);
}
RANDOM_CALL(rollout_model_calls, 1) {
  begin("mixgrpo_rollout_model_calls");
  must(mixgrpo_rollout_model_calls(pick_const(ROLLOUT)) >= 0, "a count");
}

/* ---- Update and optimizer */

RANDOM_CALL(update_create, 8) {
  mixgrpo_learning_config *config = room(sizeof *config);
  const size_t count = one_in(2) ? 6 : below(17);
  double *advantages = doubles(count);
  uint8_t *included = room(count);
  void **place = output(sizeof *place);
  *config = some_learning_config();
  disturb(config, sizeof *config);
  for (size_t i = 0; i < count; i++) included[i] = (uint8_t)!one_in(5);
  keep_created(UPDATE, CALL(mixgrpo_update_create, pick_const(ROLLOUT), spoiled(config), spoiled(advantages),
                            one_in(2) ? NULL : spoiled(included), size_near(count), one_in(2) ? 0 : some_int(0, 4), spoiled(place)), place);
}
RANDOM_CALL(update_destroy, 1) {
  begin("mixgrpo_update_destroy");
  drop(UPDATE, pick(UPDATE));
}
RANDOM_CALL(update_next, 10) {
  void *const update = pick(UPDATE);
  mixgrpo_velocity_request *request = result(sizeof *request);
  note_request(1, update, CALL(mixgrpo_update_next, update, request), request);
}
RANDOM_CALL(update_submit, 10) {
  void *const update = asked[1].machine && !one_in(16) ? (void *)(uintptr_t)asked[1].machine : pick(UPDATE);
  const size_t values = asked[1].values <= MOST_VALUES && !one_in(16) ? asked[1].values : below(64);
  float *velocity = floats(values), *reference = floats(values), *d_velocity = output(values * sizeof *d_velocity);
  CALL(mixgrpo_update_submit, update, spoiled(velocity), one_in(2) ? NULL : reference, values, spoiled(d_velocity), values);
}
RANDOM_CALL(update_get_statistics, 2) {
  mixgrpo_update_statistics *statistics = result(sizeof *statistics);
  CALL(mixgrpo_update_get_statistics, pick_const(UPDATE), statistics);
}
RANDOM_CALL(update_run, 4) {
  mixgrpo_optimizer_report *report = one_in(2) ? NULL : result(sizeof *report);
  CALL(mixgrpo_update_run, pick(UPDATE), pick(EVALUATOR), pick_const(PROMPTS), pick(OPTIMIZER), one_in(2) ? NULL : pick(EVALUATOR), report);
}
RANDOM_CALL(optimizer_create, 3) {
  mixgrpo_learning_config *config = room(sizeof *config);
  void **place = output(sizeof *place);
  void *const model = live(MODEL);
  size_t count = 1 + below(50);
  if (model && one_in(2)) must(mixgrpo_model_get_size(model, NULL, &count) == MIXGRPO_STATUS_OK, "a live model has a size");
  *config = some_learning_config();
  disturb(config, sizeof *config);
  const size_t claimed = one_in(16) ? any_size() : count;
  const mixgrpo_status status = CALL(mixgrpo_optimizer_create, pick_const(CONTEXT), spoiled(config), claimed, spoiled(place));
  if (status != MIXGRPO_STATUS_OK) return;
  if (claimed <= 20000) keep(OPTIMIZER, *place);
  else mixgrpo_optimizer_destroy(*place);
}
RANDOM_CALL(optimizer_destroy, 1) {
  begin("mixgrpo_optimizer_destroy");
  drop(OPTIMIZER, pick(OPTIMIZER));
}
RANDOM_CALL(optimizer_step, 2) {
  const size_t count = 1 + below(50);
  float *weights = floats(count), *gradients = floats(count);
  mixgrpo_optimizer_report *report = one_in(2) ? NULL : result(sizeof *report);
  CALL(mixgrpo_optimizer_step, pick(OPTIMIZER), spoiled(weights), spoiled(gradients), size_near(count), report);
}
RANDOM_CALL(optimizer_step_model, 3) {
  mixgrpo_optimizer_report *report = one_in(2) ? NULL : result(sizeof *report);
  CALL(mixgrpo_optimizer_step_model, pick(OPTIMIZER), pick(MODEL), report);
}
