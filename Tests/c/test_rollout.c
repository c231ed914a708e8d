#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fixture.h"
#include "tests.h"

enum { VALUES = SAMPLES * LATENT };

static void defaults_and_bounds(const fixture *f) {
  mixgrpo_rollout_config config;
  mixgrpo_rollout *rollout = NULL;
  INVALID("struct_size", mixgrpo_rollout_config_init(&config, 3));
  DONE(mixgrpo_rollout_config_init(&config, sizeof config));
  CHECK(config.struct_size == sizeof config && config.window_start == MIXGRPO_WINDOW_START_SCHEDULED && config.iteration == 0);
  CHECK(config.latent_size == 0 && config.max_batch == 0 && config.reserved == 0);
#define CREATE(prompts, count) mixgrpo_rollout_create(f->context, f->plan, &config, prompts, count, NULL, 0, &rollout)
  INVALID("latent_size", CREATE(chosen_prompts, BATCH));
  config.latent_size = UINT64_MAX;
  INVALID("latent_size", CREATE(chosen_prompts, BATCH));
  config.latent_size = LATENT;
  INVALID("prompt_count", CREATE(chosen_prompts, 0));
  INVALID("prompt_count", CREATE(chosen_prompts, SIZE_MAX));
  INVALID("prompt_ids", CREATE(NULL, BATCH));
  INVALID("prompts", CREATE(((int32_t[]){1, 1}), 2));
  INVALID("prompts", CREATE(((int32_t[]){1, -1}), 2));
  config.iteration = -1;
  INVALID("iteration", CREATE(chosen_prompts, BATCH));
  config.iteration = 0;
  config.window_start = STEPS;
  INVALID("window_start", CREATE(chosen_prompts, BATCH));
  config.window_start = -1;
  config.max_batch = -1;
  INVALID("max_batch", CREATE(chosen_prompts, BATCH));
  config.max_batch = 0;
  config.reserved = 1;
  INVALID("reserved", CREATE(chosen_prompts, BATCH));
  config.struct_size = 0;
  INVALID("struct_size", CREATE(chosen_prompts, BATCH));
  CHECK(rollout == NULL);
}

static void noise_of_the_host_is_checked(const fixture *f) {
  float noise[BATCH * LATENT] = {0};
  mixgrpo_rollout_config config;
  mixgrpo_rollout *rollout = NULL;
  mixgrpo_velocity_request request = {.struct_size = sizeof request};
  DONE(mixgrpo_rollout_config_init(&config, sizeof config));
  config.latent_size = LATENT;
  noise[3] = 0.25f;
  DONE(mixgrpo_rollout_create(f->context, f->plan, &config, chosen_prompts, BATCH, noise, BATCH * LATENT, &rollout));
  noise[3] = 7;
  DONE(mixgrpo_rollout_next(rollout, &request));
  CHECK(request.count == BATCH && request.latents[3] == 0.25f); /* copied, and evaluated once for the group */
  mixgrpo_rollout_destroy(rollout);
  rollout = NULL;
#define WITH_NOISE(pointer, count) \
  mixgrpo_rollout_create(f->context, f->plan, &config, chosen_prompts, BATCH, pointer, count, &rollout)
  INVALID("initial_noise", WITH_NOISE(noise, BATCH * LATENT - 1));
  INVALID("initial_noise", WITH_NOISE(noise, SIZE_MAX));
  INVALID("initial_noise", WITH_NOISE(NULL, BATCH * LATENT));
  noise[0] = NAN;
  INVALID("initial_noise", WITH_NOISE(noise, BATCH * LATENT));
  CHECK(rollout == NULL);
}

/* Answers every request from outside, with the same model. */
static void pull(const fixture *f, mixgrpo_rollout *rollout, float *samples) {
  mixgrpo_velocity_request request = {.struct_size = sizeof request};
  float velocity[VALUES];
  int requests = 0;
  while (mixgrpo_rollout_next(rollout, &request) == MIXGRPO_STATUS_OK && request.kind == MIXGRPO_REQUEST_KIND_EVALUATE) {
    const size_t values = request.count * request.latent_size;
    CHECK(request.minibatch == 0 && request.needs_reference == 0 && request.latent_size == LATENT);
    CHECK(request.is_trained == (request.step[0] < WINDOW) && request.rate_factor == 1); /* the window starts at 0 */
    for (size_t i = 0; i < request.count; i++) {
      CHECK(request.step[i] == request.step[0] && request.sample[i] < SAMPLES);
      CHECK(request.prompt_index[i] == chosen_prompts[request.sample[i] / GROUP]);
    }
    DONE(mixgrpo_evaluator_velocity(
        f->evaluator, f->prompts, request.latents, request.sigmas, request.prompt_index, request.count, 0,
        velocity, VALUES));
    DONE(mixgrpo_rollout_submit(rollout, velocity, values));
    requests++;
  }
  CHECK(requests == STEPS && request.kind == MIXGRPO_REQUEST_KIND_FINISHED && request.count == 0 && !request.latents);
  CHECK(request.rate_factor == 1 && request.is_trained == 0);
  DONE(mixgrpo_rollout_get_samples(rollout, samples, VALUES));
}

static void pulling_and_running_give_the_same_samples(const fixture *f) {
  float pulled[VALUES], run[VALUES];
  mixgrpo_rollout *rollout = fixture_rollout(f);
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "samples", mixgrpo_rollout_get_samples(rollout, pulled, VALUES));
  pull(f, rollout, pulled);
  CHECK(mixgrpo_rollout_model_calls(rollout) == BATCH * (1 + (STEPS - 1) * GROUP));
  mixgrpo_rollout_destroy(rollout);
  rollout = fixture_finished_rollout(f);
  DONE(mixgrpo_rollout_get_samples(rollout, run, VALUES));
  CHECK(memcmp(pulled, run, sizeof run) == 0);
  DONE(mixgrpo_rollout_run(rollout, f->evaluator, f->prompts)); /* nothing is left to answer */
  TOO_SMALL("out_samples", mixgrpo_rollout_get_samples(rollout, run, VALUES - 1));
  INVALID("out_samples capacity: expected a size in memory", mixgrpo_rollout_get_samples(rollout, run, SIZE_MAX));
  INVALID("out_samples: expected a pointer aligned to 4 bytes", mixgrpo_rollout_get_samples(rollout, (void *)((char *)run + 1), VALUES));
  INVALID("out_samples", mixgrpo_rollout_get_samples(rollout, NULL, VALUES));
  mixgrpo_rollout_destroy(rollout);
}

static void bad_answers_leave_the_request_standing(const fixture *f) {
  mixgrpo_rollout *rollout = fixture_rollout(f);
  mixgrpo_velocity_request request = {.struct_size = sizeof request}, again = request;
  float velocity[VALUES] = {0};
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "submit", mixgrpo_rollout_submit(rollout, velocity, BATCH * LATENT));
  DONE(mixgrpo_rollout_next(rollout, &request));
  DONE(mixgrpo_rollout_next(rollout, &again));
  CHECK(again.count == request.count && again.latents == request.latents);
  INVALID("velocity", mixgrpo_rollout_submit(rollout, NULL, BATCH * LATENT));
  INVALID("velocity: expected the velocity of the request, got NULL", mixgrpo_rollout_submit(rollout, NULL, 0));
  INVALID("velocity: expected a pointer aligned to 4 bytes",
          mixgrpo_rollout_submit(rollout, (void *)((char *)velocity + 2), BATCH * LATENT));
  INVALID("count", mixgrpo_rollout_submit(rollout, velocity, BATCH * LATENT - 1));
  INVALID("velocity", mixgrpo_rollout_submit(rollout, velocity, SIZE_MAX));
  velocity[LATENT] = NAN;
  REFUSED(MIXGRPO_STATUS_NOT_FINITE, "velocity", mixgrpo_rollout_submit(rollout, velocity, BATCH * LATENT));
  velocity[LATENT] = 0;
  DONE(mixgrpo_rollout_submit(rollout, velocity, BATCH * LATENT));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "submit", mixgrpo_rollout_submit(rollout, velocity, BATCH * LATENT));
  INVALID("out_request", mixgrpo_rollout_next(rollout, NULL));
  request.struct_size = 4;
  INVALID("struct_size", mixgrpo_rollout_next(rollout, &request));
  mixgrpo_rollout_destroy(rollout);
}

static void an_overflow_ends_the_rollout(const fixture *f) {
  float noise[BATCH * LATENT], velocity[VALUES];
  mixgrpo_rollout_config config;
  mixgrpo_rollout *rollout;
  mixgrpo_velocity_request request = {.struct_size = sizeof request};
  mixgrpo_status status = MIXGRPO_STATUS_OK;
  for (int i = 0; i < BATCH * LATENT; i++) noise[i] = 3e38f;
  for (int i = 0; i < VALUES; i++) velocity[i] = -3e38f;
  DONE(mixgrpo_rollout_config_init(&config, sizeof config));
  config.latent_size = LATENT;
  DONE(mixgrpo_rollout_create(f->context, f->plan, &config, chosen_prompts, BATCH, noise, BATCH * LATENT, &rollout));
  for (int i = 0; i < STEPS && status == MIXGRPO_STATUS_OK; i++) {
    DONE(mixgrpo_rollout_next(rollout, &request));
    status = mixgrpo_rollout_submit(rollout, velocity, request.count * request.latent_size);
  }
  CHECK(status == MIXGRPO_STATUS_NOT_FINITE);
  REFUSED(MIXGRPO_STATUS_NOT_FINITE, "overflow", mixgrpo_rollout_next(rollout, &request));
  mixgrpo_rollout_destroy(rollout);
}

static void stored_steps_can_be_read(const fixture *f) {
  float before[VALUES], after[VALUES], next_before[VALUES];
  double log_probabilities[SAMPLES];
  mixgrpo_rollout *rollout = fixture_rollout(f);
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "finished", mixgrpo_rollout_get_step(rollout, 0, before, VALUES, NULL, 0, NULL, 0));
  DONE(mixgrpo_rollout_run(rollout, f->evaluator, f->prompts));
  DONE(mixgrpo_rollout_get_step(rollout, 0, before, VALUES, after, VALUES, log_probabilities, SAMPLES));
  DONE(mixgrpo_rollout_get_step(rollout, 1, next_before, VALUES, NULL, 0, NULL, 0));
  CHECK(memcmp(after, next_before, sizeof after) == 0);
  CHECK(memcmp(before, before + LATENT, LATENT * sizeof *before) == 0); /* a shared start */
  CHECK(memcmp(after, after + LATENT, LATENT * sizeof *after) != 0);
  for (int i = 0; i < SAMPLES; i++) CHECK(isfinite(log_probabilities[i]));
  TOO_SMALL("out_latents", mixgrpo_rollout_get_step(rollout, 0, before, VALUES - 1, NULL, 0, NULL, 0));
  TOO_SMALL("out_next_latents", mixgrpo_rollout_get_step(rollout, 0, NULL, 0, before, 0, NULL, 0));
  TOO_SMALL("out_log_prob", mixgrpo_rollout_get_step(rollout, 0, NULL, 0, NULL, 0, log_probabilities, 1));
  INVALID("index", mixgrpo_rollout_get_step(rollout, WINDOW, NULL, 0, NULL, 0, NULL, 0));
  INVALID("index", mixgrpo_rollout_get_step(rollout, INT32_MIN, NULL, 0, NULL, 0, NULL, 0));
  mixgrpo_rollout_destroy(rollout);
}

static void a_cancelled_rollout_goes_on_after_reset(const fixture *f) {
  float expected[VALUES], samples[VALUES];
  mixgrpo_velocity_request request = {.struct_size = sizeof request};
  mixgrpo_rollout *whole = fixture_finished_rollout(f), *rollout = fixture_rollout(f);
  DONE(mixgrpo_rollout_get_samples(whole, expected, VALUES));
  DONE(mixgrpo_context_cancel(f->context));
  REFUSED(MIXGRPO_STATUS_CANCELLED, "cancel", mixgrpo_rollout_run(rollout, f->evaluator, f->prompts));
  REFUSED(MIXGRPO_STATUS_CANCELLED, "cancel", mixgrpo_rollout_next(rollout, &request));
  CHECK(mixgrpo_rollout_model_calls(rollout) == 0);
  DONE(mixgrpo_context_reset_cancel(f->context));
  DONE(mixgrpo_rollout_run(rollout, f->evaluator, f->prompts));
  DONE(mixgrpo_rollout_get_samples(rollout, samples, VALUES));
  CHECK(memcmp(samples, expected, sizeof samples) == 0);
  mixgrpo_rollout_destroy(whole);
  mixgrpo_rollout_destroy(rollout);
}

/* Hundreds of threads that wait for each other on two cores once took minutes for this. */
static void the_most_threads_do_no_harm(void) {
  fixture f = fixture_create(1024);
  mixgrpo_rollout_destroy(fixture_finished_rollout(&f));
  fixture_destroy(&f);
}

static void a_model_that_does_not_fit_is_refused(const fixture *f) {
  mixgrpo_rollout_config config;
  mixgrpo_rollout *other_size, *unknown_prompt;
  DONE(mixgrpo_rollout_config_init(&config, sizeof config));
  config.latent_size = LATENT + 1;
  DONE(mixgrpo_rollout_create(f->context, f->plan, &config, chosen_prompts, BATCH, NULL, 0, &other_size));
  INVALID("latent_size", mixgrpo_rollout_run(other_size, f->evaluator, f->prompts));
  config.latent_size = LATENT;
  DONE(mixgrpo_rollout_create(f->context, f->plan, &config, (int32_t[]){PROMPTS}, 1, NULL, 0, &unknown_prompt));
  INVALID("prompt_index", mixgrpo_rollout_run(unknown_prompt, f->evaluator, f->prompts));
  mixgrpo_rollout_destroy(other_size);
  mixgrpo_rollout_destroy(unknown_prompt);
}

static void bad_handles_are_errors(const fixture *f) {
  mixgrpo_rollout_config config;
  mixgrpo_rollout *rollout = NULL, *live = fixture_rollout(f);
  mixgrpo_velocity_request request = {.struct_size = sizeof request};
  float value = 0;
  DONE(mixgrpo_rollout_config_init(&config, sizeof config));
  config.latent_size = LATENT;
  BAD_HANDLES(h, "context", f->plan, mixgrpo_rollout_create(h, f->plan, &config, chosen_prompts, 1, NULL, 0, &rollout));
  BAD_HANDLES(h, "plan", f->model, mixgrpo_rollout_create(f->context, h, &config, chosen_prompts, 1, NULL, 0, &rollout));
  BAD_HANDLES(h, "rollout", f->plan, mixgrpo_rollout_next(h, &request));
  BAD_HANDLES(h, "rollout", f->plan, mixgrpo_rollout_submit(h, &value, 1));
  BAD_HANDLES(h, "rollout", f->plan, mixgrpo_rollout_run(h, f->evaluator, f->prompts));
  BAD_HANDLES(h, "evaluator", f->plan, mixgrpo_rollout_run(live, h, f->prompts));
  BAD_HANDLES(h, "prompts", f->plan, mixgrpo_rollout_run(live, f->evaluator, h));
  BAD_HANDLES(h, "rollout", f->plan, mixgrpo_rollout_get_samples(h, &value, 1));
  BAD_HANDLES(h, "rollout", f->plan, mixgrpo_rollout_get_step(h, 0, NULL, 0, NULL, 0, NULL, 0));
  INVALID("config", mixgrpo_rollout_create(f->context, f->plan, NULL, chosen_prompts, 1, NULL, 0, &rollout));
  INVALID("out_rollout", mixgrpo_rollout_create(f->context, f->plan, &config, chosen_prompts, 1, NULL, 0, NULL));
  CHECK(mixgrpo_rollout_model_calls(NULL) == 0 && rollout == NULL);
  mixgrpo_rollout_destroy(live);
}

void test_rollout(void) {
  fixture f = fixture_create(2);
  defaults_and_bounds(&f);
  noise_of_the_host_is_checked(&f);
  pulling_and_running_give_the_same_samples(&f);
  bad_answers_leave_the_request_standing(&f);
  an_overflow_ends_the_rollout(&f);
  stored_steps_can_be_read(&f);
  a_cancelled_rollout_goes_on_after_reset(&f);
  a_model_that_does_not_fit_is_refused(&f);
  bad_handles_are_errors(&f);
  the_most_threads_do_no_harm();
  fixture_destroy(&f);
}
