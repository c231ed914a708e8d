#define _POSIX_C_SOURCE 200809L
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "fixture.h"
#include "tests.h"

static void versions_agree_with_the_header(void) {
  char expected[32];
  CHECK(mixgrpo_abi_version() == MIXGRPO_ABI_VERSION);
  snprintf(
      expected, sizeof expected, "%d.%d.%d", MIXGRPO_VERSION_MAJOR, MIXGRPO_VERSION_MINOR, MIXGRPO_VERSION_PATCH);
  CHECK(strcmp(mixgrpo_version(), expected) == 0);
}

static void every_status_has_a_name(void) {
  for (mixgrpo_status status = MIXGRPO_STATUS_DIVERGED; status <= MIXGRPO_STATUS_CANCELLED; status++)
    CHECK(strcmp(mixgrpo_status_name(status), "unknown") != 0);
  CHECK(strcmp(mixgrpo_status_name(MIXGRPO_STATUS_OK), "ok") == 0);
  CHECK(strcmp(mixgrpo_status_name(2), "unknown") == 0);
  CHECK(strcmp(mixgrpo_status_name(INT32_MIN), "unknown") == 0);
}

static void threads_have_bounds(void) {
  mixgrpo_context *context = NULL;
  INVALID("threads", mixgrpo_context_create(-1, &context));
  INVALID("threads", mixgrpo_context_create(1025, &context));
  INVALID("threads", mixgrpo_context_create(INT32_MIN, &context));
  INVALID("out_context", mixgrpo_context_create(1, NULL));
  CHECK(context == NULL);
  DONE(mixgrpo_context_create(0, &context));
  CHECK(mixgrpo_context_threads(context) >= 1);
  mixgrpo_context_destroy(context);
  CHECK(mixgrpo_context_threads(context) == 0);
  CHECK(mixgrpo_context_threads(NULL) == 0);
}

static void cancel_is_sticky_until_reset(void) {
  mixgrpo_context *context;
  DONE(mixgrpo_context_create(1, &context));
  CHECK(!mixgrpo_context_is_cancelled(context));
  DONE(mixgrpo_context_cancel(context));
  DONE(mixgrpo_context_cancel(context));
  CHECK(mixgrpo_context_is_cancelled(context));
  DONE(mixgrpo_context_reset_cancel(context));
  CHECK(!mixgrpo_context_is_cancelled(context));
  CHECK(!mixgrpo_context_is_cancelled(NULL));
  mixgrpo_context_destroy(context);
  INVALID("context", mixgrpo_context_cancel(context));
}

static void *cancel(void *context) {
  mixgrpo_context_cancel(context);
  return NULL;
}

static void cancel_reaches_its_own_context_from_any_thread(void) {
  mixgrpo_context *contexts[4];
  pthread_t thread;
  for (int i = 0; i < 4; i++) DONE(mixgrpo_context_create(1, &contexts[i]));
  mixgrpo_context_destroy(contexts[1]);
  DONE(mixgrpo_context_create(1, &contexts[1]));
  CHECK(pthread_create(&thread, NULL, cancel, contexts[1]) == 0);
  pthread_join(thread, NULL);
  for (int i = 0; i < 4; i++) CHECK(mixgrpo_context_is_cancelled(contexts[i]) == (i == 1));
  for (int i = 0; i < 4; i++) {
    DONE(mixgrpo_context_cancel(contexts[i]));
    CHECK(mixgrpo_context_is_cancelled(contexts[i]));
    mixgrpo_context_destroy(contexts[i]);
  }
}

static void count_log(void *user_data, mixgrpo_log_level level, const char *message) {
  CHECK(level == MIXGRPO_LOG_LEVEL_WARNING && strlen(message) > 0);
  ++*(int *)user_data;
}

typedef struct {
  int calls, in_order, finished;
  int64_t last;
  mixgrpo_stage stage;
} seen_progress;

static void note_progress(void *user_data, const mixgrpo_progress *progress) {
  seen_progress *seen = user_data;
  seen->calls++;
  seen->in_order = seen->in_order && progress->done > seen->last && progress->done <= progress->total;
  seen->finished = progress->done == progress->total;
  seen->last = progress->done;
  seen->stage = progress->stage;
  CHECK(progress->struct_size == sizeof *progress);
}

static void progress_and_log_reach_their_receivers(void) {
  fixture f = fixture_create(2);
  mixgrpo_trainer *trainer = fixture_trainer(&f, 0);
  float samples[SAMPLES * LATENT];
  const double rewards[2 * SAMPLES] = {0};
  seen_progress seen = {0, 1, 0, 0, 9};
  int lines = 0;
  DONE(mixgrpo_context_set_log(f.context, count_log, &lines));
  DONE(mixgrpo_context_set_progress(f.context, note_progress, &seen));
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, SAMPLES * LATENT));
  CHECK(seen.calls > 1 && seen.in_order && seen.finished && seen.stage == MIXGRPO_STAGE_ROLLOUT);
  seen = (seen_progress){0, 1, 0, 0, 9};
  DONE(mixgrpo_trainer_update(trainer, rewards, 2 * SAMPLES, NULL, 0, NULL));
  CHECK(seen.calls > 1 && seen.in_order && seen.finished && seen.stage == MIXGRPO_STAGE_UPDATE);
  CHECK(lines == 1); /* equal rewards teach nothing */
  DONE(mixgrpo_context_set_log(f.context, NULL, NULL));
  DONE(mixgrpo_context_set_progress(f.context, NULL, NULL));
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, SAMPLES * LATENT));
  CHECK(lines == 1);
  mixgrpo_trainer_destroy(trainer);
  fixture_destroy(&f);
}

/* A rollout that was begun by hand reports what is left. */
static void progress_counts_from_where_the_work_stands(void) {
  fixture f = fixture_create(1);
  mixgrpo_rollout *rollout = fixture_rollout(&f);
  mixgrpo_velocity_request request = {.struct_size = sizeof request};
  const float velocity[SAMPLES * LATENT] = {0};
  for (int i = 0; i < 2; i++) {
    DONE(mixgrpo_rollout_next(rollout, &request));
    DONE(mixgrpo_rollout_submit(rollout, velocity, request.count * LATENT));
  }
  seen_progress seen = {0, 1, 0, 0, 9};
  const int64_t done = mixgrpo_rollout_model_calls(rollout);
  DONE(mixgrpo_context_set_progress(f.context, note_progress, &seen));
  DONE(mixgrpo_rollout_run(rollout, f.evaluator, f.prompts));
  CHECK(seen.calls > 1 && seen.in_order && seen.finished && seen.stage == MIXGRPO_STAGE_ROLLOUT);
  CHECK(done > 0 && seen.last == mixgrpo_rollout_model_calls(rollout) - done);
  mixgrpo_rollout_destroy(rollout);
  fixture_destroy(&f);
}

static void each_way_of_sampling_reports_its_progress(void) {
  fixture f = fixture_create(1);
  mixgrpo_trainer *trainer = fixture_trainer(&f, 0);
  mixgrpo_evaluation *evaluation = NULL;
  mixgrpo_evaluation_config config;
  mixgrpo_sample_config sample;
  const char *const names[] = {"taste"};
  float samples[BATCH * LATENT];
  seen_progress seen[3] = {{0, 1, 0, 0, 9}, {0, 1, 0, 0, 9}, {0, 1, 0, 0, 9}};
  DONE(mixgrpo_evaluation_config_init(&config, sizeof config));
  DONE(mixgrpo_sample_config_init(&sample, sizeof sample));
  sample.steps = 3;
  DONE(mixgrpo_evaluation_create(&config, &sample, chosen_prompts, BATCH, names, NULL, NULL, 1, &evaluation));
  DONE(mixgrpo_context_set_progress(f.context, note_progress, &seen[0]));
  DONE(mixgrpo_evaluation_sample(evaluation, trainer, samples, BATCH * LATENT));
  DONE(mixgrpo_context_set_progress(f.context, note_progress, &seen[1]));
  DONE(mixgrpo_trainer_sample(
      trainer, MIXGRPO_WEIGHTS_TRAINED, &sample, chosen_prompts, BATCH, NULL, 0, samples, BATCH * LATENT));
  DONE(mixgrpo_context_set_progress(f.context, note_progress, &seen[2]));
  DONE(mixgrpo_evaluator_sample(
      f.evaluator, NULL, f.prompts, &sample, chosen_prompts, BATCH, NULL, 0, samples, BATCH * LATENT));
  for (int i = 0; i < 3; i++) {
    CHECK(seen[i].calls > 1 && seen[i].in_order && seen[i].finished && seen[i].stage == MIXGRPO_STAGE_SAMPLE);
    CHECK(seen[i].last == 3 * BATCH);
  }
  mixgrpo_evaluation_destroy(evaluation);
  mixgrpo_trainer_destroy(trainer);
  fixture_destroy(&f);
}

/* Milliseconds that all threads of the process have computed. */
static double computed_milliseconds(void) {
  struct timespec time;
  CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0);
  return 1e3 * (double)time.tv_sec + 1e-6 * (double)time.tv_nsec;
}

static void idle_threads_sleep(void) {
  fixture f = fixture_create(3);
  mixgrpo_trainer *trainer = fixture_trainer(&f, 0);
  float samples[SAMPLES * LATENT];
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, SAMPLES * LATENT));
  const double before = computed_milliseconds();
  nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
  CHECK(computed_milliseconds() - before < 50); /* one thread that spins computes 500, on a busy machine half of that */
  mixgrpo_trainer_destroy(trainer);
  fixture_destroy(&f);
}

static void *provoke(void *ignored) {
  (void)ignored;
  CHECK(strcmp(mixgrpo_last_error(), "") == 0);
  INVALID("context", mixgrpo_context_cancel(NULL));
  return NULL;
}

static void last_error_belongs_to_its_thread(void) {
  char before[256];
  pthread_t thread;
  INVALID("threads", mixgrpo_context_create(-3, (mixgrpo_context *[]){NULL}));
  CHECK(strstr(mixgrpo_last_error(), "expected 0") && strstr(mixgrpo_last_error(), "got -3"));
  snprintf(before, sizeof before, "%s", mixgrpo_last_error());
  CHECK(pthread_create(&thread, NULL, provoke, NULL) == 0);
  pthread_join(thread, NULL);
  CHECK(strcmp(mixgrpo_last_error(), before) == 0);
}

static void bad_handles_are_errors(void) {
  fixture f = fixture_create(2);
  BAD_HANDLES(h, "context", f.plan, mixgrpo_context_cancel(h));
  BAD_HANDLES(h, "context", f.plan, mixgrpo_context_reset_cancel(h));
  BAD_HANDLES(h, "context", f.plan, mixgrpo_context_set_log(h, NULL, NULL));
  BAD_HANDLES(h, "context", f.plan, mixgrpo_context_set_progress(h, NULL, NULL));
  mixgrpo_context_destroy(NULL);
  mixgrpo_context_destroy(MADE_UP_HANDLE);
  mixgrpo_context_destroy((void *)f.plan);
  CHECK(mixgrpo_plan_get_iteration(f.plan, 0, -1, 1, 1, &(mixgrpo_iteration_plan){.struct_size = sizeof(mixgrpo_iteration_plan)}) == 0);
  fixture_destroy(&f);
  fixture_destroy(&f);
}

void test_context(void) {
  versions_agree_with_the_header();
  every_status_has_a_name();
  threads_have_bounds();
  cancel_is_sticky_until_reset();
  cancel_reaches_its_own_context_from_any_thread();
  progress_and_log_reach_their_receivers();
  progress_counts_from_where_the_work_stands();
  each_way_of_sampling_reports_its_progress();
  idle_threads_sleep();
  last_error_belongs_to_its_thread();
  bad_handles_are_errors();
}
