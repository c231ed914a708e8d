#define _GNU_SOURCE
#include "world.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chance.h"

/* ---- Buffers */

enum { ROOMS = 16, PAGE = 4096 };

typedef struct { char *bytes; size_t size; int is_output; } guarded;

static _Thread_local struct {
  char *ends[ROOMS];
  guarded used[ROOMS];
  char *copies;
  int count;
} buffers;

static void make_buffers(void) {
  const size_t stride = BUFFER_BYTES + PAGE;
  char *memory = mmap(NULL, ROOMS * stride, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  buffers.copies = mmap(NULL, (size_t)ROOMS * BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(memory != MAP_FAILED && (void *)buffers.copies != MAP_FAILED, "memory for the test itself");
  for (size_t i = 0; i < ROOMS; i++) {
    buffers.ends[i] = memory + i * stride + BUFFER_BYTES;
    must(mprotect(buffers.ends[i], PAGE, PROT_NONE) == 0, "a guard page");
  }
}

static void *take(size_t bytes, int is_output) {
  if (!buffers.ends[0]) make_buffers();
  must(buffers.count < ROOMS && bytes <= BUFFER_BYTES, "few and small buffers in one call of this test");
  const int i = buffers.count++;
  char *place = buffers.ends[i] - bytes;
  memset(place, 0x5a, bytes);
  buffers.used[i] = (guarded){place, bytes, is_output};
  return place;
}

void *room(size_t bytes) { return take(bytes, 0); }
void *output(size_t bytes) { return take(bytes, 1); }

/* What outputs held before the call: structs have been filled in since they were taken. */
static void remember_outputs(void) {
  for (int i = 0; i < buffers.count; i++)
    if (buffers.used[i].is_output) memcpy(buffers.copies + (size_t)i * BUFFER_BYTES, buffers.used[i].bytes, buffers.used[i].size);
}

static void check_outputs_untouched(void) {
  for (int i = 0; i < buffers.count; i++)
    if (buffers.used[i].is_output)
      must(memcmp(buffers.copies + (size_t)i * BUFFER_BYTES, buffers.used[i].bytes, buffers.used[i].size) == 0,
           "outputs untouched by a call that failed");
}

void *spoiled(void *pointer) {
  if (!one_in(48)) return pointer;
  return one_in(2) ? NULL : (void *)((uintptr_t)pointer - 1);
}

float *floats(size_t count) {
  float *values = room(count * sizeof *values);
  fill_floats(values, count);
  return values;
}

double *doubles(size_t count) {
  double *values = room(count * sizeof *values);
  fill_doubles(values, count);
  return values;
}

/* ---- Handles */

enum { POOL = 6, GRAVES = 16 };

static _Thread_local struct { void *handles[POOL]; int count; } pools[KINDS];
static _Thread_local void *graves[GRAVES];
static void *shared[KINDS];

static _Thread_local void *focused[KINDS];

void focus(kind kind, void *handle) { focused[kind] = handle; }
void unfocus(void) { memset(focused, 0, sizeof focused); }

static void destroy(kind kind, void *handle) {
  graves[below(GRAVES)] = handle;
  if (focused[kind] == handle) focused[kind] = NULL;
  switch (kind) {
    case CONTEXT: mixgrpo_context_destroy(handle); break;
    case MODEL: mixgrpo_model_destroy(handle); break;
    case PROMPTS: mixgrpo_prompts_destroy(handle); break;
    case EVALUATOR: mixgrpo_evaluator_destroy(handle); break;
    case PLAN: mixgrpo_plan_destroy(handle); break;
    case ROLLOUT: mixgrpo_rollout_destroy(handle); break;
    case UPDATE: mixgrpo_update_destroy(handle); break;
    case OPTIMIZER: mixgrpo_optimizer_destroy(handle); break;
    case TRAINER: mixgrpo_trainer_destroy(handle); break;
    case IMAGE: mixgrpo_image_destroy(handle); break;
    case EVALUATION: mixgrpo_evaluation_destroy(handle); break;
    default: mixgrpo_local_ranks_destroy(handle); break;
  }
}

void *live(kind kind) {
  if (focused[kind] && !one_in(12)) return focused[kind];
  return pools[kind].count ? pools[kind].handles[below((uint32_t)pools[kind].count)] : NULL;
}

void *pick(kind wanted) {
  if (!one_in(16)) return live(wanted);
  switch (below(4)) {
    case 0: return NULL;
    case 1: return graves[below(GRAVES)];
    case 2: {
      const kind other = (kind)below(KINDS);
      return other == wanted ? NULL : live(other);
    }
    default: return (void *)(uintptr_t)(one_in(2) ? chance_bits() | 1 : 0x7ffffffffff0u);
  }
}

void *pick_const(kind kind) { return shared[kind] && one_in(4) ? shared[kind] : pick(kind); }

void keep(kind kind, void *handle) {
  if (pools[kind].count < POOL) {
    pools[kind].handles[pools[kind].count++] = handle;
    return;
  }
  const uint32_t place = below(POOL);
  destroy(kind, pools[kind].handles[place]);
  pools[kind].handles[place] = handle;
}

void drop(kind kind, void *handle) {
  for (int i = 0; i < pools[kind].count; i++)
    if (pools[kind].handles[i] == handle) pools[kind].handles[i--] = pools[kind].handles[--pools[kind].count];
  destroy(kind, handle);
}

void drop_all(void) {
  for (int k = 0; k < KINDS; k++)
    while (pools[k].count) drop((kind)k, pools[k].handles[below((uint32_t)pools[k].count)]);
}

void share(kind kind, void *handle) { shared[kind] = handle; }

void keep_created(kind kind, mixgrpo_status status, void **place) {
  if (status != MIXGRPO_STATUS_OK) return;
  must(*place != NULL, "a handle from a create call that succeeded");
  keep(kind, *place);
}

/* ---- Files */

static char scratch[64];

void make_scratch(void) {
  char path[128];
  snprintf(scratch, sizeof scratch, "%s/mixgrpo-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  must(mkdtemp(scratch) != NULL, "a scratch folder");
  snprintf(path, sizeof path, "%s/pipe", scratch);
  must(mkfifo(path, 0600) == 0, "a pipe");
  snprintf(path, sizeof path, "%s/link", scratch);
  must(symlink("folder0", path) == 0, "a link");
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place) {
  (void)status, (void)type, (void)place;
  return remove(path);
}

void remove_scratch(void) { nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS); }

const char *any_path(void) {
  static const char *const odd[] = {"pipe", "link", "missing/deep", "a b\n", "\xff\xfe", "image.png/below", ".", "folder0/config.json"};
  static _Thread_local char path[512];
  if (one_in(48)) return one_in(2) ? NULL : "";
  if (one_in(48)) {
    memset(path, 'x', sizeof path - 1);
    memcpy(path, scratch, strlen(scratch));
    path[strlen(scratch)] = '/';
    return path;
  }
  if (one_in(8)) snprintf(path, sizeof path, "%s/%s", scratch, odd[below(8)]);
  else if (one_in(3)) snprintf(path, sizeof path, "%s/image.png", scratch);
  else snprintf(path, sizeof path, "%s/folder%u", scratch, below(3));
  return path;
}

/* ---- Judging */

static _Thread_local const char *current = "start";
static _Thread_local uint64_t done, succeeded;

void must(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "%s, call %llu of its thread: not so: %s\n  last error: %s\n", current, (unsigned long long)done, what,
          mixgrpo_last_error());
  abort();
}

static const char *_Atomic latest = "start";

void begin(const char *name) {
  latest = current = name;
  remember_outputs();
}

mixgrpo_status judge(mixgrpo_status status) {
  done++;
  succeeded += status == MIXGRPO_STATUS_OK;
  must(status >= MIXGRPO_STATUS_DIVERGED && status <= MIXGRPO_STATUS_CANCELLED && status != MIXGRPO_STATUS_INTERNAL, "a status of the header, and not internal");
  if (status != MIXGRPO_STATUS_OK) {
    must(mixgrpo_last_error()[0] != 0 && !strchr(mixgrpo_last_error(), '\n'), "an error has one line of text");
    check_outputs_untouched();
  }
  buffers.count = 0;
  return status;
}

uint64_t calls_done(void) { return done; }
uint64_t calls_succeeded(void) { return succeeded; }
const char *current_call(void) { return current; }
const char *latest_call(void) { return latest; }
