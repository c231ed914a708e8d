/* Many iterations in one process: memory, file descriptors and threads stay as they are after the first tenth.
 *
 *   growth ITERATIONS */
#define _GNU_SOURCE
#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "fixture.h"

enum { VALUES = SAMPLES * LATENT };
/* What the allocator keeps in pieces, and what tables of the process may still grow by. */
static const long slack_resident = 4 << 20, slack_used = 64 << 10;

typedef struct { long resident, used, descriptors, threads; } holdings;

static long entries(const char *path) {
  long count = 0;
  DIR *const folder = opendir(path);
  while (folder && readdir(folder)) count++;
  if (folder) closedir(folder);
  return count;
}

static holdings measure(void) {
  long size = 0, resident = 0;
  FILE *const file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%ld %ld", &size, &resident) != 2) resident = 0;
  if (file) fclose(file);
  const long descriptors = entries("/proc/self/fd"), threads = entries("/proc/self/task");
  return (holdings){resident * sysconf(_SC_PAGESIZE), (long)mallinfo2().uordblks, descriptors, threads};
}

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
  holdings before = {0, 0, 0, 0};
  f.learning.learning_rate = 1e-9; /* all iterations train one model */
  for (long i = 0; i < iterations; i++) {
    if (i == iterations / 10) before = measure();
    live_once(&f);
  }
  const holdings after = measure();
  printf("%ld iterations: %+.1f KB in use, %+.1f KB resident, %+ld file descriptors, %+ld threads after the first tenth\n", iterations,
         (double)(after.used - before.used) / 1000, (double)(after.resident - before.resident) / 1000,
         after.descriptors - before.descriptors, after.threads - before.threads);
  CHECK(after.used - before.used <= slack_used);
  CHECK(after.resident - before.resident <= slack_resident);
  CHECK(after.descriptors == before.descriptors);
  CHECK(after.threads == before.threads);
  fixture_destroy(&f);
  return check_failures() != 0;
}
