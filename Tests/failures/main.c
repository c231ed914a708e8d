/* The n-th failure, for every n: each scenario with each failure, in a process of its own.
 *
 *   failures FOLDER [--whole] [--only SCENARIO] [--failure NAME] [--smallest BYTES] [--table FILE] [--plant leak|output|lost]
 *
 * In a walk each call is made with its first event failing, then with its second, and so on until no event is left; it must then give
 * the bits of a run without failures. --whole also fails each event of a scenario alone, with everything after it, and adds errors. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

/* `in_short`: also in the short run. */
static const struct { failure failure; int in_short; } failures[] = {
    {{"memory", MEMORY, FAILS, ENOMEM, 0}, 1},
    {{"memory", MEMORY, FAILS, ENOMEM, 1}, 1},
    {{"open", OPEN, FAILS, EMFILE, 0}, 1},
    {{"open", OPEN, FAILS, EACCES, 1}, 0},
    {{"open interrupted", OPEN, IS_INTERRUPTED, EINTR, 0}, 1},
    {{"read", READ, FAILS, EIO, 0}, 1},
    {{"read", READ, FAILS, EIO, 1}, 0},
    {{"read interrupted", READ, IS_INTERRUPTED, EINTR, 0}, 1},
    {{"short read", READ, IS_SHORT, 0, 0}, 1},
    {{"write", WRITE, FAILS, ENOSPC, 0}, 1},
    {{"write", WRITE, FAILS, ENOSPC, 1}, 0},
    {{"write interrupted", WRITE, IS_INTERRUPTED, EINTR, 0}, 1},
    {{"short write", WRITE, IS_SHORT, 0, 0}, 1},
    {{"fsync", SYNC, FAILS, EIO, 0}, 1},
    {{"fsync", SYNC, FAILS, EIO, 1}, 0},
    {{"rename", RENAME, FAILS, EACCES, 0}, 1},
    {{"close", CLOSE, FAILS, EIO, 0}, 1},
    {{"close", CLOSE, FAILS, EIO, 1}, 0},
    {{"flock, fcntl", LOCK, FAILS, ENOLCK, 0}, 1},
    {{"opendir", OPEN_FOLDER, FAILS, EACCES, 0}, 1},
    {{"opendir", OPEN_FOLDER, FAILS, EIO, 1}, 0},
    {{"readdir", READ_FOLDER, FAILS, EIO, 0}, 1},
    {{"readdir", READ_FOLDER, FAILS, EIO, 1}, 0},
    {{"mkdir", MAKE_FOLDER, FAILS, EACCES, 0}, 1},
    {{"mkdir", MAKE_FOLDER, FAILS, ENOSPC, 1}, 0},
    {{"unlink", REMOVE, FAILS, EACCES, 0}, 1},
    {{"stat, access", STATUS, FAILS, EIO, 0}, 1},
    {{"stat, access", STATUS, FAILS, EACCES, 1}, 0},
    {{"lseek, ftruncate", SEEK, FAILS, EIO, 0}, 1},
    {{"pthread_create", THREAD, FAILS, EAGAIN, 0}, 1},
    {{"pthread_create", THREAD, FAILS, EAGAIN, 1}, 1},
    {{"cancel in a callback", CALLBACK, FAILS, 0, 0}, 1},
    {{"the host's model", ANSWER, FAILS, 0, 0}, 1},
};
enum { FAILURES = sizeof failures / sizeof *failures, MOST_CRASHES = 8 };

static char folder[4096];
static walk *shared;
static int is_whole;
static long faults;

/* ---- What a process holds */

static long entries(const char *path) {
  long count = 0;
  DIR *const opened = opendir(path);
  while (opened && readdir(opened)) count++;
  if (opened) closedir(opened);
  return count;
}

typedef struct { long blocks, mappings, descriptors, threads; } holdings;

static holdings count_holdings(void) {
  const long descriptors = entries("/proc/self/fd"), threads = entries("/proc/self/task");
  return (holdings){live_blocks(), live_mappings(), descriptors, threads};
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place) {
  (void)status, (void)type, (void)place;
  return remove(path);
}

static void empty_folder(void) {
  nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
  if (mkdir(folder, 0777) != 0) exit(3);
}

/* Temporary files that a failure has left. */
static int leftovers(const char *path) {
  int count = 0;
  DIR *const opened = opendir(path);
  struct dirent *entry;
  while (opened && (entry = readdir(opened))) {
    char inside[5000];
    if (strncmp(entry->d_name, ".mixgrpo-", 9) == 0) count++;
    snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') count += leftovers(inside);
  }
  if (opened) closedir(opened);
  return count;
}

/* ---- One pass, one walk */

static int pass(const scenario_entry *scenario, const sizes *sizes, const failure *failure, mode mode, long event, size_t smallest) {
  empty_folder();
  judge_start(shared, scenario->name, failure, mode, event, smallest);
  scenario->run(sizes, folder);
  if (failure && failure->what != REMOVE && !failure->persists && leftovers(folder))
    judge_fault("a temporary file is left");
  return judge_finish();
}

static void walk_calls(const scenario_entry *scenario, const sizes *sizes, const failure *failure) {
  while (pass(scenario, sizes, failure, MODE_WALK, 0, 0)) {}
}

static void begin_walk(void) {
  for (int i = 0; i < MOST_CALLS; i++) shared->next[i] = 1;
}

/* Twice: what the second walk holds longer than the first is a leak. The first also fills what the runtime keeps. */
static void walk_twice(const scenario_entry *scenario, const sizes *sizes, const failure *failure) {
  walk_calls(scenario, sizes, failure);
  if (failure->what == THREAD) return;
  const holdings first = count_holdings();
  begin_walk();
  walk_calls(scenario, sizes, failure);
  const holdings second = count_holdings();
  if (second.blocks > first.blocks) judge_fault("memory is kept");
  if (second.mappings > first.mappings) judge_fault("a mapping is kept");
  if (second.descriptors > first.descriptors) judge_fault("a file descriptor is kept");
  if (second.threads > first.threads) judge_fault("a thread is kept");
}

/* Each event of the whole scenario alone. */
static void fail_each_alone(const scenario_entry *scenario, const sizes *sizes, const failure *failure) {
  long before = -1;
  for (long event = 1; shared->injected != before; event++) {
    before = shared->injected;
    pass(scenario, sizes, failure, MODE_SINGLE, event, 0);
  }
}

/* ---- Processes */

typedef void walker(const scenario_entry *scenario, const sizes *sizes, const failure *failure);

static int run_child(walker *walker, const scenario_entry *scenario, const sizes *sizes, const failure *failure) {
  fflush(NULL);
  const pid_t child = fork();
  if (child == 0) {
    alarm(600);
    walker(scenario, sizes, failure);
    fflush(NULL);
    _exit(0);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  return status;
}

/* A crash counts, and the walk goes on after it. */
static void run_to_end(walker *walker, const scenario_entry *scenario, const sizes *sizes, const failure *failure) {
  for (int crashes = 0; crashes < MOST_CRASHES; crashes++) {
    const int status = run_child(walker, scenario, sizes, failure);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    shared->faults++;
    fprintf(stderr, "%s, %s%s: the process ended (%s %d) in event %ld of %s\n", scenario->name, failure ? failure->name : "nothing",
            failure && failure->persists ? " and after" : "", WIFSIGNALED(status) ? "signal" : "status",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), shared->event, shared->text);
    if (WIFSIGNALED(status) && shared->event && walker == walk_twice) shared->next[shared->index] = shared->event + 1;
    else return;
  }
}

static void run_clean(const scenario_entry *scenario, const sizes *sizes, const failure *failure) {
  (void)failure;
  pass(scenario, sizes, NULL, MODE_CLEAN, 0, 0);
  pass(scenario, sizes, NULL, MODE_CLEAN, 0, 0);
}

/* ---- Figures */

typedef struct { long injected, absorbed, statuses[16]; } figures;
static figures totals[FAILURES];

static void add_figures(figures *total) {
  total->injected += shared->injected;
  total->absorbed += shared->absorbed;
  for (int i = 0; i < 16; i++) total->statuses[i] += shared->statuses[i];
}

static void write_table(FILE *file) {
  figures all = {0};
  fprintf(file, "| failure | injected | OUT_OF_MEMORY | INPUT_OUTPUT | CANCELLED | the host's status | OK |\n");
  fprintf(file, "|---|--:|--:|--:|--:|--:|--:|\n");
  for (int i = 0; i < FAILURES; i++) {
    const figures *const f = &totals[i];
    if (f->injected == 0) continue;
    fprintf(file, "| %s%s | %ld | %ld | %ld | %ld | %ld | %ld |\n", failures[i].failure.name,
            failures[i].failure.persists ? ", and all later ones of the call" : "", f->injected,
            f->statuses[-MIXGRPO_STATUS_OUT_OF_MEMORY], f->statuses[-MIXGRPO_STATUS_INPUT_OUTPUT], f->statuses[15],
            f->statuses[-MIXGRPO_STATUS_UNSUPPORTED], f->absorbed);
    all.injected += f->injected;
  }
  fprintf(file, "\n%ld failures in %d scenarios.\n", all.injected, scenario_count);
}

/* ---- All of it */

static void reset_walk(void) {
  shared->injected = shared->absorbed = 0;
  memset(shared->statuses, 0, sizeof shared->statuses);
  begin_walk();
}

static void try_failures(const scenario_entry *scenario, const char *only_failure) {
  static const sizes threaded_sizes = {.threads = 3, .prompts = 2, .group = 4, .tokens = 2, .text_length = 3, .lines = 4,
                                       .images = 2, .steps = 4, .minibatches = 2, .rewards = 2};
  memset(shared, 0, sizeof *shared);
  run_to_end(run_clean, scenario, &little, NULL);
  for (int i = 0; i < FAILURES; i++) {
    const failure *const failure = &failures[i].failure;
    if (!is_whole && !failures[i].in_short) continue;
    if (only_failure && strcmp(only_failure, failure->name)) continue;
    const sizes *const sizes = failure->what == THREAD ? &threaded_sizes : &little;
    reset_walk();
    run_to_end(walk_twice, scenario, sizes, failure);
    if (is_whole) run_to_end(fail_each_alone, scenario, sizes, failure);
    add_figures(&totals[i]);
  }
  faults += shared->faults;
}

static size_t smallest = 16 << 10; /* as in Memory.swift */

static void watch_ledger(const scenario_entry *scenario, const sizes *sizes, const failure *failure) {
  (void)failure;
  pass(scenario, sizes, NULL, MODE_CLEAN, 0, 0);
  pass(scenario, sizes, NULL, MODE_LEDGER, 0, smallest);
  shared->most_small = most_small_bytes();
}

/* Blocks of the runtime that grow with the host's data are asked for first. */
static void check_questions(const scenario_entry *scenario) {
  memset(shared, 0, sizeof *shared);
  run_to_end(watch_ledger, scenario, &much, NULL);
  faults += shared->faults;
  printf("%s: every block of %zu bytes and more was asked for; at most %zu bytes of smaller ones at once\n", scenario->name,
         smallest, shared->most_small);
}

static plant plant_of(const char *name) {
  static const char *const names[] = {"", "leak", "output", "lost"};
  for (int i = PLANT_LEAK; i <= PLANT_LOST; i++)
    if (strcmp(name, names[i]) == 0) return (plant)i;
  exit(2);
}

int main(int count, char **arguments) {
  const char *only = NULL, *only_failure = NULL, *table = NULL;
  if (count < 2) return 2;
  snprintf(folder, sizeof folder, "%s/scratch", arguments[1]);
  for (int i = 2; i < count; i++) {
    if (strcmp(arguments[i], "--whole") == 0) is_whole = 1;
    if (strcmp(arguments[i], "--only") == 0 && i + 1 < count) only = arguments[++i];
    if (strcmp(arguments[i], "--failure") == 0 && i + 1 < count) only_failure = arguments[++i];
    if (strcmp(arguments[i], "--table") == 0 && i + 1 < count) table = arguments[++i];
    if (strcmp(arguments[i], "--plant") == 0 && i + 1 < count) planted = plant_of(arguments[++i]);
    if (strcmp(arguments[i], "--smallest") == 0 && i + 1 < count) smallest = strtoul(arguments[++i], NULL, 10);
  }
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 3;
  for (int i = 0; i < scenario_count; i++) {
    if (only && strcmp(only, scenarios[i].name)) continue;
    if (!only_failure || strcmp(only_failure, "questions") == 0) check_questions(&scenarios[i]);
    try_failures(&scenarios[i], only_failure);
    fflush(stdout);
  }
  write_table(stdout);
  FILE *const file = table ? fopen(table, "w") : NULL;
  if (file) write_table(file), fclose(file);
  printf("failures: %ld faults\n", faults);
  return faults != 0;
}
