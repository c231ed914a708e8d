/* Ranks that train one model together. Here they are threads; the transport is a table of pointers between two barriers, or that of
 * the library. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fixture.h"
#include "tests.h"

enum { MOST_RANKS = 3, VALUES = SAMPLES * LATENT, ITERATIONS = 2 };

typedef struct {
  int size;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int arrived, round;
  const char *sent[MOST_RANKS];
  const size_t *sizes[MOST_RANKS];
} ranks;

typedef struct {
  ranks *all;
  mixgrpo_local_ranks *local; /* the library's transport in place of the table */
  int rank, calls, failing;   /* the call that fails after it was made; -1 for none */
  uint64_t seed;
  float *weights;
  size_t count;
  mixgrpo_status status;
  mixgrpo_metrics metrics;
} member;

/* Waits until all ranks are here. */
static void meet(ranks *all) {
  pthread_mutex_lock(&all->mutex);
  const int round = all->round;
  if (++all->arrived == all->size) {
    all->arrived = 0;
    all->round++;
    pthread_cond_broadcast(&all->changed);
  }
  while (all->round == round) pthread_cond_wait(&all->changed, &all->mutex);
  pthread_mutex_unlock(&all->mutex);
}

static int32_t outcome(member *self) { return self->calls++ == self->failing ? 7 : 0; }

static int32_t all_gather(void *user_data, const void *sent, void *received, size_t bytes) {
  member *self = user_data;
  self->all->sent[self->rank] = sent;
  meet(self->all);
  for (int i = 0; i < self->all->size; i++) memcpy((char *)received + (size_t)i * bytes, self->all->sent[i], bytes);
  meet(self->all);
  return outcome(self);
}

static int32_t all_to_all(
    void *user_data, const void *sent, const size_t *sent_bytes, void *received, const size_t *received_bytes) {
  member *self = user_data;
  char *place = received;
  self->all->sent[self->rank] = sent;
  self->all->sizes[self->rank] = sent_bytes;
  meet(self->all);
  for (int i = 0; i < self->all->size; i++) {
    const char *from = self->all->sent[i];
    for (int j = 0; j < self->rank; j++) from += self->all->sizes[i][j];
    CHECK(self->all->sizes[i][self->rank] == received_bytes[i]);
    memcpy(place, from, received_bytes[i]);
    place += received_bytes[i];
  }
  meet(self->all);
  return outcome(self);
}

static mixgrpo_collective collective_of(member *self) {
  mixgrpo_collective made = {.struct_size = sizeof made, .rank = self->rank, .size = self->all->size, .user_data = self,
                             .all_gather = all_gather, .all_to_all = all_to_all};
  return made;
}

static mixgrpo_status iterate(mixgrpo_trainer *trainer, member *self) {
  float samples[VALUES];
  double rewards[2 * SAMPLES];
  const int prompts = (self->rank + 1) * BATCH / self->all->size - self->rank * BATCH / self->all->size;
  const int count = prompts * GROUP;
  mixgrpo_status status = mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, (size_t)(count * LATENT));
  for (int i = 0; i < count; i++) {
    rewards[i] = samples[i * LATENT];
    rewards[count + i] = -fabs(samples[i * LATENT + 1]);
  }
  if (status == MIXGRPO_STATUS_OK)
    status = mixgrpo_trainer_update(trainer, rewards, (size_t)(2 * count), NULL, 0, &self->metrics);
  return status;
}

static void *train(void *data) {
  member *self = data;
  fixture f = fixture_create(1);
  f.sampling.seed = self->seed;
  mixgrpo_plan_destroy(f.plan);
  DONE(mixgrpo_plan_create(&f.sampling, NULL, 0, &f.plan));
  mixgrpo_trainer *trainer = fixture_trainer(&f, 0);
  mixgrpo_collective collective = collective_of(self);
  if (self->local) DONE(mixgrpo_local_ranks_get_collective(self->local, self->rank, &collective));
  self->metrics.struct_size = sizeof self->metrics;
  self->status = mixgrpo_trainer_set_collective(trainer, &collective);
  for (int i = 0; i < ITERATIONS && self->status == MIXGRPO_STATUS_OK; i++) self->status = iterate(trainer, self);
  if (self->status != MIXGRPO_STATUS_OK && self->failing >= 0) CHECK(strstr(mixgrpo_last_error(), "expected all_"));
  DONE(mixgrpo_model_get_size(f.model, NULL, &self->count));
  self->weights = malloc(self->count * sizeof *self->weights);
  DONE(mixgrpo_model_get_weights(f.model, 0, self->weights, self->count));
  mixgrpo_trainer_destroy(trainer);
  fixture_destroy(&f);
  return NULL;
}

/* The transport of the latest run of threads. */
static mixgrpo_local_ranks *local;
static void use_local_ranks(member *members, int size, double seconds) {
  local = NULL;
  DONE(mixgrpo_local_ranks_create(size, seconds, &local));
  for (int i = 0; i < size; i++) members[i].local = local;
}

/* Runs so many ranks; `change` may alter one of them before it begins. `seconds`: the time limit of the library's transport, 0 for
 * the table. */
static void run(member *members, ranks *all, int size, double seconds, void (*change)(member *)) {
  pthread_t threads[MOST_RANKS];
  memset(all, 0, sizeof *all);
  all->size = size;
  pthread_mutex_init(&all->mutex, NULL);
  pthread_cond_init(&all->changed, NULL);
  for (int i = 0; i < size; i++) {
    memset(&members[i], 0, sizeof members[i]);
    members[i].all = all;
    members[i].rank = i;
    members[i].failing = -1;
    members[i].seed = 5;
  }
  if (seconds > 0) use_local_ranks(members, size, seconds);
  if (change) change(&members[size - 1]);
  for (int i = 0; i < size; i++) CHECK(pthread_create(&threads[i], NULL, train, &members[i]) == 0);
  for (int i = 0; i < size; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

static void forget(member *members, int size) {
  for (int i = 0; i < size; i++) free(members[i].weights);
}

static void any_number_of_ranks_trains_to_the_same_bits(void) {
  member one[1], members[MOST_RANKS];
  ranks alone, all;
  run(one, &alone, 1, 0, NULL);
  CHECK(one[0].status == MIXGRPO_STATUS_OK);
  for (int size = 2; size <= MOST_RANKS; size++) {
    run(members, &all, size, 0, NULL);
    for (int i = 0; i < size; i++) {
      CHECK(members[i].status == MIXGRPO_STATUS_OK);
      CHECK(memcmp(members[i].weights, one[0].weights, one[0].count * sizeof *one[0].weights) == 0);
      CHECK(members[i].metrics.loss == one[0].metrics.loss && members[i].metrics.reward_mean == one[0].metrics.reward_mean);
      CHECK(members[i].metrics.model_calls_update == one[0].metrics.model_calls_update);
    }
    forget(members, size);
  }
  forget(one, 1);
}

/* ------------------------------------------------------------------------------------------- the library's transport */

static void threads_train_to_the_bits_of_one_rank(void) {
  member one[1], members[MOST_RANKS];
  ranks alone, all;
  run(one, &alone, 1, 0, NULL);
  for (int size = 2; size <= MOST_RANKS; size++) {
    run(members, &all, size, 60, NULL);
    for (int i = 0; i < size; i++) {
      CHECK(members[i].status == MIXGRPO_STATUS_OK);
      CHECK(memcmp(members[i].weights, one[0].weights, one[0].count * sizeof *one[0].weights) == 0);
    }
    mixgrpo_local_ranks_destroy(local);
    forget(members, size);
  }
  forget(one, 1);
}

static void a_trainer_keeps_its_transport(const fixture *f) {
  mixgrpo_local_ranks *made = NULL;
  mixgrpo_collective collective = {.struct_size = sizeof collective};
  mixgrpo_trainer *trainer = fixture_trainer(f, 0), *late = fixture_trainer(f, 0);
  float samples[VALUES];
  char sent[8] = "7 bytes", received[8] = "";
  const size_t size = sizeof sent;
  DONE(mixgrpo_local_ranks_create(1, 1, &made));
  DONE(mixgrpo_local_ranks_get_collective(made, 0, &collective));
  DONE(mixgrpo_trainer_set_collective(trainer, &collective));
  DONE(collective.all_gather(collective.user_data, sent, received, size));
  CHECK(memcmp(sent, received, size) == 0);
  memset(received, 0, size);
  DONE(collective.all_to_all(collective.user_data, sent, &size, received, &size));
  CHECK(memcmp(sent, received, size) == 0);
  INVALID("sent: expected 8 bytes, got NULL", collective.all_gather(collective.user_data, NULL, received, size));
  INVALID("received", collective.all_to_all(collective.user_data, sent, &size, NULL, &size));
  INVALID("sent_bytes", collective.all_to_all(collective.user_data, sent, NULL, received, &size));
  INVALID("bytes", collective.all_gather(collective.user_data, sent, received, SIZE_MAX / 2));
  mixgrpo_local_ranks_destroy(made);
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES));
  INVALID("user_data: expected a live local rank handle", mixgrpo_trainer_set_collective(late, &collective));
  INVALID("user_data", collective.all_gather(collective.user_data, sent, received, size));
  mixgrpo_trainer_destroy(late);
  mixgrpo_trainer_destroy(trainer);
}

static void the_others_end_when_a_rank_does_not_come(const fixture *f) {
  mixgrpo_local_ranks *made = NULL;
  mixgrpo_collective collective = {.struct_size = sizeof collective};
  mixgrpo_trainer *trainer = fixture_trainer(f, 0);
  DONE(mixgrpo_local_ranks_create(2, 0.01, &made));
  DONE(mixgrpo_local_ranks_get_collective(made, 0, &collective));
  REFUSED(MIXGRPO_STATUS_INPUT_OUTPUT, "got no call of ranks [1]", mixgrpo_trainer_set_collective(trainer, &collective));
  mixgrpo_local_ranks_destroy(made);
  DONE(mixgrpo_local_ranks_create(2, 1e9, &made));
  DONE(mixgrpo_local_ranks_get_collective(made, 0, &collective));
  DONE(mixgrpo_local_ranks_abandon(made, "the disk\nis full"));
  REFUSED(MIXGRPO_STATUS_INPUT_OUTPUT, "one that has left: the disk", mixgrpo_trainer_set_collective(trainer, &collective));
  mixgrpo_local_ranks_destroy(made);
  mixgrpo_trainer_destroy(trainer);
}

static void what_are_no_local_ranks_is_refused(const fixture *f) {
  mixgrpo_local_ranks *made = NULL;
  mixgrpo_collective collective = {.struct_size = sizeof collective};
  mixgrpo_trainer *trainer = fixture_trainer(f, 0);
  INVALID("count: expected 1", mixgrpo_local_ranks_create(0, 1, &made));
  INVALID("count: expected 1", mixgrpo_local_ranks_create(1025, 1, &made));
  INVALID("time_limit: expected above 0", mixgrpo_local_ranks_create(2, 0, &made));
  INVALID("time_limit", mixgrpo_local_ranks_create(2, NAN, &made));
  INVALID("out_ranks", mixgrpo_local_ranks_create(2, 1, NULL));
  DONE(mixgrpo_local_ranks_create(2, 1, &made));
  BAD_HANDLES(other, "ranks", f->model, mixgrpo_local_ranks_get_collective(other, 0, &collective));
  BAD_HANDLES(other, "ranks", f->model, mixgrpo_local_ranks_abandon(other, "no reason"));
  INVALID("rank: expected 0", mixgrpo_local_ranks_get_collective(made, 2, &collective));
  INVALID("rank: expected 0", mixgrpo_local_ranks_get_collective(made, -1, &collective));
  INVALID("out_collective", mixgrpo_local_ranks_get_collective(made, 0, NULL));
  INVALID("reason", mixgrpo_local_ranks_abandon(made, NULL));
  DONE(mixgrpo_local_ranks_get_collective(made, 1, &collective));
  collective.rank = 0;
  INVALID("rank, size: expected 1, 2", mixgrpo_trainer_set_collective(trainer, &collective));
  collective.rank = 1;
  collective.user_data = NULL;
  INVALID("user_data", mixgrpo_trainer_set_collective(trainer, &collective));
  mixgrpo_local_ranks_destroy(made);
  mixgrpo_local_ranks_destroy(made);
  mixgrpo_local_ranks_destroy(NULL);
  mixgrpo_trainer_destroy(trainer);
}

static void fail_early(member *self) { self->failing = 9; }
static void seed_differently(member *self) { self->seed = 6; }

static void one_rank_that_fails_ends_the_work_of_all(void) {
  member members[MOST_RANKS];
  ranks all;
  run(members, &all, 2, 0, fail_early);
  CHECK(members[0].status == MIXGRPO_STATUS_INPUT_OUTPUT && members[1].status == MIXGRPO_STATUS_INPUT_OUTPUT);
  CHECK(memcmp(members[0].weights, members[1].weights, members[0].count * sizeof *members[0].weights) == 0);
  forget(members, 2);
  run(members, &all, 2, 0, seed_differently);
  CHECK(members[0].status == MIXGRPO_STATUS_INVALID_ARGUMENT && members[1].status == MIXGRPO_STATUS_INVALID_ARGUMENT);
  forget(members, 2);
}

static void what_is_no_collective_is_refused(const fixture *f) {
  ranks all = {.size = 1};
  member self = {.all = &all, .failing = -1};
  mixgrpo_trainer *trainer = fixture_trainer(f, 0);
  mixgrpo_collective collective = collective_of(&self);
  DONE(mixgrpo_trainer_set_collective(trainer, &collective));
  DONE(mixgrpo_trainer_set_collective(trainer, NULL));
  BAD_HANDLES(other, "trainer", f->model, mixgrpo_trainer_set_collective(other, &collective));
  collective.struct_size = 8;
  INVALID("collective.struct_size", mixgrpo_trainer_set_collective(trainer, &collective));
  collective = collective_of(&self);
  collective.rank = 1;
  INVALID("rank: expected 0", mixgrpo_trainer_set_collective(trainer, &collective));
  collective.size = 0;
  INVALID("size: expected 1", mixgrpo_trainer_set_collective(trainer, &collective));
  collective = collective_of(&self);
  collective.reserved = 1;
  INVALID("reserved", mixgrpo_trainer_set_collective(trainer, &collective));
  collective = collective_of(&self);
  collective.all_gather = NULL;
  INVALID("all_gather: expected a function", mixgrpo_trainer_set_collective(trainer, &collective));
  collective = collective_of(&self);
  collective.all_to_all = NULL;
  INVALID("all_to_all: expected a function", mixgrpo_trainer_set_collective(trainer, &collective));
  float samples[VALUES];
  collective = collective_of(&self);
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "rank", mixgrpo_trainer_set_collective(trainer, &collective));
  mixgrpo_trainer_destroy(trainer);
}

void test_ranks(void) {
  fixture f = fixture_create(1);
  what_is_no_collective_is_refused(&f);
  a_trainer_keeps_its_transport(&f);
  the_others_end_when_a_rank_does_not_come(&f);
  what_are_no_local_ranks_is_refused(&f);
  fixture_destroy(&f);
  any_number_of_ranks_trains_to_the_same_bits();
  threads_train_to_the_bits_of_one_rank();
  one_rank_that_fails_ends_the_work_of_all();
}
