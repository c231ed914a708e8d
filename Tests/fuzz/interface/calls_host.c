/* Trainers for a model that the host owns. */
#include <string.h>

#include "calls.h"

enum { MOST_VALUES = 4096, MOST_REWARDS = 64, LATENT = 16 };

static mixgrpo_learning_config host_learning(void) {
  mixgrpo_learning_config config = some_learning_config(), usual;
  must(mixgrpo_config_init(NULL, 0, &usual, sizeof usual) == MIXGRPO_STATUS_OK, "defaults");
  config.learning_rate = usual.learning_rate, config.schedule = usual.schedule, config.warmup_steps = usual.warmup_steps;
  config.total_steps = usual.total_steps, config.min_rate_fraction = usual.min_rate_fraction;
  config.beta1 = usual.beta1, config.beta2 = usual.beta2, config.epsilon = usual.epsilon;
  config.weight_decay = usual.weight_decay, config.ema_decay = 0;
  return config;
}

RANDOM_CALL(host_config_init, 1) {
  mixgrpo_host_config *config = output(sizeof *config);
  CALL(mixgrpo_host_config_init, spoiled(config), size_near(sizeof *config));
}
RANDOM_CALL(trainer_create_for_host, 4) {
  mixgrpo_learning_config *learning = room(sizeof *learning);
  mixgrpo_host_config *host = room(sizeof *host);
  const char **names = room(sizeof *names);
  void **place = output(sizeof *place);
  *learning = host_learning();
  if (one_in(3)) disturb(learning, sizeof *learning);
  *host = (mixgrpo_host_config){.struct_size = sizeof *host, .max_batch = some_int(0, 4), .prompt_count = 3, .latent_size = LATENT};
  if (one_in(4)) disturb(host, sizeof *host);
  names[0] = one_in(16) ? any_text() : "taste";
  const mixgrpo_status status = CALL(mixgrpo_trainer_create_for_host, pick_const(CONTEXT), pick_const(PLAN), spoiled(learning), spoiled(host),
                                     spoiled(names), one_in(16) ? (one_in(2) ? 0 : SIZE_MAX - below(9)) : 1, spoiled(place));
  if (status != MIXGRPO_STATUS_OK) return;
  if (host->latent_size <= 64) keep(TRAINER, *place);
  else mixgrpo_trainer_destroy(*place);
}
RANDOM_CALL(trainer_begin_rollout, 3) {
  const size_t prompts = one_in(16) ? below(5) : 1 + below(2);
  int32_t *indices = room(prompts * sizeof *indices);
  fill_indices(indices, prompts, 3);
  CALL(mixgrpo_trainer_begin_rollout, pick(TRAINER), spoiled(indices), prompts, some_int(0, 1));
}
RANDOM_CALL(trainer_begin_sample, 2) {
  mixgrpo_sample_config *config = some_sample_config();
  const size_t prompts = below(4), noise = one_in(6) ? below(8) * LATENT : 0;
  int32_t *indices = room(prompts * sizeof *indices);
  float *start = floats(noise);
  fill_indices(indices, prompts, 3);
  CALL(mixgrpo_trainer_begin_sample, pick(TRAINER), some_int(0, 2), config, spoiled(indices), prompts, noise ? start : NULL, size_near(noise));
}
RANDOM_CALL(trainer_begin_update, 2) {
  static const size_t usual[] = {2, 3, 4, 6, 8};
  const size_t count = one_in(8) ? below(MOST_REWARDS) : usual[below(5)];
  double *rewards = doubles(count);
  CALL(mixgrpo_trainer_begin_update, pick(TRAINER), spoiled(rewards), size_near(count), NULL, 0);
}
RANDOM_CALL(trainer_begin_update_tickets, 1) { CALL(mixgrpo_trainer_begin_update_tickets, pick(TRAINER), some_int(0, 1), NULL, 0); }
RANDOM_CALL(trainer_next, 6) {
  mixgrpo_velocity_request *request = result(sizeof *request);
  CALL(mixgrpo_trainer_next, pick(TRAINER), request);
}
RANDOM_CALL(trainer_submit, 4) {
  const size_t values = (1 + below(6)) * LATENT;
  float *velocity = floats(values), *reference = floats(values), *d_velocity = output(values * sizeof *d_velocity);
  CALL(mixgrpo_trainer_submit, pick(TRAINER), spoiled(velocity), one_in(2) ? NULL : reference, values, spoiled(d_velocity), values);
}
RANDOM_CALL(trainer_submit_step, 1) { CALL(mixgrpo_trainer_submit_step, pick(TRAINER), any_double(), any_double()); }

RANDOM_CALL(trainer_set_rank, 1) { CALL(mixgrpo_trainer_set_rank, pick(TRAINER), some_int(-1, 3), some_int(0, 3)); }
RANDOM_CALL(trainer_get_figures, 1) {
  double *figures = output(MIXGRPO_FIGURE_COUNT * sizeof *figures);
  CALL(mixgrpo_trainer_get_figures, pick_const(TRAINER), spoiled(figures), one_in(8) ? below(99) : MIXGRPO_FIGURE_COUNT);
}
RANDOM_CALL(trainer_submit_figures, 1) {
  const size_t count = below(4) * MIXGRPO_FIGURE_COUNT;
  double *figures = doubles(count);
  CALL(mixgrpo_trainer_submit_figures, pick(TRAINER), spoiled(figures), size_near(count));
}

mixgrpo_status report_failure(void *trainer, mixgrpo_status reported, const char *message) {
  begin("mixgrpo_trainer_fail");
  const mixgrpo_status status = mixgrpo_trainer_fail(trainer, reported, message);
  if (status != reported || status == MIXGRPO_STATUS_OK) return judge(status);
  judge(MIXGRPO_STATUS_OK);
  return status;
}
RANDOM_CALL(trainer_fail, 2) {
  const mixgrpo_status reported = one_in(4) ? any_int() : some_int(-10, 1);
  /* A later call would return INTERNAL, which must not be confused with an error of the library. */
  report_failure(pick(TRAINER), reported == MIXGRPO_STATUS_INTERNAL ? MIXGRPO_STATUS_NOT_FINITE : reported, one_in(2) ? NULL : any_text());
}
RANDOM_CALL(trainer_get_samples, 2) {
  float *samples = output(MOST_VALUES * sizeof *samples);
  int64_t *ticket = one_in(2) ? NULL : output(sizeof *ticket);
  CALL(mixgrpo_trainer_get_samples, pick_const(TRAINER), spoiled(samples), one_in(8) ? below(99) : MOST_VALUES, ticket);
}
RANDOM_CALL(evaluation_begin_sample, 1) { CALL(mixgrpo_evaluation_begin_sample, pick_const(EVALUATION), pick(TRAINER)); }

/* The latest progress that this thread saved. */
enum { MOST_TEXT = 8192 };
static _Thread_local char saved[MOST_TEXT];

RANDOM_CALL(trainer_get_progress, 2) {
  const size_t capacity = one_in(4) ? below(900) : MOST_TEXT;
  char *text = output(capacity);
  void *const trainer = pick_const(TRAINER);
  begin("mixgrpo_trainer_get_progress");
  const mixgrpo_status status = mixgrpo_trainer_get_progress(trainer, text, capacity, NULL);
  if (status == MIXGRPO_STATUS_OK) memcpy(saved, text, strlen(text) + 1);
  judge(status);
}
/* That progress, which may be another trainer's, whole or with a few bits turned. */
RANDOM_CALL(trainer_set_progress, 2) {
  const size_t size = strlen(saved) + 1;
  char *copy = room(size);
  memcpy(copy, saved, size);
  for (uint32_t turns = one_in(3) ? 1 + below(3) : 0; turns > 0 && size > 1; turns--)
    copy[below((uint32_t)size - 1)] ^= (char)(1 << below(7));
  CALL(mixgrpo_trainer_set_progress, pick(TRAINER), one_in(16) ? any_text() : copy);
}
