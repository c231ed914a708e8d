/* Counting checks: a test program continues after a failure and reports all of them. */
#ifndef CHECK_H
#define CHECK_H

#include "mixgrpo.h"

/* What is not NULL and no handle: a number that the library has never given out. */
#define MADE_UP_HANDLE ((void *)0x7ffffffffff0)

void check_holds(int holds, const char *text, const char *file, int line);
void check_done(mixgrpo_status status, const char *text, const char *file, int line);
void check_refused(
    mixgrpo_status status, mixgrpo_status expected, const char *named, const char *text, const char *file, int line);
int check_failures(void);
int check_count(void);

#define CHECK(condition) check_holds((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
/* Must succeed. */
#define DONE(call) check_done((call), #call, __FILE__, __LINE__)
/* Must fail with this status and a message that contains `named`. */
#define REFUSED(status, named, call) check_refused((call), (status), (named), #call, __FILE__, __LINE__)
#define INVALID(named, call) REFUSED(MIXGRPO_STATUS_INVALID_ARGUMENT, named, call)
#define TOO_SMALL(named, call) REFUSED(MIXGRPO_STATUS_BUFFER_TOO_SMALL, named, call)

/* `call` with `handle` in turn NULL, of another kind, destroyed, and made up. */
#define BAD_HANDLES(handle, named, wrong_kind, call)                                                    \
  do {                                                                                                  \
    void *const bad_handles[] = {NULL, (void *)(wrong_kind), destroyed_handle(), MADE_UP_HANDLE};      \
    for (int bad_index = 0; bad_index < 4; bad_index++) {                                               \
      void *handle = bad_handles[bad_index];                                                            \
      INVALID(named, call);                                                                             \
    }                                                                                                   \
  } while (0)

/* A handle that was a context once. */
void *destroyed_handle(void);

#endif
