#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fixture.h"
#include "tests.h"

enum { WIDTH = 6, HEIGHT = 4, BYTES = WIDTH * HEIGHT * 3 };

static uint8_t pixels[2 * BYTES];

static mixgrpo_image *image_of(void) {
  mixgrpo_image *image = NULL;
  DONE(mixgrpo_image_create(pixels, BYTES, WIDTH, HEIGHT, &image));
  return image;
}

static void bytes_survive_the_way_there_and_back(void) {
  float latents[2 * BYTES];
  uint8_t back[2 * BYTES];
  DONE(mixgrpo_pixels_encode(pixels, 2 * BYTES, 2, HEIGHT, WIDTH, 2, latents, 2 * BYTES));
  DONE(mixgrpo_pixels_decode(latents, 2 * BYTES, 2, HEIGHT, WIDTH, 2, back, 2 * BYTES));
  CHECK(memcmp(back, pixels, sizeof back) == 0);
  CHECK(latents[6] == (float)pixels[WIDTH * 3] / 127.5f - 1); /* second row of the first patch */
  latents[0] = 7;
  latents[1] = -7;
  DONE(mixgrpo_pixels_decode(latents, 2 * BYTES, 2, HEIGHT, WIDTH, 2, back, 2 * BYTES));
  CHECK(back[0] == 255 && back[1] == 0);
  latents[9] = NAN;
  REFUSED(MIXGRPO_STATUS_NOT_FINITE, "latents[9]", mixgrpo_pixels_decode(latents, BYTES, 1, HEIGHT, WIDTH, 2, back, BYTES));
#define ENCODE(count, images, height, width, patch, capacity) \
  mixgrpo_pixels_encode(pixels, count, images, height, width, patch, latents, capacity)
#define DECODE(count, images, height, width, patch, capacity) \
  mixgrpo_pixels_decode(latents, count, images, height, width, patch, back, capacity)
  INVALID("height", ENCODE(BYTES, 1, HEIGHT + 1, WIDTH, 2, BYTES));
  INVALID("patch", ENCODE(BYTES, 1, HEIGHT, WIDTH, 0, BYTES));
  INVALID("width", DECODE(BYTES, 1, HEIGHT, -WIDTH, 2, BYTES));
  INVALID("image_count", DECODE(BYTES, 0, HEIGHT, WIDTH, 2, BYTES));
  INVALID("image_count", ENCODE(BYTES, INT32_MIN, HEIGHT, WIDTH, 2, BYTES));
  INVALID("size", ENCODE(BYTES, 1, 65535, 65535, 1, BYTES));
  INVALID("latents", DECODE(BYTES, 2, HEIGHT, WIDTH, 2, 2 * BYTES));
  INVALID("pixels", ENCODE(SIZE_MAX, 2, HEIGHT, WIDTH, 2, 2 * BYTES));
  TOO_SMALL("out_latents", ENCODE(BYTES, 1, HEIGHT, WIDTH, 2, BYTES - 1));
  TOO_SMALL("out_pixels", DECODE(BYTES, 1, HEIGHT, WIDTH, 2, 0));
  INVALID("pixels", mixgrpo_pixels_encode(NULL, BYTES, 1, HEIGHT, WIDTH, 2, latents, BYTES));
  INVALID("out_pixels", mixgrpo_pixels_decode(latents, BYTES, 1, HEIGHT, WIDTH, 2, NULL, BYTES));
}

static void an_image_keeps_its_pixels(void) {
  mixgrpo_image *image = image_of(), *none = NULL;
  mixgrpo_image_info info = {.struct_size = sizeof info};
  uint8_t back[BYTES];
  DONE(mixgrpo_image_get_info(image, &info));
  CHECK(info.width == WIDTH && info.height == HEIGHT && info.text_count == 0);
  DONE(mixgrpo_image_get_pixels(image, back, BYTES));
  CHECK(memcmp(back, pixels, BYTES) == 0);
  TOO_SMALL("out_pixels", mixgrpo_image_get_pixels(image, back, BYTES - 1));
  INVALID("out_pixels", mixgrpo_image_get_pixels(image, NULL, BYTES));
  INVALID("out_info", mixgrpo_image_get_info(image, NULL));
  INVALID("pixels", mixgrpo_image_create(pixels, BYTES - 1, WIDTH, HEIGHT, &none));
  INVALID("pixels", mixgrpo_image_create(NULL, BYTES, WIDTH, HEIGHT, &none));
  INVALID("width", mixgrpo_image_create(pixels, BYTES, 0, HEIGHT, &none));
  INVALID("height", mixgrpo_image_create(pixels, BYTES, WIDTH, INT32_MIN, &none));
  INVALID("out_image", mixgrpo_image_create(pixels, BYTES, WIDTH, HEIGHT, NULL));
  CHECK(none == NULL);
  mixgrpo_image_destroy(image);
}

static void grids_stand_side_by_side(void) {
  mixgrpo_image *grid = NULL, *none = NULL;
  mixgrpo_image_info info = {.struct_size = sizeof info};
  DONE(mixgrpo_image_create_grid(pixels, 2 * BYTES, 2, WIDTH, HEIGHT, 2, 1, 3, &grid));
  DONE(mixgrpo_image_get_info(grid, &info));
  CHECK(info.width == 2 * 3 * WIDTH + 1 && info.height == 3 * HEIGHT);
  mixgrpo_image_destroy(grid);
#define GRID(count, images, width, columns, gap, scale) \
  mixgrpo_image_create_grid(pixels, count, images, width, HEIGHT, columns, gap, scale, &none)
  INVALID("image_count", GRID(2 * BYTES, 0, WIDTH, 2, 1, 1));
  INVALID("image_count", GRID(2 * BYTES, INT32_MAX, WIDTH, 2, 1, 1));
  INVALID("pixels", GRID(2 * BYTES, 3, WIDTH, 2, 1, 1));
  INVALID("width", GRID(2 * BYTES, 2, -1, 2, 1, 1));
  INVALID("columns", GRID(2 * BYTES, 2, WIDTH, 0, 1, 1));
  INVALID("gap", GRID(2 * BYTES, 2, WIDTH, 2, -1, 1));
  INVALID("scale", GRID(2 * BYTES, 2, WIDTH, 2, 1, 0));
  INVALID("width", GRID(2 * BYTES, 2, WIDTH, 2, 65535, 65535));
  INVALID("out_image", mixgrpo_image_create_grid(pixels, 2 * BYTES, 2, WIDTH, HEIGHT, 2, 1, 1, NULL));
  CHECK(none == NULL);
}

static void texts_live_in_the_image_and_in_its_file(void) {
  const mixgrpo_text texts[2] = {{"prompt", "a r\xc3\xa9" "d circle \xe2\x98\x85"}, {"reward", "0.5"}};
  const mixgrpo_text spaced[1] = {{" prompt", "x"}}, null_value[1] = {{"prompt", NULL}}, not_utf8[1] = {{"prompt", "\xff"}};
  mixgrpo_image *image = image_of(), *loaded = NULL;
  mixgrpo_text text = {NULL, NULL};
  mixgrpo_image_info info = {.struct_size = sizeof info};
  DONE(mixgrpo_image_set_texts(image, texts, 2));
  INVALID("keyword", mixgrpo_image_set_texts(image, spaced, 1));
  INVALID("texts[0].value", mixgrpo_image_set_texts(image, null_value, 1));
  INVALID("texts[0].value", mixgrpo_image_set_texts(image, not_utf8, 1));
  INVALID("texts", mixgrpo_image_set_texts(image, NULL, 1));
  INVALID("text_count", mixgrpo_image_set_texts(image, texts, 1025));
  DONE(mixgrpo_image_save(image, scratch_path("image.png")));
  DONE(mixgrpo_image_load(scratch_path("image.png"), &loaded));
  DONE(mixgrpo_image_get_info(loaded, &info));
  CHECK(info.text_count == 2);
  DONE(mixgrpo_image_get_text(loaded, 0, &text));
  CHECK(strcmp(text.key, texts[0].key) == 0 && strcmp(text.value, texts[0].value) == 0);
  DONE(mixgrpo_image_get_text(loaded, 1, &text));
  CHECK(strcmp(text.key, "reward") == 0 && strcmp(text.value, "0.5") == 0);
  INVALID("index", mixgrpo_image_get_text(loaded, 2, &text));
  INVALID("index", mixgrpo_image_get_text(loaded, SIZE_MAX, &text));
  INVALID("out_text", mixgrpo_image_get_text(loaded, 0, NULL));
  DONE(mixgrpo_image_set_texts(loaded, NULL, 0));
  DONE(mixgrpo_image_get_info(loaded, &info));
  CHECK(info.text_count == 0);
  INVALID("index", mixgrpo_image_get_text(loaded, 0, &text));
  mixgrpo_image_destroy(image);
  mixgrpo_image_destroy(loaded);
}

static void a_png_is_written_and_read_in_memory(void) {
  mixgrpo_image *image = image_of(), *read = NULL, *none = NULL;
  uint8_t png[4096], back[BYTES];
  size_t size = 0;
  DONE(mixgrpo_image_encode(image, NULL, 0, &size));
  CHECK(size > 60 && size < sizeof png);
  TOO_SMALL("out_png", mixgrpo_image_encode(image, png, size - 1, NULL));
  INVALID("out_size", mixgrpo_image_encode(image, NULL, 0, NULL));
  INVALID("out_png", mixgrpo_image_encode(image, NULL, 9, &size));
  DONE(mixgrpo_image_encode(image, png, sizeof png, &size));
  DONE(mixgrpo_image_decode(png, size, &read));
  DONE(mixgrpo_image_get_pixels(read, back, BYTES));
  CHECK(memcmp(back, pixels, BYTES) == 0);
  for (size_t cut = 0; cut < size; cut += 7)
    REFUSED(MIXGRPO_STATUS_INVALID_FORMAT, "png", mixgrpo_image_decode(png, cut, &none));
  png[size / 2] ^= 0x40;
  REFUSED(MIXGRPO_STATUS_INVALID_FORMAT, "png", mixgrpo_image_decode(png, size, &none));
  INVALID("png", mixgrpo_image_decode(NULL, size, &none));
  INVALID("png", mixgrpo_image_decode(png, SIZE_MAX, &none));
  INVALID("out_image", mixgrpo_image_decode(png, size, NULL));
  CHECK(none == NULL);
  mixgrpo_image_destroy(image);
  mixgrpo_image_destroy(read);
}

static void bad_files_are_errors(void) {
  mixgrpo_image *image = image_of(), *none = NULL;
  REFUSED(MIXGRPO_STATUS_INPUT_OUTPUT, "missing.png", mixgrpo_image_load(scratch_path("missing.png"), &none));
  REFUSED(MIXGRPO_STATUS_INPUT_OUTPUT, "", mixgrpo_image_load("/", &none));
  REFUSED(MIXGRPO_STATUS_INPUT_OUTPUT, "", mixgrpo_image_save(image, scratch_path("none/image.png")));
  FILE *file = fopen(scratch_path("text.png"), "w");
  CHECK(file && fputs("not a picture", file) >= 0);
  fclose(file);
  REFUSED(MIXGRPO_STATUS_INVALID_FORMAT, "text.png", mixgrpo_image_load(scratch_path("text.png"), &none));
  INVALID("path", mixgrpo_image_load(NULL, &none));
  INVALID("path", mixgrpo_image_load("", &none));
  INVALID("path", mixgrpo_image_save(image, NULL));
  CHECK(none == NULL);
  mixgrpo_image_destroy(image);
}

static void bad_handles_are_errors(void) {
  fixture f = fixture_create(2);
  mixgrpo_image_info info = {.struct_size = sizeof info};
  mixgrpo_text text;
  uint8_t byte;
  size_t size = 0;
  BAD_HANDLES(h, "image", f.plan, mixgrpo_image_get_info(h, &info));
  BAD_HANDLES(h, "image", f.plan, mixgrpo_image_get_pixels(h, &byte, 1));
  BAD_HANDLES(h, "image", f.plan, mixgrpo_image_get_text(h, 0, &text));
  BAD_HANDLES(h, "image", f.plan, mixgrpo_image_set_texts(h, NULL, 0));
  BAD_HANDLES(h, "image", f.plan, mixgrpo_image_encode(h, NULL, 0, &size));
  BAD_HANDLES(h, "image", f.plan, mixgrpo_image_save(h, "x"));
  fixture_destroy(&f);
}

void test_images(void) {
  for (int i = 0; i < 2 * BYTES; i++) pixels[i] = (uint8_t)(i * 37);
  bytes_survive_the_way_there_and_back();
  an_image_keeps_its_pixels();
  grids_stand_side_by_side();
  texts_live_in_the_image_and_in_its_file();
  a_png_is_written_and_read_in_memory();
  bad_files_are_errors();
  bad_handles_are_errors();
}
