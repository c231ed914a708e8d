#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fixture.h"
#include "tests.h"

enum { COUNT = 3, VALUES = COUNT * LATENT };

static float latents[VALUES], velocity[VALUES], d_velocity[VALUES];
static float sigmas[COUNT] = {1, 0.5f, 0};
static int32_t prompt_index[COUNT] = {0, 3, 1};

static void defaults_and_bounds(const fixture *f) {
  mixgrpo_evaluator_config config;
  mixgrpo_evaluator *evaluator = NULL;
  INVALID("struct_size", mixgrpo_evaluator_config_init(&config, 0));
  DONE(mixgrpo_evaluator_config_init(&config, sizeof config));
  CHECK(config.height_tokens == 8 && config.width_tokens == 8 && config.text_length == 16 && config.max_batch == 16);
  CHECK(config.guidance == 3.5 && config.precision == MIXGRPO_PRECISION_FLOAT32 && config.recompute_activations == 0 && config.max_bytes == 0);
  CHECK(config.struct_size == sizeof config);
  const mixgrpo_evaluator_config standard = config;
  const int32_t absurd[] = {0, -1, INT32_MIN, INT32_MAX};
  for (int i = 0; i < 4; i++) {
    config = standard;
    config.height_tokens = absurd[i];
    INVALID("height_tokens", mixgrpo_evaluator_create(f->model, &config, NULL, 0, &evaluator));
    config = standard;
    config.width_tokens = absurd[i];
    INVALID("width_tokens", mixgrpo_evaluator_create(f->model, &config, NULL, 0, &evaluator));
    config = standard;
    config.text_length = absurd[i];
    INVALID("text_length", mixgrpo_evaluator_create(f->model, &config, NULL, 0, &evaluator));
    config = standard;
    config.max_batch = absurd[i];
    INVALID("max_batch", mixgrpo_evaluator_create(f->model, &config, NULL, 0, &evaluator));
  }
  config = standard;
  config.height_tokens = 256, config.width_tokens = 257;
  INVALID("height_tokens · width_tokens: expected at most 65536, got 65792", mixgrpo_evaluator_create(f->model, &config, NULL, 0, &evaluator));
  config = standard;
  config.guidance = NAN;
  INVALID("guidance", mixgrpo_evaluator_create(f->model, &config, NULL, 0, &evaluator));
  config = standard;
  config.recompute_activations = 2;
  INVALID("recompute_activations", mixgrpo_evaluator_create(f->model, &config, NULL, 0, &evaluator));
  config = standard;
  config.precision = 2;
  INVALID("precision", mixgrpo_evaluator_create(f->model, &config, NULL, 0, &evaluator));
  config = standard;
  config.reserved = 1;
  INVALID("reserved", mixgrpo_evaluator_create(f->model, &config, NULL, 0, &evaluator));
  config = standard;
  config.max_bytes = UINT64_MAX;
  INVALID("max_bytes", mixgrpo_evaluator_create(f->model, &config, NULL, 0, &evaluator));
  config.max_bytes = 1000;
  CHECK(mixgrpo_evaluator_create(f->model, &config, NULL, 0, &evaluator) == MIXGRPO_STATUS_OUT_OF_MEMORY);
  CHECK(strstr(mixgrpo_last_error(), "max_bytes: expected at least") != NULL);
  INVALID("config", mixgrpo_evaluator_create(f->model, NULL, NULL, 0, &evaluator));
  INVALID("out_evaluator", mixgrpo_evaluator_create(f->model, &standard, NULL, 0, NULL));
  CHECK(evaluator == NULL);
}

static void bfloat16_changes_results_by_its_rounding(const fixture *f) {
  float half[VALUES], alone[LATENT];
  double difference = 0, size = 0;
  mixgrpo_evaluator_config config;
  mixgrpo_evaluator *evaluator = NULL;
  DONE(mixgrpo_evaluator_config_init(&config, sizeof config));
  config.height_tokens = config.width_tokens = 2;
  config.text_length = TEXT_LENGTH;
  config.precision = MIXGRPO_PRECISION_BFLOAT16;
  DONE(mixgrpo_evaluator_create(f->model, &config, NULL, 0, &evaluator));
  DONE(mixgrpo_evaluator_velocity(evaluator, f->prompts, latents, sigmas, prompt_index, COUNT, 0, half, VALUES));
  DONE(mixgrpo_evaluator_velocity(evaluator, f->prompts, latents, sigmas, prompt_index, 1, 0, alone, LATENT));
  mixgrpo_evaluator_destroy(evaluator);
  CHECK(memcmp(half, alone, sizeof alone) == 0);
  for (int i = 0; i < VALUES; i++) {
    difference += ((double)half[i] - velocity[i]) * ((double)half[i] - velocity[i]);
    size += (double)velocity[i] * velocity[i];
  }
  CHECK(difference > 0 && difference <= 1e-4 * size);
}

static void own_positions_are_taken(const fixture *f) {
  float ids[3 * TOKENS] = {0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 1}, own[VALUES];
  mixgrpo_evaluator_config config;
  mixgrpo_evaluator *evaluator = NULL;
  DONE(mixgrpo_evaluator_config_init(&config, sizeof config));
  config.height_tokens = config.width_tokens = 2;
  config.text_length = TEXT_LENGTH;
  DONE(mixgrpo_evaluator_create(f->model, &config, ids, 3 * TOKENS, &evaluator));
  DONE(mixgrpo_evaluator_velocity(
      evaluator, f->prompts, latents, sigmas, prompt_index, COUNT, 0, own, VALUES));
  CHECK(memcmp(own, velocity, sizeof own) == 0); /* the usual positions, and another max_batch */
  mixgrpo_evaluator_destroy(evaluator);
  INVALID("image_ids", mixgrpo_evaluator_create(f->model, &config, ids, 3 * TOKENS - 1, &evaluator));
  INVALID("image_ids", mixgrpo_evaluator_create(f->model, &config, NULL, 3 * TOKENS, &evaluator));
  ids[4] = NAN;
  INVALID("image_ids", mixgrpo_evaluator_create(f->model, &config, ids, 3 * TOKENS, &evaluator));
}

static void bad_velocity_calls_touch_nothing(const fixture *f) {
  float untouched[VALUES], bad_sigmas[COUNT];
  int32_t bad_index[COUNT];
  mixgrpo_evaluator *e = f->evaluator;
  memcpy(untouched, velocity, sizeof untouched);
  INVALID("count", mixgrpo_evaluator_velocity(e, f->prompts, latents, sigmas, prompt_index, 0, 0, velocity, VALUES));
  INVALID("count", mixgrpo_evaluator_velocity(e, f->prompts, latents, sigmas, prompt_index, SIZE_MAX, 0, velocity, VALUES));
  INVALID("latents", mixgrpo_evaluator_velocity(e, f->prompts, NULL, sigmas, prompt_index, COUNT, 0, velocity, VALUES));
  INVALID("sigmas", mixgrpo_evaluator_velocity(e, f->prompts, latents, NULL, prompt_index, COUNT, 0, velocity, VALUES));
  INVALID("prompt_index", mixgrpo_evaluator_velocity(e, f->prompts, latents, sigmas, NULL, COUNT, 0, velocity, VALUES));
  INVALID("keep_activations", mixgrpo_evaluator_velocity(e, f->prompts, latents, sigmas, prompt_index, COUNT, 2, velocity, VALUES));
  INVALID("out_velocity", mixgrpo_evaluator_velocity(e, f->prompts, latents, sigmas, prompt_index, COUNT, 0, NULL, VALUES));
  TOO_SMALL("out_velocity", mixgrpo_evaluator_velocity(e, f->prompts, latents, sigmas, prompt_index, COUNT, 0, velocity, VALUES - 1));
  const float out_of_range[] = {-0.1f, 1.5f, NAN, INFINITY};
  for (int i = 0; i < 4; i++) {
    memcpy(bad_sigmas, sigmas, sizeof sigmas);
    bad_sigmas[2] = out_of_range[i];
    INVALID("sigma", mixgrpo_evaluator_velocity(e, f->prompts, latents, bad_sigmas, prompt_index, COUNT, 0, velocity, VALUES));
  }
  const int32_t no_prompts[] = {-1, PROMPTS, INT32_MAX};
  for (int i = 0; i < 3; i++) {
    memcpy(bad_index, prompt_index, sizeof prompt_index);
    bad_index[1] = no_prompts[i];
    INVALID("prompt_index", mixgrpo_evaluator_velocity(e, f->prompts, latents, sigmas, bad_index, COUNT, 0, velocity, VALUES));
  }
  latents[5] = NAN;
  INVALID("latents[5]", mixgrpo_evaluator_velocity(e, f->prompts, latents, sigmas, prompt_index, COUNT, 0, velocity, VALUES));
  latents[5] = 1;
  CHECK(memcmp(untouched, velocity, sizeof untouched) == 0);
}

/* sum(velocity * d_velocity) as a function of one latent value. */
static double projected(const fixture *f, int index, float value) {
  float moved[VALUES], at[VALUES];
  double sum = 0;
  memcpy(moved, latents, sizeof moved);
  moved[index] = value;
  DONE(mixgrpo_evaluator_velocity(f->evaluator, f->prompts, moved, sigmas, prompt_index, COUNT, 0, at, VALUES));
  for (int i = 0; i < VALUES; i++) sum += (double)at[i] * d_velocity[i];
  return sum;
}

static void backward_is_the_derivative_of_velocity(const fixture *f) {
  float d_latents[VALUES], gradients[1];
  const float step = 1e-2f;
  size_t norm = 0;
  mixgrpo_parameter_info info = {.struct_size = sizeof info};
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "velocity", mixgrpo_evaluator_backward(f->evaluator, d_velocity, VALUES, NULL, 0));
  DONE(mixgrpo_evaluator_velocity(f->evaluator, f->prompts, latents, sigmas, prompt_index, COUNT, 1, velocity, VALUES));
  INVALID("d_velocity", mixgrpo_evaluator_backward(f->evaluator, d_velocity, VALUES - 1, NULL, 0));
  INVALID("d_velocity", mixgrpo_evaluator_backward(f->evaluator, NULL, VALUES, NULL, 0));
  TOO_SMALL("out_d_latents", mixgrpo_evaluator_backward(f->evaluator, d_velocity, VALUES, d_latents, 1));
  DONE(mixgrpo_evaluator_backward(f->evaluator, d_velocity, VALUES, d_latents, VALUES));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "velocity", mixgrpo_evaluator_backward(f->evaluator, d_velocity, VALUES, NULL, 0));
  for (int i = 0; i < VALUES; i += 7) {
    const double slope = (projected(f, i, latents[i] + step) - projected(f, i, latents[i] - step)) / (2 * step);
    CHECK(fabs(slope - d_latents[i]) <= 2e-3 * (1 + fabs(slope)));
  }
  DONE(mixgrpo_model_find_parameter(f->model, "proj_out.bias", &norm));
  DONE(mixgrpo_model_get_parameter(f->model, norm, &info));
  DONE(mixgrpo_model_get_gradients(f->model, info.offset, gradients, 1));
  double expected = 0;
  for (int i = 0; i < VALUES; i += CHANNELS) expected += d_velocity[i];
  CHECK(fabs(gradients[0] - expected) <= 1e-5 * (1 + fabs(expected)));
  DONE(mixgrpo_model_zero_gradients(f->model));
}

static void limits_of_kept_activations(const fixture *f) {
  float many[4 * LATENT] = {0}, out[4 * LATENT];
  const float four_sigmas[4] = {1, 1, 1, 1};
  const int32_t four_prompts[4] = {0, 1, 2, 3};
  DONE(mixgrpo_evaluator_velocity(f->evaluator, f->prompts, many, four_sigmas, four_prompts, 4, 0, out, 4 * LATENT));
  INVALID("max_batch", mixgrpo_evaluator_velocity(f->evaluator, f->prompts, many, four_sigmas, four_prompts, 4, 1, out, 4 * LATENT));
}

static void other_prompts_must_fit(const fixture *f) {
  const char *const line[] = {"one"};
  mixgrpo_prompts *longer, *wider;
  DONE(mixgrpo_prompts_create_hashed_words(f->context, line, 1, TEXT_LENGTH + 1, TEXT_WIDTH, POOLED_WIDTH, &longer));
  DONE(mixgrpo_prompts_create_hashed_words(f->context, line, 1, TEXT_LENGTH, TEXT_WIDTH + 1, POOLED_WIDTH, &wider));
  INVALID("prompts", mixgrpo_evaluator_velocity(f->evaluator, longer, latents, sigmas, prompt_index, 1, 0, velocity, VALUES));
  INVALID("prompts", mixgrpo_evaluator_velocity(f->evaluator, wider, latents, sigmas, prompt_index, 1, 0, velocity, VALUES));
  mixgrpo_prompts_destroy(longer);
  mixgrpo_prompts_destroy(wider);
}

static void bad_handles_are_errors(const fixture *f) {
  mixgrpo_evaluator_config config;
  mixgrpo_evaluator *evaluator = NULL;
  DONE(mixgrpo_evaluator_config_init(&config, sizeof config));
  BAD_HANDLES(h, "model", f->plan, mixgrpo_evaluator_create(h, &config, NULL, 0, &evaluator));
  BAD_HANDLES(h, "evaluator", f->plan, mixgrpo_evaluator_velocity(h, f->prompts, latents, sigmas, prompt_index, COUNT, 0, velocity, VALUES));
  BAD_HANDLES(h, "prompts", f->plan, mixgrpo_evaluator_velocity(f->evaluator, h, latents, sigmas, prompt_index, COUNT, 0, velocity, VALUES));
  BAD_HANDLES(h, "evaluator", f->plan, mixgrpo_evaluator_backward(h, d_velocity, VALUES, NULL, 0));
  CHECK(mixgrpo_evaluator_latent_size(NULL) == 0 && mixgrpo_evaluator_latent_size((void *)f->plan) == 0);
}

static void overflow_is_not_finite(const fixture *f) {
  float huge[LATENT], out[LATENT] = {5};
  for (int i = 0; i < LATENT; i++) huge[i] = 3e38f;
  const mixgrpo_status status =
      mixgrpo_evaluator_velocity(f->evaluator, f->prompts, huge, sigmas, prompt_index, 1, 0, out, LATENT);
  CHECK(status == MIXGRPO_STATUS_NOT_FINITE ? out[0] == 5 : status == MIXGRPO_STATUS_OK);
}

static mixgrpo_optimizer *optimizer_of(const fixture *f) {
  mixgrpo_optimizer *optimizer = NULL;
  size_t count = 0;
  DONE(mixgrpo_model_get_size(f->model, NULL, &count));
  DONE(mixgrpo_optimizer_create(f->context, &f->learning, count, &optimizer));
  return optimizer;
}

static mixgrpo_update *update_of(const fixture *f) {
  mixgrpo_rollout *rollout = fixture_finished_rollout(f);
  mixgrpo_update *update = NULL;
  double advantages[SAMPLES];
  for (int i = 0; i < SAMPLES; i++) advantages[i] = i % GROUP - 1.5;
  DONE(mixgrpo_update_create(rollout, &f->learning, advantages, NULL, SAMPLES, 0, &update));
  mixgrpo_rollout_destroy(rollout);
  return update;
}

static void scale_weights(const fixture *f, float factor) {
  size_t count = 0;
  DONE(mixgrpo_model_get_size(f->model, NULL, &count));
  float *weights = malloc(count * sizeof *weights);
  DONE(mixgrpo_model_get_weights(f->model, 0, weights, count));
  for (size_t i = 0; i < count; i++) weights[i] *= factor;
  DONE(mixgrpo_model_set_weights(f->model, 0, weights, count));
  free(weights);
}

/* The update evaluates more rows than the host kept: a backward for its rows would write beyond the host's buffer, which has
 * exactly the size of the host's one row so that AddressSanitizer notices. */
static void failed_update_leaves_no_activations(const fixture *f) {
  mixgrpo_optimizer *optimizer = optimizer_of(f);
  mixgrpo_update *update = update_of(f);
  float *d_velocity = calloc(LATENT, sizeof *d_velocity), *d_latents = malloc(LATENT * sizeof *d_latents);
  DONE(mixgrpo_evaluator_velocity(f->evaluator, f->prompts, latents, sigmas, prompt_index, 1, 1, velocity, LATENT));
  scale_weights(f, 0x1p66f);
  REFUSED(
      MIXGRPO_STATUS_NOT_FINITE, "velocity", mixgrpo_update_run(update, f->evaluator, f->prompts, optimizer, NULL, NULL));
  REFUSED(
      MIXGRPO_STATUS_INVALID_STATE, "activations",
      mixgrpo_evaluator_backward(f->evaluator, d_velocity, LATENT, d_latents, LATENT));
  scale_weights(f, 0x1p-66f);
  free(d_velocity);
  free(d_latents);
  mixgrpo_update_destroy(update);
  mixgrpo_optimizer_destroy(optimizer);
}

static void velocity_that_is_not_finite_keeps_no_activations(const fixture *f) {
  float out[LATENT] = {5};
  scale_weights(f, 0x1p66f);
  REFUSED(
      MIXGRPO_STATUS_NOT_FINITE, "velocity",
      mixgrpo_evaluator_velocity(f->evaluator, f->prompts, latents, sigmas, prompt_index, 1, 1, out, LATENT));
  CHECK(out[0] == 5);
  scale_weights(f, 0x1p-66f);
  REFUSED(
      MIXGRPO_STATUS_INVALID_STATE, "activations", mixgrpo_evaluator_backward(f->evaluator, d_velocity, LATENT, NULL, 0));
}

void test_evaluator(void) {
  fixture f = fixture_create(2);
  DONE(mixgrpo_normal_noise(1, 1, 1, latents, VALUES));
  DONE(mixgrpo_normal_noise(1, 1, 2, d_velocity, VALUES));
  latents[5] = 1;
  CHECK(mixgrpo_evaluator_latent_size(f.evaluator) == LATENT);
  DONE(mixgrpo_evaluator_velocity(f.evaluator, f.prompts, latents, sigmas, prompt_index, COUNT, 0, velocity, VALUES));
  defaults_and_bounds(&f);
  bfloat16_changes_results_by_its_rounding(&f);
  own_positions_are_taken(&f);
  bad_velocity_calls_touch_nothing(&f);
  backward_is_the_derivative_of_velocity(&f);
  limits_of_kept_activations(&f);
  other_prompts_must_fit(&f);
  bad_handles_are_errors(&f);
  overflow_is_not_finite(&f);
  failed_update_leaves_no_activations(&f);
  velocity_that_is_not_finite_keeps_no_activations(&f);
  fixture_destroy(&f);
}
