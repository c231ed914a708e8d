#include <string.h>

#include "scenario.h"

static mixgrpo_evaluation *create(world *w, const mixgrpo_sample_config *sample) {
  mixgrpo_evaluation_config config;
  mixgrpo_evaluation *evaluation = NULL;
  uint8_t *const held_out = room((size_t)w->sizes.rewards, 1);
  held_out[1] = 1;
  TRY(mixgrpo_evaluation_config_init(&config, sizeof config), OUT(config));
  config.watchdog = MIXGRPO_WATCHDOG_WARN;
  TRY(mixgrpo_evaluation_create(
          &config, sample, w->chosen, (size_t)w->sizes.prompts, w->names, NULL, held_out, (size_t)w->sizes.rewards,
          &evaluation),
      HANDLE(evaluation));
  return evaluation;
}

static void evaluate(world *w, mixgrpo_evaluation *evaluation, mixgrpo_trainer *trainer, int64_t iteration) {
  mixgrpo_evaluation_result result = {.struct_size = sizeof result};
  const size_t prompts = (size_t)w->sizes.prompts, rewards = (size_t)w->sizes.rewards, values = prompts * w->latent_size;
  double *const means = room(rewards, sizeof *means);
  NOTE(mixgrpo_evaluation_is_due(evaluation, iteration));
  TRY(mixgrpo_evaluation_sample(evaluation, trainer, w->latents, values), OUTS(w->latents, values));
  for (size_t i = 0; i < rewards * prompts; i++) w->rewards[i] = w->latents[i % values] + (double)(i % 3);
  TRY(mixgrpo_evaluation_submit(evaluation, iteration, w->rewards, rewards * prompts, &result), DIFFERS(result));
  judge_note("score", &result.score, sizeof result.score);
  TRY(mixgrpo_evaluation_get_means(evaluation, means, rewards), OUTS(means, rewards));
}

void run_evaluation(const sizes *sizes, const char *folder) {
  world *const w = world_create(sizes);
  mixgrpo_trainer *const trainer = world_trainer(w);
  mixgrpo_sample_config sample;
  int64_t iteration = 0;
  mixgrpo_verdict verdict = 0;
  mixgrpo_model *best = NULL;
  TRY(mixgrpo_sample_config_init(&sample, sizeof sample), OUT(sample));
  sample.steps = 2;
  mixgrpo_evaluation *const evaluation = create(w, &sample);
  evaluate(w, evaluation, trainer, 0);
  world_rollout(w, trainer);
  world_score(w);
  world_update(w, trainer);
  evaluate(w, evaluation, trainer, 1);
  TRY(mixgrpo_evaluation_get_verdict(evaluation, &iteration, &verdict), OUT(iteration), OUT(verdict));
  TRY(mixgrpo_model_copy(w->model, &best), HANDLE(best));
  TRY(mixgrpo_evaluation_get_best(evaluation, best));
  TRY(mixgrpo_evaluation_save_best(evaluation, path_in(folder, "best"), MIXGRPO_STORAGE_F32));
  TRY(mixgrpo_evaluation_save(evaluation, path_in(folder, "state")));
  mixgrpo_evaluation *const other = create(w, &sample);
  TRY(mixgrpo_evaluation_restore(other, path_in(folder, "state")));
  mixgrpo_evaluation_destroy(other);
  mixgrpo_evaluation_destroy(evaluation);
  mixgrpo_model_destroy(best);
  mixgrpo_trainer_destroy(trainer);
  world_destroy(w);
}
