/* How a scenario's calls are made: with the n-th event of a failure failing, for every n, until a call succeeds untouched. */
#ifndef JUDGE_H
#define JUDGE_H

#include <stddef.h>
#include <stdint.h>

#include "inject.h"
#include "mixgrpo.h"

typedef struct {
  void *place;
  size_t size;
  int differs; /* flag: a correct result need not be the same in every run, as a handle or a pointer */
} output;

#define OUT(value) {&(value), sizeof(value), 0}
#define OUTS(values, count) {(values), (count) * sizeof *(values), 0}
#define HANDLE(value) {&(value), sizeof(value), 1}
#define DIFFERS(value) {&(value), sizeof(value), 1}

/* Makes a call, again after each failure, until it succeeds. The outputs follow: after a failure they must be untouched, after a
 * success they must be those of a run in which nothing failed. */
#define TRY(call, ...)                                                \
  do {                                                                \
    const output outputs_[] = {{NULL, 0, 0}, ##__VA_ARGS__};          \
    judge_begin(#call, outputs_, sizeof outputs_ / sizeof *outputs_); \
    do judge_arm();                                                   \
    while (judge_again(call));                                        \
  } while (0)

void judge_begin(const char *text, const output *outputs, size_t count);
void judge_arm(void);
int judge_again(mixgrpo_status status);

/* A call that cannot fail; its result is noted. */
#define NOTE(call)                         \
  do {                                     \
    const int64_t noted_ = (int64_t)(call); \
    judge_note(#call, &noted_, sizeof noted_); \
  } while (0)
/* Must be the same in every run. */
void judge_note(const char *text, const void *bytes, size_t size);
/* Something that must hold. */
void judge_require(int holds, const char *text);
#define REQUIRE(condition) judge_require((condition) ? 1 : 0, #condition)

/* ---- The host's part */

/* Callbacks: the n-th cancels the context when that is the failure. `user_data`: the context. */
void judge_log(void *user_data, mixgrpo_log_level level, const char *message);
void judge_progress(void *user_data, const mixgrpo_progress *progress);
/* 1 when the host's model must fail to answer this request. */
int judge_refuses_answer(void);

/* ---- A walk: one scenario with one failure */

enum { MOST_CALLS = 4096 };

/* In memory that the parent shares with the walking child, so that a crash loses nothing. */
typedef struct {
  char text[160];             /* the call being made */
  int index;                  /* its number in the scenario */
  long event;                 /* the event that fails in it */
  int calls;
  uint64_t expected[MOST_CALLS];
  unsigned char is_known[MOST_CALLS];
  long next[MOST_CALLS];      /* the event that fails next, 0 when all have failed */
  long injected, absorbed, faults;
  long statuses[16];          /* by -status, and 1 after CANCELLED at [15] */
  size_t largest_uncovered, most_small;
} walk;

typedef enum { MODE_CLEAN, MODE_WALK, MODE_SINGLE, MODE_LEDGER } mode;

/* Begins one pass through the scenario. `event` (MODE_SINGLE): of the whole pass. */
void judge_start(walk *walk, const char *scenario, const failure *failure, mode mode, long event, size_t smallest);
/* Ends it. Gives 1 when another pass is needed. */
int judge_finish(void);
void judge_fault(const char *what);

#endif
