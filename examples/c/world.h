/* A procedural world of captioned pictures, such as "a red circle at the left", and a score for how well a picture shows its
 * prompt.
 *
 * Everything is integer arithmetic on 8-bit RGB up to the last division, so that this file, examples/python/world.py and
 * Sources/ProceduralWorld give the same bytes and the same scores to the last bit.
 *
 * A prompt is a number in 0 ... 89: (colour * 3 + shape) * 5 + place. What the caption does not say varies from picture
 * to picture: a small offset, the size, and the sky behind the object, from night to day. */
#ifndef WORLD_H
#define WORLD_H

#include <stddef.h>
#include <stdint.h>

enum {
  WORLD_SIZE = 32, /* pixels per side */
  WORLD_BYTES = WORLD_SIZE * WORLD_SIZE * 3,
  WORLD_PROMPTS = 6 * 3 * 5,
};

/* What a caption does not say. */
typedef struct {
  int dx, dy; /* offset in pixels, -2 ... 2 */
  int radius; /* 5, 6 or 7 */
  int sky;    /* 0 night ... 255 day */
} world_jitter;

/* The colour of the darkest sky. */
extern const int world_night[3];

/* Writes the caption, cut to the capacity, and returns the text. */
const char *world_caption(int prompt, char *text, size_t capacity);

/* Writes the picture of a prompt: WORLD_BYTES bytes, rows from the top, R G B. */
void world_render(int prompt, world_jitter jitter, uint8_t *rgb);

/* The sum of squared differences to the nearest jittered render of the prompt, whatever its sky. */
int64_t world_smallest_error(const uint8_t *rgb, int prompt);

/* How well a picture shows its prompt, in (0, 1]: exp(-12 * MSE) to the nearest jittered render, pixels in [-1, 1]. */
double world_prompt_match(const uint8_t *rgb, int prompt);

#endif
