/* A training run that survives: it resumes from FOLDER/checkpoints, trains until iteration COUNT, and saves after each iteration.
 *
 *   worker FOLDER COUNT THREADS PRESET
 *
 * Another number of threads also brings another max_batch, and 2 recomputed activations: none of it may change a bit.
 * On stdout, one line at a time: "resumed ITERATION SKIPPED DIGEST", then "saved ITERATION DIGEST" for each. A digest is of all
 * weights and averages. Exit status 0 when done, 3 with a message on stderr when a save failed. */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "fixture.h"

enum { VALUES = SAMPLES * LATENT };

static float samples[VALUES];
static double rewards[2 * SAMPLES];

static uint64_t digest_of(const float *values, size_t count, uint64_t hash) {
  const unsigned char *bytes = (const unsigned char *)values;
  for (size_t i = 0; i < count * sizeof *values; i++) hash = (hash ^ bytes[i]) * 0x100000001B3u;
  return hash;
}

/* Of the model's weights, and of a sample of the averaged ones. */
static uint64_t digest(const fixture *f, mixgrpo_trainer *trainer) {
  size_t count = 0;
  float averaged[LATENT];
  mixgrpo_sample_config config;
  DONE(mixgrpo_model_get_size(f->model, NULL, &count));
  float *weights = malloc(count * sizeof *weights);
  DONE(mixgrpo_model_get_weights(f->model, 0, weights, count));
  DONE(mixgrpo_sample_config_init(&config, sizeof config));
  config.steps = 2;
  DONE(mixgrpo_trainer_sample(
      trainer, MIXGRPO_WEIGHTS_AVERAGE, &config, chosen_prompts, 1, NULL, 0, averaged, LATENT));
  const uint64_t hash = digest_of(averaged, LATENT, digest_of(weights, count, 0xCBF29CE484222325u));
  free(weights);
  return hash;
}

static void iterate(mixgrpo_trainer *trainer) {
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES));
  for (int i = 0; i < SAMPLES; i++) {
    rewards[i] = samples[i * LATENT];
    rewards[SAMPLES + i] = -samples[i * LATENT + 1] * samples[i * LATENT + 1];
  }
  DONE(mixgrpo_trainer_update(trainer, rewards, 2 * SAMPLES, NULL, 0, NULL));
}

static void save(const mixgrpo_trainer *trainer, const char *checkpoints, const char *metrics) {
  if (mixgrpo_trainer_checkpoint(trainer, checkpoints, 2, 0) == MIXGRPO_STATUS_OK &&
      mixgrpo_trainer_append_metrics(trainer, metrics) == MIXGRPO_STATUS_OK)
    return;
  fprintf(stderr, "%s\n", mixgrpo_last_error());
  exit(3);
}

/* The fixture with a published method and with an evaluator of its own. */
static fixture create(int threads, const char *preset) {
  fixture f = fixture_create(threads);
  mixgrpo_evaluator_config geometry;
  DONE(mixgrpo_config_init_preset(preset, &f.sampling, &f.learning));
  f.sampling.steps = STEPS;
  f.sampling.window_length = WINDOW;
  f.sampling.window_interval = 1;
  f.learning.updates_per_iteration = 2;
  f.learning.learning_rate = 1e-3;
  f.learning.ema_decay = 0.9;
  DONE(mixgrpo_evaluator_config_init(&geometry, sizeof geometry));
  geometry.height_tokens = geometry.width_tokens = 2;
  geometry.text_length = TEXT_LENGTH;
  geometry.max_batch = 1 + 2 * threads;
  geometry.recompute_activations = threads == 2;
  mixgrpo_plan_destroy(f.plan);
  mixgrpo_evaluator_destroy(f.evaluator);
  DONE(mixgrpo_plan_create(&f.sampling, NULL, 0, &f.plan));
  DONE(mixgrpo_evaluator_create(f.model, &geometry, NULL, 0, &f.evaluator));
  return f;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  char checkpoints[4096], metrics[4096];
  snprintf(checkpoints, sizeof checkpoints, "%s/checkpoints", argv[1]);
  snprintf(metrics, sizeof metrics, "%s/metrics.jsonl", argv[1]);
  fixture f = create(atoi(argv[3]), argv[4]);
  mixgrpo_trainer *trainer = fixture_trainer(&f, 0);
  mixgrpo_resumption from = {.struct_size = sizeof from};
  DONE(mixgrpo_trainer_resume(trainer, checkpoints, &from));
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("resumed %" PRId64 " %d %" PRIx64 "\n", from.iteration, from.skipped, digest(&f, trainer));
  while (mixgrpo_trainer_iteration(trainer) < atoi(argv[2])) {
    iterate(trainer);
    save(trainer, checkpoints, metrics);
    printf("saved %" PRId64 " %" PRIx64 "\n", mixgrpo_trainer_iteration(trainer), digest(&f, trainer));
  }
  mixgrpo_trainer_destroy(trainer);
  fixture_destroy(&f);
  return check_failures() != 0;
}
