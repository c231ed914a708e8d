#ifndef MIXGRPO_AFFINITY_H
#define MIXGRPO_AFFINITY_H

#if defined(__linux__)
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The cores that the calling thread may run on, a bit each; `bytes` of them are filled or zero. Returns 0, or -1 with errno: EINVAL
 * for a mask that is shorter than the kernel's. The call itself, as C libraries declare sched_getaffinity for some callers only. */
static inline int mixgrpo_affinity(uint64_t *mask, size_t bytes) {
  return syscall(SYS_sched_getaffinity, 0, bytes, mask) < 0 ? -1 : 0;
}
#endif

#endif
