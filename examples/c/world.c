#include "world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS = WORLD_SIZE * WORLD_SIZE, SMALLEST_RADIUS = 5, LARGEST_RADIUS = 7, LARGEST_OFFSET = 2 };

static const char *const colour_names[6] = {"a red", "an orange", "a yellow", "a green", "a blue", "a purple"};
static const int colours[6][3] = {{225, 20, 30}, {255, 125, 0}, {255, 240, 40},
                                  {10, 185, 45}, {15, 50, 255}, {200, 20, 220}};
static const char *const shape_names[3] = {"circle", "square", "triangle"};
static const char *const place_names[5] = {"at the left", "at the right", "at the top", "at the bottom",
                                           "in the middle"};
static const int centres[5][2] = {{9, 16}, {23, 16}, {16, 9}, {16, 23}, {16, 16}}; /* x, y */
const int world_night[3] = {12, 16, 52};
static const int day[3] = {196, 222, 250};

static int colour_of(int prompt) { return prompt / 15; }
static int shape_of(int prompt) { return prompt / 5 % 3; }
static int place_of(int prompt) { return prompt % 5; }

const char *world_caption(int prompt, char *text, size_t capacity) {
  snprintf(text, capacity, "%s %s %s", colour_names[colour_of(prompt)], shape_names[shape_of(prompt)],
           place_names[place_of(prompt)]);
  return text;
}

/* u, v: distance from the centre in eighths of a pixel, to the right and down. */
static int is_inside(int shape, int radius, int u, int v) {
  switch (shape) {
    case 0: return u * u + v * v <= 64 * radius * radius;
    case 1: return abs(u) <= 7 * radius && abs(v) <= 7 * radius;
    default: return v <= 7 * radius && 15 * abs(u) <= 8 * (v + 8 * radius);
  }
}

/* Covered sixteenths of each pixel: 4 x 4 points per pixel are sampled. */
static void cover(int prompt, int dx, int dy, int radius, uint8_t coverage[PIXELS]) {
  const int *centre = centres[place_of(prompt)];
  const int left = centre[0] + dx - radius, top = centre[1] + dy - radius, side = 2 * radius;
  memset(coverage, 0, PIXELS);
  for (int y = 0; y < side; y++)
    for (int x = 0; x < side; x++) {
      int points = 0;
      for (int sample = 0; sample < 16; sample++) {
        const int u = 8 * (x - radius) + 2 * (sample % 4) + 1, v = 8 * (y - radius) + 2 * (sample / 4) + 1;
        points += is_inside(shape_of(prompt), radius, u, v);
      }
      coverage[(top + y) * WORLD_SIZE + left + x] = (uint8_t)points;
    }
}

static void paint(int colour, int sky, const uint8_t coverage[PIXELS], uint8_t *rgb) {
  for (int channel = 0; channel < 3; channel++) {
    const int back = (world_night[channel] * (255 - sky) + day[channel] * sky + 127) / 255;
    for (int i = 0; i < PIXELS; i++)
      rgb[3 * i + channel] = (uint8_t)((back * (16 - coverage[i]) + colours[colour][channel] * coverage[i] + 8) >> 4);
  }
}

void world_render(int prompt, world_jitter jitter, uint8_t *rgb) {
  uint8_t coverage[PIXELS];
  cover(prompt, jitter.dx, jitter.dy, jitter.radius, coverage);
  paint(colour_of(prompt), jitter.sky, coverage, rgb);
}

/* The sky level nearest to the mean of the free pixels: the mean projected on the line from night to day. With s the sum of
 * n free pixels and d = day - night, level = 255 (s - n night).d / (n d.d), rounded and clamped to 0 ... 255. */
static int nearest_sky(const uint8_t *rgb, const uint8_t coverage[PIXELS]) {
  int count = 0, sum[3] = {0, 0, 0};
  for (int i = 0; i < PIXELS; i++) {
    const int is_free = coverage[i] == 0;
    count += is_free;
    for (int channel = 0; channel < 3; channel++) sum[channel] += is_free * rgb[3 * i + channel];
  }
  int64_t along = 0, whole = 0;
  for (int channel = 0; channel < 3; channel++) {
    const int64_t direction = day[channel] - world_night[channel];
    along += 255 * (sum[channel] - count * world_night[channel]) * direction;
    whole += count * direction * direction;
  }
  if (along <= 0) return 0;
  const int64_t level = (2 * along + whole) / (2 * whole);
  return level < 255 ? (int)level : 255;
}

int64_t world_smallest_error(const uint8_t *rgb, int prompt) {
  uint8_t coverage[PIXELS], candidate[WORLD_BYTES];
  int64_t smallest = INT64_MAX;
  for (int radius = SMALLEST_RADIUS; radius <= LARGEST_RADIUS; radius++)
    for (int dy = -LARGEST_OFFSET; dy <= LARGEST_OFFSET; dy++)
      for (int dx = -LARGEST_OFFSET; dx <= LARGEST_OFFSET; dx++) {
        cover(prompt, dx, dy, radius, coverage);
        paint(colour_of(prompt), nearest_sky(rgb, coverage), coverage, candidate);
        int error = 0; /* at most 3072 * 255 * 255, which fits */
        for (int i = 0; i < WORLD_BYTES; i++) error += (rgb[i] - candidate[i]) * (rgb[i] - candidate[i]);
        if (error < smallest) smallest = error;
      }
  return smallest;
}

double world_prompt_match(const uint8_t *rgb, int prompt) {
  /* A difference of 8-bit values is 2/255 of that on [-1, 1]. */
  const double mean = (double)(4 * world_smallest_error(rgb, prompt)) / ((double)WORLD_BYTES * 255 * 255);
  return exp(-12.0 * mean);
}
