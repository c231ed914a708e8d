/* What happens at the limits of a process: a status and not the end of the host, and the same results when the call is repeated. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "limits.h"

static char folder[64] = "/tmp/mixgrpo-limits-XXXXXX";

/* ---- All is well */

static int must_succeed(mixgrpo_status status, const char *text) {
  check_done(status, text, __FILE__, __LINE__);
  return 0;
}

/* ---- Memory: a call that is refused some says so, and succeeds when there is some again */

static int refusals;
static long first_refused = 1;

/* Each call is made with its first large block refused and all after it, then with its second, and so on until it has all. */
static int may_lack_memory(mixgrpo_status status, const char *text) {
  if (memory_was_refused() && status == MIXGRPO_STATUS_OUT_OF_MEMORY) {
    refusals++;
    fail_memory_from(++first_refused);
    return 1;
  }
  check_done(status, text, __FILE__, __LINE__);
  fail_memory_from(first_refused = 1);
  return 0;
}

static void every_large_block_may_be_missing(double expected) {
  const judge judge = {may_lack_memory};
  fail_memory_from(1);
  CHECK(run_scenario(&judge, 1, folder) == expected);
  fail_memory_from(0);
  printf("%d times a large block was missing: every call reported it and could be repeated\n", refusals);
  CHECK(refusals > 50);
}

/* ---- Address space: in a child, as a limit cannot be taken back */

static int exit_at_error(mixgrpo_status status, const char *text) {
  if (status == MIXGRPO_STATUS_OUT_OF_MEMORY) _exit(10);
  if (status != MIXGRPO_STATUS_OK) fprintf(stderr, "%s: %s: %s\n", text, mixgrpo_status_name(status), mixgrpo_last_error()), _exit(11);
  return 0;
}

static long used_address_space(void) {
  long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%ld", &pages) != 1) pages = 0;
  if (file) fclose(file);
  return pages * sysconf(_SC_PAGESIZE);
}

static int run_within(long bytes) {
  const judge judge = {exit_at_error};
  const pid_t child = fork();
  if (child == 0) {
    const struct rlimit limit = {(rlim_t)(used_address_space() + bytes), (rlim_t)(used_address_space() + bytes)};
    alarm(120);
    setrlimit(RLIMIT_AS, &limit);
    run_scenario(&judge, 1, folder);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

static void address_space_may_be_short(void) {
  int short_runs = 0, whole_runs = 0;
  for (long mebibytes = 0; mebibytes <= 200 && whole_runs < 2; mebibytes += mebibytes < 40 ? 2 : 10) {
    const int code = run_within(mebibytes << 20);
    CHECK(code == 0 || code == 10);
    if (code != 0 && code != 10) fprintf(stderr, "  with %ld MiB: %d\n", mebibytes, code);
    short_runs += code == 10;
    whole_runs += code == 0;
  }
  printf("%d limits of address space too small, each a status\n", short_runs);
  CHECK(short_runs > 0);
}

/* ---- Threads and file handles */

static void threads_may_be_missing(double expected) {
  const judge judge = {must_succeed};
  refuse_threads(1);
  CHECK(run_scenario(&judge, 7, folder) == expected);
  refuse_threads(0);
  printf("no thread to be had: the same results\n");
}

static int may_lack_files(mixgrpo_status status, const char *text) {
  const struct rlimit all = {256, 256};
  const struct rlimit *const limit = &all;
  if (status != MIXGRPO_STATUS_INPUT_OUTPUT) return must_succeed(status, text);
  refusals++;
  setrlimit(RLIMIT_NOFILE, limit);
  return 1;
}

static void file_handles_may_be_missing(double expected) {
  const struct rlimit none = {3, 256};
  const judge judge = {may_lack_files};
  refusals = 0;
  setrlimit(RLIMIT_NOFILE, &none);
  CHECK(run_scenario(&judge, 1, folder) == expected);
  CHECK(refusals == 1);
  printf("no file handle to be had: a status, and the call could be repeated\n");
}

/* ---- More than the machine has */

static void sizes_beyond_the_machine_are_refused(void) {
  mixgrpo_context *context = NULL;
  mixgrpo_optimizer *optimizer = NULL;
  mixgrpo_learning_config learning;
  DONE(mixgrpo_context_create(1, &context));
  DONE(mixgrpo_config_init(NULL, 0, &learning, sizeof learning));
  const size_t parameters = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE) / 4 * 2;
  REFUSED(MIXGRPO_STATUS_OUT_OF_MEMORY, "memory", mixgrpo_optimizer_create(context, &learning, parameters, &optimizer));
  mixgrpo_context_destroy(context);
}

int main(void) {
  const judge judge = {must_succeed};
  char command[128];
  CHECK(mkdtemp(folder) != NULL);
  const double expected = run_scenario(&judge, 1, folder);
  sizes_beyond_the_machine_are_refused();
  every_large_block_may_be_missing(expected);
  threads_may_be_missing(expected);
  address_space_may_be_short();
  file_handles_may_be_missing(expected);
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  if (system(command) != 0) fprintf(stderr, "could not remove %s\n", folder);
  printf("limits: %d checks, %d failures\n", check_count(), check_failures());
  return check_failures() != 0;
}
