#include "half_products.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

/* Sixteen lanes: one AVX-512 register, two AVX registers, four NEON registers. */
typedef float floats __attribute__((vector_size(64), aligned(4)));
typedef uint32_t words __attribute__((vector_size(64), aligned(4)));

enum { WIDTH = 16, HIGHEST = 8 };

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

/* A tile: some rows by sixteen columns of c, whose sums stay in registers. */
typedef struct {
  mixgrpo_half_factor a;
  ptrdiff_t pairs;
  const uint32_t *panel;
  float *c;
  ptrdiff_t stride;
  int accumulate;
} tile;

/* ------------------------------------------------------------------------------------------- two multiply-adds for a pair */

#define SIXTEEN_OF(bits) ((floats)((words){0} + (bits)))

INLINE void multiply_by_halves(const int rows, const tile *t) {
  floats sums[HIGHEST];
  UNROLL for (int row = 0; row < rows; row++)
    sums[row] = t->accumulate ? *(const floats *)(t->c + row * t->stride) : SIXTEEN_OF(0);
  const uint32_t *a = t->a.pairs, *b = t->panel;
  for (ptrdiff_t pair = 0; pair < t->pairs; pair++, a += t->a.pair_stride, b += WIDTH) {
    const words both = *(const words *)b;
    const floats low = (floats)(both << 16), high = (floats)(both & 0xFFFF0000u);
    UNROLL for (int row = 0; row < rows; row++) {
      const uint32_t x = a[row * t->a.row_stride];
      sums[row] = __builtin_elementwise_fma(SIXTEEN_OF(x & 0xFFFF0000u), high, sums[row]);
      sums[row] = __builtin_elementwise_fma(SIXTEEN_OF(x << 16), low, sums[row]);
    }
  }
  UNROLL for (int row = 0; row < rows; row++) *(floats *)(t->c + row * t->stride) = sums[row];
}

/* ------------------------------------------------------------------------------------------------------------------- tiles */

/* Tiles of equal height below each other. A line of the following panel is fetched for every pair of a tile, until all are. */
#define TILES(name, target, highest, kernel)                                                                     \
  target static __attribute__((noinline)) void name(                                                             \
      ptrdiff_t count, int height, tile t, const uint32_t *following, ptrdiff_t lines) {                         \
    for (ptrdiff_t i = 0; i < count; i++) {                                                                      \
      for (ptrdiff_t line = 0; line < lines; line++, following += WIDTH) __builtin_prefetch(following, 0, 2);    \
      switch (height) {                                                                                          \
        case 8: if (highest >= 8) kernel(8, &t); break;                                                          \
        case 7: if (highest >= 7) kernel(7, &t); break;                                                          \
        case 6: if (highest >= 6) kernel(6, &t); break;                                                          \
        case 5: if (highest >= 5) kernel(5, &t); break;                                                          \
        case 4: kernel(4, &t); break;                                                                            \
        case 3: kernel(3, &t); break;                                                                            \
        case 2: kernel(2, &t); break;                                                                            \
        default: kernel(1, &t);                                                                                  \
      }                                                                                                          \
      t.a.pairs += height * t.a.row_stride;                                                                      \
      t.c += height * t.stride;                                                                                  \
    }                                                                                                            \
  }

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma")))
#define AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma")))

AVX512_BF16 INLINE void multiply_pairs(const int rows, const tile *t) {
  __m512 sums[HIGHEST];
  UNROLL for (int row = 0; row < rows; row++)
    sums[row] = t->accumulate ? _mm512_loadu_ps(t->c + row * t->stride) : _mm512_setzero_ps();
  const uint32_t *a = t->a.pairs, *b = t->panel;
  for (ptrdiff_t pair = 0; pair < t->pairs; pair++, a += t->a.pair_stride, b += WIDTH) {
    const __m512bh both = (__m512bh)_mm512_loadu_si512(b);
    UNROLL for (int row = 0; row < rows; row++)
      sums[row] = _mm512_dpbf16_ps(sums[row], (__m512bh)_mm512_set1_epi32((int)a[row * t->a.row_stride]), both);
  }
  UNROLL for (int row = 0; row < rows; row++) _mm512_storeu_ps(t->c + row * t->stride, sums[row]);
}

TILES(common_tiles, AVX2, 4, multiply_by_halves)
TILES(avx512_tiles, AVX512, 8, multiply_by_halves)
TILES(avx512_bf16_tiles, AVX512_BF16, 8, multiply_pairs)
#else
TILES(common_tiles, , 4, multiply_by_halves)
#endif

static void multiply_tiles(
    mixgrpo_half_kernel kernel, ptrdiff_t count, int height, tile t, const uint32_t *following, ptrdiff_t lines) {
  switch (kernel) {
#if defined(__x86_64__)
    case MIXGRPO_HALF_AVX512_BF16: avx512_bf16_tiles(count, height, t, following, lines); return;
    case MIXGRPO_HALF_AVX512: avx512_tiles(count, height, t, following, lines); return;
#endif
    default: common_tiles(count, height, t, following, lines);
  }
}

/* Where c has fewer than sixteen columns: all sixteen are computed aside, and the needed ones are copied. */
static __attribute__((noinline)) void multiply_narrow_tiles(
    mixgrpo_half_kernel kernel, ptrdiff_t count, int height, tile t, ptrdiff_t columns) {
  float aside[HIGHEST * WIDTH] = {0};
  const size_t bytes = (size_t)columns * sizeof(float);
  for (ptrdiff_t i = 0; i < count; i++) {
    tile whole = t;
    whole.c = aside;
    whole.stride = WIDTH;
    for (int row = 0; t.accumulate && row < height; row++) memcpy(aside + row * WIDTH, t.c + row * t.stride, bytes);
    multiply_tiles(kernel, 1, height, whole, NULL, 0);
    for (int row = 0; row < height; row++) memcpy(t.c + row * t.stride, aside + row * WIDTH, bytes);
    t.a.pairs += height * t.a.row_stride;
    t.c += height * t.stride;
  }
}

/* --------------------------------------------------------------------------------------------------------------- arithmetic */

/* VDPBF16PS takes subnormal numbers for zero in any mode of the thread; multiply-adds do so only in this mode. */
#if defined(__x86_64__)
typedef unsigned arithmetic;
static arithmetic flush_subnormals(void) {
  const unsigned before = _mm_getcsr();
  _mm_setcsr(0x9FC0); /* to nearest, no trap, subnormal numbers as zero and flushed to zero */
  return before;
}
static void restore(arithmetic before) { _mm_setcsr(before); }
#elif defined(__aarch64__)
typedef uint64_t arithmetic;
static arithmetic flush_subnormals(void) {
  uint64_t before;
  __asm__ volatile("mrs %0, fpcr" : "=r"(before)::"memory");
  __asm__ volatile("msr fpcr, %0" ::"r"(before | (uint64_t)1 << 24) : "memory");
  return before;
}
static void restore(arithmetic before) { __asm__ volatile("msr fpcr, %0" ::"r"(before) : "memory"); }
#endif

void mixgrpo_half_multiply_panel(
    mixgrpo_half_kernel kernel, mixgrpo_half_factor a, ptrdiff_t rows, ptrdiff_t pairs, const uint32_t *panel, float *c,
    ptrdiff_t stride, ptrdiff_t columns, int accumulate, const uint32_t *following) {
  if (rows <= 0) return;
  /* As few tiles as possible, whose heights differ by at most one. */
  const ptrdiff_t highest = kernel >= MIXGRPO_HALF_AVX512 ? 8 : 4;
  const ptrdiff_t tiles = (rows + highest - 1) / highest, height = rows / tiles, higher = rows % tiles;
  const ptrdiff_t lines = following ? (pairs + tiles - 1) / tiles : 0;
  const arithmetic before = kernel == MIXGRPO_HALF_AVX512_BF16 ? 0 : flush_subnormals();
  tile t = {a, pairs, panel, c, stride, accumulate};
  const ptrdiff_t counts[2] = {higher, tiles - higher};
  for (int part = 0; part < 2; part++) {
    const int rows_of_tile = (int)(part == 0 ? height + 1 : height);
    if (columns == WIDTH) {
      multiply_tiles(kernel, counts[part], rows_of_tile, t, following, lines);
    } else {
      multiply_narrow_tiles(kernel, counts[part], rows_of_tile, t, columns);
    }
    t.a.pairs += counts[part] * rows_of_tile * a.row_stride;
    t.c += counts[part] * rows_of_tile * stride;
    if (following) following += counts[part] * lines * WIDTH;
  }
  if (kernel != MIXGRPO_HALF_AVX512_BF16) restore(before);
}

/* ------------------------------------------------------------------------------------------------------------- which kernel */

#if defined(__x86_64__)
static uint64_t enabled_registers(void) {
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

/* Bits as in the processors' manuals. */
mixgrpo_half_kernel mixgrpo_half_fastest_kernel(void) {
  unsigned a, b, c, d, leaves;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return MIXGRPO_HALF_COMMON;
  if ((enabled_registers() & 0xE6) != 0xE6 || !__get_cpuid_count(7, 0, &leaves, &b, &c, &d)) return MIXGRPO_HALF_COMMON;
  const unsigned wide = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
  if ((b & wide) != wide) return MIXGRPO_HALF_COMMON;
  if (leaves < 1 || !__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a & 1u << 5)) return MIXGRPO_HALF_AVX512;
  return MIXGRPO_HALF_AVX512_BF16;
}
#else
mixgrpo_half_kernel mixgrpo_half_fastest_kernel(void) { return MIXGRPO_HALF_COMMON; }
#endif

/* ----------------------------------------------------------------------------------------------------------------- rounding */

INLINE void round_all(const float *x, uint16_t *y, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, sizeof bits);
    const uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
    y[i] = (uint16_t)((bits & 0x7FFFFFFF) > 0x7F800000 ? 0x7FC0 : rounded);
  }
}

#if defined(__x86_64__)
AVX2 void mixgrpo_half_round(const float *x, uint16_t *y, ptrdiff_t count) { round_all(x, y, count); }
#else
void mixgrpo_half_round(const float *x, uint16_t *y, ptrdiff_t count) { round_all(x, y, count); }
#endif
