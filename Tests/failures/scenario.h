/* Scenarios: together they call every function of mixgrpo.h. run.sh lists those that none calls. */
#ifndef SCENARIO_H
#define SCENARIO_H

#include "judge.h"

/* The same scenario with little data, to be repeated often, or with much, so that whatever grows with it shows. */
typedef struct {
  int threads, prompts, group, tokens, text_length, lines, images, steps, minibatches, rewards;
} sizes;
extern const sizes little, much;

typedef struct {
  const char *name;
  void (*run)(const sizes *sizes, const char *folder);
} scenario_entry;
extern const scenario_entry scenarios[];
extern const int scenario_count;

/* ---- The scenarios: `folder` is theirs */

void run_settings(const sizes *sizes, const char *folder);
void run_plan(const sizes *sizes, const char *folder);
void run_model(const sizes *sizes, const char *folder);
void run_evaluator(const sizes *sizes, const char *folder);
void run_built_in(const sizes *sizes, const char *folder);
void run_by_hand(const sizes *sizes, const char *folder);
void run_trainer(const sizes *sizes, const char *folder);
void run_checkpoints(const sizes *sizes, const char *folder);
void run_tickets(const sizes *sizes, const char *folder);
void run_ranks(const sizes *sizes, const char *folder);
void run_local_ranks(const sizes *sizes, const char *folder);
void run_evaluation(const sizes *sizes, const char *folder);
void run_host(const sizes *sizes, const char *folder);
void run_images(const sizes *sizes, const char *folder);

/* ---- What scenarios share */

typedef struct {
  sizes sizes;
  mixgrpo_context *context;
  mixgrpo_model *model;
  mixgrpo_prompts *prompts;
  mixgrpo_evaluator *evaluator;
  mixgrpo_plan *plan;
  mixgrpo_sampling_config sampling;
  mixgrpo_learning_config learning;
  mixgrpo_evaluator_config geometry;
  size_t latent_size, samples, values; /* D, P*G, P*G*D */
  int32_t *chosen;                     /* (P) */
  float *latents;                      /* (P, G, D) */
  double *rewards;                     /* (K, P, G) */
  const char **names, **lines;         /* (K), (lines) */
} world;

/* Context, model, prompts, evaluator and plan, with settings that use much of the library. */
world *world_create(const sizes *sizes);
void world_destroy(world *w);
mixgrpo_trainer *world_trainer(world *w);
/* Rewards that depend on the samples. */
void world_score(world *w);

/* One iteration: samples, rewards, update. The calls that draw and train stand here alone. */
void world_rollout(world *w, mixgrpo_trainer *trainer);
void world_update(world *w, mixgrpo_trainer *trainer);
void world_rollout_ticket(world *w, mixgrpo_trainer *trainer, int32_t prompt, float *samples, int64_t *ticket);
void world_update_tickets(world *w, mixgrpo_trainer *trainer, mixgrpo_missing_rewards missing);

/* A path in the scenario's folder; the same for the same name. */
const char *path_in(const char *folder, const char *name);
/* Room that lives until world_destroy. */
void *room(size_t count, size_t size);

#endif
