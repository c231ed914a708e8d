/* The memory that mixgrpo_plan_predict_memory predicts is what an iteration takes: within 10 % of the peak that the system reports, for
 * a model large enough that the process itself (10 to 20 MB) and the allocator's rounding are small beside it.
 *
 * Each case is a process of its own, as peaks do not go down: without arguments the program runs itself once per case. */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "check.h"
#include "mixgrpo.h"

enum { CHANNELS = 8, MANY_CHANNELS = 8192, SIDE = 12, TEXT = 16, GROUP = 6 };

/* Bytes of a line of /proc/self/status. */
static double status_bytes(const char *name) {
  char line[256];
  double kilobytes = 0;
  FILE *file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file)) {
    if (strncmp(line, name, strlen(name)) == 0) kilobytes = strtod(line + strlen(name) + 1, NULL);
  }
  if (file) fclose(file);
  return 1024 * kilobytes;
}

/* With many channels a small model, beside whose latents its weights are few. */
static mixgrpo_model_config model_config(int channels) {
  mixgrpo_model_config config;
  DONE(mixgrpo_model_config_init(&config, sizeof config));
  config.in_channels = config.out_channels = channels;
  config.num_layers = channels == CHANNELS ? 2 : 1;
  config.num_single_layers = channels == CHANNELS ? 4 : 1;
  config.attention_head_dim = 32;
  config.num_attention_heads = channels == CHANNELS ? 8 : 1;
  return config;
}

static void iterate(mixgrpo_trainer *trainer, float *samples, size_t values) {
  const double rewards[GROUP] = {1, 2, 3, 4, 5, 6};
  const int32_t prompt = 0;
  DONE(mixgrpo_trainer_rollout(trainer, &prompt, 1, samples, values));
  DONE(mixgrpo_trainer_update(trainer, rewards, GROUP, NULL, 0, NULL));
}

static void measure(mixgrpo_undo undo, int recompute, uint64_t max_bytes, int channels) {
  mixgrpo_context *context = NULL;
  mixgrpo_model *model = NULL;
  mixgrpo_prompts *prompts = NULL;
  mixgrpo_evaluator *evaluator = NULL;
  mixgrpo_plan *plan = NULL;
  mixgrpo_trainer *trainer = NULL;
  mixgrpo_sampling_config sampling;
  mixgrpo_learning_config learning;
  mixgrpo_evaluator_config geometry;
  mixgrpo_memory memory = {.struct_size = sizeof memory};
  const mixgrpo_model_config sizes = model_config(channels);
  const char *const line = "a red circle", *const reward = "order";

  DONE(mixgrpo_context_create(2, &context));
  DONE(mixgrpo_config_init(&sampling, sizeof sampling, &learning, sizeof learning));
  sampling.steps = 3;
  sampling.window_length = 2;
  sampling.group_size = GROUP;
  learning.updates_per_iteration = 2;
  learning.undo = undo;
  if (undo == MIXGRPO_UNDO_NONE) learning.max_velocity_change = 0;
  DONE(mixgrpo_plan_create(&sampling, NULL, 0, &plan));
  DONE(mixgrpo_evaluator_config_init(&geometry, sizeof geometry));
  geometry.height_tokens = geometry.width_tokens = SIDE;
  geometry.text_length = TEXT;
  geometry.max_batch = GROUP;
  geometry.recompute_activations = recompute;
  geometry.max_bytes = max_bytes;
  mixgrpo_workload work = {sizeof work, 1, SIDE * SIDE, channels, TEXT, GROUP, 2, 0, recompute, 0, max_bytes, 0, 0};
  DONE(mixgrpo_plan_predict_memory(plan, 0, MIXGRPO_WINDOW_START_SCHEDULED, &learning, &sizes, &work, &memory));
  DONE(mixgrpo_prompts_create_hashed_words(
      context, &line, 1, TEXT, sizes.joint_attention_dim, sizes.pooled_projection_dim, &prompts));
  const size_t values = (size_t)GROUP * SIDE * SIDE * (size_t)channels;
  float *samples = malloc(values * sizeof *samples);
  CHECK(samples != NULL);
  for (size_t i = 0; i < values; i++) samples[i] = 1; /* the host's own, taken before */
  const double before = status_bytes("VmRSS");

  DONE(mixgrpo_model_create(context, &sizes, 1, &model));
  DONE(mixgrpo_evaluator_create(model, &geometry, NULL, 0, &evaluator));
  DONE(mixgrpo_trainer_create(evaluator, prompts, plan, &learning, &reward, 1, 0, &trainer));
  iterate(trainer, samples, values);
  const double measured = status_bytes("VmHWM"), predicted = before + (double)memory.peak_bytes;
  printf("undo %d, recompute %d, max_bytes %llu, trajectory %.0f %%: %.1f MB predicted with %.1f MB of the process, "
         "%.1f MB measured (%+.1f %%)\n",
         undo, recompute, (unsigned long long)max_bytes, 100 * (double)memory.trajectory_bytes / (double)memory.peak_bytes,
         predicted * 1e-6, before * 1e-6, measured * 1e-6, 100 * (measured / predicted - 1));
  CHECK(before > 0);
  CHECK(measured / predicted <= 1.1);
  CHECK(predicted / measured <= 1.1);
  CHECK(max_bytes == 0 || memory.peak_bytes <= max_bytes);

  free(samples);
  mixgrpo_trainer_destroy(trainer);
  mixgrpo_evaluator_destroy(evaluator);
  mixgrpo_prompts_destroy(prompts);
  mixgrpo_model_destroy(model);
  mixgrpo_plan_destroy(plan);
  mixgrpo_context_destroy(context);
}

int main(int count, char **arguments) {
  if (count == 5) {
    measure(atoi(arguments[1]), atoi(arguments[2]), strtoull(arguments[3], NULL, 10), atoi(arguments[4]));
    return check_failures() != 0;
  }
  const char *const cases[] = {"0 0 0", "1 0 0", "1 1 0", "1 1 195000000", "1 1 0"};
  for (int i = 0; i < 5; i++) {
    char command[4200];
    snprintf(command, sizeof command, "'%s' %s %d", arguments[0], cases[i], i < 4 ? CHANNELS : MANY_CHANNELS);
    const int status = system(command);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  return check_failures() != 0;
}
