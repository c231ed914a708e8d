#ifndef MIXGRPO_PREFETCH_H
#define MIXGRPO_PREFETCH_H

/* Asks for the cache line at `address`, into the second cache; Swift has no such instruction. Any address is allowed. */
static inline void mixgrpo_prefetch(const void *address) { __builtin_prefetch(address, 0, 2); }

#endif
