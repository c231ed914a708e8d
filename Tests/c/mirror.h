/* The exchange of two ranks in one process: the other one sends what this one, the first, sends. */
#ifndef MIRROR_H
#define MIRROR_H

#include <stddef.h>
#include <string.h>

static inline void mirror_gather(const void *sent, void *received, size_t bytes) {
  for (int i = 0; i < 2; i++) memcpy((char *)received + (size_t)i * bytes, sent, bytes);
}

static inline void mirror_pieces(const void *sent, const size_t *sent_bytes, void *received, const size_t *received_bytes) {
  const size_t own = sent_bytes[0] < received_bytes[0] ? sent_bytes[0] : received_bytes[0];
  const size_t other = sent_bytes[0] < received_bytes[1] ? sent_bytes[0] : received_bytes[1];
  memset(received, 0, received_bytes[0] + received_bytes[1]);
  memcpy(received, sent, own);
  memcpy((char *)received + received_bytes[0], sent, other);
}

#endif
