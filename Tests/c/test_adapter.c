#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fixture.h"
#include "tests.h"

static size_t values_of(const mixgrpo_model *model) {
  size_t values = 0;
  DONE(mixgrpo_model_get_size(model, NULL, &values));
  return values;
}

static void defaults_and_bounds(const fixture *f) {
  mixgrpo_lora_config config;
  mixgrpo_model *model = NULL;
  INVALID("struct_size", mixgrpo_lora_config_init(&config, 0));
  DONE(mixgrpo_lora_config_init(&config, sizeof config));
  CHECK(config.struct_size == sizeof config && config.rank == 16 && config.alpha == 16);
  CHECK(config.rank_stabilized == 0 && config.reserved == 0 && config.seed == 0);
  const mixgrpo_lora_config standard = config;
  const int32_t absurd[] = {0, -1, INT32_MIN, INT32_MAX};
  for (int i = 0; i < 4; i++) {
    config = standard;
    config.rank = absurd[i];
    INVALID("rank", mixgrpo_model_adapt(f->model, &config, NULL, 0, &model));
  }
  config = standard;
  config.alpha = NAN;
  INVALID("alpha", mixgrpo_model_adapt(f->model, &config, NULL, 0, &model));
  config = standard;
  config.reserved = 1;
  INVALID("reserved", mixgrpo_model_adapt(f->model, &config, NULL, 0, &model));
  config = standard;
  config.rank = 2;
  const char *targets[] = {"to_z"};
  INVALID("targets", mixgrpo_model_adapt(f->model, &config, targets, 1, &model));
  INVALID("targets", mixgrpo_model_adapt(f->model, &config, NULL, 1, &model));
  INVALID("config", mixgrpo_model_adapt(f->model, NULL, NULL, 0, &model));
  INVALID("out_model", mixgrpo_model_adapt(f->model, &config, NULL, 0, NULL));
  BAD_HANDLES(h, "base", f->context, mixgrpo_model_adapt(h, &config, NULL, 0, &model));
  CHECK(model == NULL);
}

static void an_adapter_is_saved_loaded_and_merged(const fixture *f) {
  mixgrpo_lora_config config;
  mixgrpo_model *adapted = NULL, *loaded = NULL, *merged = NULL, *again = NULL;
  const char *targets[] = {"to_q", "*.proj_mlp"};
  DONE(mixgrpo_lora_config_init(&config, sizeof config));
  config.rank = 2;
  DONE(mixgrpo_model_adapt(f->model, &config, targets, 2, &adapted));
  const size_t count = values_of(adapted);
  CHECK(count > 0 && count < values_of(f->model));
  INVALID("model", mixgrpo_model_adapt(adapted, &config, NULL, 0, &again));
  float *values = malloc(count * sizeof *values), *read = malloc(count * sizeof *read);
  for (size_t i = 0; i < count; i++) values[i] = (float)(i % 7) * 0.1f - 0.3f;
  DONE(mixgrpo_model_set_weights(adapted, 0, values, count));
  const char *folder = scratch_path("adapter");
  DONE(mixgrpo_model_save_adapter(adapted, folder, MIXGRPO_ADAPTER_FORMAT_PEFT));
  DONE(mixgrpo_model_load_adapter(f->model, folder, &loaded));
  CHECK(values_of(loaded) == count);
  DONE(mixgrpo_model_get_weights(loaded, 0, read, count));
  CHECK(memcmp(values, read, count * sizeof *values) == 0);
  DONE(mixgrpo_model_merge(loaded, &merged));
  CHECK(values_of(merged) == values_of(f->model));
  INVALID("format", mixgrpo_model_save_adapter(adapted, folder, 3));
  CHECK(mixgrpo_model_save_adapter(f->model, folder, MIXGRPO_ADAPTER_FORMAT_PEFT) == MIXGRPO_STATUS_INVALID_STATE);
  CHECK(mixgrpo_model_load_adapter(f->model, scratch_path("nowhere"), &again) == MIXGRPO_STATUS_INPUT_OUTPUT);
  INVALID("strength", mixgrpo_model_set_adapter_strength(loaded, 2.5));
  INVALID("strength", mixgrpo_model_set_adapter_strength(loaded, NAN));
  CHECK(mixgrpo_model_set_adapter_strength(merged, 1) == MIXGRPO_STATUS_INVALID_STATE);
  DONE(mixgrpo_model_set_adapter_strength(loaded, 0.5));
  BAD_HANDLES(h, "model", f->context, mixgrpo_model_merge(h, &again));
  BAD_HANDLES(h, "model", f->context, mixgrpo_model_save_adapter(h, folder, 0));
  BAD_HANDLES(h, "model", f->context, mixgrpo_model_set_adapter_strength(h, 1));
  BAD_HANDLES(h, "base", f->context, mixgrpo_model_load_adapter(h, folder, &again));
  CHECK(again == NULL);
  free(values);
  free(read);
  mixgrpo_model_destroy(adapted);
  mixgrpo_model_destroy(loaded);
  mixgrpo_model_destroy(merged);
}

static void a_frozen_model_is_adapted_but_not_trained(const fixture *f) {
  mixgrpo_lora_config config;
  mixgrpo_model *frozen = NULL, *loaded = NULL, *adapted = NULL, *merged = NULL, *again = NULL;
  mixgrpo_parameter_info info = {.struct_size = sizeof info};
  size_t tensors = 1;
  DONE(mixgrpo_model_freeze(f->model, &frozen));
  DONE(mixgrpo_model_get_size(frozen, &tensors, NULL));
  CHECK(tensors == 0 && values_of(frozen) == 0);
  INVALID("index", mixgrpo_model_get_parameter(frozen, 0, &info));
  float value = 0;
  INVALID("offset, count", mixgrpo_model_set_weights(frozen, 0, &value, 1));
  DONE(mixgrpo_lora_config_init(&config, sizeof config));
  config.rank = 2;
  DONE(mixgrpo_model_adapt(frozen, &config, NULL, 0, &adapted));
  CHECK(values_of(adapted) > 0);
  DONE(mixgrpo_model_merge(adapted, &merged));
  const size_t count = values_of(merged);
  CHECK(count == values_of(f->model));
  float *const rounded = malloc(count * sizeof *rounded), *const read = malloc(count * sizeof *read);
  DONE(mixgrpo_model_get_weights(merged, 0, rounded, count));
  DONE(mixgrpo_model_get_weights(f->model, 0, read, count));
  size_t different = 0;
  for (size_t i = 0; i < count; i++) {
    CHECK(fabsf(rounded[i] - read[i]) <= fabsf(read[i]) / 256);
    different += rounded[i] != read[i];
  }
  CHECK(different > count / 8);
  DONE(mixgrpo_model_save(f->model, scratch_path("to-freeze"), MIXGRPO_STORAGE_F32));
  DONE(mixgrpo_model_load_frozen(f->context, scratch_path("to-freeze"), &loaded));
  mixgrpo_model_destroy(merged);
  DONE(mixgrpo_model_merge(loaded, &merged));
  DONE(mixgrpo_model_get_weights(merged, 0, read, count));
  CHECK(memcmp(rounded, read, count * sizeof *read) == 0);
  mixgrpo_evaluator *evaluator = NULL;
  mixgrpo_trainer *trainer = NULL;
  mixgrpo_evaluator_config geometry;
  const char *const names[] = {"one"};
  DONE(mixgrpo_evaluator_config_init(&geometry, sizeof geometry));
  geometry.height_tokens = geometry.width_tokens = 2;
  geometry.text_length = TEXT_LENGTH;
  DONE(mixgrpo_evaluator_create(frozen, &geometry, NULL, 0, &evaluator));
  INVALID("model", mixgrpo_trainer_create(evaluator, f->prompts, f->plan, &f->learning, names, 1, 0, &trainer));
  CHECK(trainer == NULL);
  mixgrpo_evaluator_destroy(evaluator);
  BAD_HANDLES(h, "model", f->context, mixgrpo_model_freeze(h, &again));
  BAD_HANDLES(h, "context", f->model, mixgrpo_model_load_frozen(h, "x", &again));
  INVALID("out_model", mixgrpo_model_freeze(f->model, NULL));
  CHECK(again == NULL);
  free(rounded);
  free(read);
  mixgrpo_model_destroy(frozen);
  mixgrpo_model_destroy(loaded);
  mixgrpo_model_destroy(adapted);
  mixgrpo_model_destroy(merged);
}

void test_adapter(void) {
  fixture f = fixture_create(1);
  defaults_and_bounds(&f);
  an_adapter_is_saved_loaded_and_merged(&f);
  a_frozen_model_is_adapted_but_not_trained(&f);
  fixture_destroy(&f);
}
