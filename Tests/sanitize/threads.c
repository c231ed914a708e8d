/* What the header allows threads to do at once, for ThreadSanitizer; results are compared with those of one thread.
 *
 *   threads           all that is allowed
 *   threads misuse    two threads write the weights of one model: a run that reports no race here has seen nothing */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "fixture.h"

enum { THREADS = 5, ROUNDS = 4, VALUES = SAMPLES * LATENT, REWARDS = 2, SCORES = REWARDS * SAMPLES, PATH = 300,
       CANCELS = 100 };

typedef void *(*body)(void *);

/* Runs `job` on THREADS threads at once, each with its own element of `data`. */
static void together(body job, void *data, size_t size) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, job, (char *)data + (size_t)i * size) == 0);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

static void score(const float *samples, int count, double *scores) {
  for (int i = 0; i < count; i++) {
    scores[i] = samples[i * LATENT];
    scores[count + i] = -samples[i * LATENT + 1] * samples[i * LATENT + 1];
  }
}

static void make_path(char *path, const char *name, int number) { snprintf(path, PATH, "%s-%d", name, number); }

/* ---- Many threads read one object */

typedef struct {
  const fixture *f;
  mixgrpo_trainer *trainer; /* after its first update */
  mixgrpo_image *image;
  char folder[PATH];
} reader;

static void read_model(const reader *r) {
  float weights[8], gradients[8];
  size_t tensors = 0, values = 0, index = 0;
  mixgrpo_model_config config = {.struct_size = sizeof config};
  mixgrpo_parameter_info info = {.struct_size = sizeof info};
  mixgrpo_model *copy = NULL, *loaded = NULL;
  DONE(mixgrpo_model_get_config(r->f->model, &config));
  DONE(mixgrpo_model_get_size(r->f->model, &tensors, &values));
  DONE(mixgrpo_model_get_parameter(r->f->model, tensors - 1, &info));
  DONE(mixgrpo_model_find_parameter(r->f->model, info.name, &index));
  DONE(mixgrpo_model_get_weights(r->f->model, values - 8, weights, 8));
  DONE(mixgrpo_model_get_gradients(r->f->model, 0, gradients, 8));
  DONE(mixgrpo_model_copy(r->f->model, &copy));
  DONE(mixgrpo_model_save(r->f->model, r->folder, MIXGRPO_STORAGE_F32));
  DONE(mixgrpo_model_load(r->f->context, r->folder, &loaded));
  mixgrpo_model_destroy(copy);
  mixgrpo_model_destroy(loaded);
}

static void read_plan(const reader *r, int iteration) {
  const mixgrpo_model_config model = small_model_config();
  const mixgrpo_workload work = {sizeof work, BATCH, TOKENS, CHANNELS, TEXT_LENGTH, 3, 2, 0, 0, 0, 0, 0, 0};
  mixgrpo_iteration_plan plan = {.struct_size = sizeof plan};
  mixgrpo_step step = {.struct_size = sizeof step};
  mixgrpo_memory memory = {.struct_size = sizeof memory};
  size_t size = 0;
  DONE(mixgrpo_plan_get_iteration(r->f->plan, iteration, MIXGRPO_WINDOW_START_SCHEDULED, BATCH, 2, &plan));
  DONE(mixgrpo_plan_get_step(r->f->plan, iteration, MIXGRPO_WINDOW_START_SCHEDULED, plan.step_count - 1, &step));
  DONE(mixgrpo_plan_predict_memory(r->f->plan, iteration, -1, &r->f->learning, &model, &work, &memory));
  DONE(mixgrpo_config_describe(&r->f->sampling, &r->f->learning, NULL, 0, &size));
  CHECK(mixgrpo_prompts_count(r->f->prompts) == PROMPTS && mixgrpo_evaluator_latent_size(r->f->evaluator) == LATENT);
}

static void read_trainer(const reader *r) {
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  mixgrpo_reward_metrics reward = {.struct_size = sizeof reward};
  char json[4096], path[PATH + 20];
  size_t size = 0;
  snprintf(path, sizeof path, "%s/metrics.jsonl", r->folder);
  DONE(mixgrpo_trainer_get_metrics(r->trainer, &metrics));
  DONE(mixgrpo_trainer_get_reward_metrics(r->trainer, 1, &reward));
  DONE(mixgrpo_trainer_get_metrics_json(r->trainer, json, sizeof json, &size));
  DONE(mixgrpo_trainer_save(r->trainer, r->folder));
  DONE(mixgrpo_trainer_append_metrics(r->trainer, path));
  DONE(mixgrpo_trainer_save_model(r->trainer, MIXGRPO_WEIGHTS_AVERAGE, r->folder, MIXGRPO_STORAGE_BF16));
  CHECK(mixgrpo_trainer_iteration(r->trainer) == 1);
}

static void read_image(const reader *r) {
  uint8_t pixels[12], png[1000];
  size_t size = 0;
  mixgrpo_image *again = NULL;
  mixgrpo_text text = {0};
  DONE(mixgrpo_image_get_pixels(r->image, pixels, sizeof pixels));
  DONE(mixgrpo_image_get_text(r->image, 0, &text));
  DONE(mixgrpo_image_encode(r->image, png, sizeof png, &size));
  DONE(mixgrpo_image_decode(png, size, &again));
  mixgrpo_image_destroy(again);
}

static void *read_all(void *data) {
  for (int round = 0; round < ROUNDS; round++) {
    read_model(data);
    read_plan(data, round);
    read_trainer(data);
    read_image(data);
  }
  return NULL;
}

static void one_iteration(mixgrpo_trainer *trainer) {
  float samples[VALUES];
  double scores[SCORES];
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES));
  score(samples, SAMPLES, scores);
  DONE(mixgrpo_trainer_update(trainer, scores, SCORES, NULL, 0, NULL));
}

static void const_handles_serve_many_threads(void) {
  const uint8_t pixels[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const mixgrpo_text text = {"prompt", "a red circle"};
  fixture f = fixture_create(2);
  f.learning.ema_decay = 0.9;
  reader readers[THREADS] = {{0}};
  mixgrpo_trainer *trainer = fixture_trainer(&f, 0);
  mixgrpo_image *image = NULL;
  one_iteration(trainer);
  DONE(mixgrpo_image_create(pixels, 12, 2, 2, &image));
  DONE(mixgrpo_image_set_texts(image, &text, 1));
  for (int i = 0; i < THREADS; i++) {
    readers[i] = (reader){.f = &f, .trainer = trainer, .image = image};
    make_path(readers[i].folder, scratch_path("reader"), i);
  }
  together(read_all, readers, sizeof readers[0]);
  mixgrpo_image_destroy(image);
  mixgrpo_trainer_destroy(trainer);
  fixture_destroy(&f);
}

/* ---- Runs beside each other */

typedef struct {
  const fixture *f; /* shares its context, plan and prompts; NULL: all of its own */
  char folder[PATH];
  size_t count;
  float *weights;
} run;

/* A model, an evaluator and a trainer of its own, trained, saved, loaded and trained again. */
static void *train(void *data) {
  run *r = data;
  fixture whole = r->f ? *r->f : fixture_create(3), f = whole;
  mixgrpo_evaluator_config geometry;
  DONE(mixgrpo_model_copy(whole.model, &f.model));
  DONE(mixgrpo_evaluator_config_init(&geometry, sizeof geometry));
  geometry.height_tokens = geometry.width_tokens = 2;
  geometry.text_length = TEXT_LENGTH;
  geometry.max_batch = 3;
  DONE(mixgrpo_evaluator_create(f.model, &geometry, NULL, 0, &f.evaluator));
  mixgrpo_trainer *trainer = fixture_trainer(&f, 1);
  for (int i = 0; i < ROUNDS; i++) {
    one_iteration(trainer);
    DONE(mixgrpo_trainer_checkpoint(trainer, r->folder, 2, 0));
    if (i % 2) DONE(mixgrpo_trainer_resume(trainer, r->folder, NULL));
  }
  DONE(mixgrpo_model_get_size(f.model, NULL, &r->count));
  r->weights = malloc(r->count * sizeof *r->weights);
  DONE(mixgrpo_model_get_weights(f.model, 0, r->weights, r->count));
  mixgrpo_trainer_destroy(trainer);
  mixgrpo_evaluator_destroy(f.evaluator);
  mixgrpo_model_destroy(f.model);
  if (!r->f) fixture_destroy(&whole);
  return NULL;
}

static void runs_side_by_side_give_the_same_bits(const fixture *shared, const char *name) {
  run alone = {.f = shared}, runs[THREADS] = {{0}};
  make_path(alone.folder, scratch_path(name), THREADS);
  train(&alone);
  for (int i = 0; i < THREADS; i++) {
    runs[i].f = shared;
    make_path(runs[i].folder, scratch_path(name), i);
  }
  together(train, runs, sizeof runs[0]);
  for (int i = 0; i < THREADS; i++) {
    CHECK(runs[i].count == alone.count && memcmp(runs[i].weights, alone.weights, alone.count * sizeof *alone.weights) == 0);
    free(runs[i].weights);
  }
  free(alone.weights);
}

/* ---- Cancel, from other threads */

typedef struct { const mixgrpo_context *context; int *is_over; } canceller;

static void *cancel_often(void *data) {
  const canceller *c = data;
  for (int i = 0; i < CANCELS && !__atomic_load_n(c->is_over, __ATOMIC_RELAXED); i++) {
    const struct timespec pause = {0, (i % 7) * 1000000L};
    DONE(mixgrpo_context_cancel(c->context));
    CHECK(mixgrpo_context_is_cancelled(c->context) >= 0);
    nanosleep(&pause, NULL);
  }
  return NULL;
}

/* Done, or cancelled and to be tried again. */
static int is_done(const fixture *f, mixgrpo_status status) {
  CHECK(status == MIXGRPO_STATUS_OK || status == MIXGRPO_STATUS_CANCELLED);
  if (status == MIXGRPO_STATUS_CANCELLED) DONE(mixgrpo_context_reset_cancel(f->context));
  return status == MIXGRPO_STATUS_OK;
}

static void cancel_may_come_at_any_time(void) {
  fixture f = fixture_create(3);
  float samples[VALUES];
  double scores[SCORES];
  int is_over = 0;
  pthread_t thread;
  canceller c = {f.context, &is_over};
  mixgrpo_trainer *trainer = fixture_trainer(&f, 0);
  const char *folder = scratch_path("cancelled");
  mixgrpo_sample_config config;
  DONE(mixgrpo_sample_config_init(&config, sizeof config));
  config.steps = 3;
  CHECK(pthread_create(&thread, NULL, cancel_often, &c) == 0);
  for (int i = 0; i < ROUNDS; i++) {
    while (!is_done(&f, mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, VALUES))) {}
    score(samples, SAMPLES, scores);
    while (!is_done(&f, mixgrpo_trainer_update(trainer, scores, SCORES, NULL, 0, NULL))) {}
    DONE(mixgrpo_trainer_save(trainer, folder));
    while (!is_done(&f, mixgrpo_trainer_sample(
        trainer, MIXGRPO_WEIGHTS_TRAINED, &config, chosen_prompts, BATCH, NULL, 0, samples, BATCH * LATENT))) {}
  }
  __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
  pthread_join(thread, NULL);
  mixgrpo_trainer_destroy(trainer);
  fixture_destroy(&f);
}

/* ---- Contexts and errors of each thread */

static void *fail_and_read_the_reason(void *data) {
  const int number = *(const int *)data;
  char expected[40];
  mixgrpo_context *context = NULL;
  snprintf(expected, sizeof expected, "got %d", number);
  for (int i = 0; i < 50; i++) {
    REFUSED(MIXGRPO_STATUS_INVALID_ARGUMENT, expected, mixgrpo_context_create(number, &context));
    DONE(mixgrpo_context_create(2, &context));
    DONE(mixgrpo_context_cancel(context));
    mixgrpo_context_destroy(context);
    REFUSED(MIXGRPO_STATUS_INVALID_ARGUMENT, "context", mixgrpo_context_cancel(context));
  }
  return NULL;
}

static void every_thread_has_its_own_last_error(void) {
  int numbers[THREADS];
  for (int i = 0; i < THREADS; i++) numbers[i] = 2000 + i;
  together(fail_and_read_the_reason, numbers, sizeof numbers[0]);
}

/* ---- Rewards of tickets from many threads, while the trainer's own thread samples */

typedef struct { mixgrpo_trainer *trainer; int64_t ticket; int may_be_late; float samples[GROUP * LATENT]; } part;

static void *score_part(void *data) {
  part *p = data;
  double scores[REWARDS * GROUP];
  size_t open = 0;
  int64_t tickets[PROMPTS];
  score(p->samples, GROUP, scores);
  const mixgrpo_status status = mixgrpo_trainer_submit_rewards(p->trainer, p->ticket, scores, REWARDS * GROUP);
  CHECK(status == MIXGRPO_STATUS_OK || (p->may_be_late && status == MIXGRPO_STATUS_INVALID_STATE));
  DONE(mixgrpo_trainer_get_open_tickets(p->trainer, tickets, PROMPTS, &open));
  return NULL;
}

static void rewards_may_come_from_other_threads(void) {
  fixture f = fixture_create(3);
  mixgrpo_trainer *trainer = fixture_trainer(&f, 0);
  part parts[PROMPTS];
  pthread_t threads[PROMPTS];
  for (int round = 0; round < ROUNDS; round++) {
    const int waits = round % 2;
    for (int32_t i = 0; i < PROMPTS; i++) {
      parts[i].trainer = trainer;
      parts[i].may_be_late = !waits;
      DONE(mixgrpo_trainer_rollout_ticket(trainer, &i, 1, parts[i].samples, GROUP * LATENT, &parts[i].ticket));
      CHECK(pthread_create(&threads[i], NULL, score_part, &parts[i]) == 0);
    }
    for (int i = 0; waits && i < PROMPTS; i++) pthread_join(threads[i], NULL);
    const mixgrpo_missing_rewards missing = waits ? MIXGRPO_MISSING_REWARDS_REFUSE : MIXGRPO_MISSING_REWARDS_EXCLUDE;
    DONE(mixgrpo_trainer_update_tickets(trainer, missing, NULL, 0, NULL));
    for (int i = 0; !waits && i < PROMPTS; i++) pthread_join(threads[i], NULL);
  }
  mixgrpo_trainer_destroy(trainer);
  fixture_destroy(&f);
}

/* ---- What is forbidden */

static void *write_weights(void *data) {
  const float value = 1;
  for (int i = 0; i < 1000; i++) DONE(mixgrpo_model_set_weights(*(mixgrpo_model **)data, 0, &value, 1));
  return NULL;
}

static void two_threads_write_one_model(void) {
  fixture f = fixture_create(2);
  mixgrpo_model *models[THREADS];
  for (int i = 0; i < THREADS; i++) models[i] = f.model;
  together(write_weights, models, sizeof models[0]);
  fixture_destroy(&f);
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "misuse") == 0) {
    two_threads_write_one_model();
    return 0;
  }
  fixture shared = fixture_create(3);
  const_handles_serve_many_threads();
  runs_side_by_side_give_the_same_bits(&shared, "shared");
  runs_side_by_side_give_the_same_bits(NULL, "own");
  cancel_may_come_at_any_time();
  every_thread_has_its_own_last_error();
  rewards_may_come_from_other_threads();
  fixture_destroy(&shared);
  printf("threads: %d checks, %d failures\n", check_count(), check_failures());
  return check_failures() != 0;
}
