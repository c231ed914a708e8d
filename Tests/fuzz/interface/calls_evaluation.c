/* Evaluations with their watchdog; grids of hybrid inference. */
#include "calls.h"

enum { MOST_VALUES = 4096 };

RANDOM_CALL(evaluation_config_init, 1) {
  mixgrpo_evaluation_config *config = output(sizeof *config);
  CALL(mixgrpo_evaluation_config_init, spoiled(config), size_near(sizeof *config));
}
RANDOM_CALL(evaluation_create, 3) {
  mixgrpo_evaluation_config *config = room(sizeof *config);
  mixgrpo_sample_config *sample = some_sample_config();
  const size_t prompts = 1 + below(3), rewards = 1 + below(2);
  int32_t *indices = room(prompts * sizeof *indices);
  const char **names = room(rewards * sizeof *names);
  double *weights = room(rewards * sizeof *weights);
  uint8_t *held_out = room(rewards);
  void **place = output(sizeof *place);
  must(mixgrpo_evaluation_config_init(config, sizeof *config) == MIXGRPO_STATUS_OK, "defaults");
  config->every = some_int(1, 3);
  config->weights = one_in(4) ? some_int(0, 2) : 0;
  config->watchdog = some_int(0, 2);
  config->watchdog_patience = some_int(1, 3);
  disturb(config, sizeof *config);
  fill_indices(indices, prompts, 3);
  for (size_t i = 0; i < rewards; i++) names[i] = one_in(8) ? any_text() : i ? "match" : "taste", weights[i] = some_double(0, 2), held_out[i] = (uint8_t)(i % 2);
  keep_created(EVALUATION, CALL(mixgrpo_evaluation_create, spoiled(config), sample, spoiled(indices), one_in(24) ? SIZE_MAX - below(9) : prompts,
                                spoiled(names), one_in(2) ? NULL : weights, one_in(2) ? NULL : held_out, rewards, spoiled(place)), place);
}
RANDOM_CALL(evaluation_destroy, 1) {
  begin("mixgrpo_evaluation_destroy");
  drop(EVALUATION, pick(EVALUATION));
}
RANDOM_CALL(evaluation_is_due, 1) {
  begin("mixgrpo_evaluation_is_due");
  const int32_t answer = mixgrpo_evaluation_is_due(pick_const(EVALUATION), any_long());
  must(answer == 0 || answer == 1, "a flag");
}
RANDOM_CALL(evaluation_sample, 3) {
  float *samples = output(MOST_VALUES * sizeof *samples);
  CALL(mixgrpo_evaluation_sample, pick(EVALUATION), pick(TRAINER), spoiled(samples), one_in(8) ? below(99) : MOST_VALUES);
}
RANDOM_CALL(evaluation_submit, 4) {
  const size_t count = 1 + below(12);
  double *scores = doubles(count);
  mixgrpo_evaluation_result *answer = result(sizeof *answer);
  CALL(mixgrpo_evaluation_submit, pick(EVALUATION), one_in(8) ? any_long() : (int64_t)below(50), spoiled(scores), size_near(count), answer);
}
RANDOM_CALL(evaluation_get_means, 1) {
  double *means = output(4 * sizeof *means);
  CALL(mixgrpo_evaluation_get_means, pick_const(EVALUATION), spoiled(means), below(5));
}
RANDOM_CALL(evaluation_get_verdict, 1) {
  int64_t *iteration = one_in(4) ? NULL : output(sizeof *iteration);
  mixgrpo_verdict *verdict = one_in(4) ? NULL : output(sizeof *verdict);
  CALL(mixgrpo_evaluation_get_verdict, pick_const(EVALUATION), spoiled(iteration), spoiled(verdict));
}
RANDOM_CALL(evaluation_get_best, 1) { CALL(mixgrpo_evaluation_get_best, pick_const(EVALUATION), pick(MODEL)); }
RANDOM_CALL(evaluation_save_best, 1) { CALL(mixgrpo_evaluation_save_best, pick_const(EVALUATION), any_path(), some_int(0, 1)); }
RANDOM_CALL(evaluation_save, 1) { CALL(mixgrpo_evaluation_save, pick_const(EVALUATION), any_path()); }
RANDOM_CALL(evaluation_restore, 1) { CALL(mixgrpo_evaluation_restore, pick(EVALUATION), any_path()); }
