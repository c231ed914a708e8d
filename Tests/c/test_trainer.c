#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fixture.h"
#include "tests.h"

enum { VALUES = SAMPLES * LATENT, REWARDS = 2 * SAMPLES };

static float samples[VALUES];
static double rewards[REWARDS];

/* Two rewards that any host could compute. */
static void score(void) {
  for (int i = 0; i < SAMPLES; i++) {
    rewards[i] = samples[i * LATENT];
    rewards[SAMPLES + i] = -fabs(samples[i * LATENT + 1]);
  }
}

static void iterate(mixgrpo_trainer *trainer) {
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES));
  score();
  DONE(mixgrpo_trainer_update(trainer, rewards, REWARDS, NULL, 0, NULL));
}

static float *weights_of(const fixture *f, size_t *count) {
  DONE(mixgrpo_model_get_size(f->model, NULL, count));
  float *weights = malloc(*count * sizeof *weights);
  DONE(mixgrpo_model_get_weights(f->model, 0, weights, *count));
  return weights;
}

static void an_iteration_trains_and_reports(const fixture *f) {
  mixgrpo_trainer *trainer = fixture_trainer(f, 0);
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics}, same = metrics;
  mixgrpo_reward_metrics taste = {.struct_size = sizeof taste};
  const double weights[2] = {1, 3};
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "metrics", mixgrpo_trainer_get_metrics(trainer, &metrics));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "rollout", mixgrpo_trainer_update(trainer, rewards, REWARDS, NULL, 0, NULL));
  CHECK(mixgrpo_trainer_iteration(trainer) == 0);
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES));
  score();
  rewards[3] = NAN;
  DONE(mixgrpo_trainer_update(trainer, rewards, REWARDS, weights, 2, &metrics));
  CHECK(mixgrpo_trainer_iteration(trainer) == 1 && metrics.iteration == 0 && metrics.struct_size == sizeof metrics);
  CHECK(metrics.first_ratio_min == 1 && metrics.first_ratio_max == 1 && metrics.failed_rewards == 1);
  CHECK(metrics.window_start == 0 && metrics.window_length == WINDOW && metrics.gradient_norm > 0);
  CHECK(metrics.model_calls_rollout == BATCH * (1 + (STEPS - 1) * GROUP) && metrics.learning_rate == 1e-3);
  CHECK(metrics.model_calls_update > 0 && metrics.seconds_rollout > 0 && metrics.seconds_update > 0);
  DONE(mixgrpo_trainer_get_metrics(trainer, &same));
  CHECK(memcmp(&metrics, &same, sizeof same) == 0);
  DONE(mixgrpo_trainer_get_reward_metrics(trainer, 0, &taste));
  CHECK(strcmp(taste.name, "taste") == 0 && taste.failed == 1 && isfinite(taste.mean) && taste.std > 0);
  INVALID("index", mixgrpo_trainer_get_reward_metrics(trainer, 2, &taste));
  INVALID("out_metrics", mixgrpo_trainer_get_metrics(trainer, NULL));
  INVALID("out_metrics", mixgrpo_trainer_get_reward_metrics(trainer, 0, NULL));
  mixgrpo_trainer_destroy(trainer);
}

static void metrics_are_lines_of_json(const fixture *f) {
  mixgrpo_trainer *trainer = fixture_trainer(f, 0);
  char json[4096], line[4096] = "";
  size_t size = 0;
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "metrics", mixgrpo_trainer_get_metrics_json(trainer, json, sizeof json, &size));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "metrics", mixgrpo_trainer_append_metrics(trainer, scratch_path("metrics.jsonl")));
  iterate(trainer);
  DONE(mixgrpo_trainer_get_metrics_json(trainer, NULL, 0, &size));
  TOO_SMALL("out_json", mixgrpo_trainer_get_metrics_json(trainer, json, size - 1, NULL));
  DONE(mixgrpo_trainer_get_metrics_json(trainer, json, size, NULL));
  CHECK(strlen(json) + 1 == size && json[0] == '{' && json[size - 2] == '}' && strstr(json, "\"taste\""));
  DONE(mixgrpo_trainer_append_metrics(trainer, scratch_path("metrics.jsonl")));
  DONE(mixgrpo_trainer_append_metrics(trainer, scratch_path("metrics.jsonl")));
  FILE *file = fopen(scratch_path("metrics.jsonl"), "r");
  CHECK(file && fgets(line, sizeof line, file) && strncmp(line, json, size - 1) == 0 && line[size - 1] == '\n');
  CHECK(file && fgets(line, sizeof line, file) && !fgets(line, sizeof line, file));
  fclose(file);
  REFUSED(MIXGRPO_STATUS_INPUT_OUTPUT, "none", mixgrpo_trainer_append_metrics(trainer, scratch_path("none/metrics.jsonl")));
  INVALID("path", mixgrpo_trainer_append_metrics(trainer, NULL));
  mixgrpo_trainer_destroy(trainer);
}

static void bad_calls_change_nothing(const fixture *f) {
  mixgrpo_trainer *trainer = fixture_trainer(f, 0);
  size_t count = 0;
  const double negative[2] = {1, -1};
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES));
  score();
  float *before = weights_of(f, &count);
  TOO_SMALL("out_samples", mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES - 1));
  INVALID("out_samples", mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, NULL, VALUES));
  INVALID("prompt_count", mixgrpo_trainer_rollout(trainer, chosen_prompts, 0, samples, VALUES));
  INVALID("prompt_count", mixgrpo_trainer_rollout(trainer, chosen_prompts, SIZE_MAX, samples, VALUES));
  CHECK(strstr(mixgrpo_last_error(), "got 18446744073709551615") != NULL);
  INVALID("prompt_indices", mixgrpo_trainer_rollout(trainer, NULL, BATCH, samples, VALUES));
  INVALID("prompt_indices", mixgrpo_trainer_rollout(trainer, (int32_t[]){0, PROMPTS}, 2, samples, VALUES));
  INVALID("prompts", mixgrpo_trainer_rollout(trainer, (int32_t[]){1, 1}, 2, samples, VALUES));
  INVALID("rewards", mixgrpo_trainer_update(trainer, rewards, REWARDS - 1, NULL, 0, NULL));
  INVALID("rewards", mixgrpo_trainer_update(trainer, rewards, 2, NULL, 0, NULL));
  INVALID("rewards", mixgrpo_trainer_update(trainer, NULL, REWARDS, NULL, 0, NULL));
  INVALID("rewards", mixgrpo_trainer_update(trainer, rewards, SIZE_MAX - 1, NULL, 0, NULL));
  INVALID("rewards", mixgrpo_trainer_update(trainer, rewards, (size_t)1 << 40, NULL, 0, NULL)); /* nothing there is read */
  INVALID("weights", mixgrpo_trainer_update(trainer, rewards, REWARDS, negative, 2, NULL));
  INVALID("weights", mixgrpo_trainer_update(trainer, rewards, REWARDS, negative, 1, NULL));
  mixgrpo_metrics metrics = {.struct_size = 3};
  INVALID("struct_size", mixgrpo_trainer_update(trainer, rewards, REWARDS, NULL, 0, &metrics));
  DONE(mixgrpo_context_cancel(f->context));
  REFUSED(MIXGRPO_STATUS_CANCELLED, "cancel", mixgrpo_trainer_update(trainer, rewards, REWARDS, NULL, 0, NULL));
  REFUSED(MIXGRPO_STATUS_CANCELLED, "cancel", mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES));
  DONE(mixgrpo_context_reset_cancel(f->context));
  float *after = weights_of(f, &count);
  CHECK(memcmp(before, after, count * sizeof *before) == 0 && mixgrpo_trainer_iteration(trainer) == 0);
  DONE(mixgrpo_trainer_update(trainer, rewards, REWARDS, NULL, 0, NULL)); /* the rollout is still there */
  free(before);
  free(after);
  mixgrpo_trainer_destroy(trainer);
}

static void failed_rewards_alone_teach_nothing(const fixture *f) {
  mixgrpo_trainer *trainer = fixture_trainer(f, 0);
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  size_t count = 0;
  float *before = weights_of(f, &count);
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES));
  for (int i = 0; i < REWARDS; i++) rewards[i] = i % 2 ? NAN : INFINITY;
  DONE(mixgrpo_trainer_update(trainer, rewards, REWARDS, NULL, 0, &metrics));
  float *after = weights_of(f, &count);
  CHECK(metrics.failed_rewards == REWARDS && isnan(metrics.reward_mean) && metrics.model_calls_update == 0);
  CHECK(memcmp(before, after, count * sizeof *before) == 0);
  free(before);
  free(after);
  mixgrpo_trainer_destroy(trainer);
}

static void an_update_that_would_break_the_model_is_refused(const fixture *f) {
  fixture g = *f;
  g.learning.learning_rate = 1000;
  g.learning.weight_decay = 1000;
  g.learning.epsilon = 1e-30;
  g.learning.max_velocity_change = 0;
  mixgrpo_trainer *trainer = fixture_trainer(&g, 0);
  mixgrpo_status status = MIXGRPO_STATUS_OK;
  size_t count = 0;
  float *start = weights_of(f, &count), *before = NULL;
  for (int i = 0; i < 40 && status == MIXGRPO_STATUS_OK; i++) {
    free(before);
    before = weights_of(f, &count);
    status = mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES);
    score();
    if (status == MIXGRPO_STATUS_OK) status = mixgrpo_trainer_update(trainer, rewards, REWARDS, NULL, 0, NULL);
  }
  CHECK(status == MIXGRPO_STATUS_NOT_FINITE);
  float *after = weights_of(f, &count);
  CHECK(before && memcmp(before, after, count * sizeof *before) == 0);
  for (size_t i = 0; i < count; i++) if (!isfinite(after[i])) { CHECK(isfinite(after[i])); break; }
  DONE(mixgrpo_model_set_weights(f->model, 0, start, count));
  free(start);
  free(before);
  free(after);
  mixgrpo_trainer_destroy(trainer);
}

/* A rate a thousand times too large: stopped with the model as it was, or undone until the rate is small enough. */
static void a_learning_rate_far_too_large_does_not_ruin_the_model(const fixture *f) {
  fixture g = *f;
  g.learning.learning_rate = 1;
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  mixgrpo_trainer *trainer = fixture_trainer(&g, 0);
  size_t count = 0;
  float *before = weights_of(f, &count);
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES));
  score();
  REFUSED(
      MIXGRPO_STATUS_DIVERGED, "max_velocity_change", mixgrpo_trainer_update(trainer, rewards, REWARDS, NULL, 0, &metrics));
  float *after = weights_of(f, &count);
  CHECK(memcmp(before, after, count * sizeof *before) == 0 && mixgrpo_trainer_iteration(trainer) == 0);
  DONE(mixgrpo_trainer_checkpoint(trainer, scratch_path("last-good"), 1, 0));
  mixgrpo_trainer_destroy(trainer);

  g.learning.fault_policy = MIXGRPO_FAULT_POLICY_ROLL_BACK;
  g.learning.roll_back_rate_factor = 0.01;
  trainer = fixture_trainer(&g, 0);
  int undone = 0;
  for (int i = 0; i < 3; i++) {
    iterate(trainer);
    DONE(mixgrpo_trainer_get_metrics(trainer, &metrics));
    undone += metrics.rolled_back;
    CHECK(metrics.rolled_back == !(metrics.velocity_change <= g.learning.max_velocity_change));
  }
  CHECK(undone >= 1 && undone < 3 && metrics.learning_rate < 1 && metrics.skipped_steps == 0);
  DONE(mixgrpo_model_set_weights(f->model, 0, before, count));
  free(before);
  free(after);
  mixgrpo_trainer_destroy(trainer);
}

static void a_checkpoint_continues_to_the_same_bits(const fixture *f) {
  mixgrpo_trainer *trainer = fixture_trainer(f, 1), *other;
  size_t count = 0;
  iterate(trainer);
  DONE(mixgrpo_trainer_save(trainer, scratch_path("checkpoint")));
  iterate(trainer);
  float *expected = weights_of(f, &count);
  iterate(trainer);
  mixgrpo_trainer_destroy(trainer);
  other = fixture_trainer(f, 1);
  DONE(mixgrpo_trainer_restore(other, scratch_path("checkpoint")));
  CHECK(mixgrpo_trainer_iteration(other) == 1);
  iterate(other);
  float *resumed = weights_of(f, &count);
  CHECK(memcmp(expected, resumed, count * sizeof *expected) == 0);
  free(expected);
  free(resumed);
  mixgrpo_trainer_destroy(other);
}

static void a_checkpoint_of_other_settings_is_refused(const fixture *f) {
  fixture g = *f;
  g.learning.clip_range = 0.5;
  mixgrpo_trainer *trainer = fixture_trainer(&g, 1);
  INVALID("clip_range", mixgrpo_trainer_restore(trainer, scratch_path("checkpoint")));
  REFUSED(MIXGRPO_STATUS_INPUT_OUTPUT, "nothing", mixgrpo_trainer_restore(trainer, scratch_path("nothing")));
  REFUSED(MIXGRPO_STATUS_INPUT_OUTPUT, "dev", mixgrpo_trainer_save(trainer, "/dev/null/x"));
  INVALID("folder", mixgrpo_trainer_restore(trainer, NULL));
  INVALID("folder", mixgrpo_trainer_save(trainer, NULL));
  char path[512];
  DONE(mixgrpo_trainer_save(trainer, scratch_path("torn-checkpoint")));
  snprintf(path, sizeof path, "%s/trainer.safetensors", scratch_path("torn-checkpoint"));
  FILE *file = fopen(path, "w");
  CHECK(file && fputs("torn", file) >= 0);
  fclose(file);
  REFUSED(MIXGRPO_STATUS_INVALID_FORMAT, "trainer", mixgrpo_trainer_restore(trainer, scratch_path("torn-checkpoint")));
  mixgrpo_trainer_destroy(trainer);
}

static void warned(void *data, mixgrpo_log_level level, const char *message) {
  if (level == MIXGRPO_LOG_LEVEL_WARNING && strstr(message, "iteration-00000002")) ++*(int *)data;
}

static void tear(const char *path) {
  FILE *file = fopen(path, "r+");
  CHECK(file && fseek(file, -9, SEEK_END) == 0 && fputc('x', file) == 'x');
  fclose(file);
}

static void a_run_goes_on_from_the_newest_whole_checkpoint(const fixture *f) {
  mixgrpo_trainer *trainer = fixture_trainer(f, 0);
  mixgrpo_resumption from = {.struct_size = sizeof from};
  char folder[256], path[300];
  int warnings = 0;
  size_t count = 0;
  snprintf(folder, sizeof folder, "%s", scratch_path("checkpoints"));
  DONE(mixgrpo_trainer_resume(trainer, folder, &from));
  CHECK(from.iteration == -1 && from.skipped == 0);
  for (int i = 0; i < 3; i++) {
    DONE(mixgrpo_trainer_checkpoint(trainer, folder, 2, 0));
    if (i < 2) iterate(trainer);
  }
  snprintf(path, sizeof path, "%s/iteration-00000000.safetensors", folder);
  CHECK(fopen(path, "r") == NULL);
  float *newest = weights_of(f, &count);
  iterate(trainer);
  DONE(mixgrpo_trainer_resume(trainer, folder, NULL));
  float *resumed = weights_of(f, &count);
  CHECK(mixgrpo_trainer_iteration(trainer) == 2 && memcmp(newest, resumed, count * sizeof *newest) == 0);
  snprintf(path, sizeof path, "%s/iteration-00000002.safetensors", folder);
  tear(path);
  DONE(mixgrpo_context_set_log(f->context, warned, &warnings));
  DONE(mixgrpo_trainer_resume(trainer, folder, &from));
  DONE(mixgrpo_context_set_log(f->context, NULL, NULL));
  CHECK(from.iteration == 1 && from.skipped == 1 && warnings == 1 && mixgrpo_trainer_iteration(trainer) == 1);
  snprintf(path, sizeof path, "%s/iteration-00000001.safetensors", folder);
  tear(path);
  REFUSED(MIXGRPO_STATUS_INVALID_FORMAT, "checksum", mixgrpo_trainer_resume(trainer, folder, &from));
  CHECK(mixgrpo_trainer_iteration(trainer) == 1);
  free(newest);
  free(resumed);
  mixgrpo_trainer_destroy(trainer);
}

static void bad_calls_of_checkpoints_are_errors(const fixture *f) {
  mixgrpo_trainer *trainer = fixture_trainer(f, 0), *fresh = fixture_trainer(f, 0);
  mixgrpo_resumption from = {.struct_size = 1};
  const char *folder = scratch_path("of-a-later-run");
  INVALID("keep_last", mixgrpo_trainer_checkpoint(trainer, folder, 0, 0));
  INVALID("keep_every", mixgrpo_trainer_checkpoint(trainer, folder, 1, -1));
  INVALID("keep_every", mixgrpo_trainer_checkpoint(trainer, folder, 1, INT64_MIN));
  INVALID("folder", mixgrpo_trainer_checkpoint(trainer, NULL, 1, 0));
  INVALID("folder", mixgrpo_trainer_checkpoint(trainer, "", 1, 0));
  INVALID("folder", mixgrpo_trainer_resume(trainer, NULL, NULL));
  INVALID("struct_size", mixgrpo_trainer_resume(trainer, folder, &from));
  REFUSED(MIXGRPO_STATUS_INPUT_OUTPUT, "dev", mixgrpo_trainer_checkpoint(trainer, "/dev/null/x", 1, 0));
  REFUSED(MIXGRPO_STATUS_INPUT_OUTPUT, "dev", mixgrpo_trainer_resume(trainer, "/dev/null", NULL));
  iterate(trainer);
  DONE(mixgrpo_trainer_checkpoint(trainer, folder, 1, INT64_MAX));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "iteration 1", mixgrpo_trainer_checkpoint(fresh, folder, 1, 0));
  BAD_HANDLES(h, "trainer", f->plan, mixgrpo_trainer_checkpoint(h, folder, 1, 0));
  BAD_HANDLES(h, "trainer", f->plan, mixgrpo_trainer_resume(h, folder, NULL));
  mixgrpo_trainer_destroy(trainer);
  mixgrpo_trainer_destroy(fresh);
}

static void a_host_may_place_the_window(const fixture *f) {
  mixgrpo_trainer *trainer = fixture_trainer(f, 0);
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  INVALID("window_start", mixgrpo_trainer_set_window(trainer, STEPS));
  INVALID("window_start", mixgrpo_trainer_set_window(trainer, -2));
  DONE(mixgrpo_trainer_set_window(trainer, 2));
  iterate(trainer);
  DONE(mixgrpo_trainer_get_metrics(trainer, &metrics));
  CHECK(metrics.window_start == 2 && metrics.first_ratio_min == 1 && metrics.first_ratio_max == 1);
  DONE(mixgrpo_trainer_set_window(trainer, MIXGRPO_WINDOW_START_SCHEDULED));
  iterate(trainer);
  DONE(mixgrpo_trainer_get_metrics(trainer, &metrics));
  CHECK(metrics.window_start == 1);
  mixgrpo_trainer_destroy(trainer);
}

static void creation_has_bounds(const fixture *f) {
  const char *const names[] = {"a", "b"}, *const same[] = {"a", "a"}, *const empty[] = {""}, *const null[] = {NULL};
  mixgrpo_trainer *trainer = NULL;
  mixgrpo_learning_config learning = f->learning;
#define CREATE(names, count, keep) \
  mixgrpo_trainer_create(f->evaluator, f->prompts, f->plan, &learning, names, count, keep, &trainer)
  INVALID("reward_names", CREATE(same, 2, 0));
  INVALID("reward_names", CREATE(empty, 1, 0));
  INVALID("reward_names[0]", CREATE(null, 1, 0));
  INVALID("reward_names", CREATE(NULL, 1, 0));
  INVALID("reward_count", CREATE(names, 0, 0));
  INVALID("reward_count", CREATE(names, SIZE_MAX, 0));
  INVALID("keep_base", CREATE(names, 2, -1));
  learning.updates_per_iteration = GROUP + 1;
  INVALID("updates_per_iteration", CREATE(names, 2, 0));
  learning = f->learning;
  BAD_HANDLES(h, "evaluator", f->plan, mixgrpo_trainer_create(h, f->prompts, f->plan, &learning, names, 2, 0, &trainer));
  BAD_HANDLES(h, "prompts", f->plan, mixgrpo_trainer_create(f->evaluator, h, f->plan, &learning, names, 2, 0, &trainer));
  BAD_HANDLES(h, "plan", f->model, mixgrpo_trainer_create(f->evaluator, f->prompts, h, &learning, names, 2, 0, &trainer));
  INVALID("learning", mixgrpo_trainer_create(f->evaluator, f->prompts, f->plan, NULL, names, 2, 0, &trainer));
  INVALID("out_trainer", mixgrpo_trainer_create(f->evaluator, f->prompts, f->plan, &learning, names, 2, 0, NULL));
  CHECK(trainer == NULL);
}

static void bad_handles_are_errors(const fixture *f) {
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  mixgrpo_reward_metrics reward = {.struct_size = sizeof reward};
  size_t size = 0;
  BAD_HANDLES(h, "trainer", f->plan, mixgrpo_trainer_rollout(h, chosen_prompts, BATCH, samples, VALUES));
  BAD_HANDLES(h, "trainer", f->plan, mixgrpo_trainer_set_window(h, 0));
  BAD_HANDLES(h, "trainer", f->plan, mixgrpo_trainer_update(h, rewards, REWARDS, NULL, 0, NULL));
  BAD_HANDLES(h, "trainer", f->plan, mixgrpo_trainer_get_metrics(h, &metrics));
  BAD_HANDLES(h, "trainer", f->plan, mixgrpo_trainer_get_reward_metrics(h, 0, &reward));
  BAD_HANDLES(h, "trainer", f->plan, mixgrpo_trainer_get_metrics_json(h, NULL, 0, &size));
  BAD_HANDLES(h, "trainer", f->plan, mixgrpo_trainer_append_metrics(h, "x"));
  BAD_HANDLES(h, "trainer", f->plan, mixgrpo_trainer_save(h, "x"));
  BAD_HANDLES(h, "trainer", f->plan, mixgrpo_trainer_restore(h, "x"));
  CHECK(mixgrpo_trainer_iteration(NULL) == -1 && mixgrpo_trainer_iteration((void *)f->plan) == -1);
}

void test_trainer(void) {
  fixture f = fixture_create(2);
  an_iteration_trains_and_reports(&f);
  metrics_are_lines_of_json(&f);
  bad_calls_change_nothing(&f);
  failed_rewards_alone_teach_nothing(&f);
  an_update_that_would_break_the_model_is_refused(&f);
  a_learning_rate_far_too_large_does_not_ruin_the_model(&f);
  a_checkpoint_continues_to_the_same_bits(&f);
  a_checkpoint_of_other_settings_is_refused(&f);
  a_run_goes_on_from_the_newest_whole_checkpoint(&f);
  bad_calls_of_checkpoints_are_errors(&f);
  a_host_may_place_the_window(&f);
  creation_has_bounds(&f);
  bad_handles_are_errors(&f);
  fixture_destroy(&f);
}
