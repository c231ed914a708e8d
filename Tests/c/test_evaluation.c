#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fixture.h"
#include "tests.h"

enum { EACH = 2, REWARDS = 2, SCORED = BATCH * EACH, VALUES = SCORED * LATENT, SCORES = REWARDS * SCORED };

static const char *const names[REWARDS] = {"taste", "held"};
static const uint8_t held_out[REWARDS] = {0, 1};
static const double first_only[REWARDS] = {1, 0};
static float samples[VALUES], others[VALUES];
static double scores[SCORES];
static mixgrpo_evaluation_config config;
static mixgrpo_sample_config sample;
static mixgrpo_evaluation_result result;

static void reset(void) {
  DONE(mixgrpo_evaluation_config_init(&config, sizeof config));
  DONE(mixgrpo_sample_config_init(&sample, sizeof sample));
  sample.steps = 4;
  sample.samples_per_prompt = EACH;
  result.struct_size = sizeof result;
}

static mixgrpo_status create(mixgrpo_evaluation **out) {
  return mixgrpo_evaluation_create(
      &config, &sample, chosen_prompts, BATCH, names, first_only, held_out, REWARDS, out);
}

static mixgrpo_evaluation *made(void) {
  mixgrpo_evaluation *evaluation = NULL;
  DONE(create(&evaluation));
  return evaluation;
}

/* The scores of each reward lie around its mean with a fixed spread. */
static void set_scores(double taste, double held) {
  for (int i = 0; i < SCORES; i++) scores[i] = (i < SCORED ? taste : held) + (i % 2 ? 0.5 : -0.5);
}

static mixgrpo_status submit(mixgrpo_evaluation *evaluation, int64_t iteration, double taste, double held) {
  set_scores(taste, held);
  return mixgrpo_evaluation_submit(evaluation, iteration, scores, SCORES, &result);
}

static void defaults_are_those_of_the_header(void) {
  memset(&config, 0xff, sizeof config);
  INVALID("struct_size", mixgrpo_evaluation_config_init(&config, 1));
  DONE(mixgrpo_evaluation_config_init(&config, sizeof config));
  CHECK(config.every == 10 && config.weights == MIXGRPO_WEIGHTS_TRAINED && config.keep_best == 1);
  CHECK(config.watchdog == MIXGRPO_WATCHDOG_OFF && config.watchdog_patience == 3 && config.watchdog_minimum_delta == 0);
}

static void wrong_settings_are_named_all_at_once(void) {
  mixgrpo_evaluation *none = NULL;
  reset();
  config.every = 0;
  config.weights = MIXGRPO_WEIGHTS_BASE;
  config.watchdog_patience = 0;
  config.watchdog_minimum_delta = NAN;
  INVALID("every", create(&none));
  const char *const others_named[] = {"weights", "watchdog_patience", "watchdog_minimum_delta"};
  for (int i = 0; i < 3; i++) CHECK(strstr(mixgrpo_last_error(), others_named[i]) != NULL);
  reset();
  config.watchdog = 3;
  INVALID("watchdog", create(&none));
  config.watchdog = MIXGRPO_WATCHDOG_STOP;
  INVALID("held_out", mixgrpo_evaluation_create(
      &config, &sample, chosen_prompts, BATCH, names, NULL, NULL, REWARDS, &none));
  reset();
  const double zero[REWARDS] = {0, 0};
  const uint8_t two[REWARDS] = {0, 2};
  const char *const twice[REWARDS] = {"taste", "taste"};
  const int32_t negative[BATCH] = {0, -1};
  INVALID("weights", mixgrpo_evaluation_create(
      &config, &sample, chosen_prompts, BATCH, names, zero, NULL, REWARDS, &none));
  INVALID("held_out[1]", mixgrpo_evaluation_create(
      &config, &sample, chosen_prompts, BATCH, names, NULL, two, REWARDS, &none));
  INVALID("reward_names", mixgrpo_evaluation_create(
      &config, &sample, chosen_prompts, BATCH, twice, NULL, NULL, REWARDS, &none));
  INVALID("reward_count", mixgrpo_evaluation_create(
      &config, &sample, chosen_prompts, BATCH, names, NULL, NULL, 0, &none));
  INVALID("prompt_indices", mixgrpo_evaluation_create(
      &config, &sample, negative, BATCH, names, NULL, NULL, REWARDS, &none));
  INVALID("prompt_count", mixgrpo_evaluation_create(
      &config, &sample, chosen_prompts, 0, names, NULL, NULL, REWARDS, &none));
  INVALID("out_evaluation", create(NULL));
  sample.steps = 0;
  INVALID("steps", create(&none));
  CHECK(none == NULL);
  mixgrpo_evaluation_destroy(NULL);
}

static void evaluations_are_due_every_k_iterations(void) {
  reset();
  config.every = 4;
  mixgrpo_evaluation *evaluation = made();
  for (int i = 0; i < 9; i++) CHECK(mixgrpo_evaluation_is_due(evaluation, i) == (i % 4 == 0));
  CHECK(mixgrpo_evaluation_is_due(evaluation, -4) == 0 && mixgrpo_evaluation_is_due(NULL, 0) == 0);
  mixgrpo_evaluation_destroy(evaluation);
}

static void check_verdict(const mixgrpo_evaluation *evaluation, int64_t at, mixgrpo_verdict expected) {
  int64_t iteration = -2;
  mixgrpo_verdict verdict = -2;
  DONE(mixgrpo_evaluation_get_verdict(evaluation, &iteration, &verdict));
  CHECK(iteration == at && verdict == expected);
  DONE(mixgrpo_evaluation_get_verdict(evaluation, NULL, NULL));
}

static void the_watchdog_barks_when_only_the_trained_reward_rises(void) {
  reset();
  config.watchdog = MIXGRPO_WATCHDOG_STOP;
  config.watchdog_patience = 2;
  mixgrpo_evaluation *evaluation = made(), *again = made();
  double means[REWARDS];
  check_verdict(evaluation, -1, MIXGRPO_VERDICT_CONTINUE);
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "means", mixgrpo_evaluation_get_means(evaluation, means, REWARDS));
  DONE(submit(evaluation, 0, 1, 5));
  CHECK(result.is_best == 1 && result.score == 1 && result.verdict == MIXGRPO_VERDICT_CONTINUE && !*result.message);
  DONE(submit(evaluation, 10, 2, 6)); /* both rise */
  CHECK(result.is_best == 1 && result.worsening == 0);
  DONE(submit(evaluation, 20, 3, 5));
  CHECK(result.worsening == 1 && result.verdict == MIXGRPO_VERDICT_CONTINUE);
  DONE(submit(evaluation, 30, 2.5, 5.5));
  CHECK(result.worsening == 2 && result.verdict == MIXGRPO_VERDICT_STOP && strstr(result.message, "iteration 30"));
  check_verdict(evaluation, 30, MIXGRPO_VERDICT_STOP);
  DONE(mixgrpo_evaluation_save(evaluation, scratch_path("triggered")));
  DONE(mixgrpo_evaluation_restore(again, scratch_path("triggered")));
  check_verdict(again, 30, MIXGRPO_VERDICT_STOP);
  CHECK(result.is_best == 0 && result.best_iteration == 20 && result.best_score == 3 && result.iteration == 30);
  DONE(mixgrpo_evaluation_get_means(evaluation, means, REWARDS));
  CHECK(means[0] == 2.5 && means[1] == 5.5);
  TOO_SMALL("out_means", mixgrpo_evaluation_get_means(evaluation, means, 1));
  DONE(submit(evaluation, 40, 4, NAN)); /* says nothing */
  CHECK(result.worsening == 2 && result.failed == SCORED && result.is_best == 1);
  DONE(submit(evaluation, 50, 4, 7));
  CHECK(result.worsening == 0 && result.verdict == MIXGRPO_VERDICT_CONTINUE);
  INVALID("iteration", submit(evaluation, 50, 4, 7));
  INVALID("iteration: expected 0 or more, got -1", submit(again, -1, 4, 7));
  INVALID("scores", mixgrpo_evaluation_submit(evaluation, 60, scores, SCORES - 1, &result));
  INVALID("out_result", mixgrpo_evaluation_submit(evaluation, 60, scores, SCORES, NULL));
  check_verdict(evaluation, 50, MIXGRPO_VERDICT_CONTINUE);
  BAD_HANDLES(bad, "evaluation", NULL, mixgrpo_evaluation_submit(bad, 60, scores, SCORES, &result));
  BAD_HANDLES(bad, "evaluation", NULL, mixgrpo_evaluation_get_verdict(bad, NULL, NULL));
  INVALID("evaluation", mixgrpo_evaluation_get_verdict(NULL, NULL, NULL));
  CHECK(strstr(mixgrpo_last_error(), "expected an evaluation handle, got NULL") != NULL);
  mixgrpo_evaluation_destroy(evaluation);
  mixgrpo_evaluation_destroy(again);
}

static void read_weights(const mixgrpo_model *model, float *out, size_t count) {
  DONE(mixgrpo_model_get_weights(model, 0, out, count));
}

static void the_best_weights_are_kept_and_come_back(const fixture *f) {
  reset();
  mixgrpo_evaluation *evaluation = made(), *again = made();
  mixgrpo_trainer *trainer = fixture_trainer(f, 0);
  size_t count = 0;
  DONE(mixgrpo_model_get_size(f->model, NULL, &count));
  float *best = malloc(count * sizeof *best), *now = malloc(count * sizeof *now), rollout[SAMPLES * LATENT];
  const double rewards[2 * SAMPLES] = {1, 2, 3, 4, 4, 3, 2, 1};

  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "best", mixgrpo_evaluation_get_best(evaluation, f->model));
  DONE(mixgrpo_evaluation_sample(evaluation, trainer, samples, VALUES));
  read_weights(f->model, best, count);
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, rollout, SAMPLES * LATENT));
  DONE(mixgrpo_trainer_update(trainer, rewards, 2 * SAMPLES, NULL, 0, NULL));
  DONE(submit(evaluation, 0, 1, 1)); /* the scores come late: the weights of their samples are the best */
  DONE(mixgrpo_evaluation_sample(evaluation, trainer, others, VALUES));
  CHECK(memcmp(samples, others, sizeof samples) != 0);
  DONE(submit(evaluation, 1, 0, 1));
  read_weights(f->model, now, count);
  CHECK(memcmp(best, now, count * sizeof *now) != 0);

  DONE(mixgrpo_evaluation_save(evaluation, scratch_path("evaluation")));
  DONE(mixgrpo_evaluation_restore(again, scratch_path("evaluation")));
  DONE(mixgrpo_evaluation_get_best(again, f->model));
  read_weights(f->model, now, count);
  CHECK(memcmp(best, now, count * sizeof *now) == 0);
  DONE(mixgrpo_evaluation_sample(again, trainer, others, VALUES));
  CHECK(memcmp(samples, others, sizeof samples) == 0); /* the same noise each time */
  INVALID("iteration", submit(again, 1, 0, 1));
  DONE(submit(again, 2, 0.5, 1));
  CHECK(result.is_best == 0 && result.best_iteration == 0 && result.best_score == 1);

  DONE(mixgrpo_evaluation_save_best(evaluation, scratch_path("best"), MIXGRPO_STORAGE_F32));
  mixgrpo_model *loaded = NULL;
  DONE(mixgrpo_model_load(f->context, scratch_path("best"), &loaded));
  read_weights(loaded, now, count);
  CHECK(memcmp(best, now, count * sizeof *now) == 0);

  TOO_SMALL("out_samples", mixgrpo_evaluation_sample(evaluation, trainer, samples, VALUES - 1));
  INVALID("trainer", mixgrpo_evaluation_sample(evaluation, NULL, samples, VALUES));
  INVALID("storage", mixgrpo_evaluation_save_best(evaluation, scratch_path("best"), 7));
  INVALID("folder", mixgrpo_evaluation_save(evaluation, ""));
  REFUSED(MIXGRPO_STATUS_INPUT_OUTPUT, "", mixgrpo_evaluation_restore(again, scratch_path("nowhere")));
  sample.seed = 1;
  mixgrpo_evaluation *other = made();
  INVALID("sampling", mixgrpo_evaluation_restore(other, scratch_path("evaluation")));
  config.weights = MIXGRPO_WEIGHTS_AVERAGE;
  mixgrpo_evaluation *average = made();
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "ema_decay", mixgrpo_evaluation_sample(average, trainer, samples, VALUES));
  mixgrpo_model_config large = small_model_config();
  large.num_layers = 2;
  mixgrpo_model *larger = NULL;
  DONE(mixgrpo_model_create(f->context, &large, 1, &larger));
  INVALID("model", mixgrpo_evaluation_get_best(evaluation, larger));
  mixgrpo_model_destroy(larger);
  mixgrpo_model_destroy(loaded);
  mixgrpo_evaluation_destroy(evaluation);
  mixgrpo_evaluation_destroy(again);
  mixgrpo_evaluation_destroy(other);
  mixgrpo_evaluation_destroy(average);
  mixgrpo_trainer_destroy(trainer);
  free(best);
  free(now);
}

void test_evaluation(void) {
  fixture f = fixture_create(1);
  defaults_are_those_of_the_header();
  wrong_settings_are_named_all_at_once();
  evaluations_are_due_every_k_iterations();
  the_watchdog_barks_when_only_the_trained_reward_rises();
  the_best_weights_are_kept_and_come_back(&f);
  fixture_destroy(&f);
}
