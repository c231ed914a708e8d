#include "half_products.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

/* Sixteen lanes: one AVX-512 register, two AVX registers, four NEON registers. */
typedef float floats __attribute__((vector_size(64), aligned(4)));
typedef uint32_t words __attribute__((vector_size(64), aligned(4)));

enum { WIDTH = 16, HIGHEST = 8, MOST_PANELS = 2 };

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

/* A tile: some rows of c by the columns of one or two panels, whose sums stay in registers. */
typedef struct {
  mixgrpo_half_factor a;
  ptrdiff_t pairs;
  mixgrpo_half_panels b;
  float *c;
  ptrdiff_t stride;
  int accumulate;
} tile;

/* ------------------------------------------------------------------------------------------- two multiply-adds for a pair */

#define SIXTEEN_OF(bits) ((floats)((words){0} + (bits)))

INLINE void multiply_by_halves(const int rows, const int panels, const tile *t) {
  floats sums[HIGHEST][MOST_PANELS];
  UNROLL for (int row = 0; row < rows; row++)
    UNROLL for (int panel = 0; panel < panels; panel++)
      sums[row][panel] = t->accumulate ? *(const floats *)(t->c + row * t->stride + panel * WIDTH) : SIXTEEN_OF(0);
  const uint32_t *a = t->a.pairs, *b = t->b.pairs;
  for (ptrdiff_t pair = 0; pair < t->pairs; pair++, a += t->a.pair_stride, b += WIDTH) {
    floats low[MOST_PANELS], high[MOST_PANELS];
    UNROLL for (int panel = 0; panel < panels; panel++) {
      const words both = *(const words *)(b + panel * t->b.stride);
      low[panel] = (floats)(both << 16);
      high[panel] = (floats)(both & 0xFFFF0000u);
    }
    UNROLL for (int row = 0; row < rows; row++) {
      const uint32_t x = a[row * t->a.row_stride];
      const floats x_low = SIXTEEN_OF(x << 16), x_high = SIXTEEN_OF(x & 0xFFFF0000u);
      UNROLL for (int panel = 0; panel < panels; panel++)
        sums[row][panel] = __builtin_elementwise_fma(
            x_low, low[panel], __builtin_elementwise_fma(x_high, high[panel], sums[row][panel]));
    }
  }
  UNROLL for (int row = 0; row < rows; row++)
    UNROLL for (int panel = 0; panel < panels; panel++)
      *(floats *)(t->c + row * t->stride + panel * WIDTH) = sums[row][panel];
}

/* ------------------------------------------------------------------------------------------------------------------- tiles */

#define HEIGHTS(highest, panels, kernel)                                                                         \
  switch (height) {                                                                                              \
    case 8: if (highest >= 8) kernel(8, panels, &t); break;                                                      \
    case 7: if (highest >= 7) kernel(7, panels, &t); break;                                                      \
    case 6: if (highest >= 6) kernel(6, panels, &t); break;                                                      \
    case 5: if (highest >= 5) kernel(5, panels, &t); break;                                                      \
    case 4: kernel(4, panels, &t); break;                                                                        \
    case 3: kernel(3, panels, &t); break;                                                                        \
    case 2: kernel(2, panels, &t); break;                                                                        \
    default: kernel(1, panels, &t);                                                                              \
  }

/* Tiles of equal height below each other. Some lines of the following panels are fetched for every tile; a fetch behind a
 * matrix does nothing. */
#define TILES(name, target, highest, kernel)                                                                     \
  target static __attribute__((noinline)) void name(                                                             \
      ptrdiff_t count, int height, int panels, tile t, mixgrpo_half_panels following, ptrdiff_t lines) {         \
    for (ptrdiff_t i = 0; i < count; i++) {                                                                      \
      for (ptrdiff_t line = 0; line < lines; line++, following.pairs += WIDTH)                                   \
        for (int panel = 0; panel < panels; panel++)                                                             \
          __builtin_prefetch(following.pairs + panel * following.stride, 0, 2);                                  \
      if (highest == HIGHEST && panels == 2) {                                                                   \
        HEIGHTS(highest, 2, kernel)                                                                              \
      } else {                                                                                                   \
        HEIGHTS(highest, 1, kernel)                                                                              \
      }                                                                                                          \
      t.a.pairs += height * t.a.row_stride;                                                                      \
      t.c += height * t.stride;                                                                                  \
    }                                                                                                            \
  }

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma")))
#define AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma")))

/* An element of a serves two panels: with one, a core would wait for its loads a third of the time. */
AVX512_BF16 INLINE void multiply_pairs(const int rows, const int panels, const tile *t) {
  __m512 sums[HIGHEST][MOST_PANELS];
  UNROLL for (int row = 0; row < rows; row++)
    UNROLL for (int panel = 0; panel < panels; panel++)
      sums[row][panel] = t->accumulate ? _mm512_loadu_ps(t->c + row * t->stride + panel * WIDTH) : _mm512_setzero_ps();
  const uint32_t *a = t->a.pairs, *b = t->b.pairs;
  for (ptrdiff_t pair = 0; pair < t->pairs; pair++, a += t->a.pair_stride, b += WIDTH) {
    __m512bh both[MOST_PANELS];
    UNROLL for (int panel = 0; panel < panels; panel++)
      both[panel] = (__m512bh)_mm512_loadu_si512(b + panel * t->b.stride);
    UNROLL for (int row = 0; row < rows; row++) {
      const __m512bh x = (__m512bh)_mm512_set1_epi32((int)a[row * t->a.row_stride]);
      UNROLL for (int panel = 0; panel < panels; panel++)
        sums[row][panel] = _mm512_dpbf16_ps(sums[row][panel], x, both[panel]);
    }
  }
  UNROLL for (int row = 0; row < rows; row++)
    UNROLL for (int panel = 0; panel < panels; panel++)
      _mm512_storeu_ps(t->c + row * t->stride + panel * WIDTH, sums[row][panel]);
}

TILES(common_tiles, AVX2, 4, multiply_by_halves)
TILES(avx512_tiles, AVX512, 8, multiply_by_halves)
TILES(avx512_bf16_tiles, AVX512_BF16, 8, multiply_pairs)
#else
TILES(common_tiles, , 4, multiply_by_halves)
#endif

static void multiply_tiles(
    mixgrpo_half_kernel kernel, ptrdiff_t count, int height, int panels, tile t, mixgrpo_half_panels following,
    ptrdiff_t lines) {
  switch (kernel) {
#if defined(__x86_64__)
    case MIXGRPO_HALF_AVX512_BF16: avx512_bf16_tiles(count, height, panels, t, following, lines); return;
    case MIXGRPO_HALF_AVX512: avx512_tiles(count, height, panels, t, following, lines); return;
#endif
    default: common_tiles(count, height, panels, t, following, lines);
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
    multiply_tiles(kernel, 1, height, 1, whole, t.b, 0);
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

ptrdiff_t mixgrpo_half_most_panels(mixgrpo_half_kernel kernel) { return kernel >= MIXGRPO_HALF_AVX512 ? MOST_PANELS : 1; }

void mixgrpo_half_multiply_panels(
    mixgrpo_half_kernel kernel, mixgrpo_half_factor a, ptrdiff_t rows, ptrdiff_t pairs, mixgrpo_half_panels panels, float *c,
    ptrdiff_t stride, ptrdiff_t columns, int accumulate, const uint32_t *following) {
  if (rows <= 0) return;
  /* As few tiles as possible, whose heights differ by at most one. */
  const ptrdiff_t highest = kernel >= MIXGRPO_HALF_AVX512 ? HIGHEST : 4;
  const ptrdiff_t tiles = (rows + highest - 1) / highest, height = rows / tiles, higher = rows % tiles;
  const ptrdiff_t lines = following ? (pairs + tiles - 1) / tiles : 0;
  const arithmetic before = kernel == MIXGRPO_HALF_AVX512_BF16 ? 0 : flush_subnormals();
  mixgrpo_half_panels next = {following, panels.stride};
  tile t = {a, pairs, panels, c, stride, accumulate};
  const ptrdiff_t counts[2] = {higher, tiles - higher};
  for (int part = 0; part < 2; part++) {
    const int rows_of_tile = (int)(part == 0 ? height + 1 : height);
    if (columns % WIDTH == 0) {
      multiply_tiles(kernel, counts[part], rows_of_tile, (int)(columns / WIDTH), t, next, lines);
    } else {
      multiply_narrow_tiles(kernel, counts[part], rows_of_tile, t, columns);
    }
    t.a.pairs += counts[part] * rows_of_tile * a.row_stride;
    t.c += counts[part] * rows_of_tile * stride;
    if (following) next.pairs += counts[part] * lines * WIDTH;
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
AVX2 static void round_eight(const float *x, uint16_t *y, ptrdiff_t count) { round_all(x, y, count); }

/* The same, with the instruction that narrows sixteen values at once, which compilers do not find. */
AVX512 static void round_sixteen(const float *x, uint16_t *y, ptrdiff_t count) {
  ptrdiff_t i = 0;
  for (; i + WIDTH <= count; i += WIDTH) {
    const __m512i bits = _mm512_loadu_si512(x + i);
    const __m512i even = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(even, _mm512_set1_epi32(0x7FFF))), 16);
    const __mmask16 nan = _mm512_cmp_ps_mask(_mm512_castsi512_ps(bits), _mm512_castsi512_ps(bits), _CMP_UNORD_Q);
    const __m512i values = _mm512_mask_mov_epi32(rounded, nan, _mm512_set1_epi32(0x7FC0));
    _mm256_storeu_si256((__m256i *)(y + i), _mm512_cvtepi32_epi16(values));
  }
  round_all(x + i, y + i, count - i);
}

void mixgrpo_half_round(mixgrpo_half_kernel kernel, const float *x, uint16_t *y, ptrdiff_t count) {
  if (kernel >= MIXGRPO_HALF_AVX512) round_sixteen(x, y, count);
  else round_eight(x, y, count);
}
#else
void mixgrpo_half_round(mixgrpo_half_kernel kernel, const float *x, uint16_t *y, ptrdiff_t count) {
  (void)kernel;
  round_all(x, y, count);
}
#endif
