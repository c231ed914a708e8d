#include <pthread.h>
#include <string.h>

#include "check.h"
#include "fixture.h"
#include "tests.h"

enum { VALUES = SAMPLES * LATENT };

static void parts_may_go_before_the_whole(void) {
  fixture f = fixture_create(2);
  mixgrpo_trainer *trainer = fixture_trainer(&f, 0);
  mixgrpo_rollout *rollout = fixture_rollout(&f);
  mixgrpo_velocity_request request = {.struct_size = sizeof request};
  float samples[VALUES];
  double rewards[2 * SAMPLES];
  fixture_destroy(&f);
  DONE(mixgrpo_rollout_next(rollout, &request));
  CHECK(request.count == BATCH);
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES));
  for (int i = 0; i < 2 * SAMPLES; i++) rewards[i] = samples[i % SAMPLES * LATENT];
  DONE(mixgrpo_trainer_update(trainer, rewards, 2 * SAMPLES, NULL, 0, NULL));
  DONE(mixgrpo_trainer_save_model(trainer, MIXGRPO_WEIGHTS_TRAINED, scratch_path("last"), MIXGRPO_STORAGE_BF16));
  mixgrpo_rollout_destroy(rollout);
  mixgrpo_trainer_destroy(trainer);
}

static void destroying_twice_or_the_wrong_thing_does_nothing(void) {
  fixture f = fixture_create(2);
  mixgrpo_rollout *rollout = fixture_finished_rollout(&f);
  mixgrpo_trainer *trainer = fixture_trainer(&f, 0);
  void *const handles[] = {f.context, f.model, f.prompts, f.evaluator, f.plan, rollout, trainer, NULL, MADE_UP_HANDLE};
  for (int i = 0; i < 9; i++) {
    void *const h = handles[i];
    if (i != 0) mixgrpo_context_destroy(h);
    if (i != 1) mixgrpo_model_destroy(h);
    if (i != 2) mixgrpo_prompts_destroy(h);
    if (i != 3) mixgrpo_evaluator_destroy(h);
    if (i != 4) mixgrpo_plan_destroy(h);
    if (i != 5) mixgrpo_rollout_destroy(h);
    if (i != 6) mixgrpo_trainer_destroy(h);
    mixgrpo_update_destroy(h);
    mixgrpo_optimizer_destroy(h);
    mixgrpo_image_destroy(h);
    mixgrpo_local_ranks_destroy(h);
  }
  float samples[VALUES];
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES));
  DONE(mixgrpo_rollout_get_samples(rollout, samples, VALUES));
  mixgrpo_rollout_destroy(rollout);
  mixgrpo_rollout_destroy(rollout);
  mixgrpo_trainer_destroy(trainer);
  fixture_destroy(&f);
}

/* Any function that takes the handle tells whether it is live. */
static void a_destroyed_handle_of_each_kind_is_refused(void) {
  fixture f = fixture_create(1);
  const double rewards[SAMPLES] = {0, 1, 2, 3, 0, 1, 2, 3};
  const uint8_t pixels[3] = {0};
  const char *const names[] = {"taste"};
  const float sigma = 0.5f;
  const int32_t first = 0;
  float value[VALUES] = {0};
  size_t count = 0;
  mixgrpo_prompts *prompts = NULL;
  mixgrpo_rollout *rollout = fixture_finished_rollout(&f);
  mixgrpo_trainer *trainer = fixture_trainer(&f, 0);
  mixgrpo_update *update = NULL;
  mixgrpo_optimizer *optimizer = NULL;
  mixgrpo_image *image = NULL;
  mixgrpo_evaluation *evaluation = NULL;
  mixgrpo_evaluation_config config;
  mixgrpo_sample_config sample;
  mixgrpo_iteration_plan plan = {.struct_size = sizeof plan};
  mixgrpo_update_statistics statistics = {.struct_size = sizeof statistics};
  mixgrpo_image_info info = {.struct_size = sizeof info};
  DONE(mixgrpo_update_create(rollout, &f.learning, rewards, NULL, SAMPLES, 0, &update));
  DONE(mixgrpo_optimizer_create(f.context, &f.learning, 1, &optimizer));
  DONE(mixgrpo_image_create(pixels, 3, 1, 1, &image));
  DONE(mixgrpo_prompts_create_hashed_words(f.context, names, 1, TEXT_LENGTH, TEXT_WIDTH, POOLED_WIDTH, &prompts));
  DONE(mixgrpo_evaluation_config_init(&config, sizeof config));
  DONE(mixgrpo_sample_config_init(&sample, sizeof sample));
  DONE(mixgrpo_evaluation_create(&config, &sample, chosen_prompts, BATCH, names, NULL, NULL, 1, &evaluation));

#define ONCE(kind, handle, call) \
  DONE(call);                    \
  mixgrpo_##kind##_destroy(handle); \
  INVALID(#kind, call)
  ONCE(evaluation, evaluation, mixgrpo_evaluation_get_verdict(evaluation, NULL, NULL));
  ONCE(image, image, mixgrpo_image_get_info(image, &info));
  ONCE(optimizer, optimizer, mixgrpo_optimizer_step(optimizer, (float[]){1}, (float[]){1}, 1, NULL));
  ONCE(update, update, mixgrpo_update_get_statistics(update, &statistics));
  ONCE(rollout, rollout, mixgrpo_rollout_get_samples(rollout, value, VALUES));
  ONCE(trainer, trainer, mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, value, VALUES));
  ONCE(plan, f.plan, mixgrpo_plan_get_iteration(f.plan, 0, -1, 1, 1, &plan));
#define VELOCITY(prompts) \
  mixgrpo_evaluator_velocity(f.evaluator, prompts, value, &sigma, &first, 1, 0, value + LATENT, LATENT)
  ONCE(prompts, prompts, VELOCITY(prompts));
  ONCE(evaluator, f.evaluator, VELOCITY(f.prompts));
#undef VELOCITY
  ONCE(model, f.model, mixgrpo_model_get_size(f.model, NULL, &count));
  ONCE(context, f.context, mixgrpo_context_reset_cancel(f.context));
#undef ONCE
  CHECK(mixgrpo_evaluator_latent_size(f.evaluator) == 0 && mixgrpo_rollout_model_calls(rollout) == 0);
  mixgrpo_prompts_destroy(f.prompts);
}

static void a_handle_is_never_given_out_twice(void) {
  mixgrpo_context *old = NULL, *fresh = NULL;
  DONE(mixgrpo_context_create(1, &old));
  mixgrpo_context_destroy(old);
  for (int i = 0; i < 100; i++) {
    DONE(mixgrpo_context_create(1, &fresh));
    CHECK(fresh != old);
    INVALID("context", mixgrpo_context_cancel(old));
    mixgrpo_context_destroy(fresh);
  }
}

typedef struct {
  const fixture *f;
  float expected[3];
  int equal;
} reader;

static void *read_often(void *argument) {
  reader *r = argument;
  float values[3];
  mixgrpo_iteration_plan plan = {.struct_size = sizeof plan};
  for (int i = 0; i < 200; i++) {
    r->equal = r->equal && mixgrpo_model_get_weights(r->f->model, 0, values, 3) == MIXGRPO_STATUS_OK &&
               memcmp(values, r->expected, sizeof values) == 0 &&
               mixgrpo_plan_get_iteration(r->f->plan, i, -1, 1, 1, &plan) == MIXGRPO_STATUS_OK;
  }
  return NULL;
}

static void const_handles_serve_many_threads(void) {
  fixture f = fixture_create(2);
  pthread_t threads[4];
  reader readers[4];
  for (int i = 0; i < 4; i++) {
    readers[i] = (reader){&f, {0}, 1};
    DONE(mixgrpo_model_get_weights(f.model, 0, readers[i].expected, 3));
    CHECK(pthread_create(&threads[i], NULL, read_often, &readers[i]) == 0);
  }
  for (int i = 0; i < 4; i++) {
    pthread_join(threads[i], NULL);
    CHECK(readers[i].equal);
  }
  fixture_destroy(&f);
}

void test_lifetimes(void) {
  parts_may_go_before_the_whole();
  destroying_twice_or_the_wrong_thing_does_nothing();
  a_destroyed_handle_of_each_kind_is_refused();
  a_handle_is_never_given_out_twice();
  const_handles_serve_many_threads();
}
