/* A reward program for the command: how well an emoji can be seen on black-and-white e-paper. `make demo` aligns a model with it.
 *
 *   cc -O2 epaper.c $(pkg-config --cflags --libs mixgrpo) -lm -o epaper
 *   mixgrpo align --model examples/emoji --prompts examples/emoji/prompts.txt --out out/demo \
 *     --reward-program "contrast=./epaper contrast" \
 *     --held-out-program "recognised=./epaper recognised examples/emoji"
 *
 *   epaper contrast                 scores pictures: the contrast of what the display shows
 *   epaper recognised EMOJI         scores pictures: 1 where the nearest of all real emoji is the one of the prompt, otherwise 0
 *   epaper draw EMOJI MODEL PNG     draws emoji with a model; below each one is what the display shows
 *
 * A reward program reads a line of JSON for each picture and prints a number. EMOJI is the folder of the model that is aligned:
 * prompts.txt has the names of the real emoji, sheet.png their pictures. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mixgrpo.h"

enum {
  SIZE = 32, PIXELS = SIZE * SIZE, BYTES = 3 * PIXELS, PATCH = 4, /* one picture, and the side of a token in pixels */
  TEXT_LENGTH = 8, TEXT_WIDTH = 64, POOLED_WIDTH = 64,
  MOST_EMOJI = 1024, SHEET_COLUMNS = 16, /* pictures in a row of sheet.png */
  DRAWN = 48, COLUMNS = 12, STEPS = 16, /* pictures that are drawn, in a row, and steps from noise to picture */
};

static char names[MOST_EMOJI][64];
static uint8_t real[MOST_EMOJI][BYTES];
static int emoji_count;

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
static double display_contrast(const uint8_t *rgb) {
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

static void read_png(const char *path, int width, int height, uint8_t *pixels) {
  mixgrpo_image *image;
  mixgrpo_image_info info = {.struct_size = sizeof info};
  check(mixgrpo_image_load(path, &image));
  check(mixgrpo_image_get_info(image, &info));
  if (info.width != width || info.height != height)
    fail("%s: expected %d x %d pixels, got %d x %d", path, width, height, info.width, info.height);
  check(mixgrpo_image_get_pixels(image, pixels, (size_t)width * (size_t)height * 3));
  mixgrpo_image_destroy(image);
}

/* The path of a file in a folder. */
static const char *inside(const char *folder, const char *file) {
  static char path[4096];
  if (snprintf(path, sizeof path, "%s/%s", folder, file) >= (int)sizeof path) fail("%s: the path is too long", folder);
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
  if (emoji_count < DRAWN) fail("%s: expected at least %d names, got %d", path, DRAWN, emoji_count);
}

/* All real emoji, in the order of their names. */
static void read_sheet(const char *path) {
  static uint8_t sheet[MOST_EMOJI * BYTES];
  read_png(path, SHEET_COLUMNS * SIZE, (emoji_count + SHEET_COLUMNS - 1) / SHEET_COLUMNS * SIZE, sheet);
  for (int i = 0; i < emoji_count; i++)
    for (int y = 0; y < SIZE; y++) {
      const size_t row = (size_t)(i / SHEET_COLUMNS * SIZE + y) * SHEET_COLUMNS * SIZE;
      memcpy(real[i] + 3 * y * SIZE, sheet + 3 * (row + (size_t)(i % SHEET_COLUMNS) * SIZE), 3 * SIZE);
    }
}

/* The text of a member of a line of JSON, such as "prompt": "red heart". Names and paths here need no escapes. */
static const char *member(char *line, const char *name, char *text, size_t capacity) {
  char key[32];
  snprintf(key, sizeof key, "\"%s\"", name);
  const char *start = strstr(line, key);
  if (start) start = strchr(start + strlen(key), '"');
  const char *end = start ? strchr(start + 1, '"') : NULL;
  if (!end || (size_t)(end - start) > capacity || memchr(start, '\\', (size_t)(end - start)))
    fail("expected a line with the plain text \"%s\", got %s", name, line);
  memcpy(text, start + 1, (size_t)(end - start - 1));
  text[end - start - 1] = 0;
  return text;
}

static int emoji_named(const char *name) {
  for (int i = 0; i < emoji_count; i++)
    if (!strcmp(names[i], name)) return i;
  fail("expected the name of an emoji, got \"%s\"", name);
}

/* Without names the contrast, otherwise whether the emoji of the prompt is recognised. */
static void score(void) {
  static char line[1 << 16], text[4096];
  static uint8_t pixels[BYTES];
  while (fgets(line, sizeof line, stdin)) {
    read_png(member(line, "image", text, sizeof text), SIZE, SIZE, pixels);
    if (emoji_count)
      printf("%d\n", is_recognised(pixels, emoji_named(member(line, "prompt", text, sizeof text))));
    else
      printf("%.17g\n", display_contrast(pixels));
    fflush(stdout);
  }
}

/* Emoji spread evenly over all of them, always from the same noise. */
static void sample(const char *folder, uint8_t *pixels) {
  static float samples[DRAWN * BYTES];
  const char *lines[DRAWN];
  int32_t indices[DRAWN];
  for (int i = 0; i < DRAWN; i++) lines[i] = names[i * emoji_count / DRAWN], indices[i] = i;
  mixgrpo_context *context;
  mixgrpo_model *model;
  mixgrpo_prompts *prompts;
  mixgrpo_evaluator_config geometry;
  mixgrpo_evaluator *evaluator;
  mixgrpo_sample_config config;
  check(mixgrpo_context_create(0, &context));
  check(mixgrpo_model_load(context, folder, &model));
  check(mixgrpo_prompts_create_hashed_words(context, lines, DRAWN, TEXT_LENGTH, TEXT_WIDTH, POOLED_WIDTH, &prompts));
  check(mixgrpo_evaluator_config_init(&geometry, sizeof geometry));
  geometry.height_tokens = geometry.width_tokens = SIZE / PATCH;
  geometry.text_length = TEXT_LENGTH;
  check(mixgrpo_evaluator_create(model, &geometry, NULL, 0, &evaluator));
  check(mixgrpo_sample_config_init(&config, sizeof config));
  config.steps = STEPS;
  check(mixgrpo_evaluator_sample(evaluator, NULL, prompts, &config, indices, DRAWN, NULL, 0, samples, DRAWN * BYTES));
  check(mixgrpo_pixels_decode(samples, DRAWN * BYTES, DRAWN, SIZE, SIZE, PATCH, pixels, DRAWN * BYTES));
  mixgrpo_evaluator_destroy(evaluator);
  mixgrpo_prompts_destroy(prompts);
  mixgrpo_model_destroy(model);
  mixgrpo_context_destroy(context);
}

/* Each emoji above what the display shows of it. */
static void draw(const char *model, const char *path) {
  static uint8_t pixels[DRAWN][BYTES], shown[DRAWN][2][BYTES];
  sample(model, pixels[0]);
  for (int i = 0; i < DRAWN; i++) {
    double grey[PIXELS], display[PIXELS];
    grey_of(pixels[i], grey);
    dither(grey, display);
    memcpy(shown[i][0], pixels[i], BYTES);
    for (int byte = 0; byte < BYTES; byte++) shown[i][1][byte] = display[byte / 3] > 0 ? 255 : 0;
  }
  mixgrpo_image *grid;
  check(mixgrpo_image_create_grid(shown[0][0], sizeof shown, DRAWN, SIZE, 2 * SIZE, COLUMNS, 4, 2, &grid));
  check(mixgrpo_image_save(grid, path));
  mixgrpo_image_destroy(grid);
}

int main(int argc, char **argv) {
  const char *work = argc > 1 ? argv[1] : "";
  if (argc > 2) read_names(inside(argv[2], "prompts.txt"));
  if (argc == 2 && !strcmp(work, "contrast")) {
    score();
  } else if (argc == 3 && !strcmp(work, "recognised")) {
    read_sheet(inside(argv[2], "sheet.png"));
    score();
  } else if (argc == 5 && !strcmp(work, "draw")) {
    draw(argv[3], argv[4]);
  } else {
    fail("usage: epaper contrast | recognised EMOJI | draw EMOJI MODEL PNG");
  }
  return EXIT_SUCCESS;
}
