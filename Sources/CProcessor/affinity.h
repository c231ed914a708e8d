#ifndef MIXGRPO_AFFINITY_H
#define MIXGRPO_AFFINITY_H

#include <stdint.h>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>

/* The cores that the calling thread may run on, a bit each; `bytes` of them are filled or zero. Returns 0, or -1 with errno: EINVAL
 * for a mask that is shorter than the kernel's. The call itself, as C libraries declare sched_getaffinity for some callers only. */
static inline int mixgrpo_affinity(uint64_t *mask, size_t bytes) {
  return syscall(SYS_sched_getaffinity, 0, bytes, mask) < 0 ? -1 : 0;
}

/* A number for the set of cores that the calling thread may run on, the same for equal sets; 0 where the system does not report it. */
static inline uint64_t mixgrpo_core_set(void) {
  uint64_t mask[128]; /* as many cores as Linux can have */
  const long bytes = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
  uint64_t hash = 0xCBF29CE484222325u;
  for (long i = 0; i < bytes / (long)sizeof *mask; i++) hash = (hash ^ mask[i]) * 0x100000001B3u;
  return bytes > 0 ? hash : 0;
}
#else
static inline uint64_t mixgrpo_core_set(void) { return 0; }
#endif

#endif
