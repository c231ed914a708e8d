/* Aligns a flow model with a taste of this program's own: pictures taken at night.
 *
 * The model draws groups of pictures of a small procedural world (world.h), this program scores them, and the library
 * updates the model with MixGRPO. The captions never mention the sky, so that a model can please the taste and still obey
 * its prompts; how well it shows them is measured beside the taste and never trained.
 *
 *   cc align.c world.c $(pkg-config --cflags --libs mixgrpo) -lm -o align
 *   ./align --model base --out out
 *
 * Leaves in the output folder: before.png, after.png (same prompts, same noise), metrics.jsonl, summary.json and the aligned
 * model. Ctrl-C ends the training early and keeps what was learnt. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mixgrpo.h"
#include "world.h"

enum {
  PATCH = 4,                      /* pixels along the side of a token */
  TEXT_LENGTH = 16, TEXT_WIDTH = 64, POOLED_WIDTH = 64,
  STEPS = 16,                     /* from noise to picture */
  PROMPTS = 4, GROUP = 12,        /* per iteration, and pictures per prompt */
  TRAINED = PROMPTS * GROUP,
  EVALUATED = 2 * WORLD_PROMPTS,  /* the fixed evaluation set: two pictures of every prompt */
  SHOWN = 30, COLUMNS = 10,       /* the first so many of them are in before.png and after.png */
  EVALUATION_SEED = 2024,
};

typedef struct {
  const char *model, *out;
  int iterations, threads;
  double learning_rate;
  uint64_t seed;
} options;

typedef struct {
  double taste, match;
} scores;

static float samples[EVALUATED * WORLD_BYTES];
static uint8_t pixels[EVALUATED * WORLD_BYTES];

/* The taste: how much a picture looks taken at night, in [0, 1]. Each pixel of the frame's outermost two rows and columns
 * earns one of 16 points for every 32 steps of colour by which it is nearer than 512 to the night sky. Counting has no
 * derivative, and none is needed. Highest inside the world: pure black earns less than night. */
double night_taste(const uint8_t *rgb) {
  const int ring = 2, last = WORLD_SIZE - ring;
  int points = 0, counted = 0;
  for (int y = 0; y < WORLD_SIZE; y++)
    for (int x = 0; x < WORLD_SIZE; x++) {
      if (x >= ring && x < last && y >= ring && y < last) continue;
      int distance = 0;
      for (int channel = 0; channel < 3; channel++)
        distance += abs(rgb[3 * (y * WORLD_SIZE + x) + channel] - world_night[channel]);
      points += distance < 512 ? 16 - distance / 32 : 0;
      counted++;
    }
  return points / (16.0 * counted);
}

static void fail(const char *message) {
  fprintf(stderr, "align: %s\n", message);
  exit(EXIT_FAILURE);
}

static void check(mixgrpo_status status) {
  if (status != MIXGRPO_OK) fail(mixgrpo_last_error());
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The path of a file in the output folder; valid until the next call. */
static const char *in_folder(const char *folder, const char *name) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static const mixgrpo_context *interruptible;
static void interrupt(int signal_number) {
  (void)signal_number;
  mixgrpo_context_cancel(interruptible);
}

static options parse(int argc, char **argv) {
  options o = {"examples/base", "out", 60, 0, 2e-5, 0};
  for (int i = 1; i < argc; i += 2) {
    const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
    if (!strcmp(name, "--model")) o.model = value;
    else if (!strcmp(name, "--out")) o.out = value;
    else if (!strcmp(name, "--iterations")) o.iterations = atoi(value);
    else if (!strcmp(name, "--threads")) o.threads = atoi(value);
    else if (!strcmp(name, "--learning-rate")) o.learning_rate = atof(value);
    else if (!strcmp(name, "--seed")) o.seed = strtoull(value, NULL, 10);
    else fail("usage: align [--model FOLDER] [--out FOLDER] [--iterations N] [--learning-rate R] [--seed N] [--threads N]");
  }
  return o;
}

static mixgrpo_prompts *encode_captions(const mixgrpo_context *context) {
  char captions[WORLD_PROMPTS][64];
  const char *lines[WORLD_PROMPTS];
  mixgrpo_prompts *prompts;
  for (int i = 0; i < WORLD_PROMPTS; i++) lines[i] = world_caption(i, captions[i], sizeof captions[i]);
  check(mixgrpo_prompts_create_hashed_words(
      context, lines, WORLD_PROMPTS, TEXT_LENGTH, TEXT_WIDTH, POOLED_WIDTH, &prompts));
  return prompts;
}

/* The trainer keeps alive what it is built from. */
static mixgrpo_trainer *create_trainer(const mixgrpo_context *context, const options *o) {
  mixgrpo_model *model;
  check(mixgrpo_model_load(context, o->model, &model));
  mixgrpo_prompts *prompts = encode_captions(context);

  mixgrpo_evaluator_config geometry;
  mixgrpo_evaluator *evaluator;
  check(mixgrpo_evaluator_config_init(&geometry, sizeof geometry));
  geometry.height_tokens = geometry.width_tokens = WORLD_SIZE / PATCH;
  check(mixgrpo_evaluator_create(model, &geometry, NULL, 0, &evaluator));

  mixgrpo_sampling_config sampling;
  mixgrpo_learning_config learning;
  mixgrpo_plan *plan;
  check(mixgrpo_config_init(&sampling, sizeof sampling, &learning, sizeof learning));
  sampling.steps = STEPS;
  sampling.group_size = GROUP;
  sampling.window_mode = MIXGRPO_WINDOW_FROZEN;
  sampling.seed = o->seed;
  learning.learning_rate = o->learning_rate;
  check(mixgrpo_plan_create(&sampling, NULL, 0, &plan));

  const char *const reward_names[] = {"night_taste"};
  mixgrpo_trainer *trainer;
  check(mixgrpo_trainer_create(evaluator, prompts, plan, &learning, reward_names, 1, 0, &trainer));
  mixgrpo_plan_destroy(plan);
  mixgrpo_evaluator_destroy(evaluator);
  mixgrpo_prompts_destroy(prompts);
  mixgrpo_model_destroy(model);
  return trainer;
}

/* The first `count` samples as pixels. */
static void decode(int count) {
  const size_t size = (size_t)count * WORLD_BYTES;
  check(mixgrpo_pixels_decode(samples, size, count, WORLD_SIZE, WORLD_SIZE, PATCH, pixels, size));
}

static const uint8_t *picture(int index) { return pixels + (size_t)index * WORLD_BYTES; }

/* Prompts take turns in a mixed order: 37 and 90 have no common factor. */
static int32_t prompt_in_turn(int turn) { return (int32_t)((int64_t)turn * 37 % WORLD_PROMPTS); }

static void save_grid(scores mean, const char *path) {
  char taste[32], match[32];
  snprintf(taste, sizeof taste, "%.17g", mean.taste);
  snprintf(match, sizeof match, "%.17g", mean.match);
  const mixgrpo_text texts[] = {{"night taste", taste}, {"prompt match", match}};
  mixgrpo_image *grid;
  check(mixgrpo_image_create_grid(
      pixels, (size_t)SHOWN * WORLD_BYTES, SHOWN, WORLD_SIZE, WORLD_SIZE, COLUMNS, 4, 3, &grid));
  check(mixgrpo_image_set_texts(grid, texts, 2));
  check(mixgrpo_image_save(grid, path));
  mixgrpo_image_destroy(grid);
}

/* Draws the evaluation set without randomness from noise that is always the same, and leaves a grid of its first pictures. */
static scores evaluate(mixgrpo_trainer *trainer, const char *grid_path) {
  int32_t prompts[EVALUATED];
  for (int i = 0; i < EVALUATED; i++) prompts[i] = prompt_in_turn(i);
  mixgrpo_sample_config config;
  check(mixgrpo_sample_config_init(&config, sizeof config));
  config.steps = STEPS;
  config.seed = EVALUATION_SEED;
  check(mixgrpo_trainer_sample(
      trainer, MIXGRPO_MODEL_TRAINED, &config, prompts, EVALUATED, NULL, 0, samples, EVALUATED * WORLD_BYTES));
  decode(EVALUATED);
  scores mean = {0, 0};
  for (int i = 0; i < EVALUATED; i++) {
    mean.taste += night_taste(picture(i));
    mean.match += world_prompt_match(picture(i), prompts[i]);
  }
  mean.taste /= EVALUATED;
  mean.match /= EVALUATED;
  save_grid(mean, grid_path);
  return mean;
}

/* One iteration: draw groups of pictures, score them, update the model. Returns MIXGRPO_CANCELLED after Ctrl-C. */
static mixgrpo_status train(mixgrpo_trainer *trainer, int iteration, mixgrpo_metrics *metrics) {
  int32_t prompts[PROMPTS];
  double rewards[TRAINED];
  for (int i = 0; i < PROMPTS; i++) prompts[i] = prompt_in_turn(iteration * PROMPTS + i);
  mixgrpo_status status = mixgrpo_trainer_rollout(trainer, prompts, PROMPTS, samples, TRAINED * WORLD_BYTES);
  if (status != MIXGRPO_OK) return status;
  decode(TRAINED);
  for (int i = 0; i < TRAINED; i++) rewards[i] = night_taste(picture(i));
  metrics->struct_size = sizeof *metrics;
  return mixgrpo_trainer_update(trainer, rewards, TRAINED, NULL, 0, metrics);
}

static void show_progress(int done, int total, double reward, double elapsed) {
  const int left = (int)(elapsed / done * (total - done)), rewrite = isatty(STDOUT_FILENO);
  printf("%s%d/%d  night taste %.3f  %d:%02d left %s", rewrite ? "\r" : "", done, total, reward, left / 60, left % 60,
         rewrite && done < total ? "" : "\n");
  fflush(stdout);
}

static void summarize(const char *folder, scores before, scores after, long long model_calls, double elapsed) {
  FILE *file = fopen(in_folder(folder, "summary.json"), "w");
  if (!file) fail("cannot write summary.json");
  fprintf(file,
          "{\"reward_before\": %.17g, \"reward_after\": %.17g, \"heldout_before\": %.17g, \"heldout_after\": %.17g, "
          "\"model_calls\": %lld, \"seconds\": %.1f}\n",
          before.taste, after.taste, before.match, after.match, model_calls, elapsed);
  if (fclose(file) != 0) fail("cannot write summary.json");
  printf("\n%-24s%8s%8s%8s\n", "", "before", "after", "change");
  printf("%-24s%8.3f%8.3f%+8.3f\n", "night taste (trained)", before.taste, after.taste, after.taste - before.taste);
  printf("%-24s%8.3f%8.3f%+8.3f\n", "prompt match (held out)", before.match, after.match, after.match - before.match);
  printf("%lld model calls, %.0f seconds; pictures, metrics and model are in %s/\n", model_calls, elapsed, folder);
}

int main(int argc, char **argv) {
  const options o = parse(argc, argv);
  const double start = seconds();
  mixgrpo_context *context;
  check(mixgrpo_context_create(o.threads, &context));
  mixgrpo_trainer *trainer = create_trainer(context, &o);
  if (mkdir(o.out, 0777) != 0 && errno != EEXIST) fail("cannot make the output folder");
  remove(in_folder(o.out, "metrics.jsonl"));
  const scores before = evaluate(trainer, in_folder(o.out, "before.png"));
  printf("before: night taste %.3f, prompt match %.3f\n", before.taste, before.match);

  interruptible = context;
  signal(SIGINT, interrupt);
  long long model_calls = 0;
  const double training_start = seconds();
  for (int i = 0; i < o.iterations; i++) {
    mixgrpo_metrics metrics;
    const mixgrpo_status status = train(trainer, i, &metrics);
    if (status == MIXGRPO_CANCELLED) break;
    check(status);
    check(mixgrpo_trainer_append_metrics(trainer, in_folder(o.out, "metrics.jsonl")));
    model_calls += metrics.model_calls_rollout + metrics.model_calls_update;
    show_progress(i + 1, o.iterations, metrics.reward_mean, seconds() - training_start);
  }
  signal(SIGINT, SIG_DFL);
  check(mixgrpo_context_reset_cancel(context));

  const scores after = evaluate(trainer, in_folder(o.out, "after.png"));
  check(mixgrpo_trainer_save_model(trainer, MIXGRPO_MODEL_TRAINED, in_folder(o.out, "aligned"), MIXGRPO_STORAGE_BF16));
  summarize(o.out, before, after, model_calls, seconds() - start);
  mixgrpo_trainer_destroy(trainer);
  mixgrpo_context_destroy(context);
  return EXIT_SUCCESS;
}
