/* Failures on demand: this program stands in for the functions by which the library, libpng and the Swift runtime take memory, files
 * and threads from the system. Each such call is an event. While a failure is armed, its n-th event fails. */
#ifndef INJECT_H
#define INJECT_H

#include <stddef.h>

typedef enum {
  MEMORY,   /* a block that the caller can do without: see memory.c */
  OPEN, READ, WRITE, SYNC, RENAME, CLOSE, LOCK, OPEN_FOLDER, READ_FOLDER, MAKE_FOLDER, REMOVE, STATUS, SEEK,
  THREAD,   /* a new thread */
  CALLBACK, /* a callback of the host's, which cancels the context */
  ANSWER,   /* an answer of the host's model */
  EVENTS
} event;

typedef enum { FAILS, IS_INTERRUPTED, IS_SHORT } effect;

typedef struct {
  const char *name;
  event what;
  effect effect;
  int code;     /* errno */
  int persists; /* flag: all later events of the call fail too */
} failure;

/* From now on the n-th event of `failure` fails, counted from 1. */
void arm(const failure *failure, long n);
/* Ends it. Gives the number of events that failed. */
long disarm(void);
/* Events of the armed failure since arm(). */
long events_seen(void);
/* For the stand-ins: true when this event fails; errno is then set. `has_effect`: the call can be interrupted or short. */
int fails(event what);
int is_cut_short(event what);

/* ---- Faults of the harness's own, which it must report: see run.sh */

typedef enum {
  NO_PLANT,
  PLANT_LEAK,   /* every refused block leaves another one behind */
  PLANT_OUTPUT, /* a call that fails writes to its outputs */
  PLANT_LOST    /* an update that fails after a callback says that it succeeded */
} plant;
extern plant planted;

/* ---- The ledger of memory: see memory.c */

/* Blocks and mappings taken and not given back, by every library of the process. */
long live_blocks(void);
long live_mappings(void);

/* Watches a call: blocks of Swift's runtime must be covered by questions of the same call. */
void begin_ledger(size_t smallest);
/* Ends it. Gives the bytes of the largest block that no question covered, 0 when there was none, and its callers. */
size_t end_ledger(void **callers, int *caller_count, int most);
/* The most bytes of smaller blocks of Swift's runtime that were live at once in a watched call. */
size_t most_small_bytes(void);

#endif
