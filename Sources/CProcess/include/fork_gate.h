#ifndef MIXGRPO_FORK_GATE_H
#define MIXGRPO_FORK_GATE_H

#include <pthread.h>

#pragma GCC visibility push(hidden)

/* No lock of the library is held while the process forks, so that none stays locked in the child, where its holder does not
 * exist. Whoever takes a lock enters the gate first; a fork waits until all have left and keeps others out. Locks are held for
 * moments only, never while a callback of the host runs. */
void mixgrpo_fork_gate_enter(void);
void mixgrpo_fork_gate_leave(void);

/* The lock of the thread pool, which its threads hold without the gate; a fork takes it, too. */
pthread_mutex_t *mixgrpo_thread_pool_mutex(void);

/* Forks between the process that loaded the library and this one. */
unsigned mixgrpo_fork_count(void);

#pragma GCC visibility pop

#endif
