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
  }
  float samples[VALUES];
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES));
  DONE(mixgrpo_rollout_get_samples(rollout, samples, VALUES));
  mixgrpo_rollout_destroy(rollout);
  mixgrpo_rollout_destroy(rollout);
  mixgrpo_trainer_destroy(trainer);
  fixture_destroy(&f);
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
  a_handle_is_never_given_out_twice();
  const_handles_serve_many_threads();
}
