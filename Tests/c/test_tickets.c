/* Iterations in parts, whose rewards come later. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fixture.h"
#include "tests.h"

enum { VALUES = SAMPLES * LATENT, PART_VALUES = GROUP * LATENT, PART_REWARDS = 2 * GROUP };

static float samples[VALUES], parts[BATCH][PART_VALUES];
static double rewards[2 * SAMPLES];

/* Two rewards of `count` samples: (2, count). */
static void score(const float *drawn, int count, double *scores) {
  for (int i = 0; i < count; i++) {
    scores[i] = drawn[i * LATENT];
    scores[count + i] = -fabs(drawn[i * LATENT + 1]);
  }
}

static float *weights_of(const fixture *f, size_t *count) {
  DONE(mixgrpo_model_get_size(f->model, NULL, count));
  float *weights = malloc(*count * sizeof *weights);
  DONE(mixgrpo_model_get_weights(f->model, 0, weights, *count));
  return weights;
}

/* What a worker thread does for a ticket. */
typedef struct {
  mixgrpo_trainer *trainer;
  int64_t ticket;
  const float *drawn;
  int is_done;
} scoring;

static void *score_and_submit(void *data) {
  scoring *job = data;
  double scores[PART_REWARDS];
  score(job->drawn, GROUP, scores);
  DONE(mixgrpo_trainer_submit_rewards(job->trainer, job->ticket, scores, PART_REWARDS));
  job->is_done = 1;
  return NULL;
}

/* Comes in the middle of a rollout, which cannot go on before the other thread has handed in its rewards. */
static void note_update(void *done, const mixgrpo_progress *progress) {
  if (progress->stage == MIXGRPO_STAGE_UPDATE) *(int64_t *)done = progress->done;
}

static void score_meanwhile(void *data, const mixgrpo_progress *progress) {
  scoring *job = data;
  pthread_t thread;
  if (job->is_done || progress->stage != MIXGRPO_STAGE_ROLLOUT) return;
  CHECK(pthread_create(&thread, NULL, score_and_submit, job) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
}

static void rewards_may_come_during_the_next_rollout(const fixture *f) {
  size_t count = 0, open = 0;
  float *start = weights_of(f, &count);
  mixgrpo_metrics expected = {.struct_size = sizeof expected}, metrics = expected;
  mixgrpo_trainer *trainer = fixture_trainer(f, 0);
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES));
  score(samples, SAMPLES, rewards);
  DONE(mixgrpo_trainer_update(trainer, rewards, 2 * SAMPLES, NULL, 0, &expected));
  float *trained = weights_of(f, &count);
  mixgrpo_trainer_destroy(trainer);
  DONE(mixgrpo_model_set_weights(f->model, 0, start, count));

  trainer = fixture_trainer(f, 0);
  scoring first = {trainer, 0, parts[0], 0}, second = {trainer, 0, parts[1], 0};
  DONE(mixgrpo_trainer_rollout_ticket(trainer, &chosen_prompts[0], 1, parts[0], PART_VALUES, &first.ticket));
  DONE(mixgrpo_context_set_progress(f->context, score_meanwhile, &first));
  DONE(mixgrpo_trainer_rollout_ticket(trainer, &chosen_prompts[1], 1, parts[1], PART_VALUES, &second.ticket));
  DONE(mixgrpo_context_set_progress(f->context, NULL, NULL));
  CHECK(first.is_done && first.ticket == 1 && second.ticket == 2 && memcmp(samples, parts, sizeof parts) == 0);
  int64_t tickets[BATCH] = {0};
  DONE(mixgrpo_trainer_get_open_tickets(trainer, NULL, 0, &open));
  CHECK(open == 1);
  DONE(mixgrpo_trainer_get_open_tickets(trainer, tickets, BATCH, &open));
  CHECK(open == 1 && tickets[0] == second.ticket && tickets[1] == 0);
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "[2]",
          mixgrpo_trainer_update_tickets(trainer, MIXGRPO_MISSING_REWARDS_REFUSE, NULL, 0, &metrics));
  score_and_submit(&second);
  int64_t updated = 0;
  DONE(mixgrpo_context_set_progress(f->context, note_update, &updated));
  DONE(mixgrpo_trainer_update_tickets(trainer, MIXGRPO_MISSING_REWARDS_REFUSE, NULL, 0, &metrics));
  DONE(mixgrpo_context_set_progress(f->context, NULL, NULL));
  CHECK(updated > 0 && updated <= metrics.model_calls_update);
  CHECK(metrics.loss == expected.loss && metrics.reward_mean == expected.reward_mean && metrics.first_ratio_min == 1);
  CHECK(metrics.model_calls_rollout == expected.model_calls_rollout && mixgrpo_trainer_iteration(trainer) == 1);
  float *same = weights_of(f, &count);
  CHECK(memcmp(trained, same, count * sizeof *same) == 0);
  free(start);
  free(trained);
  free(same);
  mixgrpo_trainer_destroy(trainer);
}

static void count_warnings(void *warnings, mixgrpo_log_level level, const char *message) {
  if (level == MIXGRPO_LOG_LEVEL_WARNING && strncmp(message, "iteration 0: ", 13) == 0) ++*(int *)warnings;
}

static void missing_rewards_are_excluded_with_a_warning(const fixture *f) {
  int warnings = 0;
  mixgrpo_trainer *trainer = fixture_trainer(f, 0);
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  int64_t ticket = 0;
  for (int i = 0; i < BATCH; i++)
    DONE(mixgrpo_trainer_rollout_ticket(trainer, &chosen_prompts[i], 1, parts[i], PART_VALUES, &ticket));
  scoring last = {trainer, ticket, parts[BATCH - 1], 0};
  score_and_submit(&last);
  DONE(mixgrpo_context_set_log(f->context, count_warnings, &warnings));
  DONE(mixgrpo_trainer_update_tickets(trainer, MIXGRPO_MISSING_REWARDS_EXCLUDE, NULL, 0, &metrics));
  DONE(mixgrpo_context_set_log(f->context, NULL, NULL));
  CHECK(warnings > 0);
  CHECK(metrics.failed_rewards == PART_REWARDS && metrics.gradient_norm > 0 && mixgrpo_trainer_iteration(trainer) == 1);
  score(parts[0], GROUP, rewards);
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "ticket", mixgrpo_trainer_submit_rewards(trainer, 1, rewards, PART_REWARDS));
  mixgrpo_trainer_destroy(trainer);
}

static void bad_calls_change_nothing(const fixture *f) {
  mixgrpo_trainer *trainer = fixture_trainer(f, 0);
  int64_t ticket = -7;
  size_t open = 0;
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES));
  TOO_SMALL("out_samples",
            mixgrpo_trainer_rollout_ticket(trainer, chosen_prompts, 1, parts[0], PART_VALUES - 1, &ticket));
  INVALID("out_ticket", mixgrpo_trainer_rollout_ticket(trainer, chosen_prompts, 1, parts[0], PART_VALUES, NULL));
  INVALID("prompt_indices", mixgrpo_trainer_rollout_ticket(trainer, NULL, 1, parts[0], PART_VALUES, &ticket));
  INVALID("prompt_count", mixgrpo_trainer_rollout_ticket(trainer, chosen_prompts, 0, parts[0], PART_VALUES, &ticket));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "ticket",
          mixgrpo_trainer_update_tickets(trainer, MIXGRPO_MISSING_REWARDS_REFUSE, NULL, 0, NULL));
  CHECK(ticket == -7);
  score(samples, SAMPLES, rewards);
  DONE(mixgrpo_trainer_update(trainer, rewards, 2 * SAMPLES, NULL, 0, NULL)); /* the rollout was still there */

  DONE(mixgrpo_trainer_rollout_ticket(trainer, chosen_prompts, 1, parts[0], PART_VALUES, &ticket));
  INVALID("prompt_indices", mixgrpo_trainer_rollout_ticket(trainer, chosen_prompts, 1, parts[0], PART_VALUES, &ticket));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "[1]", mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "[1]", mixgrpo_trainer_update(trainer, rewards, PART_REWARDS, NULL, 0, NULL));
  INVALID("rewards", mixgrpo_trainer_submit_rewards(trainer, ticket, rewards, PART_REWARDS - 1));
  INVALID("rewards", mixgrpo_trainer_submit_rewards(trainer, ticket, NULL, PART_REWARDS));
  INVALID("ticket", mixgrpo_trainer_submit_rewards(trainer, ticket + 1, rewards, PART_REWARDS));
  INVALID("ticket", mixgrpo_trainer_submit_rewards(trainer, INT64_MIN, rewards, PART_REWARDS));
  INVALID("missing", mixgrpo_trainer_update_tickets(trainer, 2, NULL, 0, NULL));
  INVALID("out_size", mixgrpo_trainer_get_open_tickets(trainer, NULL, 0, NULL));
  TOO_SMALL("out_tickets", mixgrpo_trainer_get_open_tickets(trainer, &ticket, 0, &open));
  DONE(mixgrpo_trainer_submit_rewards(trainer, ticket, rewards, PART_REWARDS));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "once", mixgrpo_trainer_submit_rewards(trainer, ticket, rewards, PART_REWARDS));
  INVALID("weights", mixgrpo_trainer_update_tickets(trainer, MIXGRPO_MISSING_REWARDS_REFUSE, rewards, 1, NULL));
  DONE(mixgrpo_trainer_drop_tickets(trainer));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "ticket", mixgrpo_trainer_submit_rewards(trainer, ticket, rewards, PART_REWARDS));
  DONE(mixgrpo_trainer_get_open_tickets(trainer, &ticket, 0, &open));
  CHECK(open == 0);
  mixgrpo_trainer_destroy(trainer);
}

static void bad_handles_are_errors(const fixture *f) {
  int64_t ticket = 0;
  size_t open = 0;
  BAD_HANDLES(h, "trainer", f->plan, mixgrpo_trainer_rollout_ticket(h, chosen_prompts, 1, parts[0], PART_VALUES, &ticket));
  BAD_HANDLES(h, "trainer", f->plan, mixgrpo_trainer_submit_rewards(h, 1, rewards, PART_REWARDS));
  BAD_HANDLES(h, "trainer", f->plan, mixgrpo_trainer_get_open_tickets(h, NULL, 0, &open));
  BAD_HANDLES(h, "trainer", f->plan, mixgrpo_trainer_update_tickets(h, MIXGRPO_MISSING_REWARDS_REFUSE, NULL, 0, NULL));
  BAD_HANDLES(h, "trainer", f->plan, mixgrpo_trainer_drop_tickets(h));
}

void test_tickets(void) {
  fixture f = fixture_create(2);
  rewards_may_come_during_the_next_rollout(&f);
  missing_rewards_are_excluded_with_a_warning(&f);
  bad_calls_change_nothing(&f);
  bad_handles_are_errors(&f);
  fixture_destroy(&f);
}
