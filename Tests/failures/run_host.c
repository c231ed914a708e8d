/* A host that owns its model. */
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

/* The host's model: one weight that scales the latents. Its answers come from here and can be refused. */
typedef struct { double weight, kept, gradient; } host_model;

static void evaluate(const host_model *model, const mixgrpo_velocity_request *request, float *velocity) {
  for (size_t i = 0; i < request->count * request->latent_size; i++)
    velocity[i] = (float)(model->weight * request->latents[i] + 0.01 * request->sigmas[i / request->latent_size]);
}

static void add_gradient(host_model *model, const mixgrpo_velocity_request *request, const float *d_velocity) {
  for (size_t i = 0; i < request->count * request->latent_size; i++) model->gradient += d_velocity[i] * request->latents[i];
}

static void step(host_model *model) {
  model->weight -= 1e-3 * model->gradient;
  model->gradient = 0;
}

/* ---- Rollout and update by hand */

static void sample_by_hand(mixgrpo_rollout *rollout, const host_model *model, float *velocity) {
  mixgrpo_velocity_request request = {.struct_size = sizeof request};
  for (;;) {
    TRY(mixgrpo_rollout_next(rollout, &request), DIFFERS(request));
    judge_note("count", &request.count, sizeof request.count);
    if (request.kind == MIXGRPO_REQUEST_KIND_FINISHED) return;
    evaluate(model, &request, velocity);
    TRY(mixgrpo_rollout_submit(rollout, velocity, request.count * request.latent_size));
  }
}

static void update_by_hand(mixgrpo_update *update, host_model *model, float *velocity, float *d_velocity) {
  mixgrpo_velocity_request request = {.struct_size = sizeof request};
  for (;;) {
    TRY(mixgrpo_update_next(update, &request), DIFFERS(request));
    if (request.kind == MIXGRPO_REQUEST_KIND_FINISHED) return;
    if (request.kind == MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP) {
      step(model);
      continue;
    }
    const size_t values = request.count * request.latent_size;
    evaluate(model, &request, velocity);
    TRY(mixgrpo_update_submit(
            update, velocity, request.needs_reference ? velocity : NULL, values, d_velocity, values),
        OUTS(d_velocity, values));
    add_gradient(model, &request, d_velocity);
  }
}

void run_by_hand(const sizes *sizes, const char *folder) {
  world *const w = world_create(sizes);
  host_model model = {.weight = 0.5};
  mixgrpo_rollout_config which;
  mixgrpo_rollout *rollout = NULL;
  mixgrpo_update *update = NULL;
  mixgrpo_optimizer *optimizer = NULL;
  mixgrpo_advantage_report report = {.struct_size = sizeof report};
  float *const velocity = room(w->values, sizeof *velocity), *const d_velocity = room(w->values, sizeof *d_velocity);
  double *const advantages = room(w->samples, sizeof *advantages), *const logs = room(w->samples, sizeof *logs);
  uint8_t *const included = room(w->samples, 1);
  (void)folder;
  TRY(mixgrpo_rollout_config_init(&which, sizeof which), OUT(which));
  which.latent_size = w->latent_size;
  TRY(mixgrpo_rollout_create(w->context, w->plan, &which, w->chosen, (size_t)sizes->prompts, NULL, 0, &rollout), HANDLE(rollout));
  sample_by_hand(rollout, &model, velocity);
  NOTE(mixgrpo_rollout_model_calls(rollout));
  TRY(mixgrpo_rollout_get_samples(rollout, w->latents, w->values), OUTS(w->latents, w->values));
  TRY(mixgrpo_rollout_get_step(rollout, 0, NULL, 0, NULL, 0, logs, w->samples), OUTS(logs, w->samples));
  world_score(w);
  TRY(mixgrpo_advantages(
          &w->learning, w->rewards, (size_t)sizes->rewards, (size_t)sizes->prompts, sizes->group, NULL, 0,
          advantages, included, w->samples, &report),
      OUTS(advantages, w->samples), OUTS(included, w->samples), OUT(report));
  TRY(mixgrpo_update_create(rollout, &w->learning, advantages, included, w->samples, 3, &update), HANDLE(update));
  update_by_hand(update, &model, velocity, d_velocity);
  judge_note("weight", &model.weight, sizeof model.weight);
  TRY(mixgrpo_optimizer_create(w->context, &w->learning, w->values, &optimizer), HANDLE(optimizer));
  TRY(mixgrpo_optimizer_step(optimizer, velocity, d_velocity, w->values, NULL), OUTS(velocity, w->values));
  mixgrpo_optimizer_destroy(optimizer);
  mixgrpo_update_destroy(update);
  mixgrpo_rollout_destroy(rollout);
  world_destroy(w);
}

/* ---- A trainer that asks */

typedef struct {
  mixgrpo_trainer *trainer;
  host_model model;
  float *velocity, *d_velocity;
  mixgrpo_context *context;
  int goes_on; /* flag: after a cancel */
  int is_kept; /* flag: the update has asked to keep the state */
} host;

/* As if the other of two ranks had the same figures. */
static mixgrpo_status combine(mixgrpo_trainer *trainer) {
  double figures[2 * MIXGRPO_FIGURE_COUNT];
  const mixgrpo_status status = mixgrpo_trainer_get_figures(trainer, figures, MIXGRPO_FIGURE_COUNT);
  if (status != MIXGRPO_STATUS_OK) return status;
  memcpy(figures + MIXGRPO_FIGURE_COUNT, figures, MIXGRPO_FIGURE_COUNT * sizeof *figures);
  return mixgrpo_trainer_submit_figures(trainer, figures, 2 * MIXGRPO_FIGURE_COUNT);
}

static mixgrpo_status answer(host *h, const mixgrpo_velocity_request *request) {
  const size_t values = request->count * request->latent_size;
  switch (request->kind) {
    case MIXGRPO_REQUEST_KIND_EVALUATE: {
      evaluate(&h->model, request, h->velocity);
      const mixgrpo_status status = mixgrpo_trainer_submit(
          h->trainer, h->velocity, request->needs_reference ? h->velocity : NULL, values,
          request->needs_gradient ? h->d_velocity : NULL, request->needs_gradient ? values : 0);
      if (status == MIXGRPO_STATUS_OK && request->needs_gradient) add_gradient(&h->model, request, h->d_velocity);
      return status;
    }
    case MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP: {
      REQUIRE(h->is_kept);
      const double norm = h->model.gradient < 0 ? -h->model.gradient : h->model.gradient;
      step(&h->model);
      return mixgrpo_trainer_submit_step(h->trainer, norm, 1e-3);
    }
    case MIXGRPO_REQUEST_KIND_KEEP_STATE:
      h->model.kept = h->model.weight;
      h->is_kept = 1;
      return MIXGRPO_STATUS_OK;
    case MIXGRPO_REQUEST_KIND_RESTORE_STATE: h->model.weight = h->model.kept; return MIXGRPO_STATUS_OK;
    case MIXGRPO_REQUEST_KIND_ZERO_GRADIENTS: h->model.gradient = 0; return MIXGRPO_STATUS_OK;
    case MIXGRPO_REQUEST_KIND_COMBINE_FIGURES: return combine(h->trainer);
    default: return MIXGRPO_STATUS_INTERNAL;
  }
}

/* Answers until all is done, or until all is undone after a failure. */
static mixgrpo_status drive(host *h) {
  for (;;) {
    mixgrpo_velocity_request request = {.struct_size = sizeof request};
    mixgrpo_status status = mixgrpo_trainer_next(h->trainer, &request);
    if (status == MIXGRPO_STATUS_OK && request.kind == MIXGRPO_REQUEST_KIND_FINISHED) return status;
    if (status == MIXGRPO_STATUS_OK && request.kind <= MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP && judge_refuses_answer())
      status = MIXGRPO_STATUS_UNSUPPORTED;
    else if (status == MIXGRPO_STATUS_OK)
      status = answer(h, &request);
    if (status == MIXGRPO_STATUS_CANCELLED && h->goes_on && mixgrpo_context_reset_cancel(h->context) == MIXGRPO_STATUS_OK) continue;
    if (status != MIXGRPO_STATUS_OK) status = mixgrpo_trainer_fail(h->trainer, status, NULL);
    if (status != MIXGRPO_STATUS_OK) return status;
  }
}

static mixgrpo_status rollout_of(host *h, world *w, int with_ticket) {
  const mixgrpo_status status = mixgrpo_trainer_begin_rollout(h->trainer, w->chosen, (size_t)w->sizes.prompts, with_ticket);
  return status == MIXGRPO_STATUS_OK ? drive(h) : status;
}

static mixgrpo_status update_of(host *h, world *w) {
  const size_t count = (size_t)w->sizes.rewards * w->samples;
  const mixgrpo_status status = mixgrpo_trainer_begin_update(h->trainer, w->rewards, count, NULL, 0);
  return status == MIXGRPO_STATUS_OK ? drive(h) : status;
}

static mixgrpo_status update_tickets_of(host *h) {
  const mixgrpo_status status = mixgrpo_trainer_begin_update_tickets(h->trainer, MIXGRPO_MISSING_REWARDS_REFUSE, NULL, 0);
  return status == MIXGRPO_STATUS_OK ? drive(h) : status;
}

static mixgrpo_status sample_of(host *h, world *w, const mixgrpo_sample_config *config) {
  const mixgrpo_status status = mixgrpo_trainer_begin_sample(
      h->trainer, MIXGRPO_WEIGHTS_TRAINED, config, w->chosen, (size_t)w->sizes.prompts, NULL, 0);
  return status == MIXGRPO_STATUS_OK ? drive(h) : status;
}

static mixgrpo_status evaluate_of(host *h, mixgrpo_evaluation *evaluation) {
  const mixgrpo_status status = mixgrpo_evaluation_begin_sample(evaluation, h->trainer);
  return status == MIXGRPO_STATUS_OK ? drive(h) : status;
}

static void train(host *h, world *w, int with_ticket) {
  int64_t ticket = 0;
  h->is_kept = 0;
  TRY(rollout_of(h, w, with_ticket));
  TRY(mixgrpo_trainer_get_samples(h->trainer, w->latents, w->values, &ticket), OUTS(w->latents, w->values), HANDLE(ticket));
  world_score(w);
  if (with_ticket) {
    TRY(mixgrpo_trainer_submit_rewards(h->trainer, ticket, w->rewards, (size_t)w->sizes.rewards * w->samples));
    TRY(update_tickets_of(h));
  } else {
    TRY(update_of(h, w));
  }
  judge_note("weight", &h->model.weight, sizeof h->model.weight);
}

static void evaluate_host(host *h, world *w) {
  mixgrpo_evaluation_config config;
  mixgrpo_sample_config sample;
  mixgrpo_evaluation *evaluation = NULL;
  const size_t values = (size_t)w->sizes.prompts * w->latent_size;
  TRY(mixgrpo_sample_config_init(&sample, sizeof sample), OUT(sample));
  sample.steps = 2;
  TRY(sample_of(h, w, &sample));
  TRY(mixgrpo_trainer_get_samples(h->trainer, w->latents, values, NULL), OUTS(w->latents, values));
  TRY(mixgrpo_evaluation_config_init(&config, sizeof config), OUT(config));
  config.keep_best = 0;
  TRY(mixgrpo_evaluation_create(
          &config, &sample, w->chosen, (size_t)w->sizes.prompts, w->names, NULL, NULL, (size_t)w->sizes.rewards, &evaluation),
      HANDLE(evaluation));
  TRY(evaluate_of(h, evaluation));
  TRY(mixgrpo_trainer_get_samples(h->trainer, w->latents, values, NULL), OUTS(w->latents, values));
  mixgrpo_evaluation_destroy(evaluation);
}

/* The first of two ranks, which draws half of the prompts and is given the rewards of all. */
static void train_rank(host *h, world *w, const mixgrpo_host_config *config) {
  const size_t values = (size_t)(w->sizes.prompts / 2) * (size_t)w->sizes.group * w->latent_size;
  TRY(mixgrpo_trainer_create_for_host(
          w->context, w->plan, &w->learning, config, w->names, (size_t)w->sizes.rewards, &h->trainer),
      HANDLE(h->trainer));
  TRY(mixgrpo_trainer_set_rank(h->trainer, 0, 2));
  h->is_kept = 0;
  TRY(rollout_of(h, w, 0));
  TRY(mixgrpo_trainer_get_samples(h->trainer, w->latents, values, NULL), OUTS(w->latents, values));
  world_score(w);
  TRY(update_of(h, w));
  judge_note("weight", &h->model.weight, sizeof h->model.weight);
  mixgrpo_trainer_destroy(h->trainer);
}

void run_host(const sizes *sizes, const char *folder) {
  world *const w = world_create(sizes);
  mixgrpo_host_config config;
  host h = {.model = {.weight = 0.5}, .context = w->context};
  char progress[8192];
  size_t size = 0;
  (void)folder;
  h.velocity = room(w->values, sizeof *h.velocity);
  h.d_velocity = room(w->values, sizeof *h.d_velocity);
  memset(progress, 0, sizeof progress);
  TRY(mixgrpo_config_init(NULL, 0, &w->learning, sizeof w->learning), OUT(w->learning));
  w->learning.updates_per_iteration = sizes->minibatches;
  TRY(mixgrpo_host_config_init(&config, sizeof config), OUT(config));
  config.prompt_count = (size_t)sizes->prompts;
  config.latent_size = w->latent_size;
  config.max_batch = 5;
  TRY(mixgrpo_trainer_create_for_host(
          w->context, w->plan, &w->learning, &config, w->names, (size_t)sizes->rewards, &h.trainer),
      HANDLE(h.trainer));
  train(&h, w, 0);
  train(&h, w, 1);
  evaluate_host(&h, w);
  TRY(mixgrpo_trainer_get_progress(h.trainer, progress, sizeof progress, &size), OUT(progress), OUT(size));
  train(&h, w, 0);
  TRY(mixgrpo_trainer_set_progress(h.trainer, progress));
  NOTE(mixgrpo_trainer_iteration(h.trainer));
  h.goes_on = 1;
  train(&h, w, 0);
  mixgrpo_trainer_destroy(h.trainer);
  h.goes_on = 0;
  train_rank(&h, w, &config);
  world_destroy(w);
}
