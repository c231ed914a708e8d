/* What the host's process and threads bring: cores, arithmetic, stack. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "check.h"
#include "fixture.h"
#include "tests.h"

/* Sanitizers make every frame larger. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FRAMES 8
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FRAMES 8
#endif
#endif
#ifndef FRAMES
#define FRAMES 1
#endif

enum { MEMBERS = 4, VALUES = MEMBERS * 64 * 48, STACK = FRAMES * (64 << 10) };

/* An iteration of the shipped model: what it draws and what it learns. */
typedef struct {
  float samples[VALUES];
  float *weights;
  size_t weight_count;
  double loss;
} iteration;

static void iterate(mixgrpo_context *context, iteration *result) {
  const int32_t chosen[] = {0};
  double rewards[MEMBERS];
  mixgrpo_model *model = NULL;
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  DONE(mixgrpo_model_load(context, "examples/base", &model));
  mixgrpo_trainer *trainer = shipped_model_trainer(context, model, MEMBERS, 6);
  DONE(mixgrpo_trainer_rollout(trainer, chosen, 1, result->samples, VALUES));
  for (int i = 0; i < MEMBERS; i++) rewards[i] = result->samples[i * (VALUES / MEMBERS)];
  DONE(mixgrpo_trainer_update(trainer, rewards, MEMBERS, NULL, 0, &metrics));
  result->loss = metrics.loss;
  DONE(mixgrpo_model_get_size(model, NULL, &result->weight_count));
  result->weights = malloc(result->weight_count * sizeof *result->weights);
  DONE(mixgrpo_model_get_weights(model, 0, result->weights, result->weight_count));
  DONE(mixgrpo_trainer_save(trainer, scratch_path("surroundings.safetensors")));
  mixgrpo_trainer_destroy(trainer);
  mixgrpo_model_destroy(model);
}

static int is_same(const iteration *a, const iteration *b) {
  return memcmp(a->samples, b->samples, sizeof a->samples) == 0 && memcmp(&a->loss, &b->loss, sizeof a->loss) == 0
      && a->weight_count == b->weight_count && memcmp(a->weights, b->weights, a->weight_count * sizeof *a->weights) == 0;
}

/* ------------------------------------------------------------------------------------------------------ arithmetic */

/* As programs for sound and games set it: upwards, and small numbers flushed to zero. */
static void set_unusual_arithmetic(void) {
  CHECK(fesetround(FE_UPWARD) == 0);
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x8040);
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" ::"r"((unsigned long)1 << 24 | (unsigned long)1 << 22));
#endif
}

static unsigned long arithmetic(void) {
#if defined(__x86_64__)
  unsigned short x87;
  __asm__ volatile("fnstcw %0" : "=m"(x87));
  return (unsigned long)(_mm_getcsr() & ~0x3fu) << 16 | x87;
#elif defined(__aarch64__)
  unsigned long control;
  __asm__ volatile("mrs %0, fpcr" : "=r"(control));
  return control;
#endif
}

static void the_hosts_arithmetic_changes_no_result(void) {
  static iteration usual, unusual;
  mixgrpo_context *context = NULL;
  fenv_t before;
  DONE(mixgrpo_context_create(2, &context));
  iterate(context, &usual); /* from here on there are workers */
  fegetenv(&before);
  set_unusual_arithmetic();
  const unsigned long mode = arithmetic();
  iterate(context, &unusual);
  CHECK(arithmetic() == mode && fegetround() == FE_UPWARD);
  INVALID("threads", mixgrpo_context_create(-1, &context));
  CHECK(arithmetic() == mode); /* after a call that fails, too */
  fesetenv(&before);
  CHECK(is_same(&usual, &unusual));
  free(usual.weights);
  free(unusual.weights);
  mixgrpo_context_destroy(context);
}

static void *iterate_in_unusual_arithmetic(void *result) {
  mixgrpo_context *context = NULL;
  set_unusual_arithmetic();
  DONE(mixgrpo_context_create(9, &context)); /* more workers than there are: new ones come of this thread */
  iterate(context, result);
  mixgrpo_context_destroy(context);
  return NULL;
}

static void workers_made_by_such_a_thread_change_no_result(void) {
  static iteration usual, unusual;
  mixgrpo_context *context = NULL;
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, iterate_in_unusual_arithmetic, &unusual) == 0);
  pthread_join(thread, NULL);
  DONE(mixgrpo_context_create(9, &context));
  iterate(context, &usual);
  CHECK(is_same(&usual, &unusual));
  free(usual.weights);
  free(unusual.weights);
  mixgrpo_context_destroy(context);
}

/* ------------------------------------------------------------------------------------------------------------ stack */

static void *iterate_alone(void *result) {
  mixgrpo_context *context = NULL;
  DONE(mixgrpo_context_create(1, &context));
  iterate(context, result);
  mixgrpo_context_destroy(context);
  return NULL;
}

/* A call that needs more runs into the guard page, which ends this program. */
static void calls_fit_into_the_documented_stack(void) {
  static iteration small, usual;
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  CHECK(pthread_attr_setstacksize(&attributes, STACK) == 0);
  CHECK(pthread_attr_setguardsize(&attributes, 64 << 10) == 0);
  CHECK(pthread_create(&thread, &attributes, iterate_alone, &small) == 0);
  pthread_join(thread, NULL);
  pthread_attr_destroy(&attributes);
  iterate_alone(&usual);
  CHECK(is_same(&small, &usual));
  free(small.weights);
  free(usual.weights);
}

/* ------------------------------------------------------------------------------------------------------------ cores */

static void a_context_has_a_thread_for_each_core_it_may_use(void) {
#if defined(__linux__)
  cpu_set_t all, one;
  mixgrpo_context *context = NULL;
  int first = 0;
  CHECK(sched_getaffinity(0, sizeof all, &all) == 0);
  DONE(mixgrpo_context_create(0, &context));
  CHECK(mixgrpo_context_threads(context) <= CPU_COUNT(&all));
  mixgrpo_context_destroy(context);
  while (!CPU_ISSET(first, &all)) first++;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
  DONE(mixgrpo_context_create(0, &context));
  CHECK(mixgrpo_context_threads(context) == 1);
  mixgrpo_context_destroy(context);
  CHECK(sched_setaffinity(0, sizeof all, &all) == 0);
#endif
}

#if defined(__linux__)
/* Threads of this process that may run on `core` alone. */
static int threads_bound_to(int core) {
  int count = 0;
  DIR *folder = opendir("/proc/self/task");
  CHECK(folder);
  for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
    cpu_set_t cores;
    if (entry->d_name[0] == '.' || sched_getaffinity(atoi(entry->d_name), sizeof cores, &cores) != 0) continue;
    count += CPU_COUNT(&cores) == 1 && CPU_ISSET(core, &cores);
  }
  closedir(folder);
  return count;
}

/* An iteration of two threads, on a thread that is bound to a core. */
static void *iterate_on_core(void *data) {
  static iteration made;
  const int core = *(int *)data;
  cpu_set_t one;
  mixgrpo_context *context = NULL;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
  const int before = threads_bound_to(core);
  DONE(mixgrpo_context_create(2, &context));
  iterate(context, &made);
  CHECK(threads_bound_to(core) == before + 1);
  mixgrpo_context_destroy(context);
  free(made.weights);
  return NULL;
}
#endif

static void workers_run_on_the_cores_of_the_thread_that_calls(void) {
#if defined(__linux__)
  cpu_set_t all;
  CHECK(sched_getaffinity(0, sizeof all, &all) == 0);
  for (int core = 0; core < CPU_SETSIZE; core++) {
    pthread_t thread;
    if (!CPU_ISSET(core, &all) || CPU_COUNT(&all) == 1) continue;
    CHECK(pthread_create(&thread, NULL, iterate_on_core, &core) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
  }
#endif
}

void test_surroundings(void) {
  a_context_has_a_thread_for_each_core_it_may_use();
  workers_run_on_the_cores_of_the_thread_that_calls();
  the_hosts_arithmetic_changes_no_result();
  workers_made_by_such_a_thread_change_no_result();
  calls_fit_into_the_documented_stack();
}
