/* Trainer and deterministic samples. */
#include <string.h>

#include "calls.h"

enum { MOST_VALUES = 4096, MOST_REWARDS = 256 };

/* ---- Trainer */

RANDOM_CALL(trainer_create, 5) {
  mixgrpo_learning_config *config = room(sizeof *config);
  const size_t rewards = one_in(8) ? below(4) : 1 + below(2);
  const char **names = room(rewards * sizeof *names);
  void **place = output(sizeof *place);
  *config = some_learning_config();
  disturb(config, sizeof *config);
  for (size_t i = 0; i < rewards; i++) names[i] = one_in(8) ? any_text() : i ? "match" : "taste";
  keep_created(TRAINER, CALL(mixgrpo_trainer_create, pick(EVALUATOR), pick_const(PROMPTS), pick_const(PLAN), spoiled(config), spoiled(names),
                             rewards, some_int(0, 1), spoiled(place)), place);
}
RANDOM_CALL(trainer_destroy, 1) {
  begin("mixgrpo_trainer_destroy");
  drop(TRAINER, pick(TRAINER));
}
RANDOM_CALL(trainer_iteration, 1) {
  begin("mixgrpo_trainer_iteration");
  must(mixgrpo_trainer_iteration(pick_const(TRAINER)) >= -1, "an iteration");
}
/* Prompts of this thread's latest rollout. */
static _Thread_local size_t rolled = 1;

RANDOM_CALL(trainer_rollout, 5) {
  const size_t prompts = one_in(16) ? below(5) : 1 + below(2);
  int32_t *indices = room(prompts * sizeof *indices);
  float *samples = output(MOST_VALUES * sizeof *samples);
  fill_indices(indices, prompts, 3);
  const mixgrpo_status status = CALL(mixgrpo_trainer_rollout, pick(TRAINER), spoiled(indices), one_in(48) ? SIZE_MAX - below(9) : prompts, spoiled(samples), one_in(8) ? below(99) : MOST_VALUES);
  if (status == MIXGRPO_STATUS_OK) rolled = prompts;
}
RANDOM_CALL(trainer_set_window, 1) { CALL(mixgrpo_trainer_set_window, pick(TRAINER), one_in(2) ? -1 : some_int(-1, 4)); }
RANDOM_CALL(trainer_update, 10) {
  const size_t group = one_in(3) ? 2 + below(3) : 3;
  const size_t count = one_in(8) ? below(MOST_REWARDS) : rolled * group, weights = one_in(2) ? 0 : 1 + below(2);
  double *rewards = doubles(count), *weight = room(weights * sizeof *weight);
  mixgrpo_metrics *metrics = one_in(2) ? NULL : result(sizeof *metrics);
  for (size_t i = 0; i < weights; i++) weight[i] = some_double(0, 2);
  if (count && one_in(4)) rewards[below((uint32_t)count)] = any_double();
  CALL(mixgrpo_trainer_update, pick(TRAINER), spoiled(rewards), size_near(count), weights ? weight : NULL, weights, metrics);
}
RANDOM_CALL(trainer_rollout_ticket, 4) {
  const size_t prompts = one_in(16) ? below(5) : 1;
  int32_t *indices = room(prompts * sizeof *indices);
  float *samples = output(MOST_VALUES * sizeof *samples);
  int64_t *ticket = output(sizeof *ticket);
  fill_indices(indices, prompts, 3);
  CALL(mixgrpo_trainer_rollout_ticket, pick(TRAINER), spoiled(indices), prompts, spoiled(samples),
       one_in(8) ? below(99) : MOST_VALUES, spoiled(ticket));
}
RANDOM_CALL(trainer_submit_rewards, 5) {
  static const size_t usual[] = {2, 3, 4, 6, 8};
  const size_t count = one_in(8) ? below(MOST_REWARDS) : usual[below(5)];
  double *rewards = doubles(count);
  CALL(mixgrpo_trainer_submit_rewards, pick_const(TRAINER), one_in(8) ? any_long() : some_int(0, 9), spoiled(rewards),
       size_near(count));
}
RANDOM_CALL(trainer_get_open_tickets, 1) {
  const size_t capacity = below(6);
  int64_t *tickets = output(capacity * sizeof *tickets);
  size_t *size = output(sizeof *size);
  CALL(mixgrpo_trainer_get_open_tickets, pick_const(TRAINER), tickets, capacity, one_in(4) ? NULL : spoiled(size));
}
RANDOM_CALL(trainer_update_tickets, 4) {
  mixgrpo_metrics *metrics = one_in(2) ? NULL : result(sizeof *metrics);
  CALL(mixgrpo_trainer_update_tickets, pick(TRAINER), some_int(0, 1), NULL, 0, metrics);
}
RANDOM_CALL(trainer_drop_tickets, 2) { CALL(mixgrpo_trainer_drop_tickets, pick(TRAINER)); }
RANDOM_CALL(trainer_get_metrics, 1) {
  mixgrpo_metrics *metrics = result(sizeof *metrics);
  CALL(mixgrpo_trainer_get_metrics, pick_const(TRAINER), metrics);
}
RANDOM_CALL(trainer_get_reward_metrics, 1) {
  mixgrpo_reward_metrics *metrics = result(sizeof *metrics);
  CALL(mixgrpo_trainer_get_reward_metrics, pick_const(TRAINER), one_in(4) ? any_size() : below(2), metrics);
}
RANDOM_CALL(trainer_get_metrics_json, 2) {
  const size_t capacity = one_in(2) ? 4000 : below(600);
  char *text = output(capacity);
  size_t *size = output(sizeof *size);
  CALL(mixgrpo_trainer_get_metrics_json, pick_const(TRAINER), text, capacity, one_in(4) ? NULL : spoiled(size));
}
RANDOM_CALL(trainer_append_metrics, 1) { CALL(mixgrpo_trainer_append_metrics, pick_const(TRAINER), any_path()); }
RANDOM_CALL(trainer_save, 1) { CALL(mixgrpo_trainer_save, pick_const(TRAINER), any_path()); }
RANDOM_CALL(trainer_restore, 1) { CALL(mixgrpo_trainer_restore, pick(TRAINER), any_path()); }
RANDOM_CALL(trainer_checkpoint, 1) {
  CALL(mixgrpo_trainer_checkpoint, pick_const(TRAINER), any_path(), some_int(1, 3), one_in(2) ? 0 : any_long());
}
RANDOM_CALL(trainer_resume, 1) {
  mixgrpo_resumption *resumption = one_in(2) ? NULL : result(sizeof *resumption);
  CALL(mixgrpo_trainer_resume, pick(TRAINER), any_path(), resumption);
}
RANDOM_CALL(trainer_save_model, 1) { CALL(mixgrpo_trainer_save_model, pick_const(TRAINER), some_int(0, 2), any_path(), some_int(0, 1)); }

/* ---- Ranks */

/* The other ranks send what this one sends. */
static int32_t mirror_gather(void *user_data, const void *sent, void *received, size_t bytes) {
  const int size = *(int *)user_data;
  for (int i = 0; i < size; i++) memcpy((char *)received + (size_t)i * bytes, sent, bytes);
  return one_in(64) ? 1 : 0;
}
static int32_t mirror_pieces(
    void *user_data, const void *sent, const size_t *sent_bytes, void *received, const size_t *received_bytes) {
  const int size = *(int *)user_data;
  size_t whole = 0, place = 0;
  for (int i = 0; i < size; i++) whole += sent_bytes[i];
  for (int i = 0; i < size; place += received_bytes[i++])
    for (size_t j = 0; j < received_bytes[i]; j += sizeof(float)) memcpy((char *)received + place + j, j < whole ? (const char *)sent + j : (const char *)&(float){0}, sizeof(float));
  return one_in(64) ? 1 : 0;
}
RANDOM_CALL(trainer_set_collective, 3) {
  static int sizes[] = {1, 2, 3};
  mixgrpo_collective *collective = room(sizeof *collective);
  int *const size = &sizes[below(3)];
  *collective = (mixgrpo_collective){.struct_size = sizeof *collective, .rank = some_int(0, *size - 1), .size = *size, .user_data = size,
                                     .all_gather = mirror_gather, .all_to_all = mirror_pieces};
  if (one_in(8)) collective->all_gather = NULL;
  if (one_in(8)) disturb(collective, offsetof(mixgrpo_collective, user_data));
  if (collective->size != *size) collective->size = 0;
  CALL(mixgrpo_trainer_set_collective, pick(TRAINER), one_in(3) ? NULL : spoiled(collective));
}

/* With two ranks the other one never comes, and a call fails after the time limit. */
RANDOM_CALL(local_ranks_create, 2) {
  void **place = output(sizeof *place);
  const double limit = one_in(12) ? some_double(-1, 1e-3) : 1e-4;
  keep_created(LOCAL_RANKS, CALL(mixgrpo_local_ranks_create, one_in(12) ? some_int(0, 1025) : 1 + (int32_t)one_in(4), limit, spoiled(place)), place);
}
RANDOM_CALL(local_ranks_destroy, 1) {
  begin("mixgrpo_local_ranks_destroy");
  drop(LOCAL_RANKS, pick(LOCAL_RANKS));
}
/* Then the collective trains, or exchanges bytes, also when its transport is destroyed. */
RANDOM_CALL(local_ranks_get_collective, 4) {
  static _Thread_local mixgrpo_collective latest;
  mixgrpo_collective *collective = result(sizeof *collective);
  if (CALL(mixgrpo_local_ranks_get_collective, pick_const(LOCAL_RANKS), some_int(0, 1), collective) == MIXGRPO_STATUS_OK) latest = *collective;
  if (!latest.all_gather) return;
  if (one_in(2)) {
    mixgrpo_collective *given = room(sizeof *given);
    *given = latest;
    disturb(given, offsetof(mixgrpo_collective, user_data));
    CALL(mixgrpo_trainer_set_collective, pick(TRAINER), spoiled(given));
    return;
  }
  const size_t bytes = one_in(12) ? SIZE_MAX - below(9) : below(64);
  char *sent = room(128), *received = output(128);
  if (one_in(2)) {
    CALL(latest.all_gather, latest.user_data, one_in(24) ? NULL : sent, one_in(24) ? NULL : received, bytes);
  } else {
    size_t *sizes = room(1025 * sizeof *sizes); /* of as many ranks as there may be */
    memset(sizes, 0, 1025 * sizeof *sizes);
    sizes[0] = bytes, sizes[1] = below(2) * 64;
    CALL(latest.all_to_all, latest.user_data, sent, one_in(24) ? NULL : sizes, received, one_in(24) ? NULL : sizes);
  }
}
RANDOM_CALL(local_ranks_abandon, 1) { CALL(mixgrpo_local_ranks_abandon, pick_const(LOCAL_RANKS), any_text()); }

/* ---- Samples */

mixgrpo_sample_config *some_sample_config(void) {
  mixgrpo_sample_config *config = room(sizeof *config);
  must(mixgrpo_sample_config_init(config, sizeof *config) == MIXGRPO_STATUS_OK, "defaults");
  config->steps = some_int(1, 6);
  config->solver = some_int(0, 4);
  config->samples_per_prompt = some_int(1, 3);
  config->trained_model_share = one_in(2) ? 1 : some_double(0, 1);
  disturb(config, offsetof(mixgrpo_sample_config, sigmas));
  if (one_in(4)) {
    config->sigma_count = below(8);
    double *sigmas = doubles(config->sigma_count);
    for (size_t i = 0; i < config->sigma_count; i++) sigmas[i] = one_in(32) ? any_double() : 1 - (double)i / (double)(config->sigma_count - 1);
    config->sigmas = one_in(32) ? NULL : sigmas;
  }
  if (config->steps > 100) config->steps = 10001 - (int32_t)below(2) * 10000; /* too many, or one */
  return spoiled(config);
}
static void some_samples(int by_trainer) {
  mixgrpo_sample_config *config = some_sample_config();
  const size_t prompts = below(4), noise = one_in(6) ? below(8) * 16 : 0;
  int32_t *indices = room(prompts * sizeof *indices);
  float *start = floats(noise), *samples = output(MOST_VALUES * sizeof *samples);
  const size_t capacity = one_in(8) ? below(99) : MOST_VALUES, claimed = size_near(noise);
  fill_indices(indices, prompts, 3);
  if (by_trainer)
    CALL(mixgrpo_trainer_sample, pick(TRAINER), some_int(0, 2), config, spoiled(indices), prompts, noise ? start : NULL, claimed, spoiled(samples), capacity);
  else
    CALL(mixgrpo_evaluator_sample, pick(EVALUATOR), one_in(2) ? NULL : pick(EVALUATOR), pick_const(PROMPTS), config, spoiled(indices),
         prompts, noise ? start : NULL, claimed, spoiled(samples), capacity);
}
RANDOM_CALL(evaluator_sample, 3) { some_samples(0); }
RANDOM_CALL(trainer_sample, 3) { some_samples(1); }
