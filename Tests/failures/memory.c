/* Memory. A block that a C program takes, libc, libpng or FloatStorage, can be refused: that is an event, whatever its size. So is a
 * question of the library's (mmap, given back at once). A block of the Swift runtime cannot: it ends the process. The ledger
 * therefore checks that a question of the same call covers it. */
#define _GNU_SOURCE
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inject.h"

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

/* Of a question: what it asks for beyond the block, and what a block may be larger than the data in it. */
enum { RESERVE = 4 << 20, HEADER = 4096, MOST_BLOCKS = 4096, CALLERS = 24 };

static atomic_long blocks, mappings;

long live_blocks(void) { return atomic_load(&blocks); }
long live_mappings(void) { return atomic_load(&mappings); }

/* ---- Who asks: places in the library's code, which run.sh looks up, and libc */

typedef struct { uintptr_t base, end; } region;
static region library, libc;

static int find_regions(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size, (void)data;
  region *const found = strstr(info->dlpi_name, "libmixgrpo.so") ? &library : strstr(info->dlpi_name, "libc.so") ? &libc : NULL;
  for (int i = 0; found && i < info->dlpi_phnum; i++) {
    const uintptr_t end = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
    found->base = info->dlpi_addr;
    if (end > found->end) found->end = end;
  }
  return 0;
}

__attribute__((constructor)) static void locate(void) { dl_iterate_phdr(find_regions, NULL); }

/* False for those that can do without: libc, libpng and the library's own checked block. */
static int is_runtime(const void *caller) {
  const uintptr_t place = (uintptr_t)caller, offset = place - library.base;
  if (place >= libc.base && place < libc.end) return 0;
  if (place < library.base || place >= library.end) return 1;
  const int is_png = offset >= PNG_MALLOC && offset < PNG_MALLOC + PNG_MALLOC_SIZE;
  const int is_checked = offset >= FLOAT_STORAGE && offset < FLOAT_STORAGE + FLOAT_STORAGE_SIZE;
  return !is_png && !is_checked;
}

/* ---- The ledger of one call */

static struct {
  pthread_mutex_t lock;
  int is_open;
  size_t smallest, asked, taken, small, uncovered;
  void *callers[CALLERS];
  int caller_count;
  struct { void *block; size_t size; } live[MOST_BLOCKS];
  int live_count;
} ledger = {.lock = PTHREAD_MUTEX_INITIALIZER};
static size_t most_small;

void begin_ledger(size_t smallest) {
  pthread_mutex_lock(&ledger.lock);
  ledger.is_open = 1;
  ledger.smallest = smallest;
  ledger.asked = ledger.taken = ledger.small = ledger.uncovered = 0;
  ledger.live_count = ledger.caller_count = 0;
  pthread_mutex_unlock(&ledger.lock);
}

size_t end_ledger(void **callers, int *caller_count, int most) {
  pthread_mutex_lock(&ledger.lock);
  ledger.is_open = 0;
  *caller_count = ledger.caller_count < most ? ledger.caller_count : most;
  memcpy(callers, ledger.callers, (size_t)*caller_count * sizeof *callers);
  pthread_mutex_unlock(&ledger.lock);
  return ledger.uncovered;
}

size_t most_small_bytes(void) { return most_small; }

static void note_taken(void *block, size_t size, int is_of_runtime) {
  if (!ledger.is_open || !block) return;
  pthread_mutex_lock(&ledger.lock);
  if (ledger.is_open && !is_of_runtime) ledger.asked -= size < ledger.asked ? size : ledger.asked;
  if (ledger.is_open && is_of_runtime) {
    if (ledger.live_count < MOST_BLOCKS) {
      ledger.live[ledger.live_count].block = block;
      ledger.live[ledger.live_count++].size = size;
      if (size >= ledger.smallest) ledger.taken += size;
      else if ((ledger.small += size) > most_small) most_small = ledger.small;
    }
    if (size >= ledger.smallest && ledger.taken > ledger.asked && size > ledger.uncovered) {
      ledger.is_open = 0;
      ledger.uncovered = size;
      ledger.caller_count = backtrace(ledger.callers, CALLERS);
      ledger.is_open = 1;
    }
  }
  pthread_mutex_unlock(&ledger.lock);
}

static void note_freed(void *block) {
  if (!ledger.is_open || !block) return;
  pthread_mutex_lock(&ledger.lock);
  for (int i = ledger.live_count - 1; i >= 0; i--) {
    if (ledger.live[i].block != block) continue;
    if (ledger.live[i].size >= ledger.smallest) ledger.taken -= ledger.live[i].size;
    else ledger.small -= ledger.live[i].size;
    ledger.live[i] = ledger.live[--ledger.live_count];
    break;
  }
  pthread_mutex_unlock(&ledger.lock);
}

/* ---- Stand-ins */

/* True when this request is refused. */
static int is_refused(int is_of_runtime) {
  if (is_of_runtime || !fails(MEMORY)) return 0;
  if (planted == PLANT_LEAK && __libc_malloc(16)) atomic_fetch_add(&blocks, 1);
  return 1;
}

static void *taken(void *block, size_t size, int is_of_runtime) {
  if (block) atomic_fetch_add(&blocks, 1);
  note_taken(block, size, is_of_runtime);
  return block;
}

void *malloc(size_t size) {
  const int is_of_runtime = is_runtime(__builtin_return_address(0));
  return is_refused(is_of_runtime) ? NULL : taken(__libc_malloc(size), size, is_of_runtime);
}
void *calloc(size_t count, size_t size) {
  const int is_of_runtime = is_runtime(__builtin_return_address(0));
  return is_refused(is_of_runtime) ? NULL : taken(__libc_calloc(count, size), count * size, is_of_runtime);
}
void *realloc(void *block, size_t size) {
  const int is_of_runtime = is_runtime(__builtin_return_address(0));
  if (is_refused(is_of_runtime)) return NULL;
  note_freed(block);
  if (block) atomic_fetch_sub(&blocks, 1);
  return taken(__libc_realloc(block, size), size, is_of_runtime);
}
void *aligned_alloc(size_t alignment, size_t size) {
  const int is_of_runtime = is_runtime(__builtin_return_address(0));
  return is_refused(is_of_runtime) ? NULL : taken(__libc_memalign(alignment, size), size, is_of_runtime);
}
int posix_memalign(void **block, size_t alignment, size_t size) {
  const int is_of_runtime = is_runtime(__builtin_return_address(0));
  if (is_refused(is_of_runtime)) return ENOMEM;
  *block = taken(__libc_memalign(alignment, size), size, is_of_runtime);
  return *block ? 0 : ENOMEM;
}
void free(void *block) {
  if (block) atomic_fetch_sub(&blocks, 1);
  note_freed(block);
  __libc_free(block);
}

void *mmap(void *address, size_t length, int protection, int flags, int descriptor, off_t offset) {
  if (fails(MEMORY)) return MAP_FAILED;
  void *const block = (void *)syscall(SYS_mmap, address, length, protection, flags, descriptor, offset);
  if (block == MAP_FAILED) return block;
  atomic_fetch_add(&mappings, 1);
  if (ledger.is_open && length > RESERVE) {
    pthread_mutex_lock(&ledger.lock);
    ledger.asked += length - RESERVE + HEADER;
    pthread_mutex_unlock(&ledger.lock);
  }
  return block;
}
int munmap(void *address, size_t length) {
  atomic_fetch_sub(&mappings, 1);
  return (int)syscall(SYS_munmap, address, length);
}
