/* Aligns a flow model with a reward of this program's own: pictures taken at night.
 *
 * The model draws groups of pictures of a small procedural world (world.h), this program scores them, and the library
 * updates the model with MixGRPO. The captions never mention the sky, so a model can earn the reward and still follow its
 * prompts. How well it follows them is measured too, but never trained.
 *
 *   cc -O2 align.c world.c $(pkg-config --cflags --libs mixgrpo) -lm -o align
 *   ./align --model base --out out
 *
 * Writes to the output folder: before.png, after.png (same prompts, same noise), metrics.jsonl, summary.json and the model,
 * aligned/. Ctrl-C ends the training early and keeps the result. */
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
  PATCH = 4, /* pixels along the side of a token */
  TEXT_LENGTH = 16, TEXT_WIDTH = 64, POOLED_WIDTH = 64,
  STEPS = 16, /* from noise to picture */
  PROMPTS = 4, GROUP = 12, TRAINED = PROMPTS * GROUP, /* in an iteration: prompts, pictures of each, pictures in all */
  EVALUATED_PER_PROMPT = 2, /* the fixed evaluation set: pictures of every prompt */
  EVALUATED = WORLD_PROMPTS * EVALUATED_PER_PROMPT, EVALUATION_SEED = 2024,
  SHOWN = 60, COLUMNS = 10, /* pictures of the evaluation set in before.png and after.png */
};

typedef struct {
  const char *model, *out;
  int iterations, eval_steps, threads;
  double learning_rate;
  uint64_t seed;
} options;

typedef struct { double taste, match; } scores;

static float samples[EVALUATED * WORLD_BYTES];
static uint8_t pixels[EVALUATED * WORLD_BYTES];

/* The reward: how much a picture looks taken at night, in [0, 1]. Each pixel of the outermost two rows and columns earns one
 * of 16 points for every 32 steps of colour by which it is closer than 512 to the night sky. Counting has no derivative, and
 * none is needed. The maximum lies inside the world: pure black earns less than night. */
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

#define fail(...) (fputs("align: ", stderr), fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(EXIT_FAILURE))

static void check(mixgrpo_status status) {
  if (status != MIXGRPO_STATUS_OK) fail("%s", mixgrpo_last_error());
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static const mixgrpo_context *interruptible;
static void interrupt(int signal_number) {
  (void)signal_number;
  mixgrpo_context_cancel(interruptible);
}

static double number(const char *name, const char *text, double lowest, double highest) {
  char *end;
  const double value = strtod(text, &end);
  if (end == text || *end || !(value >= lowest && value <= highest))
    fail("%s: expected %g ... %g, got \"%s\"", name, lowest, highest, text);
  return value;
}

static options parse(int argc, char **argv) {
  options o = {.model = "examples/base", .out = "out", .iterations = 24, .eval_steps = STEPS, .learning_rate = 2e-5};
  for (int i = 1; i < argc; i += 2) {
    const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
    if (!strcmp(name, "--model")) o.model = value;
    else if (!strcmp(name, "--out")) o.out = value;
    else if (!strcmp(name, "--iterations")) o.iterations = (int)number(name, value, 0, 1e6);
    else if (!strcmp(name, "--eval-steps")) o.eval_steps = (int)number(name, value, 1, 1e4);
    else if (!strcmp(name, "--learning-rate")) o.learning_rate = number(name, value, 0, 1);
    else if (!strcmp(name, "--seed")) o.seed = (uint64_t)number(name, value, 0, 1e15);
    else if (!strcmp(name, "--threads")) o.threads = (int)number(name, value, 0, 1024);
    else fail("usage: align [--model FOLDER] [--out FOLDER] [--iterations N] [--eval-steps N] [--learning-rate R] "
              "[--seed N] [--threads N]");
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

/* The trainer keeps alive what it was created from. */
static mixgrpo_trainer *create_trainer(const mixgrpo_context *context, const options *o) {
  mixgrpo_model *model;
  check(mixgrpo_model_load(context, o->model, &model));
  mixgrpo_prompts *prompts = encode_captions(context);

  mixgrpo_evaluator_config geometry;
  mixgrpo_evaluator *evaluator;
  check(mixgrpo_evaluator_config_init(&geometry, sizeof geometry));
  geometry.height_tokens = geometry.width_tokens = WORLD_SIZE / PATCH;
  geometry.text_length = TEXT_LENGTH;
  check(mixgrpo_evaluator_create(model, &geometry, NULL, 0, &evaluator));

  mixgrpo_sampling_config sampling;
  mixgrpo_learning_config learning;
  mixgrpo_plan *plan;
  check(mixgrpo_config_init(&sampling, sizeof sampling, &learning, sizeof learning));
  sampling.steps = STEPS;
  sampling.group_size = GROUP;
  sampling.window_mode = MIXGRPO_WINDOW_MODE_FROZEN;
  sampling.initial_noise = MIXGRPO_INITIAL_NOISE_OWN; /* the noise decides the sky, so the rewards of a group differ more */
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

/* A grid with one row per colour: two pictures of every place, with alternating shapes. */
static void save_grid(scores mean, const char *path) {
  static uint8_t shown[SHOWN * WORLD_BYTES];
  for (int i = 0; i < SHOWN; i += EVALUATED_PER_PROMPT) {
    const int colour = i / COLUMNS, place = i % COLUMNS / EVALUATED_PER_PROMPT, shape = (colour + place) % 3;
    const int prompt = (colour * 3 + shape) * 5 + place;
    memcpy(shown + (size_t)i * WORLD_BYTES, picture(prompt * EVALUATED_PER_PROMPT), EVALUATED_PER_PROMPT * WORLD_BYTES);
  }
  char taste[32], match[32];
  snprintf(taste, sizeof taste, "%.17g", mean.taste);
  snprintf(match, sizeof match, "%.17g", mean.match);
  const mixgrpo_text texts[] = {{"night taste", taste}, {"prompt match", match}};
  mixgrpo_image *grid;
  check(mixgrpo_image_create_grid(shown, sizeof shown, SHOWN, WORLD_SIZE, WORLD_SIZE, COLUMNS, 4, 3, &grid));
  check(mixgrpo_image_set_texts(grid, texts, 2));
  check(mixgrpo_image_save(grid, path));
  mixgrpo_image_destroy(grid);
}

/* Draws the evaluation set deterministically, always from the same noise, and saves a grid of some of it. */
static scores evaluate(mixgrpo_trainer *trainer, int steps, const char *grid_path) {
  int32_t prompts[WORLD_PROMPTS];
  for (int i = 0; i < WORLD_PROMPTS; i++) prompts[i] = i;
  mixgrpo_sample_config config;
  check(mixgrpo_sample_config_init(&config, sizeof config));
  config.steps = steps;
  config.samples_per_prompt = EVALUATED_PER_PROMPT;
  config.seed = EVALUATION_SEED;
  check(mixgrpo_trainer_sample(
      trainer, MIXGRPO_WEIGHTS_TRAINED, &config, prompts, WORLD_PROMPTS, NULL, 0, samples, EVALUATED * WORLD_BYTES));
  decode(EVALUATED);
  scores mean = {0, 0};
  for (int i = 0; i < EVALUATED; i++) {
    mean.taste += night_taste(picture(i));
    mean.match += world_prompt_match(picture(i), i / EVALUATED_PER_PROMPT);
  }
  mean.taste /= EVALUATED;
  mean.match /= EVALUATED;
  save_grid(mean, grid_path);
  return mean;
}

/* One iteration: draw groups of pictures, score them, update the model. All prompts take turns in a shuffled order: 37 and 90
 * have no common factor. Returns MIXGRPO_STATUS_CANCELLED after Ctrl-C. */
static mixgrpo_status train(mixgrpo_trainer *trainer, int iteration, mixgrpo_metrics *metrics) {
  int32_t prompts[PROMPTS];
  double rewards[TRAINED];
  for (int i = 0; i < PROMPTS; i++) prompts[i] = (iteration * PROMPTS + i) * 37 % WORLD_PROMPTS;
  mixgrpo_status status = mixgrpo_trainer_rollout(trainer, prompts, PROMPTS, samples, TRAINED * WORLD_BYTES);
  if (status != MIXGRPO_STATUS_OK) return status;
  decode(TRAINED);
  for (int i = 0; i < TRAINED; i++) rewards[i] = night_taste(picture(i));
  metrics->struct_size = sizeof *metrics;
  return mixgrpo_trainer_update(trainer, rewards, TRAINED, NULL, 0, metrics);
}

static void show_progress(int done, int total, double reward, double elapsed) {
  const int left = (int)(elapsed / done * (total - done));
  printf("%3d/%d  night taste %.3f  %d:%02d left\n", done, total, reward, left / 60, left % 60);
  fflush(stdout);
}

static void summarize(scores before, scores after, long long model_calls, double elapsed) {
  FILE *file = fopen("summary.json", "w");
  if (!file || fprintf(file,
                       "{\"reward_before\": %.17g, \"reward_after\": %.17g, \"heldout_before\": %.17g, "
                       "\"heldout_after\": %.17g, \"model_calls\": %lld, \"seconds\": %.1f}\n",
                       before.taste, after.taste, before.match, after.match, model_calls, elapsed) < 0 || fclose(file))
    fail("summary.json: %s", strerror(errno));
  printf("\n%-24s%8s%8s%8s\n", "", "before", "after", "change");
  printf("%-24s%8.3f%8.3f%+8.3f\n", "night taste (trained)", before.taste, after.taste, after.taste - before.taste);
  printf("%-24s%8.3f%8.3f%+8.3f\n", "prompt match (held out)", before.match, after.match, after.match - before.match);
  printf("%lld model calls in training, %.0f seconds in all\n", model_calls, elapsed);
}

int main(int argc, char **argv) {
  const options o = parse(argc, argv);
  const double start = seconds();
  mixgrpo_context *context;
  check(mixgrpo_context_create(o.threads, &context));
  mixgrpo_trainer *trainer = create_trainer(context, &o);
  if ((mkdir(o.out, 0777) != 0 && errno != EEXIST) || chdir(o.out) != 0) fail("%s: %s", o.out, strerror(errno));
  remove("metrics.jsonl"); /* left by an earlier run; lines are appended */
  const scores before = evaluate(trainer, o.eval_steps, "before.png");
  printf("before: night taste %.3f, prompt match %.3f\n", before.taste, before.match);

  interruptible = context;
  signal(SIGINT, interrupt);
  long long model_calls = 0;
  const double training_start = seconds();
  for (int i = 0; i < o.iterations; i++) {
    mixgrpo_metrics metrics;
    const mixgrpo_status status = train(trainer, i, &metrics);
    if (status == MIXGRPO_STATUS_CANCELLED) break;
    check(status);
    check(mixgrpo_trainer_append_metrics(trainer, "metrics.jsonl"));
    model_calls += metrics.model_calls_rollout + metrics.model_calls_update;
    show_progress(i + 1, o.iterations, metrics.reward_mean, seconds() - training_start);
  }
  signal(SIGINT, SIG_DFL);
  check(mixgrpo_context_reset_cancel(context));

  const scores after = evaluate(trainer, o.eval_steps, "after.png");
  check(mixgrpo_trainer_save_model(trainer, MIXGRPO_WEIGHTS_TRAINED, "aligned", MIXGRPO_STORAGE_BF16));
  summarize(before, after, model_calls, seconds() - start);
  mixgrpo_trainer_destroy(trainer);
  mixgrpo_context_destroy(context);
  return EXIT_SUCCESS;
}
