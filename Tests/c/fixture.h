/* A model small enough to run in no time, with everything around it. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "mixgrpo.h"

enum {
  CHANNELS = 4, TOKENS = 4, LATENT = CHANNELS * TOKENS,  /* 2 x 2 tokens */
  TEXT_LENGTH = 3, TEXT_WIDTH = 6, POOLED_WIDTH = 5, PROMPTS = 4,
  STEPS = 5, WINDOW = 2, GROUP = 4,
  BATCH = 2, SAMPLES = BATCH * GROUP,                    /* prompts per iteration, and their samples */
};

typedef struct {
  mixgrpo_context *context;
  mixgrpo_model *model;
  mixgrpo_prompts *prompts;
  mixgrpo_evaluator *evaluator;
  mixgrpo_plan *plan;
  mixgrpo_sampling_config sampling;
  mixgrpo_learning_config learning;
} fixture;

extern const int32_t chosen_prompts[BATCH];

mixgrpo_model_config small_model_config(void);
fixture fixture_create(int threads);
void fixture_destroy(fixture *f);

/* A rollout of `chosen_prompts`, not begun and finished. */
mixgrpo_rollout *fixture_rollout(const fixture *f);
mixgrpo_rollout *fixture_finished_rollout(const fixture *f);
mixgrpo_trainer *fixture_trainer(const fixture *f, int keep_base);

/* A trainer of the model in examples/base with one prompt and a window of 2 steps. */
mixgrpo_trainer *shipped_model_trainer(mixgrpo_context *context, mixgrpo_model *model, int members, int steps);

/* The path of `name` in a folder of this process alone; valid until the next call but one. */
const char *scratch_path(const char *name);

#endif
