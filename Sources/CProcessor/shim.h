#ifndef MIXGRPO_PROCESSOR_H
#define MIXGRPO_PROCESSOR_H

/* Instructions for which Swift has no words. */

/* Asks for the cache line at `address`, into the second cache. Any address is allowed. */
static inline void mixgrpo_prefetch(const void *address) { __builtin_prefetch(address, 0, 2); }

#if defined(__x86_64__)
/* What the kernels may be compiled for and this processor, or who plays it, or the system under it, does not have; NULL when it has all. */
static inline const char *mixgrpo_missing_instructions(int avx512) {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2")) return "AVX2";
  if (!__builtin_cpu_supports("fma")) return "FMA";
  if (!__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2")) return "BMI";
  if (!__builtin_cpu_supports("f16c")) return "F16C";
  if (!__builtin_cpu_supports("movbe") || !__builtin_cpu_supports("lzcnt")) return "MOVBE and LZCNT";
  if (avx512 && !(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")))
    return "AVX-512";
  return 0;
}
#endif

#endif
