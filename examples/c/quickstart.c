/* cc examples/c/quickstart.c $(pkg-config --cflags --libs mixgrpo) -o quickstart && ./quickstart examples/base */
#include <mixgrpo.h>
#include <stdio.h>
#include <stdlib.h>

enum { PROMPTS = 2, GROUP = 12, VALUES = 64 * 48, IMAGES = PROMPTS * GROUP }; /* 32 × 32 pixels as 64 tokens of 48 values */
static float samples[IMAGES * VALUES];
static uint8_t pixels[IMAGES * VALUES];

static void check(mixgrpo_status status) {
  if (status != MIXGRPO_STATUS_OK) exit((fprintf(stderr, "%s\n", mixgrpo_last_error()), 1));
}

static double darkness(const uint8_t *image) { /* the reward: any code of yours, nothing need be differentiable */
  long sum = 0;
  for (int i = 0; i < VALUES; i++) sum += image[i];
  return 1 - sum / (255.0 * VALUES);
}

int main(int argc, char **argv) {
  const char *lines[PROMPTS] = {"a red circle at the left", "a blue square in the middle"}, *names[] = {"darkness"};
  const int32_t chosen[PROMPTS] = {0, 1};
  mixgrpo_context *context; mixgrpo_model *model; mixgrpo_prompts *prompts;
  mixgrpo_evaluator *evaluator; mixgrpo_plan *plan; mixgrpo_trainer *trainer;
  mixgrpo_evaluator_config geometry; mixgrpo_sampling_config sampling; mixgrpo_learning_config learning;

  check(mixgrpo_context_create(0, &context)); /* one thread per core */
  check(mixgrpo_model_load(context, argc > 1 ? argv[1] : "examples/base", &model));
  check(mixgrpo_prompts_create_hashed_words(context, lines, PROMPTS, 16, 64, 64, &prompts));
  check(mixgrpo_evaluator_config_init(&geometry, sizeof geometry)); /* 8 × 8 image tokens */
  geometry.text_length = 16;
  check(mixgrpo_evaluator_create(model, &geometry, NULL, 0, &evaluator));
  check(mixgrpo_config_init(&sampling, sizeof sampling, &learning, sizeof learning)); /* the paper's MixGRPO */
  sampling.steps = 12, sampling.group_size = GROUP, learning.learning_rate = 2e-5;
  check(mixgrpo_plan_create(&sampling, NULL, 0, &plan));
  check(mixgrpo_trainer_create(evaluator, prompts, plan, &learning, names, 1, 0, &trainer));

  for (int iteration = 0; iteration < 20; iteration++) {
    mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
    double rewards[IMAGES];
    check(mixgrpo_trainer_rollout(trainer, chosen, PROMPTS, samples, IMAGES * VALUES));
    check(mixgrpo_pixels_decode(samples, IMAGES * VALUES, IMAGES, 32, 32, 4, pixels, IMAGES * VALUES));
    for (int i = 0; i < IMAGES; i++) rewards[i] = darkness(pixels + (size_t)i * VALUES);
    check(mixgrpo_trainer_update(trainer, rewards, IMAGES, NULL, 0, &metrics));
    printf("iteration %d: darkness %.3f\n", iteration, metrics.reward_mean);
  }
  check(mixgrpo_model_save(model, "aligned", MIXGRPO_STORAGE_BF16)); /* a diffusers folder */
}
