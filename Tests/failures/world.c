#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario.h"

const sizes little = {.threads = 1, .prompts = 2, .group = 4, .tokens = 2, .text_length = 3, .lines = 4, .images = 2, .steps = 4,
                      .minibatches = 2, .rewards = 2};
const sizes much = {.threads = 2, .prompts = 96, .group = 32, .tokens = 2, .text_length = 40, .lines = 3000, .images = 300,
                    .steps = 12, .minibatches = 4, .rewards = 5};

enum { CHANNELS = 3, TEXT_WIDTH = 6, POOLED_WIDTH = 5, MOST_ROOMS = 64 };

static void *rooms[MOST_ROOMS];
static int room_count;

void *room(size_t count, size_t size) {
  void *const block = calloc(count + 1, size);
  if (room_count < MOST_ROOMS) rooms[room_count++] = block;
  return block;
}

const char *path_in(const char *folder, const char *name) {
  static struct { char name[32], path[5000]; } known[16];
  static int count;
  int i = 0;
  while (i < count && strcmp(known[i].name, name) != 0) i++;
  if (i == count && count < 15) count++;
  snprintf(known[i].name, sizeof known[i].name, "%s", name);
  snprintf(known[i].path, sizeof known[i].path, "%s/%s", folder, name);
  return known[i].path;
}

static mixgrpo_model_config model_config(void) {
  mixgrpo_model_config config;
  TRY(mixgrpo_model_config_init(&config, sizeof config), OUT(config));
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
  TRY(mixgrpo_model_get_size(model, NULL, &count), OUT(count));
  float *const weights = room(count, sizeof *weights);
  TRY(mixgrpo_normal_noise(7, 1, 2, weights, count), OUTS(weights, count));
  for (size_t i = 0; i < count; i++) weights[i] *= 0.2f;
  TRY(mixgrpo_model_set_weights(model, 0, weights, count));
}

static void make_arrays(world *w) {
  static const char *const texts[] = {"a red circle", "two blue squares at night", "green", "a yellow star"};
  static char names[16][32];
  const sizes *const s = &w->sizes;
  w->latent_size = (size_t)s->tokens * (size_t)s->tokens * CHANNELS;
  w->samples = (size_t)s->prompts * (size_t)s->group;
  w->values = w->samples * w->latent_size;
  w->chosen = room((size_t)s->prompts, sizeof *w->chosen);
  w->latents = room(w->values, sizeof *w->latents);
  w->rewards = room((size_t)s->rewards * w->samples, sizeof *w->rewards);
  w->names = room((size_t)s->rewards, sizeof *w->names);
  w->lines = room((size_t)s->lines, sizeof *w->lines);
  for (int i = 0; i < s->prompts; i++) w->chosen[i] = s->prompts - 1 - i;
  for (int i = 0; i < s->lines; i++) w->lines[i] = texts[i % 4];
  for (int i = 0; i < s->rewards; i++) {
    snprintf(names[i], sizeof names[i], "reward %d", i);
    w->names[i] = names[i];
  }
}

static void settle(world *w) {
  TRY(mixgrpo_evaluator_config_init(&w->geometry, sizeof w->geometry), OUT(w->geometry));
  w->geometry.height_tokens = w->geometry.width_tokens = w->sizes.tokens;
  w->geometry.text_length = w->sizes.text_length;
  w->geometry.max_batch = 3;
  TRY(mixgrpo_config_init(&w->sampling, sizeof w->sampling, &w->learning, sizeof w->learning), OUT(w->sampling), OUT(w->learning));
  w->sampling.steps = w->sizes.steps;
  w->sampling.window_length = 2;
  w->sampling.group_size = w->sizes.group;
  w->sampling.window_interval = 1;
  w->sampling.solver = MIXGRPO_SOLVER_DPM_2_MIDPOINT;
  w->learning.updates_per_iteration = w->sizes.minibatches;
  w->learning.learning_rate = 1e-3;
  w->learning.ema_decay = 0.9;
  w->learning.kl_reference = 0.01;
}

world *world_create(const sizes *sizes) {
  room_count = 0;
  world *const w = room(1, sizeof *w);
  const mixgrpo_model_config config = model_config();
  w->sizes = *sizes;
  make_arrays(w);
  settle(w);
  TRY(mixgrpo_context_create(sizes->threads, &w->context), HANDLE(w->context));
  TRY(mixgrpo_context_set_log(w->context, judge_log, w->context));
  TRY(mixgrpo_context_set_progress(w->context, judge_progress, w->context));
  TRY(mixgrpo_model_create(w->context, &config, 1, &w->model), HANDLE(w->model));
  randomize(w->model);
  TRY(mixgrpo_prompts_create_hashed_words(
          w->context, w->lines, (size_t)sizes->lines, sizes->text_length, TEXT_WIDTH, POOLED_WIDTH, &w->prompts),
      HANDLE(w->prompts));
  TRY(mixgrpo_evaluator_create(w->model, &w->geometry, NULL, 0, &w->evaluator), HANDLE(w->evaluator));
  TRY(mixgrpo_plan_create(&w->sampling, NULL, 0, &w->plan), HANDLE(w->plan));
  return w;
}

void world_destroy(world *w) {
  mixgrpo_plan_destroy(w->plan);
  mixgrpo_evaluator_destroy(w->evaluator);
  mixgrpo_prompts_destroy(w->prompts);
  mixgrpo_model_destroy(w->model);
  mixgrpo_context_destroy(w->context);
  while (room_count > 0) free(rooms[--room_count]);
}

mixgrpo_trainer *world_trainer(world *w) {
  mixgrpo_trainer *trainer = NULL;
  TRY(mixgrpo_trainer_create(
          w->evaluator, w->prompts, w->plan, &w->learning, w->names, (size_t)w->sizes.rewards, 1, &trainer),
      HANDLE(trainer));
  return trainer;
}

void world_score(world *w) {
  const size_t samples = w->samples, D = w->latent_size;
  for (int k = 0; k < w->sizes.rewards; k++)
    for (size_t i = 0; i < samples; i++) w->rewards[(size_t)k * samples + i] = w->latents[i * D + (size_t)k % D];
}

void world_rollout(world *w, mixgrpo_trainer *trainer) {
  TRY(mixgrpo_trainer_rollout(trainer, w->chosen, (size_t)w->sizes.prompts, w->latents, w->values), OUTS(w->latents, w->values));
}

/* Seconds are those of a clock. */
static void note(mixgrpo_metrics *metrics) {
  metrics->seconds_rollout = metrics->seconds_update = 0;
  judge_note("metrics", metrics, sizeof *metrics);
}

void world_update(world *w, mixgrpo_trainer *trainer) {
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  TRY(mixgrpo_trainer_update(trainer, w->rewards, (size_t)w->sizes.rewards * w->samples, NULL, 0, &metrics), DIFFERS(metrics));
  note(&metrics);
}

void world_rollout_ticket(world *w, mixgrpo_trainer *trainer, int32_t prompt, float *samples, int64_t *ticket) {
  const size_t values = (size_t)w->sizes.group * w->latent_size;
  TRY(mixgrpo_trainer_rollout_ticket(trainer, &prompt, 1, samples, values, ticket), OUTS(samples, values), HANDLE(*ticket));
}

void world_update_tickets(world *w, mixgrpo_trainer *trainer, mixgrpo_missing_rewards missing) {
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  (void)w;
  TRY(mixgrpo_trainer_update_tickets(trainer, missing, NULL, 0, &metrics), DIFFERS(metrics));
  note(&metrics);
}
