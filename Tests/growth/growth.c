/* Many iterations in one process: whatever is made goes again, and what the process holds stays as it is.
 *
 *   growth ITERATIONS */
#include <stdlib.h>

#include "check.h"
#include "fixture.h"
#include "measure.h"

enum { VALUES = SAMPLES * LATENT };

/* A trainer, its checkpoint and an image come and go; a failed call leaves nothing. */
static void live_once(const fixture *f) {
  static float samples[VALUES];
  static const unsigned char pixels[12];
  double rewards[2 * SAMPLES];
  mixgrpo_trainer *const trainer = fixture_trainer(f, 0);
  mixgrpo_image *image = NULL;
  const char *const folder = scratch_path("growth");
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES));
  for (int i = 0; i < 2 * SAMPLES; i++) rewards[i] = samples[i % SAMPLES * LATENT] + i / SAMPLES;
  DONE(mixgrpo_trainer_update(trainer, rewards, 2 * SAMPLES, NULL, 0, NULL));
  DONE(mixgrpo_trainer_save(trainer, folder));
  DONE(mixgrpo_trainer_restore(trainer, folder));
  INVALID("prompt_indices", mixgrpo_trainer_rollout(trainer, NULL, BATCH, NULL, 0));
  DONE(mixgrpo_image_create(pixels, 12, 2, 2, &image));
  mixgrpo_image_destroy(image);
  mixgrpo_trainer_destroy(trainer);
}

int main(int count, char **arguments) {
  const long iterations = count > 1 ? atol(arguments[1]) : 300;
  fixture f = fixture_create(2);
  f.learning.learning_rate = 1e-9; /* all iterations train one model */
  for (long i = 0; i < iterations; i++) {
    if (i == iterations / 10) growth_measure();
    live_once(&f);
  }
  growth_measure();
  fixture_destroy(&f);
  return check_failures() != 0;
}
