/* Trainers for a model of the host's: single calls, and whole runs of an owner that makes mistakes in the middle. */
#include <stdlib.h>
#include <string.h>

#include "calls.h"

enum { MOST_VALUES = 4096, MOST_REWARDS = 64, LATENT = 16, GROUP = 3 };

static mixgrpo_learning_config host_learning(void) {
  mixgrpo_learning_config config = some_learning_config(), usual;
  must(mixgrpo_config_init(NULL, 0, &usual, sizeof usual) == MIXGRPO_STATUS_OK, "defaults");
  config.learning_rate = usual.learning_rate, config.schedule = usual.schedule, config.warmup_steps = usual.warmup_steps;
  config.total_steps = usual.total_steps, config.min_rate_fraction = usual.min_rate_fraction;
  config.beta1 = usual.beta1, config.beta2 = usual.beta2, config.epsilon = usual.epsilon;
  config.weight_decay = usual.weight_decay, config.ema_decay = 0;
  return config;
}

static void host_config_init(void) {
  mixgrpo_host_config *config = output(sizeof *config);
  CALL(mixgrpo_host_config_init, spoiled(config), size_near(sizeof *config));
}
static void trainer_create_for_host(void) {
  mixgrpo_learning_config *learning = room(sizeof *learning);
  mixgrpo_host_config *host = room(sizeof *host);
  const char **names = room(sizeof *names);
  void **place = output(sizeof *place);
  *learning = host_learning();
  if (one_in(3)) disturb(learning, sizeof *learning);
  *host = (mixgrpo_host_config){.struct_size = sizeof *host, .max_batch = some_int(0, 4), .prompt_count = 3, .latent_size = LATENT};
  if (one_in(4)) disturb(host, sizeof *host);
  names[0] = one_in(16) ? any_text() : "taste";
  const mixgrpo_status status = CALL(mixgrpo_trainer_create_for_host, pick_const(CONTEXT), pick_const(PLAN), spoiled(learning), spoiled(host),
                                     spoiled(names), one_in(16) ? (one_in(2) ? 0 : SIZE_MAX - below(9)) : 1, spoiled(place));
  if (status != MIXGRPO_STATUS_OK) return;
  if (host->latent_size <= 64) keep(TRAINER, *place);
  else mixgrpo_trainer_destroy(*place);
}
static void trainer_begin_rollout(void) {
  const size_t prompts = one_in(16) ? below(5) : 1 + below(2);
  int32_t *indices = room(prompts * sizeof *indices);
  fill_indices(indices, prompts, 3);
  CALL(mixgrpo_trainer_begin_rollout, pick(TRAINER), spoiled(indices), prompts, some_int(0, 1));
}
static void trainer_begin_sample(void) {
  mixgrpo_sample_config *config = some_sample_config();
  const size_t prompts = below(4), noise = one_in(6) ? below(8) * LATENT : 0;
  int32_t *indices = room(prompts * sizeof *indices);
  float *start = floats(noise);
  fill_indices(indices, prompts, 3);
  CALL(mixgrpo_trainer_begin_sample, pick(TRAINER), some_int(0, 2), config, spoiled(indices), prompts, noise ? start : NULL, size_near(noise));
}
static void trainer_begin_update(void) {
  static const size_t usual[] = {2, 3, 4, 6, 8};
  const size_t count = one_in(8) ? below(MOST_REWARDS) : usual[below(5)];
  double *rewards = doubles(count);
  if (one_in(3)) CALL(mixgrpo_trainer_begin_update_tickets, pick(TRAINER), some_int(0, 1), NULL, 0);
  else CALL(mixgrpo_trainer_begin_update, pick(TRAINER), spoiled(rewards), size_near(count), NULL, 0);
}
static void trainer_next(void) {
  mixgrpo_velocity_request *request = result(sizeof *request);
  CALL(mixgrpo_trainer_next, pick(TRAINER), request);
}
static void trainer_submit(void) {
  const size_t values = (1 + below(6)) * LATENT;
  float *velocity = floats(values), *reference = floats(values), *d_velocity = output(values * sizeof *d_velocity);
  CALL(mixgrpo_trainer_submit, pick(TRAINER), spoiled(velocity), one_in(2) ? NULL : reference, values, spoiled(d_velocity), values);
}
static void trainer_submit_step(void) { CALL(mixgrpo_trainer_submit_step, pick(TRAINER), any_double(), any_double()); }

/* Gives back the status it is told when nothing is under way: INTERNAL is then no fault of the library's. */
static mixgrpo_status fail(void *trainer, mixgrpo_status told, const char *message) {
  begin("mixgrpo_trainer_fail");
  const mixgrpo_status status = mixgrpo_trainer_fail(trainer, told, message);
  if (status == told && status != MIXGRPO_STATUS_OK) {
    judge(MIXGRPO_STATUS_OK);
    return status;
  }
  return judge(status);
}
static void trainer_fail(void) {
  const mixgrpo_status told = one_in(4) ? any_int() : some_int(-10, 1);
  /* INTERNAL would come back from another call, as if the library had a fault. */
  fail(pick(TRAINER), told == MIXGRPO_STATUS_INTERNAL ? MIXGRPO_STATUS_NOT_FINITE : told, one_in(2) ? NULL : any_text());
}
static void trainer_get_samples(void) {
  float *samples = output(MOST_VALUES * sizeof *samples);
  int64_t *ticket = one_in(2) ? NULL : output(sizeof *ticket);
  CALL(mixgrpo_trainer_get_samples, pick_const(TRAINER), spoiled(samples), one_in(8) ? below(99) : MOST_VALUES, ticket);
}
static void evaluation_begin_sample(void) { CALL(mixgrpo_evaluation_begin_sample, pick_const(EVALUATION), pick(TRAINER)); }

/* A run that is saved between any two calls, and read by this or another trainer, whole or with a bit turned. */
static void trainer_progress(void) {
  enum { MOST = 8192 };
  static _Thread_local char kept[MOST];
  const size_t capacity = one_in(4) ? below(900) : MOST;
  char *text = output(capacity);
  begin("mixgrpo_trainer_get_progress");
  const mixgrpo_status status = mixgrpo_trainer_get_progress(pick_const(TRAINER), text, capacity, NULL);
  if (status == MIXGRPO_STATUS_OK) memcpy(kept, text, strlen(text) + 1);
  if (judge(status) != MIXGRPO_STATUS_OK && !kept[0]) return;
  const size_t size = strlen(kept) + 1;
  char *copy = room(size);
  memcpy(copy, kept, size);
  for (uint32_t turns = one_in(3) ? 1 + below(3) : 0; turns > 0 && size > 1; turns--) copy[below((uint32_t)size - 1)] ^= (char)(1 << below(7));
  CALL(mixgrpo_trainer_set_progress, pick(TRAINER), one_in(16) ? any_text() : copy);
}

/* ---- A whole run: v = weight * x, where mistakes and stops happen at any request */

typedef struct {
  void *trainer;
  float weight, kept, gradient;
  int has_kept; /* since the update began */
  float x[MOST_VALUES];
} owner;

static mixgrpo_status evaluate(owner *o, const mixgrpo_velocity_request *request, uint32_t faults) {
  const size_t values = request->count * request->latent_size;
  if (values > MOST_VALUES) return MIXGRPO_STATUS_OUT_OF_MEMORY;
  const int32_t needs_reference = request->needs_reference, needs_gradient = request->needs_gradient;
  memcpy(o->x, request->latents, values * sizeof *o->x);
  float *velocity = room(values * sizeof *velocity), *reference = room(values * sizeof *reference);
  float *d_velocity = output(values * sizeof *d_velocity);
  for (size_t i = 0; i < values; i++) velocity[i] = o->weight * o->x[i], reference[i] = 0.5f * o->x[i];
  if (faults && one_in(faults)) velocity[below((uint32_t)values)] = one_in(2) ? 0.0f / 0.0f : 3e38f;
  mixgrpo_status status = CALL(mixgrpo_trainer_submit, o->trainer, velocity, needs_reference ? reference : NULL, values,
                               needs_gradient ? d_velocity : NULL, needs_gradient ? values : 0);
  if (status == MIXGRPO_STATUS_OK && needs_gradient)
    for (size_t i = 0; i < values; i++) o->gradient += o->x[i] * d_velocity[i];
  return status;
}

static mixgrpo_status answer(owner *o, const mixgrpo_velocity_request *request, uint32_t faults) {
  const int undoes = request->kind == MIXGRPO_REQUEST_KIND_RESTORE_STATE || request->kind == MIXGRPO_REQUEST_KIND_ZERO_GRADIENTS;
  if (faults && !undoes && one_in(faults)) return some_int(-10, -1) < -9 ? MIXGRPO_STATUS_DIVERGED : MIXGRPO_STATUS_UNSUPPORTED;
  switch (request->kind) {
    case MIXGRPO_REQUEST_KIND_EVALUATE: return evaluate(o, request, faults);
    case MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP:
      /* Now and then a step that makes all velocities to come overflow. */
      o->weight = faults && one_in(faults) ? 3e38f : o->weight - 0.01f * (float)request->rate_factor * o->gradient;
      o->gradient = 0;
      return CALL(mixgrpo_trainer_submit_step, o->trainer, 1, 0.01);
    case MIXGRPO_REQUEST_KIND_KEEP_STATE: o->kept = o->weight, o->has_kept = 1; break;
    case MIXGRPO_REQUEST_KIND_RESTORE_STATE: o->weight = o->kept; break;
    case MIXGRPO_REQUEST_KIND_ZERO_GRADIENTS: o->gradient = 0; break;
    default: must(0, "a request of the header");
  }
  return MIXGRPO_STATUS_OK;
}

/* The loop of the header; it always ends. */
static mixgrpo_status run(owner *o, void *context, uint32_t faults) {
  for (int turns = 0;; turns++) {
    must(turns < 100000, "an end");
    mixgrpo_velocity_request *request = room(sizeof *request);
    request->struct_size = sizeof *request;
    if (faults && context && one_in(faults)) mixgrpo_context_cancel(context);
    begin("mixgrpo_trainer_next");
    mixgrpo_status status = mixgrpo_trainer_next(o->trainer, request);
    const mixgrpo_velocity_request asked = *request;
    judge(status);
    if (context) mixgrpo_context_reset_cancel(context);
    if (status == MIXGRPO_STATUS_OK && asked.kind == MIXGRPO_REQUEST_KIND_FINISHED) return status;
    if (status == MIXGRPO_STATUS_OK) status = answer(o, &asked, faults);
    if (status != MIXGRPO_STATUS_OK) status = fail(o->trainer, status, NULL);
    if (status != MIXGRPO_STATUS_OK) return status;
  }
}

/* Iterations of one trainer. An update that failed and was undone leaves weights as before, and the same rewards may follow. */
static void host_run(void) {
  void *const context = live(CONTEXT), *const trainer = live(TRAINER);
  static _Thread_local owner o;
  if (!trainer) return;
  o = (owner){.trainer = trainer, .weight = 0.5f};
  const uint32_t faults = one_in(3) ? 0 : 4 + below(60);
  const int32_t prompts[] = {0, 2};
  for (uint32_t i = 1 + below(3); i > 0; i--) {
    if (CALL(mixgrpo_trainer_begin_rollout, trainer, prompts, 2, 0) != MIXGRPO_STATUS_OK) break;
    if (run(&o, context, faults) != MIXGRPO_STATUS_OK) continue;
    if (one_in(4)) trainer_progress();
    for (uint32_t tries = 0; tries < 2; tries++) {
      const float before = o.weight;
      const int64_t iteration = mixgrpo_trainer_iteration(trainer);
      o.has_kept = 0;
      mixgrpo_status status = MIXGRPO_STATUS_INVALID_ARGUMENT;
      for (size_t count = 2; count <= 16 && status == MIXGRPO_STATUS_INVALID_ARGUMENT; count++) {
        double *rewards = room(count * sizeof *rewards);
        for (size_t j = 0; j < count; j++) rewards[j] = (double)(j % 5);
        status = CALL(mixgrpo_trainer_begin_update, trainer, rewards, count, NULL, 0);
      }
      if (status != MIXGRPO_STATUS_OK) break;
      status = run(&o, context, faults);
      if (status == MIXGRPO_STATUS_OK) {
        must(mixgrpo_trainer_iteration(trainer) == iteration + 1, "the next iteration after an update");
        break;
      }
      must(mixgrpo_trainer_iteration(trainer) == iteration, "the same iteration after an update that failed");
      must(!o.has_kept || memcmp(&o.weight, &before, sizeof before) == 0, "weights as before an update that was undone");
      if (one_in(8)) trainer_progress();
    }
  }
}

const random_call host_calls[] = {
    {host_config_init, 1}, {trainer_create_for_host, 4}, {trainer_begin_rollout, 3}, {trainer_begin_sample, 2}, {trainer_begin_update, 3},
    {trainer_next, 6}, {trainer_submit, 4}, {trainer_submit_step, 1}, {trainer_fail, 2}, {trainer_get_samples, 2},
    {evaluation_begin_sample, 1}, {trainer_progress, 2}, {host_run, 6}, {NULL, 0}};
