/* How long a host waits until it can evaluate a model: dlopen of the library, reading the model, making an evaluator.
 *
 *     ready LIBRARY MODEL_FOLDER
 *
 * Prints the milliseconds of each; model and library are in the file cache after a first run. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "mixgrpo.h"

static double milliseconds(void) {
  struct timespec now;
  timespec_get(&now, TIME_UTC);
  return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

/* ISO C has no cast from an object's pointer to a function's. */
#define FIND(library, name) \
  __typeof__(name) *name##_found; \
  *(void **)&name##_found = dlsym(library, #name); \
  if (!name##_found) { fprintf(stderr, "error: %s\n", dlerror()); return 1; }

static int check(mixgrpo_status status, const char *(*last_error)(void)) {
  if (status != MIXGRPO_STATUS_OK) fprintf(stderr, "error: %s\n", last_error());
  return status != MIXGRPO_STATUS_OK;
}

int main(int count, char **arguments) {
  if (count != 3) { fprintf(stderr, "usage: ready LIBRARY MODEL_FOLDER\n"); return 2; }
  const double begin = milliseconds();
  void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
  if (!library) { fprintf(stderr, "error: %s\n", dlerror()); return 1; }
  FIND(library, mixgrpo_last_error)
  FIND(library, mixgrpo_context_create)
  FIND(library, mixgrpo_model_load)
  FIND(library, mixgrpo_evaluator_config_init)
  FIND(library, mixgrpo_evaluator_create)
  const double opened = milliseconds();
  mixgrpo_context *context = NULL;
  mixgrpo_model *model = NULL;
  mixgrpo_evaluator *evaluator = NULL;
  mixgrpo_evaluator_config config;
  if (check(mixgrpo_context_create_found(0, &context), mixgrpo_last_error_found)) return 1;
  if (check(mixgrpo_model_load_found(context, arguments[2], &model), mixgrpo_last_error_found)) return 1;
  const double loaded = milliseconds();
  if (check(mixgrpo_evaluator_config_init_found(&config, sizeof config), mixgrpo_last_error_found)) return 1;
  if (check(mixgrpo_evaluator_create_found(model, &config, NULL, 0, &evaluator), mixgrpo_last_error_found)) return 1;
  const double ready = milliseconds();
  printf("ready to evaluate %.1f ms after dlopen: library %.1f, model %.1f, evaluator %.1f\n", ready - begin,
         opened - begin, loaded - opened, ready - loaded);
  return 0;
}
