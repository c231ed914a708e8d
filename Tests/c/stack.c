/* Calls on threads with little stack: either everything works, or the thread runs into the guard page. Memory below the guard
 * page is never changed in silence.
 *
 *   stack            tries a ladder of stacks, each in a process of its own, and fails if the stack that mixgrpo.h asks for is not
 *                    enough. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "fixture.h"

enum { PAGE = 4096, CANARY = 64 << 10, MEMBERS = 4, VALUES = MEMBERS * 64 * 48, DOCUMENTED = 64 };

/* ------------------------------------------------------------------------------------------------- what the thread does */

/* An iteration of the shipped model, saved, loaded and written as text; `result` receives the loss. */
static void iterate(double *result) {
  static float samples[VALUES];
  static char text[65536];
  const int32_t chosen[] = {0};
  const char *checkpoint = scratch_path("stack.safetensors");
  double rewards[MEMBERS];
  mixgrpo_context *context = NULL;
  mixgrpo_model *model = NULL;
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  DONE(mixgrpo_context_create(1, &context));
  DONE(mixgrpo_model_load(context, "examples/base", &model));
  mixgrpo_trainer *trainer = shipped_model_trainer(context, model, MEMBERS, 4);
  DONE(mixgrpo_trainer_rollout(trainer, chosen, 1, samples, VALUES));
  for (int i = 0; i < MEMBERS; i++) rewards[i] = samples[i * (VALUES / MEMBERS)];
  DONE(mixgrpo_trainer_update(trainer, rewards, MEMBERS, NULL, 0, &metrics));
  DONE(mixgrpo_trainer_get_metrics_json(trainer, text, sizeof text, NULL));
  DONE(mixgrpo_trainer_save(trainer, checkpoint));
  DONE(mixgrpo_trainer_rollout(trainer, chosen, 1, samples, VALUES));
  result[0] = metrics.loss;
  result[1] = samples[17];
  mixgrpo_trainer_destroy(trainer);
  mixgrpo_model_destroy(model);
  mixgrpo_context_destroy(context);
}

/* ------------------------------------------------------------------------------------------------------------ one stack */

static double expected[2];

static void *run(void *ignored) {
  double result[2] = {0, 0};
  iterate(result);
  CHECK(memcmp(result, expected, sizeof expected) == 0);
  return ignored;
}

static int is_untouched(const unsigned char *canary) {
  for (size_t i = 0; i < CANARY; i++)
    if (canary[i] != 0xA5) return 0;
  return 1;
}

/* In a child: canary, guard page, stack, from low addresses to high ones. The canary is shared with the parent. Returns the exit
 * status of a run that ended. */
static int run_on_stack(unsigned char *memory, size_t stack) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  if (pthread_attr_setstack(&attributes, memory + CANARY + PAGE, stack) != 0
      || pthread_create(&thread, &attributes, run, NULL) != 0)
    return 2;
  pthread_join(thread, NULL);
  return check_failures() != 0;
}

/* 1 when everything worked, 0 when the thread ran into its guard page. */
static int works_with(size_t kibibytes) {
  const size_t stack = kibibytes << 10, size = CANARY + PAGE + stack;
  unsigned char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  memset(memory, 0xA5, CANARY);
  CHECK(mprotect(memory + CANARY, PAGE, PROT_NONE) == 0);
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) _exit(run_on_stack(memory, stack));
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  const int worked = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  CHECK(worked || WIFSIGNALED(status));
  CHECK(is_untouched(memory));
  printf("%4zu KiB of stack: %s, memory below the guard page %s\n", kibibytes, worked ? "works" : strsignal(WTERMSIG(status)),
         is_untouched(memory) ? "untouched" : "OVERWRITTEN");
  munmap(memory, size);
  return worked;
}

int main(void) {
  static const size_t ladder[] = {256, 192, 160, 128, 112, 96, 80, 72, 64, 56, 48, 44, 40, 36, 32, 28, 24, 20, 16};
  iterate(expected);
  for (size_t i = 0; i < sizeof ladder / sizeof *ladder; i++) {
    const int worked = works_with(ladder[i]);
    CHECK(worked || ladder[i] < DOCUMENTED);
  }
  return check_failures() != 0;
}
