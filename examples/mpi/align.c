/* Several processes align one model with a reward of their own: pictures with dark pixels. Whatever their number, the result is the
 * same to the last bit.
 *
 *   mpicc -O2 -std=c99 align.c mpi_collective.c $(pkg-config --cflags --libs mixgrpo) -o align
 *   mpirun -n 4 ./align base 6
 *
 * `base`: the folder of the model; 6: iterations. Every process draws and scores its share of the prompts. The first one prints
 * the metrics, and in the end a number that is computed from all weights. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "mixgrpo.h"
#include "mpi_collective.h"

enum { TOKENS = 4, TEXT_LENGTH = 16, TEXT_WIDTH = 64, STEPS = 8, GROUP = 6, PROMPTS = 8 };

static const char *const captions[PROMPTS] = {
    "a red circle on the left", "a red circle on the right", "a green square on the left", "a green square on the right",
    "a blue circle on the left", "a blue circle on the right", "a red square on the left", "a red square on the right",
};
static int32_t rank, size;

static void check(mixgrpo_status status) {
  if (status == MIXGRPO_STATUS_OK) return;
  fprintf(stderr, "align: rank %d: %s\n", (int)rank, mixgrpo_last_error());
  mpi_ranks_finish(EXIT_FAILURE);
}

static float *allocate(size_t values) {
  float *const memory = malloc((values > 0 ? values : 1) * sizeof *memory);
  if (memory != NULL) return memory;
  fprintf(stderr, "align: rank %d: expected memory for %zu values, got none\n", (int)rank, values);
  mpi_ranks_finish(EXIT_FAILURE);
  exit(EXIT_FAILURE);
}

static const mixgrpo_context *interruptible;
static void interrupt(int signal_number) {
  (void)signal_number;
  mixgrpo_context_cancel(interruptible);
}

static mixgrpo_trainer *create_trainer(const mixgrpo_context *context, mixgrpo_model *model) {
  mixgrpo_prompts *prompts;
  mixgrpo_evaluator_config geometry;
  mixgrpo_evaluator *evaluator;
  mixgrpo_sampling_config sampling;
  mixgrpo_learning_config learning;
  mixgrpo_plan *plan;
  mixgrpo_trainer *trainer;
  const char *const names[] = {"darkness"};
  check(mixgrpo_prompts_create_hashed_words(context, captions, PROMPTS, TEXT_LENGTH, TEXT_WIDTH, TEXT_WIDTH, &prompts));
  check(mixgrpo_evaluator_config_init(&geometry, sizeof geometry));
  geometry.height_tokens = geometry.width_tokens = TOKENS;
  geometry.text_length = TEXT_LENGTH;
  check(mixgrpo_evaluator_create(model, &geometry, NULL, 0, &evaluator));
  check(mixgrpo_config_init(&sampling, sizeof sampling, &learning, sizeof learning));
  sampling.steps = STEPS;
  sampling.group_size = GROUP;
  learning.learning_rate = 2e-5;
  check(mixgrpo_plan_create(&sampling, NULL, 0, &plan));
  check(mixgrpo_trainer_create(evaluator, prompts, plan, &learning, names, 1, 0, &trainer));
  mixgrpo_plan_destroy(plan);
  mixgrpo_evaluator_destroy(evaluator);
  mixgrpo_prompts_destroy(prompts);
  return trainer;
}

/* The mean of a sample's values, which are darker the smaller they are. */
static double darkness(const float *sample, size_t values) {
  double sum = 0;
  for (size_t i = 0; i < values; i++) sum -= sample[i];
  return sum / (double)values;
}

static void train(mixgrpo_trainer *trainer, int iterations, size_t values) {
  /* This rank's share of the prompts, and their samples. */
  const int prompts = (rank + 1) * PROMPTS / size - rank * PROMPTS / size, samples = prompts * GROUP;
  int32_t chosen[PROMPTS];
  double rewards[PROMPTS * GROUP];
  float *const drawn = allocate((size_t)samples * values);
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  for (int i = 0; i < PROMPTS; i++) chosen[i] = i;
  for (int i = 0; i < iterations; i++) {
    check(mixgrpo_trainer_rollout(trainer, chosen, PROMPTS, drawn, (size_t)samples * values));
    for (int j = 0; j < samples; j++) rewards[j] = darkness(drawn + (size_t)j * values, values);
    check(mixgrpo_trainer_update(trainer, rewards, (size_t)samples, NULL, 0, &metrics));
    if (rank == 0)
      printf("%2lld  reward %.4f  gradient %.4g\n", (long long)metrics.iteration, metrics.reward_mean, metrics.gradient_norm);
  }
  free(drawn);
}

/* FNV-1a over all weights. */
static void print_weights(const mixgrpo_model *model) {
  size_t count = 0;
  check(mixgrpo_model_get_size(model, NULL, &count));
  float *const weights = allocate(count);
  uint64_t hash = 0xCBF29CE484222325u;
  check(mixgrpo_model_get_weights(model, 0, weights, count));
  for (size_t i = 0; i < count * sizeof *weights; i++) hash = (hash ^ ((const uint8_t *)weights)[i]) * 0x100000001B3u;
  printf("weights %016llx\n", (unsigned long long)hash);
  free(weights);
}

int main(int argc, char **argv) {
  mixgrpo_context *context;
  mixgrpo_model *model;
  if (argc != 3) return fprintf(stderr, "usage: mpirun -n RANKS align MODEL ITERATIONS\n"), EXIT_FAILURE;
  if (mpi_ranks_start(&rank, &size) != 0) return fprintf(stderr, "align: MPI does not start\n"), EXIT_FAILURE;
  check(mixgrpo_context_create(1, &context)); /* a thread for each rank */
  interruptible = context;
  signal(SIGINT, interrupt);
  check(mixgrpo_model_load(context, argv[1], &model));
  mixgrpo_trainer *trainer = create_trainer(context, model);

  const mixgrpo_collective collective = {
      .struct_size = sizeof collective, .rank = rank, .size = size, .all_gather = mpi_ranks_all_gather,
      .all_to_all = mpi_ranks_all_to_all};
  check(mixgrpo_trainer_set_collective(trainer, &collective));
  train(trainer, atoi(argv[2]), TOKENS * TOKENS * 48);
  if (rank == 0) print_weights(model);

  mixgrpo_trainer_destroy(trainer);
  mixgrpo_model_destroy(model);
  mixgrpo_context_destroy(context);
  mpi_ranks_finish(EXIT_SUCCESS);
  return EXIT_SUCCESS;
}
