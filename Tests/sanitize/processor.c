/* Ends well where creating a context is refused because the processor lacks an instruction, which valgrind's does: AVX-512. */
#include <stdio.h>
#include <string.h>

#include "mixgrpo.h"

int main(void) {
  mixgrpo_context *context = NULL;
  mixgrpo_status status = mixgrpo_context_create(2, &context);
  if (status == MIXGRPO_STATUS_UNSUPPORTED && context == NULL &&
      strcmp(mixgrpo_last_error(), "processor: expected AVX-512 (x86-64-v4), got one without AVX-512") == 0)
    return 0;
  fprintf(stderr, "expected UNSUPPORTED, got status %d: %s\n", (int)status, mixgrpo_last_error());
  mixgrpo_context_destroy(context);
  return 1;
}
