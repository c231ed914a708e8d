/* Version, status, context; model; prompts. */
#include <string.h>

#include "calls.h"

/* ---- Version, status, context */

RANDOM_CALL(abi_version, 1) {
  begin("mixgrpo_abi_version");
  must(mixgrpo_abi_version() == MIXGRPO_ABI_VERSION, "the header's version");
}
RANDOM_CALL(version, 1) {
  begin("mixgrpo_version");
  must(mixgrpo_version()[0] != 0, "a version");
}
RANDOM_CALL(status_name, 1) {
  begin("mixgrpo_status_name");
  must(mixgrpo_status_name(any_int()) != NULL, "a name of any status");
}
RANDOM_CALL(last_error, 1) {
  begin("mixgrpo_last_error");
  must(mixgrpo_last_error() != NULL, "a text, never NULL");
}

RANDOM_CALL(context_create, 2) {
  void **place = output(sizeof *place);
  *place = NULL;
  keep_created(CONTEXT, CALL(mixgrpo_context_create, one_in(4) ? any_int() : (int32_t)below(4), spoiled(place)), place);
}
RANDOM_CALL(context_destroy, 1) {
  begin("mixgrpo_context_destroy");
  drop(CONTEXT, pick(CONTEXT));
}
RANDOM_CALL(context_threads, 1) {
  begin("mixgrpo_context_threads");
  const int32_t threads = mixgrpo_context_threads(pick_const(CONTEXT));
  must(threads >= 0 && threads <= 1024, "0...1024 threads");
}

static _Thread_local int depth;
static void hear_log(void *user_data, mixgrpo_log_level level, const char *message) {
  (void)user_data;
  must(level >= 0 && message, "a log line");
}
static void hear_progress(void *user_data, const mixgrpo_progress *progress) {
  must(progress->struct_size == sizeof *progress && progress->done <= progress->total, "progress up to its total");
  if (user_data && depth == 0 && one_in(8)) mixgrpo_context_cancel(user_data);
}
RANDOM_CALL(context_set_log, 1) { CALL(mixgrpo_context_set_log, pick(CONTEXT), one_in(2) ? hear_log : NULL, NULL); }
RANDOM_CALL(context_set_progress, 2) {
  void *const context = pick(CONTEXT);
  CALL(mixgrpo_context_set_progress, context, one_in(2) ? hear_progress : NULL, one_in(4) ? context : NULL);
}
RANDOM_CALL(context_cancel, 1) { CALL(mixgrpo_context_cancel, pick_const(CONTEXT)); }
RANDOM_CALL(context_reset_cancel, 12) { CALL(mixgrpo_context_reset_cancel, pick_const(CONTEXT)); }
RANDOM_CALL(context_is_cancelled, 1) {
  begin("mixgrpo_context_is_cancelled");
  const int32_t answer = mixgrpo_context_is_cancelled(pick_const(CONTEXT));
  must(answer == 0 || answer == 1, "a flag");
}

/* ---- Model */

/* Large ones are not kept: the calls on them would take their time. */
static void keep_small_model(mixgrpo_status status, void **place) {
  size_t values = 0;
  if (status != MIXGRPO_STATUS_OK) return;
  must(mixgrpo_model_get_size(*place, NULL, &values) == MIXGRPO_STATUS_OK, "the size of a new model");
  if (values < 20000) keep(MODEL, *place);
  else mixgrpo_model_destroy(*place);
}

RANDOM_CALL(model_config_init, 1) {
  mixgrpo_model_config *config = output(sizeof *config);
  CALL(mixgrpo_model_config_init, spoiled(config), size_near(sizeof *config));
}
RANDOM_CALL(model_config_load, 2) {
  mixgrpo_model_config *config = result(sizeof *config);
  CALL(mixgrpo_model_config_load, any_path(), config);
}
RANDOM_CALL(model_create, 4) {
  mixgrpo_model_config *config = room(sizeof *config);
  void **place = output(sizeof *place);
  *config = some_model_config();
  disturb(config, sizeof *config);
  keep_small_model(CALL(mixgrpo_model_create, pick_const(CONTEXT), spoiled(config), chance_bits(), spoiled(place)), place);
}
RANDOM_CALL(model_load, 3) {
  void **place = output(sizeof *place);
  keep_small_model(CALL(mixgrpo_model_load, pick_const(CONTEXT), any_path(), spoiled(place)), place);
}
RANDOM_CALL(model_save, 2) { CALL(mixgrpo_model_save, pick_const(MODEL), any_path(), some_int(0, 1)); }
RANDOM_CALL(model_copy, 1) {
  void **place = output(sizeof *place);
  keep_small_model(CALL(mixgrpo_model_copy, pick_const(MODEL), spoiled(place)), place);
}
RANDOM_CALL(model_destroy, 1) {
  begin("mixgrpo_model_destroy");
  drop(MODEL, pick(MODEL));
}
RANDOM_CALL(lora_config_init, 1) {
  mixgrpo_lora_config *config = output(sizeof *config);
  CALL(mixgrpo_lora_config_init, spoiled(config), size_near(sizeof *config));
}
RANDOM_CALL(model_adapt, 3) {
  mixgrpo_lora_config *config = room(sizeof *config);
  const char **targets = room(2 * sizeof *targets);
  void **place = output(sizeof *place);
  must(mixgrpo_lora_config_init(config, sizeof *config) == MIXGRPO_STATUS_OK, "defaults");
  config->rank = 1 + (int32_t)below(3);
  disturb(config, sizeof *config);
  targets[0] = one_in(3) ? any_text() : "to_q", targets[1] = "*proj*";
  const size_t count = one_in(2) ? 0 : size_near(2);
  keep_small_model(
      CALL(mixgrpo_model_adapt, pick_const(MODEL), spoiled(config), spoiled(targets), count, spoiled(place)), place);
}
RANDOM_CALL(model_load_adapter, 2) {
  void **place = output(sizeof *place);
  keep_small_model(CALL(mixgrpo_model_load_adapter, pick_const(MODEL), any_path(), spoiled(place)), place);
}
RANDOM_CALL(model_save_adapter, 2) { CALL(mixgrpo_model_save_adapter, pick_const(MODEL), any_path(), some_int(0, 2)); }
RANDOM_CALL(model_merge, 1) {
  void **place = output(sizeof *place);
  keep_small_model(CALL(mixgrpo_model_merge, pick_const(MODEL), spoiled(place)), place);
}
RANDOM_CALL(model_freeze, 1) {
  void **place = output(sizeof *place);
  keep_small_model(CALL(mixgrpo_model_freeze, pick_const(MODEL), spoiled(place)), place);
}
RANDOM_CALL(model_load_frozen, 1) {
  void **place = output(sizeof *place);
  keep_small_model(CALL(mixgrpo_model_load_frozen, pick_const(CONTEXT), any_path(), spoiled(place)), place);
}
RANDOM_CALL(model_set_adapter_strength, 1) {
  CALL(mixgrpo_model_set_adapter_strength, pick(MODEL), one_in(4) ? any_double() : 0.5);
}
RANDOM_CALL(model_get_config, 1) {
  mixgrpo_model_config *config = result(sizeof *config);
  CALL(mixgrpo_model_get_config, pick_const(MODEL), config);
}
RANDOM_CALL(model_get_size, 1) {
  size_t *tensors = output(sizeof *tensors), *values = output(sizeof *values);
  CALL(mixgrpo_model_get_size, pick_const(MODEL), spoiled(tensors), spoiled(values));
}
RANDOM_CALL(model_get_parameter, 2) {
  mixgrpo_parameter_info *info = result(sizeof *info);
  CALL(mixgrpo_model_get_parameter, pick_const(MODEL), one_in(4) ? any_size() : below(60), info);
}
RANDOM_CALL(model_find_parameter, 1) {
  size_t *index = output(sizeof *index);
  CALL(mixgrpo_model_find_parameter, pick_const(MODEL), one_in(2) ? "x_embedder.weight" : any_text(), spoiled(index));
}
static size_t some_offset(void) { return one_in(4) ? any_size() : below(2000); }
RANDOM_CALL(model_get_weights, 2) {
  const size_t count = below(3000);
  float *values = output(count * sizeof *values);
  CALL(mixgrpo_model_get_weights, pick_const(MODEL), some_offset(), spoiled(values), size_near(count));
}
RANDOM_CALL(model_get_gradients, 2) {
  const size_t count = below(3000);
  float *values = output(count * sizeof *values);
  CALL(mixgrpo_model_get_gradients, pick_const(MODEL), some_offset(), spoiled(values), size_near(count));
}
RANDOM_CALL(model_set_weights, 2) {
  const size_t count = below(3000);
  float *values = floats(count);
  CALL(mixgrpo_model_set_weights, pick(MODEL), some_offset(), spoiled(values), size_near(count));
}
RANDOM_CALL(model_set_gradients, 2) {
  const size_t count = below(3000);
  float *values = floats(count);
  CALL(mixgrpo_model_set_gradients, pick(MODEL), some_offset(), spoiled(values), size_near(count));
}
RANDOM_CALL(model_zero_gradients, 2) { CALL(mixgrpo_model_zero_gradients, pick(MODEL)); }

/* ---- Prompts */

RANDOM_CALL(prompts_create, 3) {
  const int32_t count = some_int(1, 4), length = some_int(1, 4), width = one_in(4) ? some_int(1, 8) : 6, pooled = one_in(4) ? some_int(1, 8) : 5;
  const int is_small = count > 0 && length > 0 && width > 0 && pooled > 0 && count <= 8 && length <= 8 && width <= 8 && pooled <= 8;
  const size_t text_count = is_small ? (size_t)(count * length * width) : below(100);
  const size_t pooled_count = is_small ? (size_t)(count * pooled) : below(100);
  float *text = floats(text_count), *rest = floats(pooled_count);
  void **place = output(sizeof *place);
  const size_t claimed = size_near(text_count), claimed_pooled = size_near(pooled_count);
  keep_created(PROMPTS, CALL(mixgrpo_prompts_create, pick_const(CONTEXT), spoiled(text), claimed, spoiled(rest), claimed_pooled, count,
                             length, width, pooled, spoiled(place)), place);
}

static const char **some_lines(int32_t *count) {
  const uint32_t lines = 1 + below(5);
  const char **texts = room(lines * sizeof *texts);
  for (uint32_t i = 0; i < lines; i++) texts[i] = one_in(2) ? "a red circle at night" : any_text();
  *count = one_in(48) ? -(int32_t)below(3) : (int32_t)lines;
  return texts;
}
RANDOM_CALL(prompts_create_hashed_words, 3) {
  int32_t count;
  const char **texts = some_lines(&count);
  void **place = output(sizeof *place);
  keep_created(PROMPTS, CALL(mixgrpo_prompts_create_hashed_words, pick_const(CONTEXT), spoiled(texts), count, some_int(1, 4),
                             one_in(4) ? some_int(1, 8) : 6, one_in(4) ? some_int(1, 8) : 5, spoiled(place)), place);
}
RANDOM_CALL(prompts_destroy, 1) {
  begin("mixgrpo_prompts_destroy");
  drop(PROMPTS, pick(PROMPTS));
}
RANDOM_CALL(prompts_count, 1) {
  begin("mixgrpo_prompts_count");
  must(mixgrpo_prompts_count(pick_const(PROMPTS)) <= 65536, "a count");
}
RANDOM_CALL(hashed_words_encode, 3) {
  int32_t count;
  const char **texts = some_lines(&count);
  const int32_t length = some_int(1, 6), width = some_int(1, 8), pooled = some_int(1, 8);
  const size_t room_text = below(400), room_pooled = below(60);
  float *text = output(room_text * sizeof *text), *rest = output(room_pooled * sizeof *rest);
  CALL(mixgrpo_hashed_words_encode, spoiled(texts), count, length, width, pooled, spoiled(text), room_text, spoiled(rest), room_pooled);
}
