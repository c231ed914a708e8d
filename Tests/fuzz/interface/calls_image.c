/* Pixels, images, PNG. */
#include <string.h>

#include "calls.h"

typedef struct { int32_t images, height, width; size_t count; } shape;

/* The shape of a few small images and its number of bytes, or absurd sides and any number. */
static shape some_shape(int32_t most_images) {
  shape s = {some_int(most_images > 1 ? 0 : 1, most_images), some_int(1, 20), some_int(1, 20), below(900)};
  const int is_small = s.images >= 0 && s.images < 9 && s.height > 0 && s.height < 30 && s.width > 0 && s.width < 30;
  if (is_small) s.count = (size_t)(s.images * s.height * s.width * 3);
  return s;
}
RANDOM_CALL(pixels_decode, 2) {
  const shape s = some_shape(3);
  float *latents = floats(s.count);
  uint8_t *pixels = output(s.count);
  CALL(mixgrpo_pixels_decode, spoiled(latents), size_near(s.count), s.images, s.height, s.width, some_int(1, 3), spoiled(pixels), s.count);
}
RANDOM_CALL(pixels_encode, 2) {
  const shape s = some_shape(3);
  uint8_t *pixels = room(s.count);
  float *latents = output(s.count * sizeof *latents);
  CALL(mixgrpo_pixels_encode, spoiled(pixels), size_near(s.count), s.images, s.height, s.width, some_int(1, 3), spoiled(latents), s.count);
}
RANDOM_CALL(image_create, 2) {
  const shape s = some_shape(1);
  uint8_t *pixels = room(s.count);
  void **place = output(sizeof *place);
  keep_created(IMAGE, CALL(mixgrpo_image_create, spoiled(pixels), size_near(s.count), s.width, s.height, spoiled(place)), place);
}
RANDOM_CALL(image_create_grid, 2) {
  const shape s = some_shape(4);
  uint8_t *pixels = room(s.count);
  void **place = output(sizeof *place);
  keep_created(IMAGE, CALL(mixgrpo_image_create_grid, spoiled(pixels), size_near(s.count), s.images, s.width, s.height, some_int(1, 3),
                           some_int(0, 3), some_int(1, 2), spoiled(place)), place);
}
RANDOM_CALL(image_destroy, 1) {
  begin("mixgrpo_image_destroy");
  drop(IMAGE, pick(IMAGE));
}
RANDOM_CALL(image_get_info, 1) {
  mixgrpo_image_info *info = result(sizeof *info);
  CALL(mixgrpo_image_get_info, pick_const(IMAGE), info);
}
RANDOM_CALL(image_get_pixels, 1) {
  const size_t capacity = one_in(2) ? 20000 : below(900);
  uint8_t *pixels = output(capacity);
  CALL(mixgrpo_image_get_pixels, pick_const(IMAGE), spoiled(pixels), capacity);
}
RANDOM_CALL(image_get_text, 1) {
  mixgrpo_text *text = output(sizeof *text);
  CALL(mixgrpo_image_get_text, pick_const(IMAGE), one_in(4) ? any_size() : below(3), spoiled(text));
}
RANDOM_CALL(image_set_texts, 2) {
  const size_t count = below(4);
  mixgrpo_text *texts = room(count * sizeof *texts);
  for (size_t i = 0; i < count; i++) texts[i] = (mixgrpo_text){one_in(3) ? any_text() : "prompt", any_text()};
  CALL(mixgrpo_image_set_texts, pick(IMAGE), spoiled(texts), one_in(24) ? SIZE_MAX - below(9) : count);
}

/* The latest PNG that this thread encoded: the buffers of a call serve the next one. */
enum { MOST_BYTES = 60000 };
static _Thread_local struct { uint8_t bytes[MOST_BYTES]; size_t size; } encoded;

RANDOM_CALL(image_encode, 3) {
  const size_t capacity = one_in(4) ? below(900) : MOST_BYTES;
  uint8_t *png = output(capacity);
  size_t *size = output(sizeof *size);
  void *const image = pick_const(IMAGE);
  begin("mixgrpo_image_encode");
  const mixgrpo_status status = mixgrpo_image_encode(image, png, capacity, size);
  if (status == MIXGRPO_STATUS_OK && *size <= capacity) memcpy(encoded.bytes, png, encoded.size = *size);
  judge(status);
}
/* That PNG, whole or with a few bits turned. */
RANDOM_CALL(image_decode, 3) {
  uint8_t *copy = room(encoded.size);
  void **place = output(sizeof *place);
  memcpy(copy, encoded.bytes, encoded.size);
  for (uint32_t flips = one_in(2) ? 0 : below(5); flips > 0 && encoded.size; flips--)
    copy[below((uint32_t)encoded.size)] ^= (uint8_t)(1 << below(8));
  keep_created(IMAGE, CALL(mixgrpo_image_decode, spoiled(copy), encoded.size, spoiled(place)), place);
}
RANDOM_CALL(image_load, 1) {
  void **place = output(sizeof *place);
  keep_created(IMAGE, CALL(mixgrpo_image_load, any_path(), spoiled(place)), place);
}
RANDOM_CALL(image_save, 1) { CALL(mixgrpo_image_save, pick_const(IMAGE), any_path()); }
