/* Times iterations of the built-in model in the processes of MPI, and counts what each process sends to the others.
 *
 *   mpicc -O2 -std=c99 -D_POSIX_C_SOURCE=200809L -Iinclude -Iexamples/mpi ranks.c mpi_collective.c -lmixgrpo -o ranks
 *   mpirun -n 2 ./ranks model=examples/base collective=all prompts=2 iterations=3
 *
 * collective=all   the processes train one model together; `prompts` are those of all
 * collective=own   each trains a model of its own on `prompts`, at the same time as the others, with a collective of size 1
 * collective=none  the same without a collective
 *
 * Prints one line of JSON: seconds of each iteration (those of the slowest process), and bytes and calls of each process in an
 * iteration, which must be the same in all of them. The first iteration allocates all memory and is not in the line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mixgrpo.h"
#include "mpi_collective.h"

enum { MOST_ITERATIONS = 1000, MOST_PROMPTS = 1024, SMALL = 512, LARGE = 1 << 20, PROBES = 200 };

static int32_t rank, size;

static void check(mixgrpo_status status) {
  if (status == MIXGRPO_STATUS_OK) return;
  fprintf(stderr, "ranks: rank %d: %s\n", (int)rank, mixgrpo_last_error());
  mpi_ranks_finish(EXIT_FAILURE);
}

static void fail(const char *what, const char *got) {
  fprintf(stderr, "ranks: %s, got %s\n", what, got);
  mpi_ranks_finish(EXIT_FAILURE);
  exit(EXIT_FAILURE);
}

static void *allocate(size_t bytes) {
  void *const memory = calloc(bytes > 0 ? bytes : 1, 1);
  if (memory == NULL) fail("memory: expected it for the samples", "none");
  return memory;
}

static double now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* ------------------------------------------------------------------------------------------------------------ settings */

typedef struct {
  const char *model, *collective;
  int side, text, prompts, group, steps, window, start, minibatches, threads, iterations;
} settings;

static void set_number(int *number, const char *argument, const char *text) {
  char *end;
  const long value = strtol(text, &end, 10);
  if (*text == '\0' || *end != '\0' || value < 0 || value > 1 << 20) fail("expected name=number", argument);
  *number = (int)value;
}

static void set(settings *all, const char *argument) {
  const struct {
    const char *name;
    int *number;
  } numbers[] = {
      {"side", &all->side},   {"text", &all->text},     {"prompts", &all->prompts}, {"group", &all->group},
      {"steps", &all->steps}, {"window", &all->window}, {"start", &all->start},     {"minibatches", &all->minibatches},
      {"threads", &all->threads}, {"iterations", &all->iterations},
  };
  const char *const sign = strchr(argument, '=');
  const size_t length = sign ? (size_t)(sign - argument) : 0;
  if (!sign) fail("expected name=value", argument);
  if (length == 5 && !strncmp(argument, "model", length)) { all->model = sign + 1; return; }
  if (length == 10 && !strncmp(argument, "collective", length)) { all->collective = sign + 1; return; }
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    if (strlen(numbers[i].name) != length || strncmp(argument, numbers[i].name, length)) continue;
    set_number(numbers[i].number, argument, sign + 1);
    return;
  }
  fail("expected a setting of ranks.c", argument);
}

static settings read_settings(int argc, char **argv) {
  settings all = {
      .model = "examples/base", .collective = "all", .side = 8, .text = 16, .prompts = 2, .group = 12, .steps = 25,
      .window = 4, .start = 10, .minibatches = 4, .threads = 1, .iterations = 3};
  for (int i = 1; i < argc; i++) set(&all, argv[i]);
  if (all.iterations < 1 || all.iterations > MOST_ITERATIONS) fail("iterations: expected 1...1000", "another number");
  if (all.prompts < 1 || all.prompts > MOST_PROMPTS) fail("prompts: expected 1...1024", "another number");
  return all;
}

/* ---------------------------------------------------------------------------------------------------------- collective */

/* What this process has given to others, and the seconds of the calls, in which it also waits for them. */
static struct {
  double bytes, calls, seconds;
} traffic;

static int32_t counted_gather(void *user_data, const void *sent, void *received, size_t bytes) {
  const double begin = now(CLOCK_MONOTONIC);
  const int32_t error = mpi_ranks_all_gather(user_data, sent, received, bytes);
  traffic.seconds += now(CLOCK_MONOTONIC) - begin;
  traffic.bytes += (double)bytes * (size - 1);
  traffic.calls += 1;
  return error;
}

static int32_t counted_scatter(
    void *user_data, const void *sent, const size_t *sent_bytes, void *received, const size_t *received_bytes) {
  const double begin = now(CLOCK_MONOTONIC);
  const int32_t error = mpi_ranks_all_to_all(user_data, sent, sent_bytes, received, received_bytes);
  traffic.seconds += now(CLOCK_MONOTONIC) - begin;
  for (int i = 0; i < size; i++) traffic.bytes += i == rank ? 0 : (double)sent_bytes[i];
  traffic.calls += 1;
  return error;
}

static int32_t alone_gather(void *user_data, const void *sent, void *received, size_t bytes) {
  (void)user_data;
  memcpy(received, sent, bytes);
  return 0;
}

static int32_t alone_scatter(
    void *user_data, const void *sent, const size_t *sent_bytes, void *received, const size_t *received_bytes) {
  (void)received_bytes;
  return alone_gather(user_data, sent, received, sent_bytes[0]);
}

static void set_collective(mixgrpo_trainer *trainer, const char *kind) {
  mixgrpo_collective collective = {.struct_size = sizeof collective, .rank = 0, .size = 1};
  if (!strcmp(kind, "none")) return;
  collective.all_gather = alone_gather;
  collective.all_to_all = alone_scatter;
  if (!strcmp(kind, "all")) {
    collective = (mixgrpo_collective){
        .struct_size = sizeof collective, .rank = rank, .size = size, .all_gather = counted_gather,
        .all_to_all = counted_scatter};
  } else if (strcmp(kind, "own")) {
    fail("collective: expected all, own or none", kind);
  }
  check(mixgrpo_trainer_set_collective(trainer, &collective));
}

/* All processes go on together, with the largest of their values. */
static double largest(double own) {
  double *const all = allocate((size_t)size * sizeof *all);
  if (mpi_ranks_all_gather(NULL, &own, all, sizeof own) != 0) fail("MPI: expected all processes", "an error");
  for (int i = 0; i < size; i++) own = all[i] > own ? all[i] : own;
  free(all);
  return own;
}

/* ------------------------------------------------------------------------------------------------------------- training */

static mixgrpo_trainer *create_trainer(const mixgrpo_context *context, mixgrpo_model *model, const settings *all, size_t *values) {
  static char names[MOST_PROMPTS][16];
  const char *lines[MOST_PROMPTS], *const rewards[] = {"darkness"};
  mixgrpo_model_config config = {.struct_size = sizeof config};
  mixgrpo_evaluator_config geometry;
  mixgrpo_sampling_config sampling;
  mixgrpo_learning_config learning;
  mixgrpo_prompts *prompts;
  mixgrpo_evaluator *evaluator;
  mixgrpo_plan *plan;
  mixgrpo_trainer *trainer;
  for (int i = 0; i < all->prompts; i++) {
    snprintf(names[i], sizeof names[i], "prompt %d", i);
    lines[i] = names[i];
  }
  check(mixgrpo_model_get_config(model, &config));
  check(mixgrpo_prompts_create_hashed_words(
      context, lines, (size_t)all->prompts, all->text, config.joint_attention_dim, config.pooled_projection_dim, &prompts));
  check(mixgrpo_evaluator_config_init(&geometry, sizeof geometry));
  geometry.height_tokens = geometry.width_tokens = all->side;
  geometry.text_length = all->text;
  geometry.max_batch = all->group;
  check(mixgrpo_evaluator_create(model, &geometry, NULL, 0, &evaluator));
  *values = mixgrpo_evaluator_latent_size(evaluator);
  check(mixgrpo_config_init(&sampling, sizeof sampling, &learning, sizeof learning));
  sampling.steps = all->steps;
  sampling.group_size = all->group;
  sampling.window_mode = MIXGRPO_WINDOW_MODE_FROZEN;
  sampling.window_length = all->window;
  sampling.window_start = all->start;
  learning.updates_per_iteration = all->minibatches;
  learning.undo = MIXGRPO_UNDO_NONE; /* as the loops in PyTorch that these times are compared with */
  learning.max_velocity_change = 0;
  check(mixgrpo_plan_create(&sampling, NULL, 0, &plan));
  check(mixgrpo_trainer_create(evaluator, prompts, plan, &learning, rewards, 1, 0, &trainer));
  mixgrpo_plan_destroy(plan);
  mixgrpo_evaluator_destroy(evaluator);
  mixgrpo_prompts_destroy(prompts);
  return trainer;
}

typedef struct {
  double rollout, update, processor, exchange, bytes, calls;
} iteration;

static double mean(const float *values, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += values[i];
  return sum / (double)count;
}

/* One rollout and update, begun by all processes together. */
static iteration iterate(mixgrpo_trainer *trainer, const settings *all, float *samples, size_t own, size_t values) {
  static int32_t chosen[MOST_PROMPTS];
  double *const rewards = allocate(own * sizeof *rewards);
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  for (int i = 0; i < all->prompts; i++) chosen[i] = i;
  largest(0);
  memset(&traffic, 0, sizeof traffic);
  const double processor = now(CLOCK_PROCESS_CPUTIME_ID), begin = now(CLOCK_MONOTONIC);
  check(mixgrpo_trainer_rollout(trainer, chosen, (size_t)all->prompts, samples, own * values));
  for (size_t i = 0; i < own; i++) rewards[i] = mean(samples + i * values, values);
  const double middle = now(CLOCK_MONOTONIC);
  check(mixgrpo_trainer_update(trainer, rewards, own, NULL, 0, &metrics));
  const double end = now(CLOCK_MONOTONIC);
  free(rewards);
  return (iteration){
      .rollout = largest(middle - begin), .update = largest(end - middle),
      .processor = largest(now(CLOCK_PROCESS_CPUTIME_ID) - processor), .exchange = largest(traffic.seconds),
      .bytes = traffic.bytes, .calls = traffic.calls};
}

/* -------------------------------------------------------------------------------------------------------------- network */

static int order(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The median seconds of an all-to-all in which every process sends `bytes` to each. */
static double probe(size_t bytes) {
  char *const sent = allocate(bytes * (size_t)size), *const received = allocate(bytes * (size_t)size);
  size_t *const sizes = allocate((size_t)size * sizeof *sizes);
  double seconds[PROBES];
  for (int i = 0; i < size; i++) sizes[i] = bytes;
  for (int i = 0; i < PROBES; i++) {
    const double begin = now(CLOCK_MONOTONIC);
    mpi_ranks_all_to_all(NULL, sent, sizes, received, sizes);
    seconds[i] = now(CLOCK_MONOTONIC) - begin;
  }
  free(sizes), free(received), free(sent);
  qsort(seconds, PROBES, sizeof *seconds, order);
  return seconds[PROBES / 2];
}

/* ------------------------------------------------------------------------------------------------------------ the report */

static void print_list(const char *name, const double *values, int count) {
  printf("\"%s\": [", name);
  for (int i = 0; i < count; i++) printf("%s%.9g", i ? ", " : "", values[i]);
  printf("], ");
}

static void print_times(const iteration *runs, int count, const char *name, size_t offset) {
  double values[MOST_ITERATIONS];
  for (int i = 0; i < count; i++) memcpy(values + i, (const char *)(runs + i) + offset, sizeof *values);
  print_list(name, values, count);
}

static void report(const iteration *runs, const settings *all, size_t weights) {
  double *const bytes = allocate((size_t)size * sizeof *bytes), *const calls = allocate((size_t)size * sizeof *calls);
  const double small = probe(SMALL), large = probe(LARGE);
  for (int i = 1; i < all->iterations; i++)
    if (runs[i].bytes != runs[0].bytes || runs[i].calls != runs[0].calls)
      fail("traffic: expected the same in every iteration", "another");
  mpi_ranks_all_gather(NULL, &runs[0].bytes, bytes, sizeof *bytes);
  mpi_ranks_all_gather(NULL, &runs[0].calls, calls, sizeof *calls);
  if (rank == 0) {
    printf("{");
    print_times(runs, all->iterations, "rollout", offsetof(iteration, rollout));
    print_times(runs, all->iterations, "update", offsetof(iteration, update));
    print_times(runs, all->iterations, "processor", offsetof(iteration, processor));
    print_times(runs, all->iterations, "exchange", offsetof(iteration, exchange));
    print_list("bytes", bytes, size);
    print_list("calls", calls, size);
    printf("\"probe\": {\"%d\": %.9g, \"%d\": %.9g}, \"ranks\": %d, \"weights\": %zu}\n", SMALL, small, LARGE, large, (int)size, weights);
  }
  free(bytes), free(calls);
}

int main(int argc, char **argv) {
  static iteration runs[MOST_ITERATIONS];
  mixgrpo_context *context;
  mixgrpo_model *model;
  size_t values = 0, weights = 0;
  if (mpi_ranks_start(&rank, &size) != 0) return fprintf(stderr, "ranks: MPI does not start\n"), EXIT_FAILURE;
  const settings all = read_settings(argc, argv);
  const int joint = !strcmp(all.collective, "all"), place = joint ? rank : 0, places = joint ? size : 1;
  const size_t own = (size_t)((place + 1) * all.prompts / places - place * all.prompts / places) * (size_t)all.group;
  check(mixgrpo_context_create(all.threads, &context));
  check(mixgrpo_model_load(context, all.model, &model));
  check(mixgrpo_model_get_size(model, NULL, &weights));
  mixgrpo_trainer *trainer = create_trainer(context, model, &all, &values);
  float *const samples = allocate(own * values * sizeof *samples);
  set_collective(trainer, all.collective);
  iterate(trainer, &all, samples, own, values);
  for (int i = 0; i < all.iterations; i++) runs[i] = iterate(trainer, &all, samples, own, values);
  report(runs, &all, weights);
  free(samples);
  mixgrpo_trainer_destroy(trainer);
  mixgrpo_model_destroy(model);
  mixgrpo_context_destroy(context);
  mpi_ranks_finish(EXIT_SUCCESS);
  return EXIT_SUCCESS;
}
