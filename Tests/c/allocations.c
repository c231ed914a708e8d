/* Counts heap allocations: once warm, requests of rollout and update and their answers make none, with one thread or several,
 * whether the host answers them or a trainer does.
 *
 * A program of its own, as it stands in for malloc: the definitions below come before libc's for every library of the process. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "fixture.h"

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static atomic_long allocations;
static atomic_int watching;

static atomic_size_t largest;

static void note(size_t size) {
  if (!atomic_load(&watching)) return;
  atomic_fetch_add(&allocations, 1);
  if (size > atomic_load(&largest)) atomic_store(&largest, size);
}

void *malloc(size_t size) { note(size); return __libc_malloc(size); }
void *calloc(size_t count, size_t size) { note(count * size); return __libc_calloc(count, size); }
void *realloc(void *block, size_t size) { note(size); return __libc_realloc(block, size); }
void *aligned_alloc(size_t alignment, size_t size) { note(size); return __libc_memalign(alignment, size); }
int posix_memalign(void **block, size_t alignment, size_t size) {
  note(size);
  *block = __libc_memalign(alignment, size);
  return *block ? 0 : 12;
}

static float velocity[64 * LATENT], d_velocity[64 * LATENT];

static void answer(const fixture *f, const mixgrpo_velocity_request *request, int keep) {
  DONE(mixgrpo_evaluator_velocity(
      f->evaluator, f->prompts, request->latents, request->sigmas, request->prompt_index, (size_t)request->count, keep,
      velocity, sizeof velocity / sizeof *velocity));
}

/* One iteration by hand; everything but creating its objects is watched. */
static void iterate(const fixture *f, mixgrpo_optimizer *optimizer, int watch) {
  mixgrpo_velocity_request request = {.struct_size = sizeof request};
  mixgrpo_rollout *rollout = fixture_rollout(f);
  atomic_store(&watching, watch);
  while (mixgrpo_rollout_next(rollout, &request) == MIXGRPO_STATUS_OK && request.kind == MIXGRPO_REQUEST_KIND_EVALUATE) {
    answer(f, &request, 0);
    DONE(mixgrpo_rollout_submit(rollout, velocity, request.count * LATENT));
  }
  atomic_store(&watching, 0);

  double advantages[SAMPLES];
  for (int i = 0; i < SAMPLES; i++) advantages[i] = i % 2 ? 1 : -1;
  mixgrpo_update *update = NULL;
  DONE(mixgrpo_update_create(rollout, &f->learning, advantages, NULL, SAMPLES, 0, &update));
  atomic_store(&watching, watch);
  while (mixgrpo_update_next(update, &request) == MIXGRPO_STATUS_OK && request.kind != MIXGRPO_REQUEST_KIND_FINISHED) {
    if (request.kind == MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP) {
      DONE(mixgrpo_optimizer_step_model(optimizer, f->model, NULL));
      continue;
    }
    const size_t count = request.count * LATENT;
    answer(f, &request, 1);
    DONE(mixgrpo_update_submit(update, velocity, NULL, count, d_velocity, sizeof d_velocity / sizeof *d_velocity));
    DONE(mixgrpo_evaluator_backward(f->evaluator, d_velocity, count, NULL, 0));
  }
  atomic_store(&watching, 0);
  CHECK(request.kind == MIXGRPO_REQUEST_KIND_FINISHED);
  mixgrpo_update_destroy(update);
  mixgrpo_rollout_destroy(rollout);
}

static void change_max_batch(fixture *f, int max_batch) {
  mixgrpo_evaluator_config geometry;
  DONE(mixgrpo_evaluator_config_init(&geometry, sizeof geometry));
  geometry.height_tokens = geometry.width_tokens = 2;
  geometry.text_length = TEXT_LENGTH;
  geometry.max_batch = max_batch;
  mixgrpo_evaluator_destroy(f->evaluator);
  DONE(mixgrpo_evaluator_create(f->model, &geometry, NULL, 0, &f->evaluator));
}

static void measure(int threads) {
  fixture f = fixture_create(threads);
  change_max_batch(&f, 64);
  size_t parameters = 0;
  mixgrpo_optimizer *optimizer = NULL;
  DONE(mixgrpo_model_get_size(f.model, NULL, &parameters));
  DONE(mixgrpo_optimizer_create(f.context, &f.learning, parameters, &optimizer));

  for (int i = 0; i < 3; i++) iterate(&f, optimizer, 0);
  atomic_store(&allocations, 0);
  atomic_store(&largest, 0);
  iterate(&f, optimizer, 1);
  const long counted = atomic_load(&allocations);
  printf("%ld heap allocations of at most %zu bytes in a warm iteration with %d thread%s\n", counted,
         (size_t)atomic_load(&largest), threads, threads == 1 ? "" : "s");
  CHECK(counted == 0);

  mixgrpo_optimizer_destroy(optimizer);
  fixture_destroy(&f);
}

/* Heap allocations of a trainer's warm iteration. */
static long count_trainer(int threads, int steps, int max_batch) {
  fixture f = fixture_create(threads);
  change_max_batch(&f, max_batch);
  mixgrpo_plan_destroy(f.plan);
  f.sampling.steps = steps;
  f.sampling.window_mode = MIXGRPO_WINDOW_MODE_FROZEN;
  DONE(mixgrpo_plan_create(&f.sampling, NULL, 0, &f.plan));
  mixgrpo_trainer *trainer = fixture_trainer(&f, 0);
  const double rewards[2 * SAMPLES] = {1, 2, 3, 4, 4, 3, 2, 1};
  float samples[SAMPLES * LATENT];
  atomic_store(&allocations, 0);
  for (int i = 0; i < 4; i++) {
    atomic_store(&watching, i == 3);
    DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, SAMPLES * LATENT));
    DONE(mixgrpo_trainer_update(trainer, rewards, 2 * SAMPLES, NULL, 0, NULL));
    atomic_store(&watching, 0);
  }
  mixgrpo_trainer_destroy(trainer);
  fixture_destroy(&f);
  return atomic_load(&allocations);
}

/* A trainer makes its rollout and update anew; their requests, which keep and recall activations, add nothing. Hash tables
 * differ by a few from run to run. */
static void trainers_allocate_nothing_per_request(int threads) {
  enum { FEW = 16, MOST = 350 };
  const long whole = count_trainer(threads, 10, 64);
  const long sample_by_sample = count_trainer(threads, 10, 1), longer = count_trainer(threads, 40, 64);
  printf("%ld heap allocations in a trainer's warm iteration with %d thread%s, %+ld sample by sample, %+ld with 30 steps more\n",
         whole, threads, threads == 1 ? "" : "s", sample_by_sample - whole, longer - whole);
  CHECK(whole <= MOST && sample_by_sample - whole <= FEW && longer - whole <= FEW);
}

int main(void) {
  measure(1);
  measure(2);
  measure(3);
  trainers_allocate_nothing_per_request(1);
  trainers_allocate_nothing_per_request(2);
  return check_failures() != 0;
}
