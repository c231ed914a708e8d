#include <string.h>

#include "../c/mirror.h"
#include "scenario.h"

static void draw(world *w, mixgrpo_trainer *trainer, mixgrpo_weights weights) {
  mixgrpo_sample_config config;
  const size_t values = (size_t)w->sizes.prompts * w->latent_size;
  TRY(mixgrpo_sample_config_init(&config, sizeof config), OUT(config));
  config.steps = 2;
  config.trained_model_share = 0.5;
  TRY(mixgrpo_trainer_sample(
          trainer, weights, &config, w->chosen, (size_t)w->sizes.prompts, NULL, 0, w->latents, values),
      OUTS(w->latents, values));
}

static void look(world *w, mixgrpo_trainer *trainer, const char *folder) {
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  mixgrpo_reward_metrics reward = {.struct_size = sizeof reward};
  char json[4096];
  size_t size = 0;
  (void)w;
  memset(json, 0, sizeof json);
  TRY(mixgrpo_trainer_get_metrics(trainer, &metrics), DIFFERS(metrics));
  TRY(mixgrpo_trainer_get_reward_metrics(trainer, 1, &reward), DIFFERS(reward));
  judge_note("reward metrics", &reward.mean, 2 * sizeof reward.mean);
  TRY(mixgrpo_trainer_get_metrics_json(trainer, json, sizeof json, &size), DIFFERS(json), DIFFERS(size));
  TRY(mixgrpo_trainer_append_metrics(trainer, path_in(folder, "metrics.jsonl")));
  NOTE(mixgrpo_trainer_iteration(trainer));
}

static void train(world *w, mixgrpo_trainer *trainer) {
  world_rollout(w, trainer);
  world_score(w);
  world_update(w, trainer);
}

void run_trainer(const sizes *sizes, const char *folder) {
  world *const w = world_create(sizes);
  mixgrpo_trainer *const trainer = world_trainer(w);
  train(w, trainer);
  look(w, trainer, folder);
  TRY(mixgrpo_trainer_set_window(trainer, 1));
  train(w, trainer);
  TRY(mixgrpo_trainer_set_window(trainer, MIXGRPO_WINDOW_START_SCHEDULED));
  train(w, trainer);
  look(w, trainer, folder);
  draw(w, trainer, MIXGRPO_WEIGHTS_TRAINED);
  draw(w, trainer, MIXGRPO_WEIGHTS_AVERAGE);
  mixgrpo_trainer_destroy(trainer);
  world_destroy(w);
}

/* Saved, restored, kept by number, resumed: training goes on to the same bits. */
void run_checkpoints(const sizes *sizes, const char *folder) {
  world *const w = world_create(sizes);
  mixgrpo_trainer *const trainer = world_trainer(w);
  mixgrpo_resumption resumption = {.struct_size = sizeof resumption};
  const char *const kept = path_in(folder, "checkpoints");
  train(w, trainer);
  TRY(mixgrpo_trainer_save(trainer, path_in(folder, "saved")));
  TRY(mixgrpo_trainer_checkpoint(trainer, kept, 1, 0));
  train(w, trainer);
  TRY(mixgrpo_trainer_checkpoint(trainer, kept, 1, 0));
  TRY(mixgrpo_trainer_save_model(trainer, MIXGRPO_WEIGHTS_AVERAGE, path_in(folder, "average"), MIXGRPO_STORAGE_BF16));
  TRY(mixgrpo_trainer_restore(trainer, path_in(folder, "saved")));
  NOTE(mixgrpo_trainer_iteration(trainer));
  train(w, trainer);
  TRY(mixgrpo_trainer_resume(trainer, kept, &resumption), OUT(resumption));
  train(w, trainer);
  TRY(mixgrpo_trainer_checkpoint(trainer, kept, 2, 2));
  mixgrpo_trainer_destroy(trainer);
  world_destroy(w);
}

/* Prompts in turn, rewards in any order. */
void run_tickets(const sizes *sizes, const char *folder) {
  world *const w = world_create(sizes);
  mixgrpo_trainer *const trainer = world_trainer(w);
  const int count = sizes->prompts;
  const size_t values = (size_t)sizes->group * w->latent_size, scores = (size_t)(sizes->rewards * sizes->group);
  int64_t *const tickets = room((size_t)count, sizeof *tickets), *const open = room((size_t)count, sizeof *open);
  size_t open_count = 0;
  (void)folder;
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < count; i++) world_rollout_ticket(w, trainer, i, w->latents + (size_t)i * values, tickets + i);
    TRY(mixgrpo_trainer_get_open_tickets(trainer, open, (size_t)count, &open_count), DIFFERS(*open), OUT(open_count));
    for (size_t i = 0; i < scores; i++) w->rewards[i] = w->latents[i % values] + (double)(i % 5);
    for (int i = count - 1; i >= round; i--) TRY(mixgrpo_trainer_submit_rewards(trainer, tickets[i], w->rewards, scores));
    world_update_tickets(w, trainer, round ? MIXGRPO_MISSING_REWARDS_EXCLUDE : MIXGRPO_MISSING_REWARDS_REFUSE);
  }
  world_rollout_ticket(w, trainer, 0, w->latents, tickets);
  TRY(mixgrpo_trainer_drop_tickets(trainer));
  mixgrpo_trainer_destroy(trainer);
  world_destroy(w);
}

/* A callback may fail. */
static int32_t all_gather(void *user_data, const void *sent, void *received, size_t bytes) {
  (void)user_data;
  mirror_gather(sent, received, bytes);
  return judge_refuses_answer();
}

static int32_t all_to_all(
    void *user_data, const void *sent, const size_t *sent_bytes, void *received, const size_t *received_bytes) {
  (void)user_data;
  mirror_pieces(sent, sent_bytes, received, received_bytes);
  return judge_refuses_answer();
}

/* Two iterations as one of two ranks, and one alone again. */
void run_ranks(const sizes *sizes, const char *folder) {
  world *const w = world_create(sizes);
  mixgrpo_trainer *const trainer = world_trainer(w);
  const mixgrpo_collective collective = {
      .struct_size = sizeof collective, .rank = 0, .size = 2, .all_gather = all_gather, .all_to_all = all_to_all};
  const size_t samples = (size_t)(sizes->prompts / 2 * sizes->group);
  TRY(mixgrpo_trainer_set_collective(trainer, &collective));
  for (int i = 0; i < 2; i++) {
    mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
    TRY(mixgrpo_trainer_rollout(trainer, w->chosen, (size_t)sizes->prompts, w->latents, samples * w->latent_size),
        OUTS(w->latents, w->values));
    world_score(w);
    TRY(mixgrpo_trainer_update(trainer, w->rewards, (size_t)sizes->rewards * samples, NULL, 0, &metrics), DIFFERS(metrics));
  }
  look(w, trainer, folder);
  TRY(mixgrpo_trainer_set_collective(trainer, NULL));
  train(w, trainer);
  mixgrpo_trainer_destroy(trainer);
  world_destroy(w);
}

/* An iteration as the only rank of the library's transport, until that is abandoned. */
void run_local_ranks(const sizes *sizes, const char *folder) {
  (void)folder;
  world *const w = world_create(sizes);
  mixgrpo_trainer *const trainer = world_trainer(w);
  mixgrpo_local_ranks *ranks = NULL;
  mixgrpo_collective collective = {.struct_size = sizeof collective};
  TRY(mixgrpo_local_ranks_create(1, 60, &ranks), HANDLE(ranks));
  TRY(mixgrpo_local_ranks_get_collective(ranks, 0, &collective), DIFFERS(collective));
  TRY(mixgrpo_trainer_set_collective(trainer, &collective));
  train(w, trainer);
  TRY(mixgrpo_local_ranks_abandon(ranks, "enough"));
  mixgrpo_local_ranks_destroy(ranks);
  mixgrpo_trainer_destroy(trainer);
  world_destroy(w);
}
