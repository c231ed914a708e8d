/* One random call each of every function of mixgrpo.h. Buffers are taken before CALL, which remembers what outputs hold. */
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

extern const random_call context_calls[], model_calls[], plan_calls[], rollout_calls[], trainer_calls[], piece_calls[], image_calls[],
    evaluation_calls[], host_calls[];

/* One random call out of all tables. */
void call_something(void);
/* Objects that all threads read: made once, before threads start. */
void share_objects(void);

#endif
