#include <stdio.h>
#include <string.h>

#include "scenario.h"

enum { SIDE = 8, PATCH = 2, PIXELS = SIDE * SIDE * 3, TEXTS = 3 };

static void keep_text(mixgrpo_image *image, const sizes *sizes) {
  static char keys[64][16], value[4000];
  mixgrpo_text texts[64], text;
  const int count = sizes->images < 100 ? TEXTS : 64;
  memset(value, 'v', sizeof value - 1);
  for (int i = 0; i < count; i++) {
    snprintf(keys[i], sizeof keys[i], "key %d", i);
    texts[i].key = keys[i];
    texts[i].value = value;
  }
  TRY(mixgrpo_image_set_texts(image, texts, (size_t)count));
  TRY(mixgrpo_image_get_text(image, 1, &text), DIFFERS(text));
  judge_note("key", text.key, strlen(text.key));
}

static void keep_file(mixgrpo_image *image, uint8_t *png, size_t capacity, const char *path) {
  mixgrpo_image *again = NULL;
  mixgrpo_image_info info = {.struct_size = sizeof info};
  size_t size = 0;
  TRY(mixgrpo_image_encode(image, png, capacity, &size), OUTS(png, capacity), OUT(size));
  TRY(mixgrpo_image_decode(png, size, &again), HANDLE(again));
  mixgrpo_image_destroy(again);
  again = NULL;
  TRY(mixgrpo_image_save(image, path));
  TRY(mixgrpo_image_load(path, &again), HANDLE(again));
  TRY(mixgrpo_image_get_info(again, &info), OUT(info));
  const size_t pixels = (size_t)info.width * (size_t)info.height * 3;
  uint8_t *const bytes = room(pixels, 1);
  TRY(mixgrpo_image_get_pixels(again, bytes, pixels), OUTS(bytes, pixels));
  mixgrpo_image_destroy(again);
}

void run_images(const sizes *sizes, const char *folder) {
  world *const w = world_create(sizes);
  const size_t images = (size_t)sizes->images, values = images * PIXELS, capacity = 8 * values + 600000;
  float *const latents = room(values, sizeof *latents);
  uint8_t *const pixels = room(values, 1), *const png = room(sizes->images < 100 ? 16000 : capacity, 1);
  mixgrpo_image *image = NULL, *grid = NULL;
  TRY(mixgrpo_normal_noise(1, 2, 3, latents, values), OUTS(latents, values));
  TRY(mixgrpo_pixels_decode(latents, values, images, SIDE, SIDE, PATCH, pixels, values), OUTS(pixels, values));
  TRY(mixgrpo_pixels_encode(pixels, values, images, SIDE, SIDE, PATCH, latents, values), OUTS(latents, values));
  TRY(mixgrpo_image_create(pixels, PIXELS, SIDE, SIDE, &image), HANDLE(image));
  keep_text(image, sizes);
  keep_file(image, png, sizes->images < 100 ? 16000 : capacity, path_in(folder, "image.png"));
  TRY(mixgrpo_image_create_grid(pixels, values, images, SIDE, SIDE, 2, 1, 2, &grid), HANDLE(grid));
  keep_file(grid, png, sizes->images < 100 ? 16000 : capacity, path_in(folder, "grid.png"));
  mixgrpo_image_destroy(grid);
  mixgrpo_image_destroy(image);
  world_destroy(w);
}
