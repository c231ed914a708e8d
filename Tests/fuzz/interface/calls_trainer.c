/* Trainer and deterministic samples; pixels and PNG. */
#include <string.h>

#include "calls.h"

enum { MOST_VALUES = 4096, MOST_REWARDS = 256 };

/* ---- Trainer */

static void trainer_create(void) {
  mixgrpo_learning_config *config = room(sizeof *config);
  const size_t rewards = one_in(8) ? below(4) : 1 + below(2);
  const char **names = room(rewards * sizeof *names);
  void **place = output(sizeof *place);
  *config = some_learning_config();
  disturb(config, sizeof *config);
  for (size_t i = 0; i < rewards; i++) names[i] = one_in(8) ? any_text() : i ? "match" : "taste";
  keep_created(TRAINER, CALL(mixgrpo_trainer_create, pick(EVALUATOR), pick_const(PROMPTS), pick_const(PLAN), spoiled(config), spoiled(names),
                             rewards, some_int(0, 1), spoiled(place)), place);
}
static void trainer_destroy(void) { drop(TRAINER, pick(TRAINER)); }
static void trainer_iteration(void) {
  begin("mixgrpo_trainer_iteration");
  must(mixgrpo_trainer_iteration(pick_const(TRAINER)) >= -1, "an iteration");
}
static void trainer_rollout(void) {
  const size_t prompts = one_in(16) ? below(5) : 1 + below(2);
  int32_t *indices = room(prompts * sizeof *indices);
  float *samples = output(MOST_VALUES * sizeof *samples);
  fill_indices(indices, prompts, 3);
  CALL(mixgrpo_trainer_rollout, pick(TRAINER), spoiled(indices), one_in(48) ? SIZE_MAX - below(9) : prompts, spoiled(samples), one_in(8) ? below(99) : MOST_VALUES);
}
static void trainer_set_window(void) { CALL(mixgrpo_trainer_set_window, pick(TRAINER), one_in(2) ? -1 : some_int(-1, 4)); }
static void trainer_update(void) {
  static const size_t usual[] = {2, 3, 4, 6, 8, 12, 16};
  const size_t count = one_in(8) ? below(MOST_REWARDS) : usual[below(7)], weights = one_in(2) ? 0 : 1 + below(2);
  double *rewards = doubles(count), *weight = room(weights * sizeof *weight);
  mixgrpo_metrics *metrics = one_in(2) ? NULL : result(sizeof *metrics);
  for (size_t i = 0; i < weights; i++) weight[i] = some_double(0, 2);
  if (count && one_in(4)) rewards[below((uint32_t)count)] = any_double();
  CALL(mixgrpo_trainer_update, pick(TRAINER), spoiled(rewards), size_near(count), weights ? weight : NULL, weights, metrics);
}
static void trainer_rollout_ticket(void) {
  const size_t prompts = one_in(16) ? below(5) : 1;
  int32_t *indices = room(prompts * sizeof *indices);
  float *samples = output(MOST_VALUES * sizeof *samples);
  int64_t *ticket = output(sizeof *ticket);
  fill_indices(indices, prompts, 3);
  CALL(mixgrpo_trainer_rollout_ticket, pick(TRAINER), spoiled(indices), prompts, spoiled(samples),
       one_in(8) ? below(99) : MOST_VALUES, spoiled(ticket));
}
static void trainer_submit_rewards(void) {
  static const size_t usual[] = {2, 3, 4, 6, 8};
  const size_t count = one_in(8) ? below(MOST_REWARDS) : usual[below(5)];
  double *rewards = doubles(count);
  CALL(mixgrpo_trainer_submit_rewards, pick_const(TRAINER), one_in(8) ? any_long() : some_int(0, 9), spoiled(rewards),
       size_near(count));
}
static void trainer_open_tickets(void) {
  const size_t capacity = below(6);
  int64_t *tickets = output(capacity * sizeof *tickets);
  size_t *size = output(sizeof *size);
  CALL(mixgrpo_trainer_get_open_tickets, pick_const(TRAINER), tickets, capacity, one_in(4) ? NULL : spoiled(size));
}
static void trainer_update_tickets(void) {
  mixgrpo_metrics *metrics = one_in(2) ? NULL : result(sizeof *metrics);
  CALL(mixgrpo_trainer_update_tickets, pick(TRAINER), some_int(0, 1), NULL, 0, metrics);
}
static void trainer_drop_tickets(void) { CALL(mixgrpo_trainer_drop_tickets, pick(TRAINER)); }
static void trainer_get_metrics(void) {
  mixgrpo_metrics *metrics = result(sizeof *metrics);
  CALL(mixgrpo_trainer_get_metrics, pick_const(TRAINER), metrics);
}
static void trainer_get_reward_metrics(void) {
  mixgrpo_reward_metrics *metrics = result(sizeof *metrics);
  CALL(mixgrpo_trainer_get_reward_metrics, pick_const(TRAINER), one_in(4) ? any_size() : below(2), metrics);
}
static void trainer_metrics_json(void) {
  const size_t capacity = one_in(2) ? 4000 : below(600);
  char *text = output(capacity);
  size_t *size = output(sizeof *size);
  CALL(mixgrpo_trainer_get_metrics_json, pick_const(TRAINER), text, capacity, one_in(4) ? NULL : spoiled(size));
}
static void trainer_append_metrics(void) { CALL(mixgrpo_trainer_append_metrics, pick_const(TRAINER), any_path()); }
static void trainer_save(void) { CALL(mixgrpo_trainer_save, pick_const(TRAINER), any_path()); }
static void trainer_load(void) { CALL(mixgrpo_trainer_restore, pick(TRAINER), any_path()); }
static void trainer_checkpoint(void) {
  CALL(mixgrpo_trainer_checkpoint, pick_const(TRAINER), any_path(), some_int(1, 3), one_in(2) ? 0 : any_long());
}
static void trainer_resume(void) {
  mixgrpo_resumption *resumption = one_in(2) ? NULL : result(sizeof *resumption);
  CALL(mixgrpo_trainer_resume, pick(TRAINER), any_path(), resumption);
}
static void trainer_save_model(void) { CALL(mixgrpo_trainer_save_model, pick_const(TRAINER), some_int(0, 2), any_path(), some_int(0, 1)); }

/* ---- Samples */

mixgrpo_sample_config *some_sample_config(void) {
  mixgrpo_sample_config *config = room(sizeof *config);
  must(mixgrpo_sample_config_init(config, sizeof *config) == MIXGRPO_STATUS_OK, "defaults");
  config->steps = some_int(1, 6);
  config->solver = some_int(0, 4);
  config->samples_per_prompt = some_int(1, 3);
  config->trained_model_share = one_in(2) ? 1 : some_double(0, 1);
  disturb(config, sizeof *config);
  if (config->steps > 100) config->steps = 10001 - (int32_t)below(2) * 10000; /* too many, or one */
  return spoiled(config);
}
static void some_samples(int by_trainer) {
  mixgrpo_sample_config *config = some_sample_config();
  const size_t prompts = below(4), noise = one_in(6) ? below(8) * 16 : 0;
  int32_t *indices = room(prompts * sizeof *indices);
  float *start = floats(noise), *samples = output(MOST_VALUES * sizeof *samples);
  const size_t capacity = one_in(8) ? below(99) : MOST_VALUES, told = size_near(noise);
  fill_indices(indices, prompts, 3);
  if (by_trainer)
    CALL(mixgrpo_trainer_sample, pick(TRAINER), some_int(0, 2), config, spoiled(indices), prompts, noise ? start : NULL, told, spoiled(samples), capacity);
  else
    CALL(mixgrpo_evaluator_sample, pick(EVALUATOR), one_in(2) ? NULL : pick(EVALUATOR), pick_const(PROMPTS), config, spoiled(indices),
         prompts, noise ? start : NULL, told, spoiled(samples), capacity);
}
static void evaluator_sample(void) { some_samples(0); }
static void trainer_sample(void) { some_samples(1); }

const random_call trainer_calls[] = {
    {trainer_create, 5}, {trainer_destroy, 1}, {trainer_iteration, 1}, {trainer_rollout, 5}, {trainer_set_window, 1},
    {trainer_update, 10}, {trainer_rollout_ticket, 4}, {trainer_submit_rewards, 5}, {trainer_open_tickets, 1},
    {trainer_update_tickets, 4}, {trainer_drop_tickets, 2}, {trainer_get_metrics, 1}, {trainer_get_reward_metrics, 1}, {trainer_metrics_json, 2},
    {trainer_append_metrics, 1}, {trainer_save, 1}, {trainer_load, 1}, {trainer_checkpoint, 1}, {trainer_resume, 1}, {trainer_save_model, 1}, {evaluator_sample, 3},
    {trainer_sample, 3}, {NULL, 0}};

/* ---- Pixels, images, PNG */

static void pixels_codec(void) {
  const int32_t images = some_int(0, 3), height = some_int(1, 12), width = some_int(1, 12), patch = some_int(1, 3);
  const int is_small = images >= 0 && images < 9 && height > 0 && height < 20 && width > 0 && width < 20;
  const size_t count = is_small ? (size_t)(images * height * width * 3) : below(900);
  float *latents = output(count * sizeof *latents);
  uint8_t *pixels = output(count);
  fill_floats(latents, count);
  if (one_in(2)) CALL(mixgrpo_pixels_decode, spoiled(latents), size_near(count), images, height, width, patch, spoiled(pixels), count);
  else CALL(mixgrpo_pixels_encode, spoiled(pixels), size_near(count), images, height, width, patch, spoiled(latents), count);
}
static void image_create(void) {
  const int32_t width = some_int(1, 20), height = some_int(1, 20), images = some_int(1, 4);
  const int is_small = width > 0 && width < 30 && height > 0 && height < 30 && images > 0 && images < 9, grid = one_in(2);
  const size_t count = is_small ? (size_t)(width * height * 3 * (grid ? images : 1)) : below(900);
  uint8_t *pixels = room(count);
  void **place = output(sizeof *place);
  const size_t told = size_near(count);
  if (!grid) keep_created(IMAGE, CALL(mixgrpo_image_create, spoiled(pixels), told, width, height, spoiled(place)), place);
  else keep_created(IMAGE, CALL(mixgrpo_image_create_grid, spoiled(pixels), told, images, width, height, some_int(1, 3), some_int(0, 3), some_int(1, 2), spoiled(place)), place);
}
static void image_destroy(void) { drop(IMAGE, pick(IMAGE)); }
static void image_get_info(void) {
  mixgrpo_image_info *info = result(sizeof *info);
  CALL(mixgrpo_image_get_info, pick_const(IMAGE), info);
}
static void image_read_pixels(void) {
  const size_t capacity = one_in(2) ? 20000 : below(900);
  uint8_t *pixels = output(capacity);
  CALL(mixgrpo_image_get_pixels, pick_const(IMAGE), spoiled(pixels), capacity);
}
static void image_get_text(void) {
  mixgrpo_text *text = output(sizeof *text);
  CALL(mixgrpo_image_get_text, pick_const(IMAGE), one_in(4) ? any_size() : below(3), spoiled(text));
}
static void image_set_texts(void) {
  const size_t count = below(4);
  mixgrpo_text *texts = room(count * sizeof *texts);
  for (size_t i = 0; i < count; i++) texts[i] = (mixgrpo_text){one_in(3) ? any_text() : "prompt", any_text()};
  CALL(mixgrpo_image_set_texts, pick(IMAGE), spoiled(texts), one_in(24) ? SIZE_MAX - below(9) : count);
}
static void image_there_and_back(void) {
  enum { MOST = 60000 };
  static _Thread_local uint8_t kept[MOST]; /* the buffers of a call serve the next one */
  const size_t capacity = one_in(4) ? below(900) : MOST;
  uint8_t *png = output(capacity);
  size_t *size = output(sizeof *size);
  void *const image = pick_const(IMAGE);
  begin("mixgrpo_image_encode");
  *size = 0;
  begin("mixgrpo_image_encode");
  const mixgrpo_status status = mixgrpo_image_encode(image, png, capacity, size);
  const size_t bytes = status == MIXGRPO_STATUS_OK ? *size : 0;
  if (bytes > 0 && bytes <= MOST) memcpy(kept, png, bytes);
  if (judge(status) != MIXGRPO_STATUS_OK || bytes > MOST) return;
  uint8_t *copy = room(bytes);
  memcpy(copy, kept, bytes);
  for (uint32_t flips = one_in(2) ? 0 : 1 + below(4); flips > 0; flips--) copy[below((uint32_t)bytes)] ^= (uint8_t)(1 << below(8));
  void **place = output(sizeof *place);
  keep_created(IMAGE, CALL(mixgrpo_image_decode, spoiled(copy), bytes, spoiled(place)), place);
}
static void image_load(void) {
  void **place = output(sizeof *place);
  keep_created(IMAGE, CALL(mixgrpo_image_load, any_path(), spoiled(place)), place);
}
static void image_save(void) { CALL(mixgrpo_image_save, pick_const(IMAGE), any_path()); }

const random_call image_calls[] = {{pixels_codec, 4}, {image_create, 3}, {image_destroy, 1}, {image_get_info, 1}, {image_read_pixels, 1},
                                   {image_get_text, 1}, {image_set_texts, 2}, {image_there_and_back, 3}, {image_load, 1}, {image_save, 1}, {NULL, 0}};
