/* What random calls work on: guarded buffers, pools of handles, a scratch folder; and how a call's outcome is judged. */
#ifndef WORLD_H
#define WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "mixgrpo.h"

/* ---- Buffers: each ends where memory that may not be touched begins, so that one value too many is a fault. */

enum { BUFFER_BYTES = 1 << 18 };

/* Room for `bytes`, filled with a pattern. Lives until the current call has been judged. At most BUFFER_BYTES, ten a call. */
void *room(size_t bytes);
/* An output of a call: as `room`, and after a call that failed its bytes must be as before. */
void *output(size_t bytes);
/* Now and then a pointer that is NULL or misaligned in place of `pointer`. */
void *spoiled(void *pointer);

float *floats(size_t count);
double *doubles(size_t count);

/* ---- Handles */

typedef enum { CONTEXT, MODEL, PROMPTS, EVALUATOR, PLAN, ROLLOUT, UPDATE, OPTIMIZER, TRAINER, IMAGE, EVALUATION, LOCAL_RANKS, KINDS } kind;

/* A live handle of the kind; now and then NULL, one destroyed, of another kind, or made up. */
void *pick(kind kind);
/* The same for a call that only reads: also one that all threads share. */
void *pick_const(kind kind);
/* A live handle of this thread or NULL. */
void *live(kind kind);
/* From now on `live` mostly returns this handle for its kind, until it is destroyed or `unfocus`. */
void focus(kind kind, void *handle);
void unfocus(void);
/* Keeps a handle; a full pool destroys another for it. */
void keep(kind kind, void *handle);
/* Takes a handle out of the pool and destroys it. */
void drop(kind kind, void *handle);
void drop_all(void);
/* Makes a handle one that all threads read. */
void share(kind kind, void *handle);

/* ---- Files: a scratch folder of this process */

void make_scratch(void);
void remove_scratch(void);
/* A path inside the scratch folder (or to nothing): files, folders, a pipe, a link, names of all sorts. */
const char *any_path(void);

/* ---- Judging */

/* Begins a call; `name` is reported when the call does not return. */
void begin(const char *name);
/* Ends it: the status must be one of the header's, an error must have one line of text, its outputs be untouched. Gives the
 * status back. */
mixgrpo_status judge(mixgrpo_status status);
/* Something that must hold. */
void must(int holds, const char *what);
/* Calls judged in this thread, and those of them that succeeded. */
uint64_t calls_done(void);
uint64_t calls_succeeded(void);
/* The call that this thread began last, and that any thread did. */
const char *current_call(void);
const char *latest_call(void);

/* For every handle that a create call hands out: keeps it if the call succeeded. */
void keep_created(kind kind, mixgrpo_status status, void **place);

#endif
