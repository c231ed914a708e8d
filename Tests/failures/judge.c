#define _GNU_SOURCE
#include "judge.h"

#include <execinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_OUTPUTS = 16, CALLERS = 24, MOST_REPEATS = 100000 };

static walk *now;
static const failure *what;
static const char *scenario;
static mode how;
static long single_event, single_done;
static int needs_another;
static mixgrpo_context *cancelled;
static size_t smallest_block;

static output outputs[MOST_OUTPUTS];
static unsigned char *before[MOST_OUTPUTS];
static size_t output_count;
static int repeats;

void judge_start(walk *walk, const char *name, const failure *failure, mode mode, long event, size_t smallest) {
  now = walk, scenario = name, what = failure, how = mode;
  single_event = event, single_done = 0, needs_another = 0, smallest_block = smallest;
  now->calls = 0;
}

int judge_finish(void) { return needs_another; }

void judge_fault(const char *text) {
  now->faults++;
  if (now->faults > 12) return;
  fprintf(stderr, "%s, %s%s, event %ld of %s\n  %s\n", scenario, what ? what->name : "nothing", what && what->persists ? " and after" : "",
          now->event, now->text, text);
}

static void fault(const char *format, ...) {
  char text[600];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  judge_fault(text);
}

/* ---- The same bits */

static uint64_t hash(uint64_t value, const void *bytes, size_t size) {
  const unsigned char *const byte = bytes;
  for (size_t i = 0; i < size; i++) value = (value ^ byte[i]) * 0x100000001B3u;
  return value;
}

static void compare(const char *text, uint64_t value) {
  const int index = now->index;
  if (!now->is_known[index]) {
    now->is_known[index] = 1;
    now->expected[index] = value;
  } else if (now->expected[index] != value) {
    fault("%s: other results than without a failure", text);
    now->expected[index] = value;
  }
}

static void next_call(const char *text) {
  now->index = now->calls < MOST_CALLS - 1 ? now->calls++ : MOST_CALLS - 1;
  now->event = 0;
  snprintf(now->text, sizeof now->text, "%s", text);
}

void judge_note(const char *text, const void *bytes, size_t size) {
  next_call(text);
  compare(text, hash(0xCBF29CE484222325u, bytes, size));
}

void judge_require(int holds, const char *text) {
  if (!holds) fault("expected %s", text);
}

/* ---- Calls */

void judge_begin(const char *text, const output *given, size_t count) {
  next_call(text);
  repeats = 0;
  output_count = count < MOST_OUTPUTS ? count : MOST_OUTPUTS;
  for (size_t i = 0; i < output_count; i++) {
    outputs[i] = given[i];
    before[i] = malloc(given[i].size + 1);
    if (given[i].size) memcpy(before[i], given[i].place, given[i].size);
  }
}

void judge_arm(void) {
  if (how == MODE_LEDGER) return begin_ledger(smallest_block);
  now->event = 0;
  if (how == MODE_WALK) now->event = now->next[now->index];
  if (how == MODE_SINGLE && single_done < single_event) now->event = single_event - single_done;
  if (now->event) arm(what, now->event);
}

static int is_right(mixgrpo_status status) {
  switch (what->what) {
    case MEMORY: return status == MIXGRPO_STATUS_OUT_OF_MEMORY;
    case CALLBACK: return status == MIXGRPO_STATUS_CANCELLED;
    case THREAD: return 0;
    case ANSWER:
      return status == MIXGRPO_STATUS_UNSUPPORTED || status == MIXGRPO_STATUS_NOT_FINITE || status == MIXGRPO_STATUS_INPUT_OUTPUT;
    default: return what->effect != IS_INTERRUPTED && status == MIXGRPO_STATUS_INPUT_OUTPUT;
  }
}

static void check_untouched(void) {
  for (size_t i = 0; i < output_count; i++)
    if (outputs[i].size && memcmp(before[i], outputs[i].place, outputs[i].size)) fault("output %zu was changed", i);
}

static void count_status(mixgrpo_status status) {
  now->statuses[status > 0 ? 15 : status < -14 ? 14 : -status]++;
}

static void succeed(void) {
  uint64_t value = 0xCBF29CE484222325u;
  for (size_t i = 0; i < output_count; i++) {
    if (!outputs[i].differs) value = hash(value, outputs[i].place, outputs[i].size);
    free(before[i]);
  }
  compare(now->text, value);
}

static void check_ledger(void) {
  void *callers[CALLERS];
  int count = 0;
  const size_t block = end_ledger(callers, &count, CALLERS);
  if (block == 0) return;
  if (block > now->largest_uncovered) now->largest_uncovered = block;
  fault("a block of %zu bytes was taken without a question", block);
  backtrace_symbols_fd(callers, count, 2);
}

/* What a broken library would do. */
static mixgrpo_status misbehave(mixgrpo_status status) {
  if (status == MIXGRPO_STATUS_OK) return status;
  for (size_t i = 0; planted == PLANT_OUTPUT && i < output_count; i++)
    if (outputs[i].size) *(unsigned char *)outputs[i].place ^= 1;
  return planted == PLANT_LOST && strstr(now->text, "_update(") ? MIXGRPO_STATUS_OK : status;
}

/* Whether a host's refusal was absorbed that a later call may report: the other ranks do not know yet of one in the last round of a
 * vote. */
static int is_owed;

/* Gives 1 to have the call made again. */
static int after_failure(mixgrpo_status status) {
  now->injected++;
  if (cancelled) mixgrpo_context_reset_cancel(cancelled);
  cancelled = NULL;
  count_status(status);
  if (how == MODE_WALK) now->next[now->index] = now->event + 1;
  if (status == MIXGRPO_STATUS_OK) {
    now->absorbed++;
    is_owed = what->what == ANSWER;
    needs_another = 1;
    return 0;
  }
  if (!is_right(status)) fault("%s: %s", mixgrpo_status_name(status), mixgrpo_last_error());
  check_untouched();
  return 1;
}

int judge_again(mixgrpo_status status) {
  if (how == MODE_LEDGER) check_ledger();
  const long failed = now->event ? disarm() : 0, seen = now->event ? events_seen() : 0;
  if (how == MODE_SINGLE && single_done < single_event) single_done = failed ? single_event : single_done + seen;
  if (++repeats > MOST_REPEATS) fault("the call never succeeds"), exit(1);
  if (failed) {
    status = misbehave(status);
    if (after_failure(status)) return 1;
  } else if (how == MODE_WALK && now->event) {
    now->next[now->index] = 0;
  }
  if (status == MIXGRPO_STATUS_INPUT_OUTPUT && is_owed) {
    is_owed = 0;
    check_untouched();
    return 1;
  }
  if (status != MIXGRPO_STATUS_OK) {
    fault("failed without a reason: %s: %s", mixgrpo_status_name(status), mixgrpo_last_error());
    exit(1);
  }
  succeed();
  return 0;
}

/* ---- The host's part */

static void maybe_cancel(void *context) {
  if (fails(CALLBACK)) {
    cancelled = context;
    mixgrpo_context_cancel(context);
  }
}

void judge_log(void *user_data, mixgrpo_log_level level, const char *message) {
  (void)level, (void)message;
  maybe_cancel(user_data);
}

void judge_progress(void *user_data, const mixgrpo_progress *progress) {
  (void)progress;
  maybe_cancel(user_data);
}

int judge_refuses_answer(void) { return fails(ANSWER); }
