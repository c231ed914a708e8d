/* Limits that a host's process may meet: no memory, no threads, no file handles. */
#ifndef LIMITS_H
#define LIMITS_H

#include "check.h"
#include "mixgrpo.h"

/* ---- Interposition: this program stands in for the allocation functions and pthread_create of every library in it. */

/* From now on the n-th question (from 1) for 64 KiB or more is refused, and so are all later blocks of that size; 0: none fails. */
void fail_memory_from(long n);
/* True once a request was refused since then. */
int memory_was_refused(void);
/* 1: no thread can be made. */
void refuse_threads(int flag);

/* ---- The scenario: every function that takes memory, with sizes that need large blocks. */

/* Called around each call: before it, and after it with its status; gives 1 to have the call repeated. */
typedef struct {
  int (*again)(mixgrpo_status status, const char *text);
} judge;

/* A model, a plan, a whole iteration by trainer and by hand, files and pictures. `threads` of the context. The sum of some
 * results, which depends on nothing but the numbers. */
double run_scenario(const judge *judge, int threads, const char *folder);

#endif
