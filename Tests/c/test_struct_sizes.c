/* Hosts compiled against an earlier, shorter struct are served; any other size is an error. */
#include <stddef.h>
#include <string.h>

#include "check.h"
#include "fixture.h"
#include "tests.h"

enum {
  OLD_SAMPLING = offsetof(mixgrpo_sampling_config, window_minimum_gain),
  OLD_LEARNING = offsetof(mixgrpo_learning_config, fault_policy),
  OLD_EVALUATOR = offsetof(mixgrpo_evaluator_config, max_bytes),
  OLD_WORKLOAD = offsetof(mixgrpo_workload, recompute_activations),
  OLD_METRICS = offsetof(mixgrpo_metrics, skipped_steps),
  UNTOUCHED = 0x5a,
};

/* True when no byte from `size` on was written. */
static int ends_at(const void *value, size_t size, size_t whole) {
  const unsigned char *bytes = value;
  for (size_t i = size; i < whole; i++)
    if (bytes[i] != UNTOUCHED) return 0;
  return 1;
}

#define ENDS_AT(value, size) ends_at(&(value), (size), sizeof(value))

static void what_an_older_configuration_lacks_is_not_read(const fixture *f) {
  mixgrpo_sampling_config sampling = f->sampling;
  mixgrpo_learning_config learning = f->learning;
  sampling.reserved = 3;
  learning.fault_policy = 99;
  INVALID("reserved", mixgrpo_config_check(&sampling, NULL));
  INVALID("fault_policy", mixgrpo_config_check(NULL, &learning));
  sampling.struct_size = OLD_SAMPLING;
  learning.struct_size = OLD_LEARNING;
  DONE(mixgrpo_config_check(&sampling, &learning));
  learning.clip_range = -1;
  INVALID("clip_range", mixgrpo_config_check(&sampling, &learning));
}

static void an_older_evaluator_and_workload_have_no_budget(const fixture *f) {
  const mixgrpo_model_config model = small_model_config();
  mixgrpo_evaluator_config geometry;
  mixgrpo_evaluator *evaluator = NULL;
  mixgrpo_workload work = {sizeof work, BATCH, TOKENS, CHANNELS, TEXT_LENGTH, 3, 2, 0, 9, 0, 0};
  mixgrpo_memory memory = {.struct_size = sizeof memory};
  DONE(mixgrpo_evaluator_config_init(&geometry, sizeof geometry));
  geometry.height_tokens = geometry.width_tokens = 2;
  geometry.text_length = TEXT_LENGTH;
  geometry.max_bytes = 1;
  REFUSED(MIXGRPO_STATUS_OUT_OF_MEMORY, "max_bytes", mixgrpo_evaluator_create(f->model, &geometry, NULL, 0, &evaluator));
  geometry.struct_size = OLD_EVALUATOR;
  DONE(mixgrpo_evaluator_create(f->model, &geometry, NULL, 0, &evaluator));
  mixgrpo_evaluator_destroy(evaluator);
  INVALID("recompute_activations", mixgrpo_plan_predict_memory(f->plan, 0, -1, &f->learning, &model, &work, &memory));
  work.struct_size = OLD_WORKLOAD;
  DONE(mixgrpo_plan_predict_memory(f->plan, 0, -1, &f->learning, &model, &work, &memory));
}

static void nothing_is_written_beyond_an_older_struct(const fixture *f) {
  mixgrpo_sampling_config sampling;
  mixgrpo_learning_config learning;
  mixgrpo_evaluator_config geometry;
  memset(&sampling, UNTOUCHED, sizeof sampling);
  memset(&learning, UNTOUCHED, sizeof learning);
  memset(&geometry, UNTOUCHED, sizeof geometry);
  DONE(mixgrpo_config_init(&sampling, OLD_SAMPLING, &learning, OLD_LEARNING));
  DONE(mixgrpo_evaluator_config_init(&geometry, OLD_EVALUATOR));
  CHECK(sampling.struct_size == OLD_SAMPLING && sampling.steps == 25 && ENDS_AT(sampling, OLD_SAMPLING));
  CHECK(learning.struct_size == OLD_LEARNING && learning.clip_range == 1e-4 && ENDS_AT(learning, OLD_LEARNING));
  CHECK(geometry.struct_size == OLD_EVALUATOR && geometry.guidance == 3.5 && ENDS_AT(geometry, OLD_EVALUATOR));
  sampling.seed = 17;
  DONE(mixgrpo_config_init_preset("flow_grpo", &sampling, &learning));
  CHECK(sampling.struct_size == OLD_SAMPLING && sampling.seed == 17 && ENDS_AT(sampling, OLD_SAMPLING));
  CHECK(learning.struct_size == OLD_LEARNING && learning.kl_reference == 0.04 && ENDS_AT(learning, OLD_LEARNING));

  mixgrpo_metrics metrics;
  mixgrpo_trainer *trainer = fixture_trainer(f, 0);
  float samples[SAMPLES * LATENT];
  const double rewards[2 * SAMPLES] = {1, 2, 3};
  memset(&metrics, UNTOUCHED, sizeof metrics);
  metrics.struct_size = OLD_METRICS;
  DONE(mixgrpo_trainer_rollout(trainer, chosen_prompts, BATCH, samples, SAMPLES * LATENT));
  DONE(mixgrpo_trainer_update(trainer, rewards, 2 * SAMPLES, NULL, 0, &metrics));
  CHECK(metrics.struct_size == OLD_METRICS && metrics.first_ratio_min == 1 && ENDS_AT(metrics, OLD_METRICS));
  mixgrpo_trainer_destroy(trainer);
}

static void any_other_size_is_refused(const fixture *f) {
  mixgrpo_learning_config learning = f->learning;
  for (uint32_t size = 0; size < 2 * sizeof learning; size++) {
    if (size == OLD_LEARNING || size == sizeof learning) continue;
    learning.struct_size = size;
    INVALID("struct_size", mixgrpo_config_check(NULL, &learning));
    INVALID("struct_size", mixgrpo_config_init(NULL, 0, &learning, size ? size : 1));
  }
}

static void an_older_struct_need_not_be_aligned_for_what_it_lacks(const fixture *f) {
  uint64_t room[16];
  mixgrpo_memory memory = {.struct_size = sizeof memory};
  const mixgrpo_workload work = {OLD_WORKLOAD, BATCH, TOKENS, CHANNELS, TEXT_LENGTH, 3, 2, 0, 0, 0, 0};
  void *place = (char *)room + 4;
  memcpy(place, &work, OLD_WORKLOAD);
  DONE(mixgrpo_plan_predict_memory(f->plan, 0, -1, NULL, NULL, place, &memory));
  INVALID("workload", mixgrpo_plan_predict_memory(f->plan, 0, -1, NULL, NULL, (void *)((char *)room + 1), &memory));
}

void test_struct_sizes(void) {
  fixture f = fixture_create(1);
  what_an_older_configuration_lacks_is_not_read(&f);
  an_older_evaluator_and_workload_have_no_budget(&f);
  nothing_is_written_beyond_an_older_struct(&f);
  any_other_size_is_refused(&f);
  an_older_struct_need_not_be_aligned_for_what_it_lacks(&f);
  fixture_destroy(&f);
}
