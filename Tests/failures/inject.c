#define _GNU_SOURCE
#include "inject.h"

#include <errno.h>
#include <stdatomic.h>

plant planted = NO_PLANT;

static failure armed;
static atomic_long first, seen, failed;

void arm(const failure *failure, long n) {
  armed = *failure;
  atomic_store(&seen, 0);
  atomic_store(&failed, 0);
  atomic_store(&first, n);
}

long disarm(void) {
  atomic_store(&first, 0);
  return atomic_load(&failed);
}

long events_seen(void) { return atomic_load(&seen); }

static int is_hit(event what, int is_cut) {
  const long from = atomic_load(&first);
  if (from == 0 || what != armed.what || (armed.effect == IS_SHORT) != is_cut) return 0;
  const long number = atomic_fetch_add(&seen, 1) + 1;
  if (number != from && !(armed.persists && number > from)) return 0;
  atomic_fetch_add(&failed, 1);
  return 1;
}

int fails(event what) {
  if (!is_hit(what, 0)) return 0;
  errno = armed.code;
  return 1;
}

int is_cut_short(event what) { return is_hit(what, 1); }
