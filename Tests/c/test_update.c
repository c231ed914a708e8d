#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fixture.h"
#include "tests.h"

enum { VALUES = SAMPLES * WINDOW * LATENT };

static double rewards[SAMPLES], advantages[SAMPLES];
static uint8_t included[SAMPLES];

static void advantages_are_checked_and_reported(const fixture *f) {
  mixgrpo_advantage_report report = {.struct_size = sizeof report};
  const double weights[2] = {1, 0.5}, negative[2] = {1, -1}, none[2] = {0, 0};
  double two[2 * SAMPLES];
  uint8_t flags[SAMPLES];
  for (int i = 0; i < 2 * SAMPLES; i++) two[i] = i % GROUP;
  two[0] = NAN;
#define ADVANTAGES(rewards, k, p, g, weights, count, capacity) \
  mixgrpo_advantages(&f->learning, rewards, k, p, g, weights, count, advantages, flags, capacity, &report)
  DONE(ADVANTAGES(two, 2, BATCH, GROUP, weights, 2, SAMPLES));
  CHECK(report.failed_rewards == 1 && report.excluded_samples == 1 && report.degenerate_groups == 0);
  CHECK(advantages[0] == 0 && !flags[0] && flags[1] && advantages[1] < 0 && advantages[GROUP - 1] > 0);
  INVALID("weights", ADVANTAGES(two, 2, BATCH, GROUP, weights, 1, SAMPLES));
  INVALID("weights", ADVANTAGES(two, 2, BATCH, GROUP, NULL, 2, SAMPLES));
  INVALID("weights", ADVANTAGES(two, 2, BATCH, GROUP, negative, 2, SAMPLES));
  INVALID("weights", ADVANTAGES(two, 2, BATCH, GROUP, none, 2, SAMPLES));
  INVALID("rewards", ADVANTAGES(NULL, 2, BATCH, GROUP, NULL, 0, SAMPLES));
  TOO_SMALL("out_advantages", ADVANTAGES(two, 2, BATCH, GROUP, NULL, 0, SAMPLES - 1));
  const int32_t absurd[] = {0, -1, INT32_MIN, INT32_MAX};
  for (int i = 0; i < 4; i++) {
    INVALID("reward_count", ADVANTAGES(two, absurd[i], BATCH, GROUP, NULL, 0, SAMPLES));
    INVALID("prompt_count", ADVANTAGES(two, 2, absurd[i], GROUP, NULL, 0, SAMPLES));
    INVALID("group_size", ADVANTAGES(two, 2, BATCH, absurd[i], NULL, 0, SAMPLES));
  }
  INVALID("config", mixgrpo_advantages(NULL, two, 2, BATCH, GROUP, NULL, 0, advantages, flags, SAMPLES, NULL));
  for (int i = 0; i < SAMPLES; i++) two[i] = two[SAMPLES + i] = i < GROUP ? 3 : i % GROUP; /* the first group is equal */
  DONE(ADVANTAGES(two, 2, BATCH, GROUP, NULL, 0, SAMPLES));
  CHECK(report.degenerate_groups == 1 && report.dropped_groups == 0 && report.excluded_samples == 0);
  for (int i = 1; i < GROUP; i++) two[i] = NAN;
  DONE(ADVANTAGES(two, 2, BATCH, GROUP, NULL, 0, SAMPLES));
  CHECK(report.degenerate_groups == 0 && report.dropped_groups == 1 && report.excluded_samples == GROUP);
  CHECK(report.failed_rewards == GROUP - 1);
  report.struct_size = 0;
  INVALID("struct_size", ADVANTAGES(two, 2, BATCH, GROUP, NULL, 0, SAMPLES));
}

static void votes_become_scores(void) {
  const double stars[] = {1, 5, NAN, 3, 3}, infinite[] = {1, INFINITY};
  const int32_t pairs[] = {0, 1, 2, 1}, itself[] = {0, 1, 2, 2}, outside[] = {0, 3};
  double scores[5];
  DONE(mixgrpo_scores_from_ratings(stars, 5, scores, 5));
  CHECK(scores[0] == 0 && scores[1] == 1 && isnan(scores[2]) && scores[3] == 0.5 && scores[4] == 0.5);
  DONE(mixgrpo_scores_from_ratings(stars + 1, 2, scores, 5));
  CHECK(scores[0] == 0.5 && isnan(scores[1]));
  INVALID("ratings[1]", mixgrpo_scores_from_ratings(infinite, 2, scores, 5));
  INVALID("ratings", mixgrpo_scores_from_ratings(NULL, 2, scores, 5));
  INVALID("count", mixgrpo_scores_from_ratings(stars, 0, scores, 5));
  INVALID("count", mixgrpo_scores_from_ratings(stars, 4097, scores, 5));
  TOO_SMALL("out_scores", mixgrpo_scores_from_ratings(stars, 5, scores, 4));
  DONE(mixgrpo_scores_from_pairs(pairs, 2, 4, scores, 4));
  CHECK(scores[0] == scores[2] && scores[0] > 0.5 && scores[1] < 0.5 && isnan(scores[3]));
  DONE(mixgrpo_scores_from_pairs(NULL, 0, 2, scores, 2));
  CHECK(isnan(scores[0]) && isnan(scores[1]));
  INVALID("pairs[1]", mixgrpo_scores_from_pairs(itself, 2, 3, scores, 5));
  INVALID("pairs[0]", mixgrpo_scores_from_pairs(outside, 1, 3, scores, 5));
  INVALID("pairs", mixgrpo_scores_from_pairs(NULL, 1, 3, scores, 5));
  INVALID("pair_count", mixgrpo_scores_from_pairs(pairs, 65537, 3, scores, 5));
  INVALID("group_size", mixgrpo_scores_from_pairs(pairs, 2, 0, scores, 5));
  TOO_SMALL("out_scores", mixgrpo_scores_from_pairs(pairs, 2, 4, scores, 3));
}

static void spread_rewards(const fixture *f) {
  for (int i = 0; i < SAMPLES; i++) rewards[i] = (i * 7) % 5;
  DONE(mixgrpo_advantages(&f->learning, rewards, 1, BATCH, GROUP, NULL, 0, advantages, included, SAMPLES, NULL));
}

static mixgrpo_update *update_of(const fixture *f, mixgrpo_rollout *rollout) {
  mixgrpo_update *update = NULL;
  DONE(mixgrpo_update_create(rollout, &f->learning, advantages, included, SAMPLES, 0, &update));
  return update;
}

/* The model's answer to a request, computed outside. */
static void answer(const fixture *f, const mixgrpo_velocity_request *request, float *velocity) {
  DONE(mixgrpo_evaluator_velocity(
      f->evaluator, f->prompts, request->latents, request->sigmas, request->prompt_index, (size_t)request->count, 0,
      velocity, VALUES));
}

/* Answers all requests of an update, and sums the size of its gradient. Returns the number of optimizer steps. */
static int pull(const fixture *f, mixgrpo_update *update, double *gradient) {
  mixgrpo_velocity_request request = {.struct_size = sizeof request};
  float velocity[VALUES], d_velocity[VALUES], latents[VALUES];
  int steps = 0;
  while (mixgrpo_update_next(update, &request) == MIXGRPO_STATUS_OK && request.kind != MIXGRPO_REQUEST_KIND_FINISHED) {
    if (request.kind == MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP) {
      CHECK(request.count == 0 && request.minibatch == steps && request.rate_factor == 1);
      steps++;
      continue;
    }
    CHECK(request.minibatch == steps && request.is_trained == 1 && request.needs_gradient == 1 && request.rate_factor == 1);
    answer(f, &request, velocity);
    for (int i = 0; i < VALUES; i++) d_velocity[i] = NAN;
    memcpy(latents, request.latents, request.count * LATENT * sizeof *latents);
    DONE(mixgrpo_update_submit(update, velocity, NULL, request.count * request.latent_size, d_velocity, VALUES));
    CHECK(memcmp(latents, request.latents, request.count * LATENT * sizeof *latents) == 0); /* a backward may read them */
    for (size_t i = 0; i < request.count * request.latent_size; i++) *gradient += fabs(d_velocity[i]);
  }
  return steps;
}

static void pulling_gives_ratio_one_and_a_gradient(const fixture *f) {
  mixgrpo_rollout *rollout = fixture_finished_rollout(f);
  mixgrpo_update *update = update_of(f, rollout);
  mixgrpo_update_statistics seen = {.struct_size = sizeof seen};
  double gradient = 0;
  mixgrpo_rollout_destroy(rollout);
  CHECK(pull(f, update, &gradient) == 2);
  DONE(mixgrpo_update_get_statistics(update, &seen));
  CHECK(isfinite(gradient) && gradient > 0 && seen.optimizer_steps == 2); /* all of the gradient is written */
  CHECK(seen.first_ratio_min == 1 && seen.first_ratio_max == 1 && seen.ratio_min == 1 && seen.ratio_max == 1);
  CHECK(seen.max_log_ratio_nats == 0 && seen.clip_fraction == 0 && seen.model_calls > 0 && isfinite(seen.loss));
  mixgrpo_update_destroy(update);
}

static void the_loss_at_ratio_one_is_minus_the_mean_advantage(const fixture *f) {
  mixgrpo_rollout *rollout = fixture_finished_rollout(f);
  mixgrpo_update *update = NULL;
  mixgrpo_update_statistics seen = {.struct_size = sizeof seen};
  double gradient = 0, own[SAMPLES];
  for (int i = 0; i < SAMPLES; i++) own[i] = i < GROUP ? 0.5 : 1;
  DONE(mixgrpo_update_create(rollout, &f->learning, own, NULL, SAMPLES, 0, &update));
  pull(f, update, &gradient);
  DONE(mixgrpo_update_get_statistics(update, &seen));
  CHECK(fabs(seen.loss + 0.75) <= 1e-12);
  mixgrpo_update_destroy(update);
  mixgrpo_rollout_destroy(rollout);
}

static void a_cancelled_context_gives_no_request(const fixture *f) {
  mixgrpo_rollout *rollout = fixture_finished_rollout(f);
  mixgrpo_update *update = update_of(f, rollout);
  mixgrpo_velocity_request request = {.struct_size = sizeof request};
  DONE(mixgrpo_context_cancel(f->context));
  REFUSED(MIXGRPO_STATUS_CANCELLED, "cancel", mixgrpo_update_next(update, &request));
  CHECK(request.count == 0 && request.latents == NULL);
  DONE(mixgrpo_context_reset_cancel(f->context));
  DONE(mixgrpo_update_next(update, &request));
  CHECK(request.kind == MIXGRPO_REQUEST_KIND_EVALUATE && request.count > 0);
  mixgrpo_update_destroy(update);
  mixgrpo_rollout_destroy(rollout);
}

static void bad_answers_leave_the_request_standing(const fixture *f) {
  mixgrpo_rollout *rollout = fixture_finished_rollout(f);
  mixgrpo_update *update = update_of(f, rollout);
  mixgrpo_velocity_request request = {.struct_size = sizeof request}, again = request;
  float velocity[VALUES] = {0}, d_velocity[VALUES] = {5};
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "submit", mixgrpo_update_submit(update, velocity, NULL, LATENT, d_velocity, VALUES));
  DONE(mixgrpo_update_next(update, &request));
  const size_t values = request.count * request.latent_size;
  INVALID("count", mixgrpo_update_submit(update, velocity, NULL, values - 1, d_velocity, VALUES));
  INVALID("velocity", mixgrpo_update_submit(update, NULL, NULL, values, d_velocity, VALUES));
  INVALID("velocity", mixgrpo_update_submit(update, NULL, NULL, 0, d_velocity, VALUES));
  INVALID("velocity", mixgrpo_update_submit(update, velocity, NULL, SIZE_MAX, d_velocity, VALUES));
  TOO_SMALL("out_d_velocity", mixgrpo_update_submit(update, velocity, NULL, values, d_velocity, values - 1));
  INVALID("out_d_velocity", mixgrpo_update_submit(update, velocity, NULL, values, NULL, VALUES));
  velocity[3] = INFINITY;
  REFUSED(MIXGRPO_STATUS_NOT_FINITE, "velocity", mixgrpo_update_submit(update, velocity, NULL, values, d_velocity, VALUES));
  CHECK(d_velocity[0] == 5);
  DONE(mixgrpo_update_next(update, &again));
  CHECK(again.kind == MIXGRPO_REQUEST_KIND_EVALUATE && again.count == request.count);
  INVALID("out_request", mixgrpo_update_next(update, NULL));
  mixgrpo_update_destroy(update);
  mixgrpo_rollout_destroy(rollout);
}

static void an_update_needs_what_belongs_to_its_rollout(const fixture *f) {
  mixgrpo_rollout *open = fixture_rollout(f), *rollout = fixture_finished_rollout(f);
  mixgrpo_update *update = NULL;
  double bad[SAMPLES];
  uint8_t flags[SAMPLES] = {0};
#define CREATE(rollout, config, advantages, included, count, batch) \
  mixgrpo_update_create(rollout, config, advantages, included, count, batch, &update)
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "finished", CREATE(open, &f->learning, advantages, included, SAMPLES, 0));
  INVALID("advantages", CREATE(rollout, &f->learning, advantages, included, SAMPLES - 1, 0));
  INVALID("advantages", CREATE(rollout, &f->learning, NULL, included, SAMPLES, 0));
  INVALID("max_batch", CREATE(rollout, &f->learning, advantages, included, SAMPLES, -1));
  INVALID("config", CREATE(rollout, NULL, advantages, included, SAMPLES, 0));
  memcpy(bad, advantages, sizeof bad);
  bad[2] = NAN;
  INVALID("advantages[2]", CREATE(rollout, &f->learning, bad, included, SAMPLES, 0));
  flags[5] = 2;
  INVALID("included[5]", CREATE(rollout, &f->learning, advantages, flags, SAMPLES, 0));
  mixgrpo_learning_config learning = f->learning;
  learning.updates_per_iteration = GROUP + 1;
  INVALID("updates_per_iteration", CREATE(rollout, &learning, advantages, included, SAMPLES, 0));
  CHECK(update == NULL);
  DONE(CREATE(rollout, &f->learning, advantages, NULL, SAMPLES, 1));
  mixgrpo_update_destroy(update);
  mixgrpo_rollout_destroy(open);
  mixgrpo_rollout_destroy(rollout);
}

static mixgrpo_optimizer *optimizer_of(const fixture *f) {
  mixgrpo_optimizer *optimizer = NULL;
  size_t count = 0;
  DONE(mixgrpo_model_get_size(f->model, NULL, &count));
  DONE(mixgrpo_optimizer_create(f->context, &f->learning, count, &optimizer));
  return optimizer;
}

static float first_weight(const fixture *f) {
  float value = NAN;
  DONE(mixgrpo_model_get_weights(f->model, 0, &value, 1));
  return value;
}

/* Cancels in the second half of the rows. */
static void cancel_late(void *context, const mixgrpo_progress *progress) {
  if (progress->stage == MIXGRPO_STAGE_UPDATE && 2 * progress->done > progress->total) mixgrpo_context_cancel(context);
}

static void without_undo_a_stopped_update_keeps_its_steps_and_goes_on(const fixture *f) {
  mixgrpo_rollout *rollout = fixture_finished_rollout(f);
  fixture free = *f;
  free.learning.undo = MIXGRPO_UNDO_NONE;
  free.learning.max_velocity_change = 0;
  mixgrpo_update *update = update_of(&free, rollout);
  mixgrpo_optimizer *optimizer = optimizer_of(f);
  mixgrpo_optimizer_report report = {.struct_size = sizeof report};
  const float before = first_weight(f);
  DONE(mixgrpo_context_set_progress(f->context, cancel_late, f->context));
  REFUSED(MIXGRPO_STATUS_CANCELLED, "1 of 2 optimizer steps are done and stay",
          mixgrpo_update_run(update, f->evaluator, f->prompts, optimizer, NULL, &report));
  DONE(mixgrpo_context_set_progress(f->context, NULL, NULL));
  DONE(mixgrpo_context_reset_cancel(f->context));
  CHECK(first_weight(f) != before && report.step == 0);
  DONE(mixgrpo_update_run(update, f->evaluator, f->prompts, optimizer, NULL, &report));
  CHECK(report.step == 2);
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "started", mixgrpo_update_run(update, f->evaluator, f->prompts, optimizer, NULL, NULL));
  mixgrpo_update_destroy(update);
  mixgrpo_rollout_destroy(rollout);
  mixgrpo_optimizer_destroy(optimizer);
}

static void running_moves_the_model_or_leaves_it_alone(const fixture *f) {
  mixgrpo_rollout *rollout = fixture_finished_rollout(f);
  mixgrpo_update *update = update_of(f, rollout);
  mixgrpo_optimizer *optimizer = optimizer_of(f);
  mixgrpo_optimizer_report report = {.struct_size = sizeof report};
  mixgrpo_update_statistics seen = {.struct_size = sizeof seen};
  const float before = first_weight(f);
  DONE(mixgrpo_context_cancel(f->context));
  REFUSED(MIXGRPO_STATUS_CANCELLED, "cancel", mixgrpo_update_run(update, f->evaluator, f->prompts, optimizer, NULL, &report));
  DONE(mixgrpo_context_reset_cancel(f->context));
  DONE(mixgrpo_model_set_gradients(f->model, 0, (float[]){1}, 1));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "gradients", mixgrpo_update_run(update, f->evaluator, f->prompts, optimizer, NULL, NULL));
  CHECK(first_weight(f) == before && report.step == 0);
  DONE(mixgrpo_model_zero_gradients(f->model));
  DONE(mixgrpo_update_run(update, f->evaluator, f->prompts, optimizer, NULL, &report));
  CHECK(report.step == 2 && report.gradient_norm > 0 && report.learning_rate == 1e-3);
  CHECK(first_weight(f) != before);
  DONE(mixgrpo_update_get_statistics(update, &seen));
  CHECK(seen.first_ratio_min == 1 && seen.first_ratio_max == 1 && seen.ratio_max != 1);
  CHECK(seen.ratio_min <= 1 && seen.ratio_max >= 1 && seen.ratio_min < seen.ratio_max && isfinite(seen.loss));
  CHECK(seen.kl_old_nats > 0 && seen.max_log_ratio_nats > 0 && seen.optimizer_steps == 2);
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "started", mixgrpo_update_run(update, f->evaluator, f->prompts, optimizer, NULL, NULL));
  mixgrpo_update_destroy(update);
  mixgrpo_rollout_destroy(rollout);
  mixgrpo_optimizer_destroy(optimizer);
}

static void the_distance_to_the_reference_is_reported(fixture *f) {
  mixgrpo_rollout *rollout = fixture_finished_rollout(f);
  mixgrpo_velocity_request request = {.struct_size = sizeof request};
  mixgrpo_update_statistics statistics = {.struct_size = sizeof statistics};
  float velocity[VALUES] = {0}, reference[VALUES], d_velocity[VALUES];
  for (int i = 0; i < VALUES; i++) reference[i] = 1e-3f;
  f->learning.kl_reference = 0.1;
  mixgrpo_update *update = update_of(f, rollout);
  f->learning.kl_reference = 0;
  DONE(mixgrpo_update_next(update, &request));
  DONE(mixgrpo_update_submit(update, velocity, reference, request.count * request.latent_size, d_velocity, VALUES));
  DONE(mixgrpo_update_get_statistics(update, &statistics));
  CHECK(statistics.kl_reference_nats > 0 && statistics.kl_reference_nats < 1);
  mixgrpo_update_destroy(update);
  mixgrpo_rollout_destroy(rollout);
}

static void a_reference_is_asked_for_when_set(fixture *f) {
  mixgrpo_rollout *rollout = fixture_finished_rollout(f);
  mixgrpo_update *update;
  mixgrpo_optimizer *optimizer = optimizer_of(f);
  mixgrpo_velocity_request request = {.struct_size = sizeof request};
  float velocity[VALUES] = {0}, d_velocity[VALUES];
  f->learning.kl_reference = 0.1;
  update = update_of(f, rollout);
  DONE(mixgrpo_update_next(update, &request));
  const size_t values = request.count * request.latent_size;
  CHECK(request.needs_reference == 1);
  INVALID("reference", mixgrpo_update_submit(update, velocity, NULL, values, d_velocity, VALUES));
  velocity[0] = NAN;
  INVALID("reference_velocity[0]", mixgrpo_update_submit(update, (float[VALUES]){0}, velocity, values, d_velocity, VALUES));
  INVALID("reference", mixgrpo_update_run(update, f->evaluator, f->prompts, optimizer, NULL, NULL));
  DONE(mixgrpo_update_run(update, f->evaluator, f->prompts, optimizer, f->evaluator, NULL));
  f->learning.kl_reference = 0;
  mixgrpo_update_destroy(update);
  mixgrpo_rollout_destroy(rollout);
  mixgrpo_optimizer_destroy(optimizer);
}

static void bad_handles_are_errors(const fixture *f) {
  mixgrpo_rollout *rollout = fixture_finished_rollout(f);
  mixgrpo_update *update = update_of(f, rollout), *none = NULL;
  mixgrpo_optimizer *optimizer = optimizer_of(f), *small = NULL;
  mixgrpo_velocity_request request = {.struct_size = sizeof request};
  mixgrpo_update_statistics seen = {.struct_size = sizeof seen};
  float value = 0;
  BAD_HANDLES(h, "rollout", f->plan, mixgrpo_update_create(h, &f->learning, advantages, included, SAMPLES, 0, &none));
  BAD_HANDLES(h, "update", f->plan, mixgrpo_update_next(h, &request));
  BAD_HANDLES(h, "update", f->plan, mixgrpo_update_submit(h, &value, NULL, 1, &value, 1));
  BAD_HANDLES(h, "update", f->plan, mixgrpo_update_get_statistics(h, &seen));
  BAD_HANDLES(h, "update", f->plan, mixgrpo_update_run(h, f->evaluator, f->prompts, optimizer, NULL, NULL));
  BAD_HANDLES(h, "evaluator", f->plan, mixgrpo_update_run(update, h, f->prompts, optimizer, NULL, NULL));
  BAD_HANDLES(h, "prompts", f->plan, mixgrpo_update_run(update, f->evaluator, h, optimizer, NULL, NULL));
  BAD_HANDLES(h, "optimizer", f->plan, mixgrpo_update_run(update, f->evaluator, f->prompts, h, NULL, NULL));
  INVALID("reference", mixgrpo_update_run(update, f->evaluator, f->prompts, optimizer, MADE_UP_HANDLE, NULL));
  DONE(mixgrpo_optimizer_create(f->context, &f->learning, 3, &small));
  INVALID("optimizer", mixgrpo_update_run(update, f->evaluator, f->prompts, small, NULL, NULL));
  INVALID("out_statistics", mixgrpo_update_get_statistics(update, NULL));
  INVALID("out_update", mixgrpo_update_create(rollout, &f->learning, advantages, included, SAMPLES, 0, NULL));
  mixgrpo_optimizer_destroy(small);
  mixgrpo_optimizer_destroy(optimizer);
  mixgrpo_update_destroy(update);
  mixgrpo_rollout_destroy(rollout);
}

void test_update(void) {
  fixture f = fixture_create(2);
  advantages_are_checked_and_reported(&f);
  votes_become_scores();
  spread_rewards(&f);
  pulling_gives_ratio_one_and_a_gradient(&f);
  the_loss_at_ratio_one_is_minus_the_mean_advantage(&f);
  a_cancelled_context_gives_no_request(&f);
  bad_answers_leave_the_request_standing(&f);
  an_update_needs_what_belongs_to_its_rollout(&f);
  without_undo_a_stopped_update_keeps_its_steps_and_goes_on(&f);
  running_moves_the_model_or_leaves_it_alone(&f);
  the_distance_to_the_reference_is_reported(&f);
  a_reference_is_asked_for_when_set(&f);
  bad_handles_are_errors(&f);
  fixture_destroy(&f);
}
