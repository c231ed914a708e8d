#include "last_error.h"

#include <pthread.h>
#include <stdlib.h>

/* Signal handlers write `shown`. The usual model of thread-local variables allocates memory at a thread's first access. */
#if defined(__linux__)
static __thread const char *volatile shown __attribute__((tls_model("initial-exec")));
#else
static __thread const char *volatile shown;
#endif

/* Each thread's text from malloc. */
static pthread_key_t owned;
static int has_key;

const char *mixgrpo_error_text(void) {
  const char *text = shown;
  return text ? text : "";
}

void mixgrpo_error_set_constant(const char *text) { shown = text; }

void mixgrpo_error_set(char *text) {
  if (!has_key) {
    free(text);
    return;
  }
  char *previous = pthread_getspecific(owned);
  if (pthread_setspecific(owned, text) != 0) {
    free(text);
    return;
  }
  shown = text;
  free(previous);
}

__attribute__((constructor)) static void make_key(void) { has_key = pthread_key_create(&owned, free) == 0; }
