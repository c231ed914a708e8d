/* One random call of each function of mixgrpo.h. table.h lists the functions: without a RANDOM_CALL for each the fuzzer does not
 * link. Buffers are taken before CALL, which remembers what outputs hold. */
#ifndef CALLS_H
#define CALLS_H

#include "chance.h"
#include "mixgrpo.h"
#include "world.h"

#define CALL(function, ...) (begin(#function), judge(function(__VA_ARGS__)))

/* A result struct: its size set, now and then wrongly. */
void *result(size_t size);
/* Small settings that are quick to run, then disturbed. */
mixgrpo_model_config some_model_config(void);
mixgrpo_sampling_config some_sampling_config(void);
mixgrpo_learning_config some_learning_config(void);
mixgrpo_sample_config *some_sample_config(void);

typedef struct {
  void (*call)(void);
  int weight; /* how often, relative to the others */
} random_call;

/* Defines the random call of mixgrpo_NAME. */
#define RANDOM_CALL(name, weight) \
  static void name(void);         \
  const random_call call_##name = {name, weight}; \
  static void name(void)

#define FUNCTION(name) extern const random_call call_##name;
#include "table.h"
#undef FUNCTION

/* Whole runs of a host: many calls that follow from each other. */
extern const random_call run_owner, run_states;

/* mixgrpo_trainer_fail; the status that it returns may be the reported one, which is then no error of this call. */
mixgrpo_status report_failure(void *trainer, mixgrpo_status reported, const char *message);

/* One random call, or one whole run. */
void call_something(void);
/* Every function was called by its own random call. */
void check_all_called(void);
/* Objects that all threads read: made once, before threads start. */
void share_objects(void);

#endif
