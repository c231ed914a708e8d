#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fixture.h"
#include "tests.h"

static mixgrpo_iteration_plan iteration_of(const mixgrpo_plan *plan, int64_t iteration) {
  mixgrpo_iteration_plan result = {.struct_size = sizeof result};
  DONE(mixgrpo_plan_get_iteration(plan, iteration, MIXGRPO_WINDOW_START_SCHEDULED, 1, 4, &result));
  return result;
}

static mixgrpo_plan *plan_of(const mixgrpo_sampling_config *config) {
  mixgrpo_plan *plan = NULL;
  DONE(mixgrpo_plan_create(config, NULL, 0, &plan));
  return plan;
}

static void the_window_moves_and_rolls_back(void) {
  mixgrpo_sampling_config config;
  DONE(mixgrpo_config_init(&config, sizeof config, NULL, 0));
  mixgrpo_plan *plan = plan_of(&config);
  CHECK(iteration_of(plan, 0).window_start == 0 && iteration_of(plan, 24).window_start == 0);
  CHECK(iteration_of(plan, 25).window_start == 1 && iteration_of(plan, 25 * 20).window_start == 20);
  CHECK(iteration_of(plan, 25 * 21).window_start == 0);
  const mixgrpo_iteration_plan first = iteration_of(plan, 0);
  CHECK(first.step_count == 25 && first.window_length == 4 && first.trained_step_count == 4);
  CHECK(first.model_calls_per_image == 25 && first.rollout_model_calls == 289 && first.update_model_calls == 40);
  CHECK(iteration_of(plan, 25 * 10).rollout_model_calls == 179 && iteration_of(plan, 25 * 20).rollout_model_calls == 69);
  mixgrpo_plan_destroy(plan);
}

static void flash_counts_its_tail_in_steps(void) {
  mixgrpo_sampling_config config;
  DONE(mixgrpo_config_init(&config, sizeof config, NULL, 0));
  config.flash_ratio = 0.4;
  mixgrpo_plan *plan = plan_of(&config);
  CHECK(iteration_of(plan, 0).model_calls_per_image == 12);
  mixgrpo_plan_destroy(plan);
  DONE(mixgrpo_config_init_preset("mixgrpo_flash_star", &config, NULL));
  plan = plan_of(&config);
  CHECK(iteration_of(plan, 1000).model_calls_per_image == 8);
  mixgrpo_step step = {.struct_size = sizeof step};
  DONE(mixgrpo_plan_get_step(plan, 0, MIXGRPO_WINDOW_START_SCHEDULED, 7, &step));
  CHECK(step.next_sigma == 0);
  mixgrpo_plan_destroy(plan);
}

static void steps_join_and_end_at_data(const fixture *f) {
  mixgrpo_step step = {.struct_size = sizeof step};
  double sigma = 1;
  int trained = 0;
  for (int i = 0; i < STEPS; i++) {
    DONE(mixgrpo_plan_get_step(f->plan, 1, MIXGRPO_WINDOW_START_SCHEDULED, i, &step));
    CHECK(step.sigma == sigma && step.next_sigma < sigma);
    CHECK((step.noise > 0) == (step.kind == MIXGRPO_STEP_KIND_FLOW) && step.trained == (step.noise > 0));
    if (step.kind == MIXGRPO_STEP_KIND_EULER) CHECK(step.latent == 1 && step.velocity == step.next_sigma - step.sigma);
    trained += step.trained;
    sigma = step.next_sigma;
  }
  CHECK(sigma == 0 && trained == WINDOW);
  INVALID("index", mixgrpo_plan_get_step(f->plan, 1, MIXGRPO_WINDOW_START_SCHEDULED, STEPS, &step));
  INVALID("index", mixgrpo_plan_get_step(f->plan, 1, MIXGRPO_WINDOW_START_SCHEDULED, -1, &step));
  INVALID("iteration", mixgrpo_plan_get_step(f->plan, -1, MIXGRPO_WINDOW_START_SCHEDULED, 0, &step));
  INVALID("out_step", mixgrpo_plan_get_step(f->plan, 1, MIXGRPO_WINDOW_START_SCHEDULED, 0, NULL));
  step.struct_size++;
  INVALID("struct_size", mixgrpo_plan_get_step(f->plan, 1, MIXGRPO_WINDOW_START_SCHEDULED, 0, &step));
}

static void hosts_may_give_grid_and_window(const fixture *f) {
  const double grid[STEPS + 1] = {0.9, 0.8, 0.6, 0.3, 0.1, 0}, rising[STEPS + 1] = {0.9, 0.8, 0.85, 0.3, 0.1, 0};
  const double with_nan[STEPS + 1] = {0.9, 0.8, NAN, 0.3, 0.1, 0}, open_end[3] = {1, 0.5, 0.1};
  mixgrpo_sampling_config config = f->sampling;
  mixgrpo_iteration_plan result = {.struct_size = sizeof result};
  mixgrpo_step step = {.struct_size = sizeof step};
  mixgrpo_plan *plan = NULL, *none = NULL;
  config.window_mode = MIXGRPO_WINDOW_MODE_GIVEN;
  DONE(mixgrpo_plan_create(&config, grid, STEPS + 1, &plan));
  DONE(mixgrpo_plan_get_step(plan, 0, 2, 2, &step));
  CHECK(step.sigma == 0.6 && step.next_sigma == 0.3 && step.kind == MIXGRPO_STEP_KIND_FLOW);
  INVALID("window", mixgrpo_plan_get_step(plan, 0, MIXGRPO_WINDOW_START_SCHEDULED, 2, &step));
  INVALID("window_start", mixgrpo_plan_get_iteration(plan, 0, STEPS - WINDOW, 1, 1, &result));
  INVALID("window_start", mixgrpo_plan_get_iteration(plan, 0, -2, 1, 1, &result));
  INVALID("window_start", mixgrpo_plan_get_iteration(plan, 0, INT32_MAX, 1, 1, &result));
  mixgrpo_plan_destroy(plan);
  INVALID("sigmas", mixgrpo_plan_create(&config, rising, STEPS + 1, &none));
  INVALID("sigmas", mixgrpo_plan_create(&config, with_nan, STEPS + 1, &none));
  INVALID("sigmas", mixgrpo_plan_create(&config, open_end, 3, &none));
  INVALID("sigma_count", mixgrpo_plan_create(&config, grid, 1, &none));
  INVALID("sigma_count", mixgrpo_plan_create(&config, grid, SIZE_MAX, &none));
  INVALID("sigmas", mixgrpo_plan_create(&config, NULL, STEPS + 1, &none));
  INVALID("config", mixgrpo_plan_create(NULL, NULL, 0, &none));
  config.shift = 5e-324; /* all levels but the first would be 0 */
  INVALID("shift", mixgrpo_plan_create(&config, NULL, 0, &none));
  config.image_tokens = 1000000; /* all levels but the last would be 1 */
  INVALID("image_tokens", mixgrpo_plan_create(&config, NULL, 0, &none));
  config.image_tokens = 0, config.shift = 3;
  INVALID("out_plan", mixgrpo_plan_create(&config, NULL, 0, NULL));
  CHECK(none == NULL);
}

static void an_adaptive_window_follows_the_reward(const fixture *f) {
  mixgrpo_sampling_config config = f->sampling;
  mixgrpo_adaptive_window state, next, untouched;
  mixgrpo_iteration_plan result = {.struct_size = sizeof result};
  mixgrpo_plan *plan = NULL;
  config.window_mode = MIXGRPO_WINDOW_MODE_ADAPTIVE;
  config.window_trend = 2;
  config.window_interval = 4;
  DONE(mixgrpo_plan_create(&config, NULL, 0, &plan));
  DONE(mixgrpo_adaptive_window_init(&state, sizeof state));
  CHECK(state.window_start == 0 && state.iterations == 0 && isnan(state.gain));
  next = state;
  DONE(mixgrpo_adaptive_window_advance(plan, &state, 0.5, 0.1, &next));
  CHECK(next.iterations == 1 && next.first_reward == 0.5 && state.iterations == 0);
  DONE(mixgrpo_adaptive_window_advance(plan, &next, NAN, 0.1, &next));
  DONE(mixgrpo_adaptive_window_advance(plan, &next, 0.5, 0, &next));
  CHECK(next.iterations == 1 && next.window_start == 0); /* they said nothing */
  untouched = next;
  DONE(mixgrpo_adaptive_window_advance(plan, &untouched, 0.75, 0.1, &untouched));
  CHECK(untouched.iterations == 2 && untouched.window_start == 0 && fabs(untouched.gain - 0.25) <= 1e-12);
  DONE(mixgrpo_adaptive_window_advance(plan, &next, 0.5, 0.1, &next));
  CHECK(next.iterations == 0 && next.window_start == 1); /* flat: it moves */
  DONE(mixgrpo_plan_get_iteration(plan, 4, MIXGRPO_WINDOW_START_SCHEDULED, 1, 1, &result));
  CHECK(result.window_start == 1); /* the forecast: every place for its longest */

  INVALID("window_mode", mixgrpo_adaptive_window_advance(f->plan, &state, 0, 1, &next));
  INVALID("out_state", mixgrpo_adaptive_window_advance(plan, &state, 0, 1, NULL));
  INVALID("plan", mixgrpo_adaptive_window_advance(NULL, &state, 0, 1, &next));
  state.iterations = INT64_MAX;
  state.window_start = STEPS;
  INVALID("iterations", mixgrpo_adaptive_window_advance(plan, &state, 0, 1, &next));
  CHECK(strstr(mixgrpo_last_error(), "window_start") != NULL && next.window_start == 1);
  state.struct_size = 4;
  INVALID("struct_size", mixgrpo_adaptive_window_advance(plan, &state, 0, 1, &next));
  INVALID("struct_size", mixgrpo_adaptive_window_init(&state, 4));
  INVALID("out_state", mixgrpo_adaptive_window_init(NULL, sizeof state));
  mixgrpo_plan_destroy(plan);
}

static void memory_is_told_before_anything_runs(const fixture *f) {
  const mixgrpo_model_config model = small_model_config();
  mixgrpo_workload work = {sizeof work, BATCH, TOKENS, CHANNELS, TEXT_LENGTH, 3, 2, 0, 0, 0, 0, 0, 0};
  mixgrpo_memory rollout = {.struct_size = sizeof rollout}, whole = rollout, large = rollout;
  DONE(mixgrpo_plan_predict_memory(f->plan, 0, -1, NULL, NULL, &work, &rollout));
  CHECK(rollout.trajectory_bytes > 0 && rollout.weight_bytes == 0 && rollout.activation_bytes == 0);
  CHECK(rollout.peak_bytes == rollout.trajectory_bytes); /* the model's memory is the host's */
  mixgrpo_workload other = work;
  other.max_batch = 0;
  DONE(mixgrpo_plan_predict_memory(f->plan, 0, -1, &f->learning, NULL, &work, &large));
  CHECK(large.trajectory_bytes == rollout.trajectory_bytes + 2 * 3 * LATENT * sizeof(float)); /* a request of the update */
  DONE(mixgrpo_plan_predict_memory(f->plan, 0, -1, &f->learning, NULL, &other, &whole));
  CHECK(whole.trajectory_bytes > large.trajectory_bytes);
  INVALID("max_batch", mixgrpo_plan_predict_memory(f->plan, 0, -1, &f->learning, &model, &other, &large));
  other.max_batch = -1;
  INVALID("max_batch", mixgrpo_plan_predict_memory(f->plan, 0, -1, &f->learning, NULL, &other, &large));
  other = work;
  other.channels = CHANNELS + 1;
  INVALID("channels", mixgrpo_plan_predict_memory(f->plan, 0, -1, &f->learning, &model, &other, &large));
  DONE(mixgrpo_plan_predict_memory(f->plan, 0, -1, &f->learning, &model, &work, &whole));
  CHECK(whole.weight_bytes > 0 && whole.activation_bytes > 0 && whole.trajectory_bytes > rollout.trajectory_bytes);
  CHECK(whole.peak_bytes == whole.trajectory_bytes + whole.weight_bytes + whole.activation_bytes);
  CHECK(whole.update_batch > 0 && rollout.update_batch == 0);
  mixgrpo_learning_config free = f->learning;
  free.undo = MIXGRPO_UNDO_NONE;
  free.max_velocity_change = 0;
  DONE(mixgrpo_plan_predict_memory(f->plan, 0, -1, &free, &model, &work, &large));
  CHECK(large.weight_bytes < whole.weight_bytes && large.activation_bytes == whole.activation_bytes);
  other = work;
  other.keep_reference = 1;
  DONE(mixgrpo_plan_predict_memory(f->plan, 0, -1, &f->learning, &model, &other, &large));
  CHECK(large.weight_bytes > whole.weight_bytes); /* the base's weights */
  work.recompute_activations = 1;
  DONE(mixgrpo_plan_predict_memory(f->plan, 0, -1, &f->learning, &model, &work, &large));
  CHECK(large.activation_bytes < whole.activation_bytes && large.weight_bytes == whole.weight_bytes);
  work.max_bytes = large.peak_bytes;
  DONE(mixgrpo_plan_predict_memory(f->plan, 0, -1, &f->learning, &model, &work, &large));
  work.max_bytes = large.peak_bytes / 2;
  CHECK(mixgrpo_plan_predict_memory(f->plan, 0, -1, &f->learning, &model, &work, &large) == MIXGRPO_STATUS_OUT_OF_MEMORY);
  CHECK(strstr(mixgrpo_last_error(), "max_bytes: expected at least") != NULL);
  work.recompute_activations = 0;
  work.max_bytes = 0;
  work.precision = MIXGRPO_PRECISION_BFLOAT16;
  DONE(mixgrpo_plan_predict_memory(f->plan, 0, -1, &f->learning, &model, &work, &large));
  CHECK(large.activation_bytes != whole.activation_bytes && large.weight_bytes == whole.weight_bytes);
  work.precision = MIXGRPO_PRECISION_FLOAT32;
  work.lora_rank = 2;
  DONE(mixgrpo_plan_predict_memory(f->plan, 0, -1, &f->learning, &model, &work, &large));
  CHECK(large.weight_bytes < whole.weight_bytes / 2);
  work.lora_rank = 4000;
  INVALID("rank", mixgrpo_plan_predict_memory(f->plan, 0, -1, &f->learning, &model, &work, &large));
  work.lora_rank = 0;
  work.prompt_count = 1000000;
  work.token_count = 65536;
  work.channels = 65536;
  DONE(mixgrpo_plan_predict_memory(f->plan, 0, -1, NULL, NULL, &work, &large));
  CHECK(large.trajectory_bytes > rollout.trajectory_bytes);
  const int32_t absurd[] = {0, -1, INT32_MIN, INT32_MAX};
  for (int i = 0; i < 4; i++) {
    mixgrpo_workload bad = {sizeof bad, absurd[i], absurd[i], absurd[i], absurd[i], absurd[i], absurd[i], 2, 2, 2, UINT64_MAX, -1, 1};
    INVALID("prompt_count", mixgrpo_plan_predict_memory(f->plan, 0, -1, NULL, &model, &bad, &rollout));
    const char *const others[] = {"token_count", "channels", "text_length", "max_batch", "threads", "keep_reference",
                                  "recompute_activations", "precision", "max_bytes", "lora_rank", "frozen_base"};
    for (int k = 0; k < 11; k++) CHECK(strstr(mixgrpo_last_error(), others[k]) != NULL);
  }
  /* Each size within its bounds, their product beyond all memory. */
  mixgrpo_model_config giant = model;
  giant.num_layers = giant.num_single_layers = 1000;
  giant.num_attention_heads = 1024;
  giant.attention_head_dim = 64;
  giant.axes_dims_rope[0] = 8;
  giant.axes_dims_rope[1] = giant.axes_dims_rope[2] = 28;
  mixgrpo_workload most = {sizeof most, 1, 65536, CHANNELS, 65536, 65536, 1024, 1, 0, 0, 0, 0, 0};
  INVALID("max_batch", mixgrpo_plan_predict_memory(f->plan, 0, -1, &f->learning, &giant, &most, &rollout));
  INVALID("workload", mixgrpo_plan_predict_memory(f->plan, 0, -1, NULL, NULL, NULL, &rollout));
  INVALID("out_memory", mixgrpo_plan_predict_memory(f->plan, 0, -1, NULL, NULL, &work, NULL));
  BAD_HANDLES(h, "plan", f->model, mixgrpo_plan_predict_memory(h, 0, -1, NULL, NULL, &work, &rollout));
}

static void bad_handles_are_errors(const fixture *f) {
  mixgrpo_iteration_plan result = {.struct_size = sizeof result};
  mixgrpo_step step = {.struct_size = sizeof step};
  BAD_HANDLES(h, "plan", f->model, mixgrpo_plan_get_iteration(h, 0, -1, 1, 1, &result));
  BAD_HANDLES(h, "plan", f->model, mixgrpo_plan_get_step(h, 0, -1, 0, &step));
  INVALID("prompt_count", mixgrpo_plan_get_iteration(f->plan, 0, -1, 0, 1, &result));
  INVALID("minibatches", mixgrpo_plan_get_iteration(f->plan, 0, -1, 1, -1, &result));
  INVALID("iteration", mixgrpo_plan_get_iteration(f->plan, INT64_MIN, -1, 1, 1, &result));
  DONE(mixgrpo_plan_get_iteration(f->plan, INT64_MAX, -1, 1000000, 4096, &result));
  INVALID("out_iteration", mixgrpo_plan_get_iteration(f->plan, 0, -1, 1, 1, NULL));
}

void test_plan(void) {
  fixture f = fixture_create(2);
  the_window_moves_and_rolls_back();
  flash_counts_its_tail_in_steps();
  steps_join_and_end_at_data(&f);
  hosts_may_give_grid_and_window(&f);
  an_adaptive_window_follows_the_reward(&f);
  memory_is_told_before_anything_runs(&f);
  bad_handles_are_errors(&f);
  fixture_destroy(&f);
}
