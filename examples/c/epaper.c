/* Aligns a model that draws emoji with a reward of this program's own: how well they can be seen on black-and-white e-paper.
 *
 * The model draws groups of emoji, this program scores them, and the library updates the model with MixGRPO. Whether a picture is
 * still the emoji of its name is measured too, but never trained: of all real emoji the nearest one must have that name.
 *
 *   cc -O2 epaper.c $(pkg-config --cflags --libs mixgrpo) -lm -o epaper
 *   ./epaper --emoji examples/emoji --out out
 *
 * Writes to the output folder: before.png, after.png (the same prompts and noise; below each emoji is what the display shows),
 * metrics.jsonl, summary.json and the model, aligned/. Ctrl-C ends the training early and keeps the result. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mixgrpo.h"

enum {
  SIZE = 32, PIXELS = SIZE * SIZE, BYTES = 3 * PIXELS, PATCH = 4, /* one picture, and the side of a token in pixels */
  TEXT_LENGTH = 8, TEXT_WIDTH = 64, POOLED_WIDTH = 64,
  MOST_EMOJI = 1024, SHEET_COLUMNS = 16, /* pictures in a row of sheet.png */
  STEPS = 16, /* from noise to picture */
  PROMPTS = 4, GROUP = 12, TRAINED = PROMPTS * GROUP, /* in an iteration: prompts, pictures of each, pictures in all */
  EVALUATED = 120, EVALUATION_SEED = 2024, EVALUATE_EVERY = 5, /* the fixed evaluation set; iterations */
  SHOWN = 48, COLUMNS = 12, /* pictures of the evaluation set in before.png and after.png */
};

typedef struct {
  const char *emoji, *out;
  int iterations, threads;
  double learning_rate;
  uint64_t seed;
} options;

typedef struct { double contrast, recognised; } scores;

static char names[MOST_EMOJI][64];
static uint8_t real[MOST_EMOJI][BYTES];
static int emoji_count;
static float samples[EVALUATED * BYTES];
static uint8_t pixels[EVALUATED][BYTES];

/* What a display of one bit shows: each pixel becomes black or white, and its neighbours take over the error (Floyd-Steinberg). */
static void dither(const double *grey, double *shown) {
  double left[PIXELS + SIZE + 1];
  memcpy(left, grey, PIXELS * sizeof *left);
  for (int y = 0; y < SIZE; y++)
    for (int x = 0; x < SIZE; x++) {
      const int here = y * SIZE + x;
      shown[here] = left[here] < 0.5 ? 0 : 1;
      const double error = left[here] - shown[here];
      if (x + 1 < SIZE) left[here + 1] += error * 7 / 16;
      if (y + 1 == SIZE) continue;
      if (x > 0) left[here + SIZE - 1] += error * 3 / 16;
      left[here + SIZE] += error * 5 / 16;
      if (x + 1 < SIZE) left[here + SIZE + 1] += error * 1 / 16;
    }
}

static void grey_of(const uint8_t *rgb, double *grey) {
  for (int i = 0; i < PIXELS; i++) grey[i] = (0.299 * rgb[3 * i] + 0.587 * rgb[3 * i + 1] + 0.114 * rgb[3 * i + 2]) / 255;
}

/* The reward, in [0, 1]: the contrast of what the display shows, seen from a distance at which 4 x 4 dots melt into one. It is twice
 * their standard deviation: 0 for a blank display and for an even grey, 1 for one that is half black, half white. A threshold in each
 * pixel has no useful derivative, and none is needed. */
double display_contrast(const uint8_t *rgb) {
  enum { DOTS = 4, ACROSS = SIZE / DOTS, SEEN = ACROSS * ACROSS };
  double grey[PIXELS], shown[PIXELS], seen[SEEN] = {0}, mean = 0, variance = 0;
  grey_of(rgb, grey);
  dither(grey, shown);
  for (int i = 0; i < PIXELS; i++) seen[i / SIZE / DOTS * ACROSS + i % SIZE / DOTS] += shown[i] / (DOTS * DOTS);
  for (int i = 0; i < SEEN; i++) mean += seen[i] / SEEN;
  for (int i = 0; i < SEEN; i++) variance += (seen[i] - mean) * (seen[i] - mean) / SEEN;
  return 2 * sqrt(variance);
}

/* How different two pictures are, seen as 16 x 16 squares. */
static long difference_of(const uint8_t *a, const uint8_t *b) {
  long sum = 0;
  for (int y = 0; y < SIZE; y += 2)
    for (int x = 0; x < SIZE; x += 2)
      for (int channel = 0; channel < 3; channel++) {
        long square = 0;
        for (int corner = 0; corner < 4; corner++) {
          const int at = 3 * ((y + corner / 2) * SIZE + x + corner % 2) + channel;
          square += a[at] - b[at];
        }
        sum += square * square;
      }
  return sum;
}

/* Held out, never trained: whether a stranger with all real emoji before them would pick the one that was asked for. */
static int is_recognised(const uint8_t *rgb, int emoji) {
  const long own = difference_of(rgb, real[emoji]);
  for (int other = 0; other < emoji_count; other++)
    if (other != emoji && difference_of(rgb, real[other]) < own) return 0;
  return 1;
}

#define fail(...) (fputs("epaper: ", stderr), fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(EXIT_FAILURE))

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
  options o = {.emoji = "examples/emoji", .out = "out", .iterations = 20, .learning_rate = 4e-5};
  for (int i = 1; i < argc; i += 2) {
    const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
    if (!strcmp(name, "--emoji")) o.emoji = value;
    else if (!strcmp(name, "--out")) o.out = value;
    else if (!strcmp(name, "--iterations")) o.iterations = (int)number(name, value, 0, 1e6);
    else if (!strcmp(name, "--learning-rate")) o.learning_rate = number(name, value, 0, 1);
    else if (!strcmp(name, "--seed")) o.seed = (uint64_t)number(name, value, 0, 1e15);
    else if (!strcmp(name, "--threads")) o.threads = (int)number(name, value, 0, 1024);
    else fail("usage: epaper [--emoji FOLDER] [--out FOLDER] [--iterations N] [--learning-rate R] [--seed N] [--threads N]");
  }
  return o;
}

/* The path of a file beside the model. */
static const char *beside(const options *o, const char *file) {
  static char path[4096];
  if (snprintf(path, sizeof path, "%s/%s", o->emoji, file) >= (int)sizeof path) fail("--emoji: the path is too long");
  return path;
}

static void read_names(const char *path) {
  FILE *file = fopen(path, "r");
  if (!file) fail("%s: %s", path, strerror(errno));
  while (emoji_count < MOST_EMOJI && fgets(names[emoji_count], sizeof names[0], file)) {
    names[emoji_count][strcspn(names[emoji_count], "\n")] = 0;
    emoji_count++;
  }
  fclose(file);
  if (emoji_count < EVALUATED) fail("%s: expected at least %d names, got %d", path, EVALUATED, emoji_count);
}

/* All real emoji, in the order of their names. */
static void read_sheet(const char *path) {
  static uint8_t sheet[MOST_EMOJI * BYTES];
  mixgrpo_image *image;
  mixgrpo_image_info info = {.struct_size = sizeof info};
  check(mixgrpo_image_load(path, &image));
  check(mixgrpo_image_get_info(image, &info));
  const int rows = (emoji_count + SHEET_COLUMNS - 1) / SHEET_COLUMNS;
  if (info.width != SHEET_COLUMNS * SIZE || info.height != rows * SIZE)
    fail("%s: expected %d x %d pixels, got %d x %d", path, SHEET_COLUMNS * SIZE, rows * SIZE, info.width, info.height);
  check(mixgrpo_image_get_pixels(image, sheet, sizeof sheet));
  mixgrpo_image_destroy(image);
  for (int i = 0; i < emoji_count; i++)
    for (int y = 0; y < SIZE; y++) {
      const size_t row = (size_t)(i / SHEET_COLUMNS * SIZE + y) * SHEET_COLUMNS * SIZE;
      memcpy(real[i] + 3 * y * SIZE, sheet + 3 * (row + (size_t)(i % SHEET_COLUMNS) * SIZE), 3 * SIZE);
    }
}

static mixgrpo_prompts *encode_names(const mixgrpo_context *context) {
  const char *lines[MOST_EMOJI];
  mixgrpo_prompts *prompts;
  for (int i = 0; i < emoji_count; i++) lines[i] = names[i];
  check(mixgrpo_prompts_create_hashed_words(
      context, lines, (size_t)emoji_count, TEXT_LENGTH, TEXT_WIDTH, POOLED_WIDTH, &prompts));
  return prompts;
}

/* The trainer keeps alive what it was created from. */
static mixgrpo_trainer *create_trainer(const mixgrpo_context *context, const options *o) {
  mixgrpo_model *model;
  check(mixgrpo_model_load(context, o->emoji, &model));
  mixgrpo_prompts *prompts = encode_names(context);

  mixgrpo_evaluator_config geometry;
  mixgrpo_evaluator *evaluator;
  check(mixgrpo_evaluator_config_init(&geometry, sizeof geometry));
  geometry.height_tokens = geometry.width_tokens = SIZE / PATCH;
  geometry.text_length = TEXT_LENGTH;
  check(mixgrpo_evaluator_create(model, &geometry, NULL, 0, &evaluator));

  mixgrpo_sampling_config sampling;
  mixgrpo_learning_config learning;
  mixgrpo_plan *plan;
  check(mixgrpo_config_init(&sampling, sizeof sampling, &learning, sizeof learning));
  sampling.steps = STEPS;
  sampling.group_size = GROUP;
  sampling.window_mode = MIXGRPO_WINDOW_MODE_FROZEN;
  sampling.seed = o->seed;
  learning.learning_rate = o->learning_rate;
  check(mixgrpo_plan_create(&sampling, NULL, 0, &plan));

  const char *const reward_names[] = {"contrast"};
  mixgrpo_trainer *trainer;
  check(mixgrpo_trainer_create(evaluator, prompts, plan, &learning, reward_names, 1, 0, &trainer));
  mixgrpo_plan_destroy(plan);
  mixgrpo_evaluator_destroy(evaluator);
  mixgrpo_prompts_destroy(prompts);
  mixgrpo_model_destroy(model);
  return trainer;
}

/* The evaluation set: emoji spread evenly over all of them. */
static int evaluated_emoji(int index) { return index * emoji_count / EVALUATED; }

static mixgrpo_evaluation *create_evaluation(void) {
  mixgrpo_evaluation_config config;
  mixgrpo_sample_config sample;
  mixgrpo_evaluation *evaluation;
  int32_t prompts[EVALUATED];
  const char *const reward_names[] = {"contrast", "recognised"};
  const uint8_t held_out[] = {0, 1};
  for (int i = 0; i < EVALUATED; i++) prompts[i] = evaluated_emoji(i);
  check(mixgrpo_evaluation_config_init(&config, sizeof config));
  check(mixgrpo_sample_config_init(&sample, sizeof sample));
  config.every = EVALUATE_EVERY;
  config.keep_best = 0;
  config.watchdog = MIXGRPO_WATCHDOG_WARN;
  sample.steps = STEPS;
  sample.seed = EVALUATION_SEED;
  check(mixgrpo_evaluation_create(&config, &sample, prompts, EVALUATED, reward_names, NULL, held_out, 2, &evaluation));
  return evaluation;
}

/* The first `count` samples as pixels. */
static void decode(int count) {
  const size_t size = (size_t)count * BYTES;
  check(mixgrpo_pixels_decode(samples, size, (size_t)count, SIZE, SIZE, PATCH, pixels[0], size));
}

/* Draws the evaluation set, always from the same noise, and scores it. */
static scores evaluate(mixgrpo_evaluation *evaluation, mixgrpo_trainer *trainer) {
  double all[2 * EVALUATED], means[2];
  mixgrpo_evaluation_result result = {.struct_size = sizeof result};
  check(mixgrpo_evaluation_sample(evaluation, trainer, samples, EVALUATED * BYTES));
  decode(EVALUATED);
  for (int i = 0; i < EVALUATED; i++) {
    all[i] = display_contrast(pixels[i]);
    all[EVALUATED + i] = is_recognised(pixels[i], evaluated_emoji(i));
  }
  check(mixgrpo_evaluation_submit(evaluation, mixgrpo_trainer_iteration(trainer), all, 2 * EVALUATED, &result));
  check(mixgrpo_evaluation_get_means(evaluation, means, 2));
  if (result.verdict != MIXGRPO_VERDICT_CONTINUE) printf("warning: %s\n", result.message);
  return (scores){means[0], means[1]};
}

/* Half of the evaluation set, each emoji above what the display shows of it. */
static void save_grid(scores mean, const char *path) {
  static uint8_t shown[SHOWN][2][BYTES];
  for (int i = 0; i < SHOWN; i++) {
    const uint8_t *picture = pixels[i * EVALUATED / SHOWN];
    double grey[PIXELS], display[PIXELS];
    grey_of(picture, grey);
    dither(grey, display);
    memcpy(shown[i][0], picture, BYTES);
    for (int byte = 0; byte < BYTES; byte++) shown[i][1][byte] = display[byte / 3] > 0 ? 255 : 0;
  }
  char contrast[32], recognised[32];
  snprintf(contrast, sizeof contrast, "%.17g", mean.contrast);
  snprintf(recognised, sizeof recognised, "%.17g", mean.recognised);
  const mixgrpo_text texts[] = {{"contrast", contrast}, {"recognised", recognised}};
  mixgrpo_image *grid;
  check(mixgrpo_image_create_grid(shown[0][0], sizeof shown, SHOWN, SIZE, 2 * SIZE, COLUMNS, 4, 2, &grid));
  check(mixgrpo_image_set_texts(grid, texts, 2));
  check(mixgrpo_image_save(grid, path));
  mixgrpo_image_destroy(grid);
}

/* One iteration: draw groups of emoji, score them, update the model. The emoji take turns in a shuffled order, in which 37 steps on
 * is the next. Returns MIXGRPO_STATUS_CANCELLED after Ctrl-C. */
static mixgrpo_status train(mixgrpo_trainer *trainer, int iteration, mixgrpo_metrics *metrics) {
  int32_t prompts[PROMPTS];
  double rewards[TRAINED];
  for (int i = 0; i < PROMPTS; i++) prompts[i] = (iteration * PROMPTS + i) * 37 % emoji_count;
  mixgrpo_status status = mixgrpo_trainer_rollout(trainer, prompts, PROMPTS, samples, TRAINED * BYTES);
  if (status != MIXGRPO_STATUS_OK) return status;
  decode(TRAINED);
  for (int i = 0; i < TRAINED; i++) rewards[i] = display_contrast(pixels[i]);
  metrics->struct_size = sizeof *metrics;
  return mixgrpo_trainer_update(trainer, rewards, TRAINED, NULL, 0, metrics);
}

/* Evaluations are comparable, because prompts and noise are always the same; the rewards of an iteration are not. */
static void show_progress(int done, int total, scores before, scores now, double elapsed) {
  const int left = done ? (int)(elapsed / done * (total - done)) : 0;
  printf("%3d/%d  contrast %.3f (%+.3f)  recognised %.3f (%+.3f)", done, total, now.contrast, now.contrast - before.contrast,
         now.recognised, now.recognised - before.recognised);
  if (left) printf("  %d:%02d left", left / 60, left % 60);
  putchar('\n');
  fflush(stdout);
}

static void summarize(scores before, scores after, long long model_calls, double elapsed) {
  FILE *file = fopen("summary.json", "w");
  if (!file || fprintf(file,
                       "{\"reward_before\": %.17g, \"reward_after\": %.17g, \"heldout_before\": %.17g, "
                       "\"heldout_after\": %.17g, \"model_calls\": %lld, \"seconds\": %.1f}\n",
                       before.contrast, after.contrast, before.recognised, after.recognised, model_calls, elapsed) < 0 || fclose(file))
    fail("summary.json: %s", strerror(errno));
  printf("\n%-32s%8s%8s%8s\n", "", "before", "after", "change");
  printf("%-32s%8.3f%8.3f%+8.3f\n", "contrast on e-paper (trained)", before.contrast, after.contrast, after.contrast - before.contrast);
  printf("%-32s%8.3f%8.3f%+8.3f\n", "recognised (held out)", before.recognised, after.recognised,
         after.recognised - before.recognised);
  printf("%lld model calls in training, %.0f seconds in all\n", model_calls, elapsed);
}

int main(int argc, char **argv) {
  const options o = parse(argc, argv);
  const double start = seconds();
  mixgrpo_context *context;
  check(mixgrpo_context_create(o.threads, &context));
  read_names(beside(&o, "prompts.txt"));
  read_sheet(beside(&o, "sheet.png"));
  mixgrpo_trainer *trainer = create_trainer(context, &o);
  mixgrpo_evaluation *evaluation = create_evaluation();
  if ((mkdir(o.out, 0777) != 0 && errno != EEXIST) || chdir(o.out) != 0) fail("%s: %s", o.out, strerror(errno));
  remove("metrics.jsonl"); /* left by an earlier run; lines are appended */
  const scores before = evaluate(evaluation, trainer);
  save_grid(before, "before.png");
  show_progress(0, o.iterations, before, before, 0);

  interruptible = context;
  signal(SIGINT, interrupt);
  scores after = before;
  long long model_calls = 0, evaluated = 0;
  const double training_start = seconds();
  for (int i = 0; i < o.iterations; i++) {
    mixgrpo_metrics metrics;
    const mixgrpo_status status = train(trainer, i, &metrics);
    if (status == MIXGRPO_STATUS_CANCELLED) break;
    check(status);
    check(mixgrpo_trainer_append_metrics(trainer, "metrics.jsonl"));
    model_calls += metrics.model_calls_rollout + metrics.model_calls_update;
    if (!mixgrpo_evaluation_is_due(evaluation, i + 1)) continue;
    after = evaluate(evaluation, trainer);
    evaluated = i + 1;
    show_progress(i + 1, o.iterations, before, after, seconds() - training_start);
  }
  signal(SIGINT, SIG_DFL);
  check(mixgrpo_context_reset_cancel(context));

  const long long done = mixgrpo_trainer_iteration(trainer);
  if (done != evaluated) after = evaluate(evaluation, trainer);
  save_grid(after, "after.png");
  check(mixgrpo_trainer_save_model(trainer, MIXGRPO_WEIGHTS_TRAINED, "aligned", MIXGRPO_STORAGE_BF16));
  summarize(before, after, model_calls, seconds() - start);
  mixgrpo_evaluation_destroy(evaluation);
  mixgrpo_trainer_destroy(trainer);
  mixgrpo_context_destroy(context);
  return EXIT_SUCCESS;
}
