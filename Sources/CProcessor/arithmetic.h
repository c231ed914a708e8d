#ifndef MIXGRPO_ARITHMETIC_H
#define MIXGRPO_ARITHMETIC_H

#include <stdint.h>

/* How this thread rounds and whether it flushes subnormal numbers to zero. Results are defined for the defaults of IEEE 754: to
 * nearest, subnormal numbers kept, no traps. A host may have set anything else. */

#if defined(__x86_64__)

enum {
  MIXGRPO_SSE_DEFAULT = 0x1F80,  /* MXCSR: exceptions masked, to nearest, neither FTZ nor DAZ */
  MIXGRPO_SSE_FLAGS = 0x003F,    /* what has happened so far: no mode */
  MIXGRPO_X87_DEFAULT = 0x037F,  /* control word: exceptions masked, to nearest, 64 bits */
  MIXGRPO_X87_RESERVED = 0xF0C0, /* bits of the control word without effect */
};

typedef struct {
  uint32_t sse;
  uint32_t is_changed;
  uint8_t x87[28]; /* with its flags: they would trap when the host's control word comes back */
  uint32_t reserved;
} mixgrpo_arithmetic;

/* Sets the defaults; returns what was there. */
static inline mixgrpo_arithmetic mixgrpo_use_default_arithmetic(void) {
  mixgrpo_arithmetic before = {0};
  uint16_t control;
  __asm__ volatile("stmxcsr %0" : "=m"(before.sse)::"memory");
  __asm__ volatile("fnstcw %0" : "=m"(control)::"memory");
  if ((before.sse & ~MIXGRPO_SSE_FLAGS) == MIXGRPO_SSE_DEFAULT
      && (control & ~MIXGRPO_X87_RESERVED) == (MIXGRPO_X87_DEFAULT & ~MIXGRPO_X87_RESERVED))
    return before;
  const uint32_t sse = MIXGRPO_SSE_DEFAULT;
  const uint16_t x87 = MIXGRPO_X87_DEFAULT;
  before.is_changed = 1;
  __asm__ volatile("fnstenv %0" : "=m"(before.x87)::"memory");
  __asm__ volatile("fnclex\n\tfldcw %0" ::"m"(x87) : "memory");
  __asm__ volatile("ldmxcsr %0" ::"m"(sse) : "memory");
  return before;
}

static inline void mixgrpo_restore_arithmetic(mixgrpo_arithmetic before) {
  if (!before.is_changed) return;
  __asm__ volatile("fldenv %0" ::"m"(before.x87) : "memory");
  __asm__ volatile("ldmxcsr %0" ::"m"(before.sse) : "memory");
}

#elif defined(__aarch64__)

typedef struct {
  uint64_t control; /* FPCR: 0 is the default */
} mixgrpo_arithmetic;

static inline mixgrpo_arithmetic mixgrpo_use_default_arithmetic(void) {
  mixgrpo_arithmetic before;
  __asm__ volatile("mrs %0, fpcr" : "=r"(before.control)::"memory");
  if (before.control) __asm__ volatile("msr fpcr, %0" ::"r"((uint64_t)0) : "memory");
  return before;
}

static inline void mixgrpo_restore_arithmetic(mixgrpo_arithmetic before) {
  if (before.control) __asm__ volatile("msr fpcr, %0" ::"r"(before.control) : "memory");
}

#else
#error "mixgrpo: expected x86-64 or arm64"
#endif

#endif
