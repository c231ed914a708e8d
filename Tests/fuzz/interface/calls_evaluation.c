/* Evaluations with their watchdog; grids of hybrid inference. */
#include "calls.h"

enum { MOST_VALUES = 4096 };

static void evaluation_config_init(void) {
  mixgrpo_evaluation_config *config = output(sizeof *config);
  CALL(mixgrpo_evaluation_config_init, spoiled(config), size_near(sizeof *config));
}
static void evaluation_create(void) {
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
static void evaluation_destroy(void) { drop(EVALUATION, pick(EVALUATION)); }
static void evaluation_is_due(void) {
  begin("mixgrpo_evaluation_is_due");
  const int32_t answer = mixgrpo_evaluation_is_due(pick_const(EVALUATION), any_long());
  must(answer == 0 || answer == 1, "a flag");
}
static void evaluation_sample(void) {
  float *samples = output(MOST_VALUES * sizeof *samples);
  CALL(mixgrpo_evaluation_sample, pick(EVALUATION), pick(TRAINER), spoiled(samples), one_in(8) ? below(99) : MOST_VALUES);
}
static void evaluation_submit(void) {
  const size_t count = 1 + below(12);
  double *scores = doubles(count);
  mixgrpo_evaluation_result *answer = result(sizeof *answer);
  CALL(mixgrpo_evaluation_submit, pick(EVALUATION), one_in(8) ? any_long() : (int64_t)below(50), spoiled(scores), size_near(count), answer);
}
static void evaluation_read_means(void) {
  double *means = output(4 * sizeof *means);
  CALL(mixgrpo_evaluation_get_means, pick_const(EVALUATION), spoiled(means), below(5));
}
static void evaluation_verdict(void) {
  int64_t *iteration = one_in(4) ? NULL : output(sizeof *iteration);
  mixgrpo_verdict *verdict = one_in(4) ? NULL : output(sizeof *verdict);
  CALL(mixgrpo_evaluation_get_verdict, pick_const(EVALUATION), spoiled(iteration), spoiled(verdict));
}
static void evaluation_restore_best(void) { CALL(mixgrpo_evaluation_get_best, pick_const(EVALUATION), pick(MODEL)); }
static void evaluation_save_best(void) { CALL(mixgrpo_evaluation_save_best, pick_const(EVALUATION), any_path(), some_int(0, 1)); }
static void evaluation_save(void) { CALL(mixgrpo_evaluation_save, pick_const(EVALUATION), any_path()); }
static void evaluation_load(void) { CALL(mixgrpo_evaluation_restore, pick(EVALUATION), any_path()); }
static void trainer_hybrid_grid(void) {
  mixgrpo_sample_config *sample = some_sample_config();
  const size_t shares = 1 + below(3), prompts = 1 + below(2);
  double *share = room(shares * sizeof *share);
  int32_t *indices = room(prompts * sizeof *indices);
  void **place = output(sizeof *place);
  for (size_t i = 0; i < shares; i++) share[i] = some_double(0, 1);
  fill_indices(indices, prompts, 3);
  keep_created(IMAGE, CALL(mixgrpo_trainer_hybrid_grid, pick(TRAINER), some_int(0, 2), sample, spoiled(share), one_in(24) ? SIZE_MAX : shares,
                           spoiled(indices), prompts, some_int(1, 4), some_int(1, 4), some_int(1, 2), some_int(0, 2), some_int(1, 2), spoiled(place)), place);
}

const random_call evaluation_calls[] = {
    {evaluation_config_init, 1}, {evaluation_create, 3}, {evaluation_destroy, 1}, {evaluation_is_due, 1}, {evaluation_sample, 3},
    {evaluation_submit, 4}, {evaluation_read_means, 1}, {evaluation_verdict, 1},
    {evaluation_restore_best, 1}, {evaluation_save_best, 1}, {evaluation_save, 1},
    {evaluation_load, 1}, {trainer_hybrid_grid, 2}, {NULL, 0}};
