#include "fork_gate.h"

static pthread_rwlock_t gate = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t pool = PTHREAD_MUTEX_INITIALIZER;
static unsigned forks;

void mixgrpo_fork_gate_enter(void) { pthread_rwlock_rdlock(&gate); }
void mixgrpo_fork_gate_leave(void) { pthread_rwlock_unlock(&gate); }
pthread_mutex_t *mixgrpo_thread_pool_mutex(void) { return &pool; }
unsigned mixgrpo_fork_count(void) { return forks; }

static void before_fork(void) {
  pthread_rwlock_wrlock(&gate);
  pthread_mutex_lock(&pool);
}

static void after_fork(void) {
  pthread_mutex_unlock(&pool);
  pthread_rwlock_unlock(&gate);
}

/* Made anew instead of unlocked: the child's thread has another id than the one that holds them, and nobody waits. */
static void in_child(void) {
  pthread_mutex_init(&pool, NULL);
  pthread_rwlock_init(&gate, NULL);
  forks++;
}

/* When the library is loaded, before any thread can be inside a call. */
__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(before_fork, after_fork, in_child); }
