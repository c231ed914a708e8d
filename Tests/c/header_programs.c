/* Runs the programs in the header's comments as they stand there. header_programs.py has put each into a file; here are the
 * names that they count on. No call in them may fail, and each must have done its work. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "fixture.h"

enum { ITERATIONS = 2, FOUR = 4, SECONDS = 120 };

static size_t scored, scored_values, rewards_each; /* what the next my_score gets, and the rewards it gives */

/* samples (scored, scored_values), rewards (rewards_each, scored) */
static void my_score(const float *samples, double *rewards) {
  for (size_t i = 0; i < scored; i++) {
    double sum = 0;
    for (size_t k = 0; k < scored_values; k++) sum += samples[i * scored_values + k];
    for (size_t k = 0; k < rewards_each; k++) rewards[k * scored + i] = (k ? -sum : sum) / (double)scored_values;
  }
}

static void (*const my_scores)(const float *, double *) = my_score;

static void score_next(size_t samples, size_t values, size_t rewards) {
  scored = samples;
  scored_values = values;
  rewards_each = rewards;
}

static void no_call_has_failed(const char *program) {
  const char *error = mixgrpo_last_error();
  if (*error) fprintf(stderr, "%s: %s\n", program, error);
  CHECK(!*error);
}

/* -------------------------------------------------------------------------------- PROGRAM 1: the built-in transformer */

static void save_small_base(void) {
  mixgrpo_context *context = NULL;
  mixgrpo_model *model = NULL;
  mixgrpo_model_config config;
  DONE(mixgrpo_context_create(1, &context));
  DONE(mixgrpo_model_config_init(&config, sizeof config));
  config.num_layers = 1;
  config.num_single_layers = 0;
  config.attention_head_dim = 8;
  config.num_attention_heads = 1;
  config.axes_dims_rope[0] = config.axes_dims_rope[1] = 2;
  config.axes_dims_rope[2] = 4;
  DONE(mixgrpo_model_create(context, &config, 1, &model));
  DONE(mixgrpo_model_save(model, "base", MIXGRPO_STORAGE_F32));
  mixgrpo_model_destroy(model);
  mixgrpo_context_destroy(context);
}

static void program_1(void) {
  enum { SAMPLES_DRAWN = FOUR * 12, VALUES = 64 * 48 };
  static float samples[SAMPLES_DRAWN * VALUES];
  static double rewards[SAMPLES_DRAWN];
  const size_t sample_values = SAMPLES_DRAWN * VALUES, reward_count = SAMPLES_DRAWN;
  const char *const lines[8] = {"red", "green", "blue", "night", "a circle", "a square", "a tree", "a house"};
  const char *const names[] = {"my reward"};
  const int32_t chosen[FOUR] = {0, 2, 5, 7};
  mixgrpo_context *context = NULL;
  mixgrpo_model *model = NULL;
  mixgrpo_prompts *prompts = NULL;
  mixgrpo_evaluator *evaluator = NULL;
  mixgrpo_plan *plan = NULL;
  mixgrpo_trainer *trainer = NULL;
  mixgrpo_evaluator_config geometry;
  mixgrpo_sampling_config sampling;
  mixgrpo_learning_config learning;
  mixgrpo_model_config saved = {.struct_size = sizeof saved};
  mixgrpo_metrics metrics;
  save_small_base();
  score_next(SAMPLES_DRAWN, VALUES, 1);
#include "program_1.inc"
  no_call_has_failed("PROGRAM 1");
  CHECK(mixgrpo_trainer_iteration(trainer) == ITERATIONS && metrics.iteration == ITERATIONS - 1);
  CHECK(metrics.first_ratio_min == 1 && metrics.first_ratio_max == 1 && metrics.gradient_norm > 0);
  CHECK(mixgrpo_model_config_load("aligned", &saved) == MIXGRPO_STATUS_OK && saved.attention_head_dim == 8);
  mixgrpo_trainer_destroy(trainer);
  mixgrpo_plan_destroy(plan);
  mixgrpo_evaluator_destroy(evaluator);
  mixgrpo_prompts_destroy(prompts);
  mixgrpo_model_destroy(model);
  mixgrpo_context_destroy(context);
}

/* ------------------------------------------------------------------------------- PROGRAMS 2 and 3: a model of the host's */

/* v = scale·x, by coordinate. */
enum { D = 6, ROWS = FOUR * GROUP * STEPS };
static float scale[D], gradient[D], kept[D];
static const float *inputs; /* of the latest my_velocity, (rows, D) */
static size_t rows;
static int steps;

static void my_velocity(
    const float *latents, const float *sigmas, const int32_t *prompt_index, size_t count, float *velocity) {
  CHECK(count >= 1 && count <= ROWS && sigmas[0] > 0 && sigmas[0] <= 1 && prompt_index[0] >= 0);
  inputs = latents;
  rows = count;
  for (size_t i = 0; i < count * D; i++) velocity[i] = scale[i % D] * latents[i];
}

static void my_backward(const float *d_velocity) {
  for (size_t i = 0; i < rows * D; i++) gradient[i % D] += d_velocity[i] * inputs[i];
}

static void my_optimizer_step(void) {
  steps++;
  for (int d = 0; d < D; d++) scale[d] -= 0.1f * gradient[d];
  memset(gradient, 0, sizeof gradient);
}

static mixgrpo_status my_answer(mixgrpo_trainer *trainer, const mixgrpo_velocity_request *request) {
  static float velocity[ROWS * D], d_velocity[ROWS * D];
  const size_t values = request->count * D, wanted = request->needs_gradient ? values : 0;
  mixgrpo_status status = MIXGRPO_STATUS_OK;
  switch (request->kind) {
    case MIXGRPO_REQUEST_KIND_EVALUATE:
      my_velocity(request->latents, request->sigmas, request->prompt_index, request->count, velocity);
      status = mixgrpo_trainer_submit(trainer, velocity, NULL, values, wanted ? d_velocity : NULL, wanted);
      if (status == MIXGRPO_STATUS_OK && wanted) my_backward(d_velocity);
      break;
    case MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP:
      my_optimizer_step();
      status = mixgrpo_trainer_submit_step(trainer, 1, 0.1 * request->rate_factor);
      break;
    case MIXGRPO_REQUEST_KIND_KEEP_STATE: memcpy(kept, scale, sizeof scale); break;
    case MIXGRPO_REQUEST_KIND_RESTORE_STATE: memcpy(scale, kept, sizeof scale); break;
    case MIXGRPO_REQUEST_KIND_ZERO_GRADIENTS: memset(gradient, 0, sizeof gradient); break;
    default: status = MIXGRPO_STATUS_UNSUPPORTED;
  }
  return status;
}

#include "program_3_run.inc"

static mixgrpo_learning_config default_learning(void) {
  mixgrpo_learning_config learning;
  DONE(mixgrpo_config_init(NULL, 0, &learning, sizeof learning));
  learning.updates_per_iteration = 2;
  return learning;
}

static void forget(void) {
  for (int d = 0; d < D; d++) scale[d] = 0.1f * (float)d;
  memset(gradient, 0, sizeof gradient);
  steps = 0;
  score_next(FOUR * GROUP, D, 1);
}

static void program_2(mixgrpo_context *context, mixgrpo_plan *plan) {
  enum { SAMPLES_DRAWN = FOUR * GROUP, UPDATES = 2 };
  static float samples[SAMPLES_DRAWN * D], velocity[ROWS * D], d_velocity[ROWS * D];
  static double rewards[SAMPLES_DRAWN], advantages[SAMPLES_DRAWN];
  static uint8_t included[SAMPLES_DRAWN];
  const size_t latent_size = D, sample_values = SAMPLES_DRAWN * D, reward_count = SAMPLES_DRAWN;
  const size_t sample_count = SAMPLES_DRAWN, d_velocity_capacity = ROWS * D;
  const int32_t group_size = GROUP, ids[FOUR] = {7, 11, 13, 17};
  const mixgrpo_learning_config learning = default_learning();
  mixgrpo_rollout_config which;
  mixgrpo_rollout *rollout = NULL;
  mixgrpo_update *update = NULL;
  mixgrpo_velocity_request request;
  mixgrpo_update_statistics seen = {.struct_size = sizeof seen};
  forget();
#include "program_2.inc"
  no_call_has_failed("PROGRAM 2");
  CHECK(request.kind == MIXGRPO_REQUEST_KIND_FINISHED && steps == UPDATES);
  DONE(mixgrpo_update_get_statistics(update, &seen));
  CHECK(seen.optimizer_steps == UPDATES && seen.first_ratio_min == 1 && seen.first_ratio_max == 1);
  mixgrpo_update_destroy(update);
  mixgrpo_rollout_destroy(rollout);
}

static void program_3(mixgrpo_context *context, mixgrpo_plan *plan) {
  enum { SAMPLES_DRAWN = FOUR * GROUP, UPDATES = 2 };
  static float samples[SAMPLES_DRAWN * D];
  static double rewards[SAMPLES_DRAWN];
  const size_t latent_size = D, sample_values = SAMPLES_DRAWN * D, reward_count = SAMPLES_DRAWN;
  const char *const names[] = {"my reward"};
  const int32_t chosen[FOUR] = {0, 2, 5, 7};
  const mixgrpo_learning_config learning = default_learning();
  mixgrpo_host_config host;
  mixgrpo_trainer *trainer = NULL;
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  forget();
#include "program_3.inc"
  no_call_has_failed("PROGRAM 3");
  CHECK(mixgrpo_trainer_iteration(trainer) == ITERATIONS && steps == ITERATIONS * UPDATES);
  DONE(mixgrpo_trainer_get_metrics(trainer, &metrics));
  CHECK(metrics.first_ratio_min == 1 && metrics.first_ratio_max == 1);
  mixgrpo_trainer_destroy(trainer);
}

/* ------------------------------------------------------------------------------------------------ tickets and evaluation */

static void tickets(const fixture *f) {
  static float first_samples[GROUP * LATENT], second_samples[GROUP * LATENT];
  static double rewards[2 * GROUP];
  const size_t sample_values = GROUP * LATENT, reward_count = 2 * GROUP;
  const int32_t *chosen = chosen_prompts;
  int64_t first = 0, second = 0;
  mixgrpo_trainer *trainer = fixture_trainer(f, 0);
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  score_next(GROUP, LATENT, 2);
#include "tickets.inc"
  no_call_has_failed("the tickets");
  CHECK(metrics.failed_rewards == 0 && mixgrpo_trainer_iteration(trainer) == 1);
  mixgrpo_trainer_destroy(trainer);
}

/* A rank without others sends nothing. */
static int32_t my_all_gather(void *user_data, const void *sent, void *received, size_t bytes) {
  (void)user_data, (void)sent, (void)received, (void)bytes;
  return 1;
}

static int32_t my_all_to_all(
    void *user_data, const void *sent, const size_t *sent_bytes, void *received, const size_t *received_bytes) {
  (void)user_data, (void)sent, (void)sent_bytes, (void)received, (void)received_bytes;
  return 1;
}

static void ranks(const fixture *f) {
  static float samples[SAMPLES * LATENT];
  static double rewards[2 * SAMPLES];
  const size_t sample_values = SAMPLES * LATENT, reward_count = 2 * SAMPLES, prompt_count = BATCH;
  const int32_t *chosen = chosen_prompts, rank = 0, size = 1;
  mixgrpo_trainer *trainer = fixture_trainer(f, 0);
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  score_next(SAMPLES, LATENT, 2);
#include "ranks.inc"
  no_call_has_failed("the ranks");
  CHECK(metrics.failed_rewards == 0 && mixgrpo_trainer_iteration(trainer) == 1);
  mixgrpo_trainer_destroy(trainer);
}

static void local_ranks(const fixture *f) {
  const int32_t rank = 0, size = 1;
  mixgrpo_local_ranks *ranks = NULL;
  mixgrpo_collective collective;
  mixgrpo_trainer *trainer = fixture_trainer(f, 0);
#include "local_ranks.inc"
  no_call_has_failed("the local ranks");
  mixgrpo_local_ranks_destroy(ranks);
  mixgrpo_trainer_destroy(trainer);
}

static void evaluation_of(const fixture *f) {
  static float samples[BATCH * LATENT];
  static double scores[BATCH];
  const size_t sample_values = BATCH * LATENT, score_count = BATCH;
  const char *const names[] = {"taste"};
  mixgrpo_evaluation_config config;
  mixgrpo_sample_config sample;
  mixgrpo_evaluation *evaluation = NULL;
  mixgrpo_evaluation_result result = {.struct_size = sizeof result};
  mixgrpo_trainer *trainer = fixture_trainer(f, 0);
  DONE(mixgrpo_evaluation_config_init(&config, sizeof config));
  DONE(mixgrpo_sample_config_init(&sample, sizeof sample));
  DONE(mixgrpo_evaluation_create(&config, &sample, chosen_prompts, BATCH, names, NULL, NULL, 1, &evaluation));
  score_next(BATCH, LATENT, 1);
  do {
#include "evaluation.inc"
  } while (0);
  no_call_has_failed("the evaluation");
  CHECK(result.is_best && result.iteration == 0 && !mixgrpo_evaluation_is_due(evaluation, 1));
  mixgrpo_evaluation_destroy(evaluation);
  mixgrpo_trainer_destroy(trainer);
}

int main(void) {
  fixture f = fixture_create(1);
  alarm(SECONDS); /* a program whose calls fail may ask for ever */
  CHECK(chdir(getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp") == 0);
  program_1();
  program_2(f.context, f.plan);
  program_3(f.context, f.plan);
  tickets(&f);
  ranks(&f);
  local_ranks(&f);
  evaluation_of(&f);
  fixture_destroy(&f);
  printf("the programs in the header run: %d checks, %d failures\n", check_count(), check_failures());
  return check_failures() != 0;
}
