#ifndef MIXGRPO_PROCESSOR_H
#define MIXGRPO_PROCESSOR_H

/* Instructions for which Swift has no words. */

/* Asks for the cache line at `address`, into the second cache. Any address is allowed. */
static inline void mixgrpo_prefetch(const void *address) { __builtin_prefetch(address, 0, 2); }

#if defined(__x86_64__)
#include <cpuid.h>

/* The first of the instructions that kernels are compiled for which the processor, or what plays it, or the system under it does
 * not have; NULL when all are there. Bits as in the processors' manuals. */
static inline const char *mixgrpo_missing_instructions(int avx512) {
  unsigned a, b, c, d, features, states = 0;
  if (!__get_cpuid(1, &a, &b, &features, &d)) return "CPUID";
  if (features & bit_OSXSAVE) {
    unsigned high;
    __asm__ volatile("xgetbv" : "=a"(states), "=d"(high) : "c"(0));
  }
  if ((states & 0x06) != 0x06 || !(features & bit_AVX)) return "AVX";
  if (!(features & bit_FMA)) return "FMA";
  if (!(features & bit_F16C)) return "F16C";
  if (!(features & bit_MOVBE)) return "MOVBE";
  if (!__get_cpuid(0x80000001, &a, &b, &c, &d) || !(c & bit_LZCNT)) return "LZCNT";
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2)) return "AVX2";
  if (!(b & bit_BMI) || !(b & bit_BMI2)) return "BMI";
  const unsigned wide = bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL;
  if (avx512 && ((states & 0xE6) != 0xE6 || (b & wide) != wide)) return "AVX-512";
  return 0;
}
#endif

#endif
