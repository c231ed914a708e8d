/* Signals and forks at any moment: a cancel in a signal handler, whatever it interrupts, and a fork while other threads are
 * inside calls.
 *
 *   interrupted [SIGNALS [FORKS]]
 *
 * An alarm ends a run that hangs. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "fixture.h"

enum { HAMMERS = 3, CHILD_SECONDS = 20 };

static atomic_int ends;

static void pause_for(long microseconds) { nanosleep(&(struct timespec){.tv_nsec = microseconds * 1000}, NULL); }

/* Inside the locks of the handle tables most of the time; also errors, which allocate texts. */
static void *create_and_destroy(void *ignored) {
  while (!atomic_load(&ends)) {
    mixgrpo_context *contexts[4];
    for (int i = 0; i < 4; i++) DONE(mixgrpo_context_create(1 + i, &contexts[i]));
    CHECK(mixgrpo_context_threads(contexts[0]) == 1);
    CHECK(mixgrpo_context_reset_cancel(NULL) == MIXGRPO_STATUS_INVALID_ARGUMENT);
    for (int i = 0; i < 4; i++) mixgrpo_context_destroy(contexts[i]);
  }
  return ignored;
}

/* ------------------------------------------------------------------------------------------------------------ signals */

static mixgrpo_context *volatile live;
static mixgrpo_context *volatile destroyed;
static atomic_long handled, refused;

static void cancel_all(int ignored) {
  (void)ignored;
  if (mixgrpo_context_cancel(live) != MIXGRPO_STATUS_OK) atomic_fetch_add(&refused, 1);
  if (mixgrpo_context_cancel(destroyed) != MIXGRPO_STATUS_INVALID_ARGUMENT) atomic_fetch_add(&refused, 1);
  if (mixgrpo_context_cancel(MADE_UP_HANDLE) != MIXGRPO_STATUS_INVALID_ARGUMENT) atomic_fetch_add(&refused, 1);
  if (mixgrpo_context_cancel(NULL) != MIXGRPO_STATUS_INVALID_ARGUMENT) atomic_fetch_add(&refused, 1);
  atomic_fetch_add(&handled, 1);
}

static void a_cancel_in_a_signal_handler_always_returns(long signals) {
  pthread_t threads[HAMMERS];
  mixgrpo_context *gone = NULL, *stays = NULL;
  DONE(mixgrpo_context_create(1, &gone));
  mixgrpo_context_destroy(gone);
  DONE(mixgrpo_context_create(1, &stays));
  live = stays;
  destroyed = gone;
  struct sigaction action = {.sa_handler = cancel_all, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  atomic_store(&ends, 0);
  for (int i = 0; i < HAMMERS; i++) CHECK(pthread_create(&threads[i], NULL, create_and_destroy, NULL) == 0);
  for (long i = 0; i < signals; i++) {
    pthread_kill(threads[i % HAMMERS], SIGUSR1);
    if (i % 4 == 0) pause_for(20);
  }
  atomic_store(&ends, 1);
  for (int i = 0; i < HAMMERS; i++) pthread_join(threads[i], NULL);
  CHECK(atomic_load(&handled) > 0 && atomic_load(&refused) == 0);
  CHECK(mixgrpo_context_is_cancelled(stays));
  mixgrpo_context_destroy(stays);
  printf("%ld cancels in signal handlers, none of them hung\n", 4 * atomic_load(&handled));
}

/* ------------------------------------------------------------------------------------------------------------ forks */

static double iterate(mixgrpo_trainer *trainer) {
  const double rewards[2 * SAMPLES] = {1, 2, 3, 4, 4, 3, 2, 1};
  float samples[SAMPLES * LATENT];
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, SAMPLES * LATENT));
  DONE(mixgrpo_trainer_update(trainer, rewards, 2 * SAMPLES, NULL, 0, &metrics));
  return metrics.loss;
}

/* Always inside a model call with workers. */
static void *train(void *f) {
  mixgrpo_trainer *trainer = fixture_trainer(f, 0);
  while (!atomic_load(&ends)) iterate(trainer);
  mixgrpo_trainer_destroy(trainer);
  return NULL;
}

static double first_loss(void) {
  fixture f = fixture_create(3);
  mixgrpo_trainer *trainer = fixture_trainer(&f, 0);
  const double loss = iterate(trainer);
  mixgrpo_trainer_destroy(trainer);
  fixture_destroy(&f);
  return loss;
}

static int has_threads(void) {
  char line[256];
  int threads = 0;
  FILE *file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file)) sscanf(line, "Threads: %d", &threads);
  if (file) fclose(file);
  return threads > 1;
}

/* Destroys what other threads of the parent are using, uses what they are not, and trains with workers of its own. */
static void use_in_child(fixture *busy, mixgrpo_context *idle, double expected) {
  alarm(CHILD_SECONDS);
  fixture_destroy(busy);
  DONE(mixgrpo_context_cancel(idle));
  mixgrpo_context_destroy(idle);
  const double loss = first_loss();
  CHECK(memcmp(&loss, &expected, sizeof loss) == 0);
  CHECK(has_threads());
  fflush(NULL);
  _exit(check_failures() != 0);
}

static void a_child_of_fork_can_use_the_library(int forks) {
  pthread_t threads[HAMMERS + 1];
  fixture busy = fixture_create(2);
  mixgrpo_context *idle = NULL;
  const double expected = first_loss();
  DONE(mixgrpo_context_create(2, &idle));
  atomic_store(&ends, 0);
  for (int i = 0; i < HAMMERS; i++) CHECK(pthread_create(&threads[i], NULL, create_and_destroy, NULL) == 0);
  CHECK(pthread_create(&threads[HAMMERS], NULL, train, &busy) == 0);
  int good = 0;
  for (int i = 0; i < forks; i++) {
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) use_in_child(&busy, idle, expected);
    int status = -1;
    waitpid(child, &status, 0);
    good += status == 0;
  }
  atomic_store(&ends, 1);
  for (int i = 0; i <= HAMMERS; i++) pthread_join(threads[i], NULL);
  printf("%d forks while %d threads were inside calls: %d children worked\n", forks, HAMMERS + 1, good);
  CHECK(good == forks);
  mixgrpo_context_destroy(idle);
  fixture_destroy(&busy);
}

int main(int count, char **arguments) {
  alarm(540);
  a_cancel_in_a_signal_handler_always_returns(count > 1 ? atol(arguments[1]) : 20000);
  a_child_of_fork_can_use_the_library(count > 2 ? atoi(arguments[2]) : 60);
  return check_failures() != 0;
}
