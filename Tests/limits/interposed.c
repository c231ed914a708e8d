#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "limits.h"

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

enum { LARGE = 64 << 10 };

static atomic_long first_refused, requests;
static atomic_int refused, without_threads;

void fail_memory_from(long n) {
  atomic_store(&first_refused, 0);
  atomic_store(&requests, 0);
  atomic_store(&refused, 0);
  atomic_store(&first_refused, n);
}

int memory_was_refused(void) { return atomic_load(&refused); }
void refuse_threads(int flag) { atomic_store(&without_threads, flag); }

/* Memory runs out where it is asked for and can be refused: at a question (mmap) or an aligned block. Arrays of Swift's runtime come
 * by malloc, after a question; they fail once memory has run out, and would show whoever did not ask. */
static int is_refused(size_t size, int is_question) {
  const long first = atomic_load(&first_refused);
  if (size < LARGE || first == 0) return 0;
  if (is_question) atomic_fetch_add(&requests, 1);
  if (atomic_load(&requests) < first) return 0;
  atomic_store(&refused, 1);
  errno = ENOMEM;
  return 1;
}

void *malloc(size_t size) { return is_refused(size, 0) ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return is_refused(count * size, 0) ? NULL : __libc_calloc(count, size); }
void *realloc(void *block, size_t size) { return is_refused(size, 0) ? NULL : __libc_realloc(block, size); }
void *aligned_alloc(size_t alignment, size_t size) { return is_refused(size, 1) ? NULL : __libc_memalign(alignment, size); }
int posix_memalign(void **block, size_t alignment, size_t size) {
  *block = is_refused(size, 1) ? NULL : __libc_memalign(alignment, size);
  return *block ? 0 : ENOMEM;
}
void *mmap(void *address, size_t length, int protection, int flags, int descriptor, off_t offset) {
  if (is_refused(length, 1)) return MAP_FAILED;
  return (void *)syscall(SYS_mmap, address, length, protection, flags, descriptor, offset);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
  static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  if (atomic_load(&without_threads)) return EAGAIN;
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
  return real(thread, attributes, body, argument);
}
