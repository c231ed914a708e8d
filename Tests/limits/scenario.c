#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"
#include "mirror.h"

enum {
  TOKENS = 64, CHANNELS = 48, LATENT = TOKENS * CHANNELS, PROMPTS = 2, GROUP = 4, SAMPLES = PROMPTS * GROUP,
  VALUES = SAMPLES * LATENT, TEXT = 16, WIDTH = 64, LINES = 64, MANY = 40000, PICTURE = 400 * 300 * 3,
};

static const judge *current;

/* Until the judge is content. */
#define TRY(call) do { } while (current->again((call), #call))

static float samples[VALUES], text[LINES * TEXT * WIDTH], pooled[LINES * WIDTH];
static uint8_t picture[PICTURE], png[2 * PICTURE];
static double rewards[SAMPLES], many[MANY], answers[MANY];
static uint8_t included[MANY];

typedef struct {
  mixgrpo_context *context;
  mixgrpo_model *model;
  mixgrpo_prompts *prompts;
  mixgrpo_evaluator *evaluator;
  mixgrpo_plan *plan;
  mixgrpo_trainer *trainer;
  mixgrpo_sampling_config sampling;
  mixgrpo_learning_config learning;
} world;

static void make_world(world *w, int threads) {
  mixgrpo_model_config sizes;
  mixgrpo_evaluator_config geometry;
  const char *lines[LINES], *names[] = {"taste"};
  for (int i = 0; i < LINES; i++) lines[i] = i % 2 ? "a red circle" : "two blue squares at night";
  TRY(mixgrpo_context_create(threads, &w->context));
  TRY(mixgrpo_model_config_init(&sizes, sizeof sizes));
  sizes.num_layers = sizes.num_single_layers = sizes.num_attention_heads = 1;
  TRY(mixgrpo_model_create(w->context, &sizes, 1, &w->model));
  TRY(mixgrpo_hashed_words_encode(lines, LINES, TEXT, WIDTH, WIDTH, text, LINES * TEXT * WIDTH, pooled, LINES * WIDTH));
  TRY(mixgrpo_prompts_create(w->context, text, LINES * TEXT * WIDTH, pooled, LINES * WIDTH, LINES, TEXT, WIDTH, WIDTH, &w->prompts));
  mixgrpo_prompts_destroy(w->prompts);
  TRY(mixgrpo_prompts_create_hashed_words(w->context, lines, LINES, TEXT, WIDTH, WIDTH, &w->prompts));
  TRY(mixgrpo_evaluator_config_init(&geometry, sizeof geometry));
  geometry.max_batch = 4;
  TRY(mixgrpo_evaluator_create(w->model, &geometry, NULL, 0, &w->evaluator));
  TRY(mixgrpo_config_init(&w->sampling, sizeof w->sampling, &w->learning, sizeof w->learning));
  w->sampling.steps = 4, w->sampling.window_length = 2, w->sampling.group_size = GROUP;
  w->sampling.solver = MIXGRPO_SOLVER_DPM_2_MIDPOINT;
  w->learning.updates_per_iteration = 1, w->learning.ema_decay = 0.9, w->learning.kl_reference = 0.01;
  TRY(mixgrpo_plan_create(&w->sampling, NULL, 0, &w->plan));
  TRY(mixgrpo_trainer_create(w->evaluator, w->prompts, w->plan, &w->learning, names, 1, 1, &w->trainer));
}

static void destroy_world(world *w) {
  mixgrpo_trainer_destroy(w->trainer);
  mixgrpo_plan_destroy(w->plan);
  mixgrpo_evaluator_destroy(w->evaluator);
  mixgrpo_prompts_destroy(w->prompts);
  mixgrpo_model_destroy(w->model);
  mixgrpo_context_destroy(w->context);
}

static void train(world *w, const char *folder) {
  const int32_t chosen[PROMPTS] = {0, 1};
  mixgrpo_sample_config config;
  TRY(mixgrpo_trainer_rollout(w->trainer, chosen, PROMPTS, samples, VALUES));
  for (int i = 0; i < SAMPLES; i++) rewards[i] = samples[i * LATENT];
  TRY(mixgrpo_trainer_update(w->trainer, rewards, SAMPLES, NULL, 0, NULL));
  TRY(mixgrpo_trainer_save(w->trainer, folder));
  TRY(mixgrpo_trainer_restore(w->trainer, folder));
  TRY(mixgrpo_sample_config_init(&config, sizeof config));
  config.steps = 2;
  TRY(mixgrpo_trainer_sample(w->trainer, MIXGRPO_WEIGHTS_AVERAGE, &config, chosen, PROMPTS, NULL, 0, samples, VALUES));
}

static int32_t all_gather(void *user_data, const void *sent, void *received, size_t bytes) {
  (void)user_data;
  mirror_gather(sent, received, bytes);
  return 0;
}

static int32_t all_to_all(
    void *user_data, const void *sent, const size_t *sent_bytes, void *received, const size_t *received_bytes) {
  (void)user_data;
  mirror_pieces(sent, sent_bytes, received, received_bytes);
  return 0;
}

/* An iteration as one of two ranks, which have a prompt each; then alone again. */
static void train_as_a_rank(world *w) {
  const int32_t chosen[PROMPTS] = {0, 1};
  const mixgrpo_collective collective = {
      .struct_size = sizeof collective, .rank = 0, .size = 2, .all_gather = all_gather, .all_to_all = all_to_all};
  TRY(mixgrpo_trainer_set_collective(w->trainer, &collective));
  TRY(mixgrpo_trainer_rollout(w->trainer, chosen, PROMPTS, samples, VALUES / 2));
  for (int i = 0; i < SAMPLES / 2; i++) rewards[i] = samples[i * LATENT];
  TRY(mixgrpo_trainer_update(w->trainer, rewards, SAMPLES / 2, NULL, 0, NULL));
  TRY(mixgrpo_trainer_set_collective(w->trainer, NULL));
}

static void make_local_ranks(void) {
  mixgrpo_local_ranks *ranks = NULL;
  mixgrpo_collective collective = {.struct_size = sizeof collective};
  TRY(mixgrpo_local_ranks_create(1024, 60, &ranks));
  TRY(mixgrpo_local_ranks_get_collective(ranks, 1023, &collective));
  TRY(mixgrpo_local_ranks_abandon(ranks, "enough"));
  mixgrpo_local_ranks_destroy(ranks);
}

static void adapt(world *w) {
  mixgrpo_lora_config config;
  mixgrpo_model *adapted = NULL, *merged = NULL, *frozen = NULL;
  TRY(mixgrpo_lora_config_init(&config, sizeof config));
  TRY(mixgrpo_model_adapt(w->model, &config, NULL, 0, &adapted));
  TRY(mixgrpo_model_merge(adapted, &merged));
  TRY(mixgrpo_model_freeze(adapted, &frozen));
  mixgrpo_model_destroy(frozen);
  mixgrpo_model_destroy(merged);
  mixgrpo_model_destroy(adapted);
}

static void train_by_hand(world *w) {
  const int32_t chosen[PROMPTS] = {0, 1};
  mixgrpo_rollout_config which;
  mixgrpo_rollout *rollout = NULL;
  mixgrpo_update *update = NULL;
  mixgrpo_optimizer *optimizer = NULL;
  mixgrpo_evaluator *reference = NULL;
  mixgrpo_evaluator_config geometry;
  mixgrpo_model *copy = NULL;
  double advantages[SAMPLES];
  size_t count = 0;
  TRY(mixgrpo_rollout_config_init(&which, sizeof which));
  which.latent_size = LATENT;
  TRY(mixgrpo_rollout_create(w->context, w->plan, &which, chosen, PROMPTS, NULL, 0, &rollout));
  TRY(mixgrpo_rollout_run(rollout, w->evaluator, w->prompts));
  TRY(mixgrpo_rollout_get_samples(rollout, samples, VALUES));
  for (int i = 0; i < SAMPLES; i++) advantages[i] = i % 2 ? 1 : -1;
  TRY(mixgrpo_update_create(rollout, &w->learning, advantages, NULL, SAMPLES, 4, &update));
  TRY(mixgrpo_model_copy(w->model, &copy));
  TRY(mixgrpo_evaluator_config_init(&geometry, sizeof geometry));
  geometry.max_batch = 4;
  TRY(mixgrpo_evaluator_create(copy, &geometry, NULL, 0, &reference));
  TRY(mixgrpo_model_get_size(w->model, NULL, &count));
  TRY(mixgrpo_optimizer_create(w->context, &w->learning, count, &optimizer));
  TRY(mixgrpo_update_run(update, w->evaluator, w->prompts, optimizer, reference, NULL));
  mixgrpo_update_destroy(update);
  mixgrpo_rollout_destroy(rollout);
  mixgrpo_optimizer_destroy(optimizer);
  mixgrpo_evaluator_destroy(reference);
  mixgrpo_model_destroy(copy);
}

static void plan_much(world *w) {
  mixgrpo_sampling_config sampling = w->sampling;
  mixgrpo_learning_config learning = w->learning;
  mixgrpo_iteration_plan iteration = {.struct_size = sizeof iteration};
  mixgrpo_plan *plan = NULL;
  sampling.steps = 10000;
  TRY(mixgrpo_plan_create(&sampling, NULL, 0, &plan));
  TRY(mixgrpo_plan_get_iteration(plan, 3, -1, 1, 1, &iteration));
  mixgrpo_plan_destroy(plan);
  for (int i = 0; i < MANY; i++) many[i] = i % 7;
  TRY(mixgrpo_advantages(&learning, many, 2, MANY / 20, 10, NULL, 0, answers, included, MANY / 2, NULL));
  static int32_t pairs[2 * 4096];
  for (int i = 0; i < 4096; i++) pairs[2 * i] = i, pairs[2 * i + 1] = (i + 1) % 4096;
  TRY(mixgrpo_scores_from_pairs(pairs, 4096, 4096, answers, 4096));
  TRY(mixgrpo_scores_from_ratings(many, 4096, answers, 4096));
}

static void keep_files(world *w, const char *folder) {
  char path[300];
  mixgrpo_model *model = NULL;
  mixgrpo_image *image = NULL, *again = NULL;
  size_t size = 0;
  snprintf(path, sizeof path, "%s/picture.png", folder);
  for (int i = 0; i < PICTURE; i++) picture[i] = (uint8_t)(i * 7 + i / 300);
  TRY(mixgrpo_model_save(w->model, folder, MIXGRPO_STORAGE_BF16));
  TRY(mixgrpo_model_load(w->context, folder, &model));
  TRY(mixgrpo_image_create(picture, PICTURE, 400, 300, &image));
  TRY(mixgrpo_image_encode(image, png, sizeof png, &size));
  TRY(mixgrpo_image_decode(png, size, &again));
  TRY(mixgrpo_image_save(image, path));
  mixgrpo_image_destroy(again);
  TRY(mixgrpo_image_load(path, &again));
  mixgrpo_image_destroy(again);
  TRY(mixgrpo_image_create_grid(picture, PICTURE, 3, 100, 400, 2, 1, 2, &again));
  mixgrpo_image_destroy(again);
  mixgrpo_image_destroy(image);
  mixgrpo_model_destroy(model);
}

double run_scenario(const judge *judge, int threads, const char *folder) {
  world w;
  double sum = 0;
  memset(&w, 0, sizeof w);
  current = judge;
  make_world(&w, threads);
  train_as_a_rank(&w);
  make_local_ranks();
  train(&w, folder);
  adapt(&w);
  train_by_hand(&w);
  plan_much(&w);
  keep_files(&w, folder);
  destroy_world(&w);
  for (int i = 0; i < VALUES; i++) sum += samples[i] * (1 + i % 5);
  for (int i = 0; i < MANY / 2; i++) sum += answers[i] * (1 + i % 3);
  return sum;
}
