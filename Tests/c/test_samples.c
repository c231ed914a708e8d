#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fixture.h"
#include "tests.h"

enum { EACH = 2, VALUES = BATCH * EACH * LATENT };

static float samples[VALUES], others[VALUES];
static mixgrpo_sample_config config;

static void reset(void) {
  DONE(mixgrpo_sample_config_init(&config, sizeof config));
  config.steps = 4;
  config.samples_per_prompt = EACH;
}

static void defaults_are_those_of_the_header(void) {
  memset(&config, 0xff, sizeof config);
  INVALID("struct_size", mixgrpo_sample_config_init(&config, 1));
  DONE(mixgrpo_sample_config_init(&config, sizeof config));
  CHECK(config.struct_size == sizeof config && config.steps == 25 && config.solver == MIXGRPO_SOLVER_EULER);
  CHECK(config.samples_per_prompt == 1 && config.shift == 3 && config.image_tokens == 0);
  CHECK(config.sigma_rounding == MIXGRPO_SIGMA_ROUNDING_EXACT && config.trained_model_share == 1 && config.seed == 0);
  CHECK(config.sigmas == NULL && config.sigma_count == 0);
}

#define SAMPLE(out) \
  mixgrpo_evaluator_sample(f->evaluator, NULL, f->prompts, &config, chosen_prompts, BATCH, NULL, 0, out, VALUES)

static void the_same_seed_draws_the_same(const fixture *f) {
  reset();
  DONE(SAMPLE(samples));
  DONE(SAMPLE(others));
  CHECK(memcmp(samples, others, sizeof samples) == 0);
  CHECK(memcmp(samples, samples + LATENT, LATENT * sizeof *samples) != 0);
  config.seed = 1;
  DONE(SAMPLE(others));
  CHECK(memcmp(samples, others, sizeof samples) != 0);
  config.seed = 0;
  DONE(mixgrpo_evaluator_sample(f->evaluator, NULL, f->prompts, &config, (int32_t[]){2, 2}, 2, NULL, 0, others, VALUES));
  CHECK(memcmp(samples, others, EACH * LATENT * sizeof *others) == 0); /* keyed by place */
  CHECK(memcmp(others, others + EACH * LATENT, EACH * LATENT * sizeof *others) != 0);
  for (int32_t solver = MIXGRPO_SOLVER_EULER; solver <= MIXGRPO_SOLVER_DPM_3; solver++) {
    config.solver = solver;
    DONE(SAMPLE(others));
    CHECK((memcmp(samples, others, sizeof samples) == 0) == (solver <= MIXGRPO_SOLVER_DPM_1)); /* first order is Euler */
  }
}

static void own_noise_is_taken(const fixture *f) {
  float noise[VALUES] = {0};
  reset();
#define WITH_NOISE(pointer, count) \
  mixgrpo_evaluator_sample(f->evaluator, NULL, f->prompts, &config, chosen_prompts, BATCH, pointer, count, others, VALUES)
  DONE(WITH_NOISE(noise, VALUES));
  CHECK(memcmp(others, others + LATENT, LATENT * sizeof *others) == 0);
  INVALID("initial_noise", WITH_NOISE(noise, VALUES - 1));
  INVALID("initial_noise", WITH_NOISE(NULL, VALUES));
  noise[7] = INFINITY;
  INVALID("initial_noise", WITH_NOISE(noise, VALUES));
}

static void an_own_time_grid_is_taken_in_place_of_steps_and_shift(const fixture *f) {
  double grid[5], rising[] = {1, 0.5, 0.6, 0}, above[] = {1.5, 0}, open_end[] = {1, 0.5}, with_nan[] = {1, NAN, 0};
  reset();
  DONE(SAMPLE(samples));
  DONE(mixgrpo_time_grid(config.steps, config.shift, 0, grid, 5));
  config.sigmas = grid, config.sigma_count = 5;
  config.steps = 9, config.shift = 2, config.image_tokens = 64;
  DONE(SAMPLE(others));
  CHECK(memcmp(samples, others, sizeof samples) == 0);
  grid[1] = 0.95;
  DONE(SAMPLE(others));
  CHECK(memcmp(samples, others, sizeof samples) != 0);
  config.sigma_count = 0;
  INVALID("sigma_count", SAMPLE(others));
  config.sigma_count = SIZE_MAX;
  INVALID("sigma_count", SAMPLE(others));
  config.sigmas = NULL, config.sigma_count = 5;
  INVALID("sigmas", SAMPLE(others));
  config.sigmas = rising, config.sigma_count = 4;
  INVALID("sigmas[2]: expected a value below sigmas[1] = 0.5, got 0.6", SAMPLE(others));
  config.sigmas = above, config.sigma_count = 2;
  INVALID("sigmas[0]: expected at most 1, got 1.5", SAMPLE(others));
  config.sigmas = open_end;
  INVALID("sigmas[1]: expected 0, as the last value, got 0.5", SAMPLE(others));
  config.sigmas = with_nan, config.sigma_count = 3;
  INVALID("sigmas[1]: expected a finite value", SAMPLE(others));
}

static void the_last_steps_may_use_the_base(const fixture *f) {
  reset();
  config.trained_model_share = 0.5;
  INVALID("base", SAMPLE(others));
  DONE(mixgrpo_evaluator_sample(
      f->evaluator, f->evaluator, f->prompts, &config, chosen_prompts, BATCH, NULL, 0, others, VALUES));
  CHECK(memcmp(samples, others, sizeof samples) == 0); /* the base is the same model here */
}

#define WRONG(field, value, named) \
  do {                             \
    reset();                       \
    config.field = value;          \
    INVALID(named, SAMPLE(others)); \
  } while (0)

static void every_field_has_bounds(const fixture *f) {
  WRONG(struct_size, 0, "struct_size");
  WRONG(steps, 0, "steps");
  WRONG(steps, INT32_MAX, "steps");
  WRONG(solver, 5, "solver");
  WRONG(solver, -1, "solver");
  WRONG(samples_per_prompt, 0, "samples_per_prompt");
  WRONG(samples_per_prompt, 4097, "samples_per_prompt");
  WRONG(shift, NAN, "shift");
  WRONG(image_tokens, -1, "image_tokens");
  WRONG(sigma_rounding, 2, "sigma_rounding");
  WRONG(trained_model_share, 1.5, "trained_model_share");
  WRONG(trained_model_share, NAN, "trained_model_share");
  reset();
  INVALID("config", mixgrpo_evaluator_sample(f->evaluator, NULL, f->prompts, NULL, chosen_prompts, BATCH, NULL, 0, others, VALUES));
  INVALID("prompt_count", mixgrpo_evaluator_sample(f->evaluator, NULL, f->prompts, &config, chosen_prompts, 0, NULL, 0, others, VALUES));
  INVALID("prompt_count", mixgrpo_evaluator_sample(f->evaluator, NULL, f->prompts, &config, chosen_prompts, SIZE_MAX, NULL, 0, others, VALUES));
  INVALID("prompt_indices", mixgrpo_evaluator_sample(f->evaluator, NULL, f->prompts, &config, NULL, BATCH, NULL, 0, others, VALUES));
  INVALID("prompt_indices", mixgrpo_evaluator_sample(f->evaluator, NULL, f->prompts, &config, (int32_t[]){-1, 0}, BATCH, NULL, 0, others, VALUES));
  TOO_SMALL("out_samples", mixgrpo_evaluator_sample(f->evaluator, NULL, f->prompts, &config, chosen_prompts, BATCH, NULL, 0, others, VALUES - 1));
  INVALID("out_samples", mixgrpo_evaluator_sample(f->evaluator, NULL, f->prompts, &config, chosen_prompts, BATCH, NULL, 0, NULL, VALUES));
  DONE(mixgrpo_context_cancel(f->context));
  REFUSED(MIXGRPO_STATUS_CANCELLED, "cancel", SAMPLE(others));
  DONE(mixgrpo_context_reset_cancel(f->context));
}

static void a_trainer_samples_each_of_its_models(fixture *f) {
  float batch[SAMPLES * LATENT];
  double rewards[2 * SAMPLES];
  mixgrpo_model *base = NULL;
  mixgrpo_trainer *plain = fixture_trainer(f, 0), *trainer;
  f->learning.ema_decay = 0.5;
  trainer = fixture_trainer(f, 1);
  reset();
#define FROM(trainer, weights, out) \
  mixgrpo_trainer_sample(trainer, weights, &config, chosen_prompts, BATCH, NULL, 0, out, VALUES)
  DONE(FROM(trainer, MIXGRPO_WEIGHTS_TRAINED, samples));
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, batch, SAMPLES * LATENT));
  for (int i = 0; i < 2 * SAMPLES; i++) rewards[i] = batch[i % SAMPLES * LATENT];
  DONE(FROM(trainer, MIXGRPO_WEIGHTS_TRAINED, others)); /* a pending rollout stays */
  DONE(mixgrpo_trainer_update(trainer, rewards, 2 * SAMPLES, NULL, 0, NULL));
  DONE(FROM(trainer, MIXGRPO_WEIGHTS_BASE, others));
  CHECK(memcmp(samples, others, sizeof samples) == 0);
  config.trained_model_share = 0;
  DONE(FROM(trainer, MIXGRPO_WEIGHTS_TRAINED, others));
  CHECK(memcmp(samples, others, sizeof samples) == 0); /* all steps with the base */
  config.trained_model_share = 0.5;
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "base", FROM(plain, MIXGRPO_WEIGHTS_TRAINED, others));
  DONE(FROM(trainer, MIXGRPO_WEIGHTS_TRAINED, others));
  CHECK(memcmp(samples, others, sizeof samples) != 0);
  memcpy(samples, others, sizeof samples);
  config.trained_model_share = 1;
  DONE(FROM(trainer, MIXGRPO_WEIGHTS_TRAINED, others));
  CHECK(memcmp(samples, others, sizeof samples) != 0);
  DONE(FROM(trainer, MIXGRPO_WEIGHTS_AVERAGE, samples));
  CHECK(memcmp(samples, others, sizeof samples) != 0);
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "base", FROM(plain, MIXGRPO_WEIGHTS_BASE, others));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "ema_decay", FROM(plain, MIXGRPO_WEIGHTS_AVERAGE, others));
  INVALID("weights", FROM(trainer, 3, others));
  INVALID("config", mixgrpo_trainer_sample(trainer, 0, NULL, chosen_prompts, BATCH, NULL, 0, others, VALUES));
  BAD_HANDLES(h, "trainer", f->plan, FROM(h, 0, others));
  DONE(mixgrpo_trainer_save_model(trainer, MIXGRPO_WEIGHTS_BASE, scratch_path("base"), MIXGRPO_STORAGE_F32));
  DONE(mixgrpo_model_load(f->context, scratch_path("base"), &base));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "base", mixgrpo_trainer_save_model(plain, MIXGRPO_WEIGHTS_BASE, scratch_path("no"), 0));
  INVALID("weights", mixgrpo_trainer_save_model(trainer, -1, scratch_path("no"), 0));
  INVALID("storage", mixgrpo_trainer_save_model(trainer, 0, scratch_path("no"), 9));
  INVALID("folder", mixgrpo_trainer_save_model(trainer, 0, NULL, 0));
  BAD_HANDLES(h, "trainer", f->plan, mixgrpo_trainer_save_model(h, 0, "x", 0));
  mixgrpo_model_destroy(base);
  mixgrpo_trainer_destroy(trainer);
  mixgrpo_trainer_destroy(plain);
}

static void bad_handles_are_errors(const fixture *f) {
  reset();
  BAD_HANDLES(h, "evaluator", f->plan, mixgrpo_evaluator_sample(h, NULL, f->prompts, &config, chosen_prompts, BATCH, NULL, 0, others, VALUES));
  BAD_HANDLES(h, "prompts", f->plan, mixgrpo_evaluator_sample(f->evaluator, NULL, h, &config, chosen_prompts, BATCH, NULL, 0, others, VALUES));
  INVALID("base", mixgrpo_evaluator_sample(f->evaluator, MADE_UP_HANDLE, f->prompts, &config, chosen_prompts, BATCH, NULL, 0, others, VALUES));
}

void test_samples(void) {
  fixture f = fixture_create(2);
  defaults_are_those_of_the_header();
  the_same_seed_draws_the_same(&f);
  own_noise_is_taken(&f);
  an_own_time_grid_is_taken_in_place_of_steps_and_shift(&f);
  the_last_steps_may_use_the_base(&f);
  every_field_has_bounds(&f);
  bad_handles_are_errors(&f);
  a_trainer_samples_each_of_its_models(&f);
  fixture_destroy(&f);
}
