#include "check.h"

#include <stdio.h>
#include <string.h>

/* Changed by any thread. */
static int count, failures;

static void add(int *counter) { __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED); }

void check_holds(int holds, const char *text, const char *file, int line) {
  add(&count);
  if (holds) return;
  add(&failures);
  fprintf(stderr, "%s:%d: not true: %s\n", file, line, text);
}

void check_done(mixgrpo_status status, const char *text, const char *file, int line) {
  add(&count);
  if (status == MIXGRPO_STATUS_OK) return;
  add(&failures);
  fprintf(stderr, "%s:%d: %s: %s\n  %s\n", file, line, text, mixgrpo_status_name(status), mixgrpo_last_error());
}

void check_refused(
    mixgrpo_status status, mixgrpo_status expected, const char *named, const char *text, const char *file, int line) {
  add(&count);
  if (status == expected && strstr(mixgrpo_last_error(), named) && !strchr(mixgrpo_last_error(), '\n')) return;
  add(&failures);
  fprintf(
      stderr, "%s:%d: %s\n  expected %s naming \"%s\", got %s: %s\n", file, line, text, mixgrpo_status_name(expected), named,
      mixgrpo_status_name(status), status == MIXGRPO_STATUS_OK ? "" : mixgrpo_last_error());
}

int check_failures(void) { return failures; }
int check_count(void) { return count; }

void *destroyed_handle(void) {
  static mixgrpo_context *handle;
  if (!handle && mixgrpo_context_create(1, &handle) == MIXGRPO_STATUS_OK) mixgrpo_context_destroy(handle);
  return handle;
}
