#ifndef MIXGRPO_HALF_PRODUCTS_H
#define MIXGRPO_HALF_PRODUCTS_H

#include <stddef.h>
#include <stdint.h>

/* Private to the library. */
#pragma GCC visibility push(hidden)

/* Products of bfloat16 factors with float32 sums.
 *
 * Factors come in pairs: the values of k = 2i and 2i + 1 are the low and the high half of 32 bits. A sum takes pairs upwards,
 * and of each pair the high value first: c = fma(low a, low b, fma(high a, high b, c)), rounded to nearest, subnormal numbers
 * taken for zero and flushed to zero. This is what the instruction VDPBF16PS does; every kernel below gives its bits. */

typedef enum mixgrpo_half_kernel {
  MIXGRPO_HALF_COMMON,      /* two multiply-adds for a pair: AVX2 and FMA, or NEON */
  MIXGRPO_HALF_AVX512,      /* two multiply-adds for a pair */
  MIXGRPO_HALF_AVX512_BF16, /* VDPBF16PS */
} mixgrpo_half_kernel;

/* The fastest kernel that this processor and the system under it can run; each kernel before it in the list runs, too. */
mixgrpo_half_kernel mixgrpo_half_fastest_kernel(void);

/* A left factor: pair i of row r stands at pairs[r * row_stride + i * pair_stride]. */
typedef struct mixgrpo_half_factor {
  const uint32_t *pairs;
  ptrdiff_t row_stride;
  ptrdiff_t pair_stride;
} mixgrpo_half_factor;

/* A right factor in panels of sixteen columns side by side for each pair; `stride` leads from one panel to the next. */
typedef struct mixgrpo_half_panels {
  const uint32_t *pairs;
  ptrdiff_t stride;
} mixgrpo_half_panels;

/* Panels that this kernel multiplies at once. */
ptrdiff_t mixgrpo_half_most_panels(mixgrpo_half_kernel kernel);

/* c (rows, columns) = a * panels, or c += a * panels, for `pairs` pairs. `columns` are all of as many panels as the kernel
 * takes, or of fewer, or some of one. `following`: what is fetched meanwhile, panels with the same stride, or NULL; nothing
 * behind a matrix is read. */
void mixgrpo_half_multiply_panels(
    mixgrpo_half_kernel kernel, mixgrpo_half_factor a, ptrdiff_t rows, ptrdiff_t pairs, mixgrpo_half_panels panels, float *c,
    ptrdiff_t stride, ptrdiff_t columns, int accumulate, const uint32_t *following);

/* Rounds `count` values to bfloat16, to nearest, ties to even. NaN becomes 0x7FC0. Every kernel gives the same bits. */
void mixgrpo_half_round(mixgrpo_half_kernel kernel, const float *x, uint16_t *y, ptrdiff_t count);

#pragma GCC visibility pop

#endif
