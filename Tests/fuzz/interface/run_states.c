/* Random walks through states: objects that fit each other are made, then random calls on them alternate with weights that
 * overflow, cancels and retries. What a failed call leaves behind must not harm the next one, whichever that is. */
#define _GNU_SOURCE
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "calls.h"

enum { GROUP = 3, LATENT = 16, MOST_WEIGHTS = 20000 };

/* ---- Objects that fit each other; each is NULL where it could not be made */

typedef struct {
  void *context, *model, *prompts, *evaluator, *plan, *rollout;
  mixgrpo_learning_config learning;
} objects;

static void *keep_focused(kind kind, mixgrpo_status status, void **place) {
  if (status != MIXGRPO_STATUS_OK) return NULL;
  void *const handle = *place;
  keep_created(kind, status, place);
  focus(kind, handle);
  return handle;
}

static void *make_context(void) {
  void **place = output(sizeof *place);
  void *const context = keep_focused(CONTEXT, CALL(mixgrpo_context_create, 1 + (int32_t)below(2), (void *)place), place);
  if (context && one_in(2)) CALL(mixgrpo_context_set_progress, context, NULL, NULL);
  return context;
}
static void *make_model(void *context) {
  mixgrpo_model_config *config = room(sizeof *config);
  void **place = output(sizeof *place);
  *config = some_model_config();
  return keep_focused(MODEL, CALL(mixgrpo_model_create, context, config, chance_bits(), (void *)place), place);
}
static void *make_prompts(void *context) {
  const char **lines = room(3 * sizeof *lines);
  void **place = output(sizeof *place);
  for (int i = 0; i < 3; i++) lines[i] = "a red circle at night";
  return keep_focused(PROMPTS, CALL(mixgrpo_prompts_create_hashed_words, context, lines, 3, 3, 6, 5, (void *)place), place);
}
static void *make_evaluator(void *model) {
  mixgrpo_evaluator_config *config = room(sizeof *config);
  void **place = output(sizeof *place);
  must(mixgrpo_evaluator_config_init(config, sizeof *config) == MIXGRPO_STATUS_OK, "defaults");
  config->height_tokens = config->width_tokens = 2, config->text_length = 3;
  config->max_batch = 1 + (int32_t)below(6);
  config->recompute_activations = one_in(3);
  config->precision = one_in(3) ? MIXGRPO_PRECISION_BFLOAT16 : MIXGRPO_PRECISION_FLOAT32;
  return keep_focused(EVALUATOR, CALL(mixgrpo_evaluator_create, model, config, NULL, 0, (void *)place), place);
}
static void *make_plan(void) {
  mixgrpo_sampling_config *config = room(sizeof *config);
  void **place = output(sizeof *place);
  must(mixgrpo_config_init(config, sizeof *config, NULL, 0) == MIXGRPO_STATUS_OK, "defaults");
  config->steps = 2 + (int32_t)below(4), config->window_length = 1 + (int32_t)below(2), config->group_size = GROUP;
  config->seed = chance_bits();
  return keep_focused(PLAN, CALL(mixgrpo_plan_create, config, NULL, 0, (void *)place), place);
}

static void *make_rollout(objects *o) {
  mixgrpo_rollout_config *config = room(sizeof *config);
  int32_t *prompts = room(2 * sizeof *prompts);
  void **place = output(sizeof *place);
  must(mixgrpo_rollout_config_init(config, sizeof *config) == MIXGRPO_STATUS_OK, "defaults");
  config->latent_size = LATENT;
  prompts[0] = 0, prompts[1] = 2;
  void *const rollout =
      keep_focused(ROLLOUT, CALL(mixgrpo_rollout_create, o->context, o->plan, config, prompts, 1 + below(2), NULL, 0, (void *)place), place);
  if (rollout && !one_in(8)) CALL(mixgrpo_rollout_run, rollout, o->evaluator, o->prompts);
  return rollout;
}
static void make_update(objects *o) {
  mixgrpo_status status = MIXGRPO_STATUS_INVALID_ARGUMENT;
  for (size_t count = GROUP; count <= 2 * GROUP && status == MIXGRPO_STATUS_INVALID_ARGUMENT; count += GROUP) {
    double *advantages = room(count * sizeof *advantages);
    void **place = output(sizeof *place);
    for (size_t i = 0; i < count; i++) advantages[i] = (double)(i % GROUP) - 1;
    status = CALL(mixgrpo_update_create, o->rollout, &o->learning, advantages, NULL, count, 0, (void *)place);
    keep_focused(UPDATE, status, place);
  }
}
static void make_optimizer(objects *o) {
  void **place = output(sizeof *place);
  size_t count = 0;
  must(mixgrpo_model_get_size(o->model, NULL, &count) == MIXGRPO_STATUS_OK, "the size of a live model");
  keep_focused(OPTIMIZER, CALL(mixgrpo_optimizer_create, o->context, &o->learning, count, (void *)place), place);
}
static void make_trainer(objects *o) {
  const char **names = room(sizeof *names);
  void **place = output(sizeof *place);
  names[0] = "taste";
  keep_focused(TRAINER, CALL(mixgrpo_trainer_create, o->evaluator, o->prompts, o->plan, &o->learning, names, 1, one_in(2), (void *)place), place);
}

static _Thread_local objects made;

static void make_objects(void) {
  objects o = {.context = make_context()};
  o.model = make_model(o.context);
  o.prompts = make_prompts(o.context);
  o.evaluator = make_evaluator(o.model);
  o.plan = make_plan();
  must(mixgrpo_config_init(NULL, 0, &o.learning, sizeof o.learning) == MIXGRPO_STATUS_OK, "defaults");
  o.learning.updates_per_iteration = 1 + (int32_t)below(2);
  o.learning.fault_policy = (int32_t)below(3);
  o.learning.kl_reference = one_in(3) ? 0.1 : 0;
  o.rollout = make_rollout(&o);
  make_update(&o);
  if (o.model) make_optimizer(&o);
  make_trainer(&o);
  made = o;
}

/* ---- States */

/* Weights so large that velocities overflow, or so small that an overflow ends. */
static void scale_weights(void) {
  static _Thread_local float weights[MOST_WEIGHTS];
  void *const model = live(MODEL);
  const float factor = one_in(2) ? 0x1p66f : 0x1p-66f;
  size_t count = 0;
  if (!model || mixgrpo_model_get_size(model, NULL, &count) != MIXGRPO_STATUS_OK || count > MOST_WEIGHTS) return;
  CALL(mixgrpo_model_get_weights, model, 0, weights, count);
  for (size_t i = 0; i < count; i++) weights[i] = fminf(fmaxf(weights[i] * factor, -3e38f), 3e38f);
  CALL(mixgrpo_model_set_weights, model, 0, weights, count);
}

static void *cancel_soon(void *context) {
  usleep((useconds_t)((uintptr_t)context % 700));
  mixgrpo_context_cancel(context);
  return NULL;
}

/* A long call that another thread cancels, at any time or too late. The context is nobody else's to destroy. */
static void cancel_from_another_thread(void) {
  static const random_call *const long_calls[] = {&call_rollout_run, &call_update_run, &call_trainer_rollout, &call_trainer_update,
                                                  &call_trainer_sample, &call_evaluation_sample};
  void *const context = live(CONTEXT);
  pthread_t thread;
  if (!context || pthread_create(&thread, NULL, cancel_soon, context) != 0) return;
  long_calls[below(6)]->call();
  must(pthread_join(thread, NULL) == 0, "the end of a thread");
  if (!one_in(8)) CALL(mixgrpo_context_reset_cancel, context);
}

/* A rollout whose run is saved and read back by a trainer before its rewards come. */
static void resume_between_rollout_and_update(void) {
  char path[512];
  const char *any = any_path();
  void *const trainer = live(TRAINER);
  snprintf(path, sizeof path, "%s", any ? any : "");
  call_trainer_rollout.call();
  CALL(mixgrpo_trainer_save, trainer, path);
  if (one_in(2)) call_trainer_update.call();
  CALL(mixgrpo_trainer_restore, one_in(4) ? live(TRAINER) : trainer, path);
  call_trainer_update.call();
}

/* An update that may fail is tried again: the same one, another of the same rollout, or the trainer's. */
static void update_again(void) {
  call_update_run.call();
  if (one_in(2)) scale_weights();
  if (one_in(2)) make_update(&made);
  call_update_run.call();
}
static void trainer_update_again(void) {
  call_trainer_rollout.call();
  if (one_in(2)) scale_weights();
  call_trainer_update.call();
  if (one_in(2)) scale_weights();
  call_trainer_update.call();
}

/* Kept activations, and what else happens to them before the backward that a host may still call. */
static void velocity_then_backward(void) {
  static const random_call *const between[] = {&call_update_run, &call_update_run, &call_update_run, &call_rollout_run,
                                               &call_evaluator_sample, &call_trainer_rollout, &call_trainer_update, &call_model_set_weights};
  if (one_in(2)) make_update(&made);
  call_evaluator_velocity.call();
  if (one_in(2)) scale_weights();
  if (!one_in(4)) between[below(8)]->call();
  call_evaluator_backward.call();
}

/* ---- The walk */

static const random_call steps[] = {
    {scale_weights, 4}, {cancel_from_another_thread, 2}, {resume_between_rollout_and_update, 2}, {velocity_then_backward, 4},
    {update_again, 2}, {trainer_update_again, 2}, {call_something, 6}};
enum { STEPS = sizeof steps / sizeof *steps };

static void take_step(void) {
  uint32_t total = 0;
  for (int i = 0; i < STEPS; i++) total += (uint32_t)steps[i].weight;
  int32_t left = (int32_t)below(total), chosen = 0;
  while ((left -= steps[chosen].weight) >= 0) chosen++;
  steps[chosen].call();
}

static void walk(void) {
  static _Thread_local int is_walking; /* a step may be any call, but not another walk */
  if (is_walking) return;
  is_walking = 1;
  make_objects();
  for (uint32_t i = 10 + below(30); i > 0; i--) take_step();
  unfocus();
  is_walking = 0;
}

const random_call run_states = {walk, 4};
