/* Random sequences of random calls of the C interface: no trap, no write beyond a buffer, no output touched by a call that failed, no
 * hang, no leak.
 *
 *   interface [--calls N] [--seed S] [--threads T] [--memory MIB] [--seconds-per-call S]
 *
 * Each sequence of 2000 calls starts with nothing and ends with all handles destroyed. The same seed makes the same calls up to
 * the first cancel from another thread, whose moment varies. */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "calls.h"

/* ENOUGH calls reach every function, whatever the seed. */
enum { SEQUENCE = 2000, ENOUGH = 10000 };

static uint64_t seed = 1, calls = 200000;
static unsigned threads = 1, memory = 1024, patience = 60;
static atomic_uint_fast64_t sequences, total, total_succeeded, heartbeat;

/* What was being done when a signal ended it; on the thread that it happened to. */
static void report(int number) {
  char text[300];
  const int length = snprintf(text, sizeof text, "signal %d in %s, call %llu of its thread; --seed %llu\n", number, current_call(),
                              (unsigned long long)calls_done(), (unsigned long long)seed);
  if (write(2, text, (size_t)length) < 0) _exit(3);
  signal(number, SIG_DFL);
  raise(number);
}

static void *watch(void *unused) {
  uint_fast64_t last = 0;
  for (unsigned still = 0;; still++) {
    sleep(1);
    const uint_fast64_t now = atomic_load(&heartbeat);
    if (now != last) still = 0;
    if (still > patience) {
      fprintf(stderr, "no call returned for %u seconds, the latest was %s; --seed %llu\n", patience, latest_call(), (unsigned long long)seed);
      abort();
    }
    last = now;
  }
  return unused;
}

static void run_sequence(uint64_t number) {
  chance_seed(seed * 0x9e3779b97f4a7c15u + number);
  for (int i = 0; i < SEQUENCE; i++) {
    call_something();
    atomic_fetch_add(&heartbeat, 1);
  }
  drop_all();
}

static void *work(void *unused) {
  uint64_t number;
  while ((number = atomic_fetch_add(&sequences, 1)) < (calls + SEQUENCE - 1) / SEQUENCE) run_sequence(number);
  atomic_fetch_add(&total, calls_done());
  atomic_fetch_add(&total_succeeded, calls_succeeded());
  return unused;
}

static uint64_t option(int argc, char **argv, const char *name, uint64_t usual) {
  for (int i = 1; i + 1 < argc; i += 2)
    if (strcmp(argv[i], name) == 0) return strtoull(argv[i + 1], NULL, 10);
  return usual;
}

int main(int argc, char **argv) {
  calls = option(argc, argv, "--calls", calls);
  seed = option(argc, argv, "--seed", seed);
  threads = (unsigned)option(argc, argv, "--threads", threads);
  memory = (unsigned)option(argc, argv, "--memory", memory);
  patience = (unsigned)option(argc, argv, "--seconds-per-call", patience);
  const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT, SIGFPE};
  for (int i = 0; i < 6; i++) signal(numbers[i], report);
  const struct rlimit limit = {(rlim_t)memory << 20, (rlim_t)memory << 20};
  pthread_t watcher, workers[64];
  must(pthread_create(&watcher, NULL, watch, NULL) == 0, "a watching thread");
  chance_seed(seed);
  make_scratch();
  share_objects();
  if (memory) setrlimit(RLIMIT_AS, &limit);
  for (unsigned i = 1; i < threads && i < 64; i++) must(pthread_create(&workers[i], NULL, work, NULL) == 0, "a thread");
  run_sequence((uint64_t)1 << 40); /* warms up what is made once */
  const size_t before = mallinfo2().uordblks;
  work(NULL);
  for (unsigned i = 1; i < threads && i < 64; i++) pthread_join(workers[i], NULL);
  const size_t after = mallinfo2().uordblks;
  remove_scratch();
  if (calls >= ENOUGH) check_all_called();
  printf("interface: %llu calls with %u thread%s, %llu succeeded; %zu KiB in use after, %zu before\n", (unsigned long long)total,
         threads, threads == 1 ? "" : "s", (unsigned long long)total_succeeded, after >> 10, before >> 10);
  if (threads == 1 && after > before + (1 << 20)) return fprintf(stderr, "a leak\n"), 1;
  return 0;
}
