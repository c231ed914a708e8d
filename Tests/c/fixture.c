#define _POSIX_C_SOURCE 200809L
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"

const int32_t chosen_prompts[BATCH] = {2, 0};

mixgrpo_model_config small_model_config(void) {
  mixgrpo_model_config config;
  DONE(mixgrpo_model_config_init(&config, sizeof config));
  config.in_channels = config.out_channels = CHANNELS;
  config.num_layers = config.num_single_layers = 1;
  config.attention_head_dim = 8;
  config.num_attention_heads = 2;
  config.joint_attention_dim = TEXT_WIDTH;
  config.pooled_projection_dim = POOLED_WIDTH;
  config.axes_dims_rope[0] = config.axes_dims_rope[1] = 2;
  config.axes_dims_rope[2] = 4;
  return config;
}

/* The output layer of a new model is 0; these weights give velocities that differ. */
static void randomize(mixgrpo_model *model) {
  size_t count = 0;
  DONE(mixgrpo_model_get_size(model, NULL, &count));
  float *weights = malloc(count * sizeof *weights);
  DONE(mixgrpo_normal_noise(7, 1, 2, weights, count));
  for (size_t i = 0; i < count; i++) weights[i] *= 0.2f;
  DONE(mixgrpo_model_set_weights(model, 0, weights, count));
  free(weights);
}

static mixgrpo_prompts *encode_prompts(const mixgrpo_context *context) {
  const char *const lines[PROMPTS] = {"a red circle", "a blue square", "two greens", "night"};
  mixgrpo_prompts *prompts = NULL;
  DONE(mixgrpo_prompts_create_hashed_words(
      context, lines, PROMPTS, TEXT_LENGTH, TEXT_WIDTH, POOLED_WIDTH, &prompts));
  return prompts;
}

fixture fixture_create(int threads) {
  fixture f = {0};
  const mixgrpo_model_config config = small_model_config();
  mixgrpo_evaluator_config geometry;
  DONE(mixgrpo_context_create(threads, &f.context));
  DONE(mixgrpo_model_create(f.context, &config, 1, &f.model));
  randomize(f.model);
  f.prompts = encode_prompts(f.context);
  DONE(mixgrpo_evaluator_config_init(&geometry, sizeof geometry));
  geometry.height_tokens = geometry.width_tokens = 2;
  geometry.text_length = TEXT_LENGTH;
  geometry.max_batch = 3;
  DONE(mixgrpo_evaluator_create(f.model, &geometry, NULL, 0, &f.evaluator));
  DONE(mixgrpo_config_init(&f.sampling, sizeof f.sampling, &f.learning, sizeof f.learning));
  f.sampling.steps = STEPS;
  f.sampling.window_length = WINDOW;
  f.sampling.group_size = GROUP;
  f.sampling.window_interval = 1;
  f.learning.updates_per_iteration = 2;
  f.learning.learning_rate = 1e-3;
  DONE(mixgrpo_plan_create(&f.sampling, NULL, 0, &f.plan));
  return f;
}

void fixture_destroy(fixture *f) {
  mixgrpo_context_destroy(f->context);
  mixgrpo_model_destroy(f->model);
  mixgrpo_prompts_destroy(f->prompts);
  mixgrpo_evaluator_destroy(f->evaluator);
  mixgrpo_plan_destroy(f->plan);
}

mixgrpo_rollout *fixture_rollout(const fixture *f) {
  mixgrpo_rollout_config config;
  mixgrpo_rollout *rollout = NULL;
  DONE(mixgrpo_rollout_config_init(&config, sizeof config));
  config.latent_size = LATENT;
  DONE(mixgrpo_rollout_create(f->context, f->plan, &config, chosen_prompts, BATCH, NULL, 0, &rollout));
  return rollout;
}

mixgrpo_rollout *fixture_finished_rollout(const fixture *f) {
  mixgrpo_rollout *rollout = fixture_rollout(f);
  DONE(mixgrpo_rollout_run(rollout, f->evaluator, f->prompts));
  return rollout;
}

mixgrpo_trainer *fixture_trainer(const fixture *f, int keep_base) {
  const char *const names[] = {"taste", "match"};
  mixgrpo_trainer *trainer = NULL;
  DONE(mixgrpo_trainer_create(f->evaluator, f->prompts, f->plan, &f->learning, names, 2, keep_base, &trainer));
  return trainer;
}

const char *scratch_path(const char *name) {
  static char folder[128], paths[2][256];
  static int turn;
  if (!folder[0]) {
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/mixgrpo-test-XXXXXX", temporary ? temporary : "/tmp");
    CHECK(mkdtemp(folder) != NULL);
  }
  turn = !turn;
  snprintf(paths[turn], sizeof paths[turn], "%s/%s", folder, name);
  return paths[turn];
}

mixgrpo_trainer *shipped_model_trainer(mixgrpo_context *context, mixgrpo_model *model, int members, int steps) {
  const char *const lines[] = {"a red circle at the left"}, *const names[] = {"first"};
  mixgrpo_prompts *prompts = NULL;
  mixgrpo_evaluator *evaluator = NULL;
  mixgrpo_plan *plan = NULL;
  mixgrpo_trainer *trainer = NULL;
  mixgrpo_evaluator_config geometry;
  mixgrpo_sampling_config sampling;
  mixgrpo_learning_config learning;
  DONE(mixgrpo_prompts_create_hashed_words(context, lines, 1, 16, 64, 64, &prompts));
  DONE(mixgrpo_evaluator_config_init(&geometry, sizeof geometry));
  geometry.height_tokens = geometry.width_tokens = 8;
  geometry.text_length = 16;
  geometry.max_batch = members;
  DONE(mixgrpo_evaluator_create(model, &geometry, NULL, 0, &evaluator));
  DONE(mixgrpo_config_init(&sampling, sizeof sampling, &learning, sizeof learning));
  sampling.steps = steps;
  sampling.window_length = 2;
  sampling.group_size = members;
  learning.learning_rate = 1e-4;
  DONE(mixgrpo_plan_create(&sampling, NULL, 0, &plan));
  DONE(mixgrpo_trainer_create(evaluator, prompts, plan, &learning, names, 1, 0, &trainer));
  mixgrpo_prompts_destroy(prompts);
  mixgrpo_evaluator_destroy(evaluator);
  mixgrpo_plan_destroy(plan);
  return trainer;
}
