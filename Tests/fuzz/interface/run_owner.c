/* Whole runs of a host that owns the model v = weight * x, where faults and cancels happen at any request. */
#include <string.h>

#include "calls.h"

enum { MOST_VALUES = 4096 };

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

/* All ranks have the figures of this one; random calls make at most three ranks. */
static mixgrpo_status combine(owner *o) {
  double *figures = room(3 * MIXGRPO_FIGURE_COUNT * sizeof *figures);
  mixgrpo_status status = CALL(mixgrpo_trainer_get_figures, o->trainer, figures, MIXGRPO_FIGURE_COUNT);
  for (size_t rank = 1; rank < 3; rank++)
    memcpy(figures + rank * MIXGRPO_FIGURE_COUNT, figures, MIXGRPO_FIGURE_COUNT * sizeof *figures);
  if (status != MIXGRPO_STATUS_OK) return status;
  status = CALL(mixgrpo_trainer_submit_figures, o->trainer, figures, 2 * MIXGRPO_FIGURE_COUNT);
  return status == MIXGRPO_STATUS_OK ? status
                                     : CALL(mixgrpo_trainer_submit_figures, o->trainer, figures, 3 * MIXGRPO_FIGURE_COUNT);
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
    case MIXGRPO_REQUEST_KIND_COMBINE_FIGURES: return combine(o);
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
    if (status != MIXGRPO_STATUS_OK) status = report_failure(o->trainer, status, NULL);
    if (status != MIXGRPO_STATUS_OK) return status;
  }
}

static void save_and_resume(void) {
  call_trainer_get_progress.call();
  call_trainer_set_progress.call();
}

/* Iterations of one trainer. An update that failed and was undone leaves weights as before, and the same rewards may follow. */
static void run_host(void) {
  void *const context = live(CONTEXT), *const trainer = live(TRAINER);
  static _Thread_local owner o;
  if (!trainer) return;
  o = (owner){.trainer = trainer, .weight = 0.5f};
  const uint32_t faults = one_in(3) ? 0 : 4 + below(60);
  const int32_t prompts[] = {0, 2};
  for (uint32_t i = 1 + below(3); i > 0; i--) {
    if (CALL(mixgrpo_trainer_begin_rollout, trainer, prompts, 2, 0) != MIXGRPO_STATUS_OK) break;
    if (run(&o, context, faults) != MIXGRPO_STATUS_OK) continue;
    if (one_in(4)) save_and_resume();
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
      if (one_in(8)) save_and_resume();
    }
  }
}

const random_call run_owner = {run_host, 6};
