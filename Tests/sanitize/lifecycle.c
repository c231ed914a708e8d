/* Every object of one run, from its first call to its last, for valgrind: trained, saved, resumed, evaluated, destroyed. */
#include <stdio.h>

#include "check.h"
#include "fixture.h"

enum { VALUES = SAMPLES * LATENT };

static void train(mixgrpo_trainer *trainer) {
  float samples[VALUES];
  double scores[2 * SAMPLES];
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES));
  for (int i = 0; i < 2 * SAMPLES; i++) scores[i] = samples[i % SAMPLES * LATENT + i / SAMPLES];
  DONE(mixgrpo_trainer_update(trainer, scores, 2 * SAMPLES, NULL, 0, &metrics));
  CHECK(metrics.first_ratio_min == 1 && metrics.first_ratio_max == 1);
}

static void draw(mixgrpo_trainer *trainer) {
  float samples[BATCH * LATENT];
  mixgrpo_sample_config config;
  DONE(mixgrpo_sample_config_init(&config, sizeof config));
  config.steps = 3;
  DONE(mixgrpo_trainer_sample(
      trainer, MIXGRPO_WEIGHTS_TRAINED, &config, chosen_prompts, BATCH, NULL, 0, samples, BATCH * LATENT));
}

int main(void) {
  fixture f = fixture_create(2);
  mixgrpo_trainer *trainer = fixture_trainer(&f, 1);
  mixgrpo_resumption resumption = {.struct_size = sizeof resumption};
  const char *folder = scratch_path("checkpoints");
  train(trainer);
  DONE(mixgrpo_trainer_checkpoint(trainer, folder, 2, 0));
  DONE(mixgrpo_trainer_resume(trainer, folder, &resumption));
  CHECK(resumption.iteration == 1);
  INVALID("prompt_indices", mixgrpo_trainer_rollout(trainer, NULL, BATCH, NULL, 0));
  train(trainer);
  draw(trainer);
  DONE(mixgrpo_trainer_save_model(trainer, MIXGRPO_WEIGHTS_BASE, scratch_path("base"), MIXGRPO_STORAGE_BF16));
  mixgrpo_trainer_destroy(trainer);
  fixture_destroy(&f);
  printf("lifecycle: %d checks, %d failures\n", check_count(), check_failures());
  return check_failures() != 0;
}
