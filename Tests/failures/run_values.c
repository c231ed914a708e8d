/* Settings, plans, single steps, prompts: functions of values. */
#include <string.h>

#include "scenario.h"

void run_settings(const sizes *sizes, const char *folder) {
  mixgrpo_sampling_config sampling;
  mixgrpo_learning_config learning;
  mixgrpo_setting setting = {.struct_size = sizeof setting};
  mixgrpo_context *context = NULL;
  char text[8192];
  size_t size = 0;
  (void)sizes, (void)folder;
  memset(text, 0, sizeof text);
  NOTE(mixgrpo_abi_version());
  judge_note("version", mixgrpo_version(), strlen(mixgrpo_version()));
  judge_note("name", mixgrpo_status_name(MIXGRPO_STATUS_INTERNAL), 4);
  for (size_t i = 0; i < mixgrpo_setting_count(); i++) TRY(mixgrpo_setting_info(i, &setting), DIFFERS(setting));
  TRY(mixgrpo_config_init(&sampling, sizeof sampling, &learning, sizeof learning), OUT(sampling), OUT(learning));
  for (size_t i = 0; mixgrpo_preset_name(i); i++) {
    TRY(mixgrpo_config_init_preset(mixgrpo_preset_name(i), &sampling, &learning), OUT(sampling), OUT(learning));
    TRY(mixgrpo_config_check(&sampling, &learning));
    TRY(mixgrpo_config_describe(&sampling, &learning, text, sizeof text, &size), OUT(text), OUT(size));
  }
  TRY(mixgrpo_context_create(0, &context), HANDLE(context));
  NOTE(mixgrpo_context_threads(context) > 0);
  TRY(mixgrpo_context_cancel(context));
  NOTE(mixgrpo_context_is_cancelled(context));
  TRY(mixgrpo_context_reset_cancel(context));
  mixgrpo_context_destroy(context);
  judge_note("text", mixgrpo_last_error(), 0);
}

static void predict(world *w) {
  mixgrpo_iteration_plan iteration = {.struct_size = sizeof iteration};
  mixgrpo_step step = {.struct_size = sizeof step};
  mixgrpo_memory memory = {.struct_size = sizeof memory};
  mixgrpo_model_config model;
  TRY(mixgrpo_model_config_init(&model, sizeof model), OUT(model));
  const mixgrpo_workload work = {sizeof work, w->sizes.prompts, 4, model.in_channels, 16, 4, 2, 1, 0, 0, 0, 0, 0};
  TRY(mixgrpo_plan_get_iteration(w->plan, 3, MIXGRPO_WINDOW_START_SCHEDULED, w->sizes.prompts, 1, &iteration), OUT(iteration));
  TRY(mixgrpo_plan_get_step(w->plan, 3, MIXGRPO_WINDOW_START_SCHEDULED, 1, &step), OUT(step));
  TRY(mixgrpo_plan_predict_memory(w->plan, 0, MIXGRPO_WINDOW_START_SCHEDULED, &w->learning, &model, &work, &memory), OUT(memory));
}

static void adapt(world *w) {
  mixgrpo_adaptive_window state;
  mixgrpo_plan *plan = NULL;
  w->sampling.window_mode = MIXGRPO_WINDOW_MODE_ADAPTIVE;
  TRY(mixgrpo_plan_create(&w->sampling, NULL, 0, &plan), HANDLE(plan));
  TRY(mixgrpo_adaptive_window_init(&state, sizeof state), OUT(state));
  TRY(mixgrpo_adaptive_window_advance(plan, &state, 0.5, 0.1, &state), OUT(state));
  mixgrpo_plan_destroy(plan);
}

static void step_once(world *w) {
  mixgrpo_step step = {.struct_size = sizeof step};
  double *const sigmas = room((size_t)w->sizes.steps + 1, sizeof *sigmas);
  const size_t count = 4, D = w->latent_size, grid = (size_t)w->sizes.steps + 1;
  float *const x = room(3 * count * D, sizeof *x), *const d_velocity = room(count * D, sizeof *d_velocity);
  double old[4], advantages[4] = {1, -1, 2, -2}, loss = 0, ratios[4];
  TRY(mixgrpo_time_grid(w->sizes.steps, 3, 0, sigmas, grid), OUTS(sigmas, grid));
  TRY(mixgrpo_deterministic_step(MIXGRPO_SOLVER_DPM_3, sigmas, grid, 2, &step), OUT(step));
  TRY(mixgrpo_stochastic_step(MIXGRPO_DYNAMICS_CPS, 0.7, 0.8, 0.6, &step), OUT(step));
  TRY(mixgrpo_normal_noise(1, 1, 1, x, 3 * count * D), OUTS(x, 3 * count * D));
  TRY(mixgrpo_step_log_probability(
          &step, MIXGRPO_LOG_PROBABILITY_MEAN, x, x + count * D, x + 2 * count * D, count, D, old, 4),
      OUT(old));
  w->learning.kl_reference = 0;
  TRY(mixgrpo_policy_loss(
          &w->learning, &step, MIXGRPO_LOG_PROBABILITY_MEAN, x, x + count * D, x + 2 * count * D, NULL, old, advantages, count,
          D, &loss, ratios, 4, d_velocity, count * D),
      OUT(loss), OUT(ratios), OUTS(d_velocity, count * D));
}

static void count_votes(void) {
  const double stars[4] = {5, 3, 3, 1};
  const int32_t pairs[4] = {0, 1, 1, 3};
  double scores[4];
  TRY(mixgrpo_scores_from_ratings(stars, 4, scores, 4), OUT(scores));
  TRY(mixgrpo_scores_from_pairs(pairs, 2, 4, scores, 4), OUT(scores));
}

static void encode(world *w) {
  const size_t lines = (size_t)w->sizes.lines, length = (size_t)w->sizes.text_length, width = 6;
  const size_t text_count = lines * length * width, pooled_count = lines * width;
  float *const text = room(text_count, sizeof *text), *const pooled = room(pooled_count, sizeof *pooled);
  mixgrpo_prompts *prompts = NULL;
  TRY(mixgrpo_hashed_words_encode(w->lines, lines, (int)length, (int)width, (int)width, text, text_count, pooled, pooled_count),
      OUTS(text, text_count), OUTS(pooled, pooled_count));
  TRY(mixgrpo_prompts_create(
          w->context, text, text_count, pooled, pooled_count, lines, (int)length, (int)width, (int)width, &prompts),
      HANDLE(prompts));
  mixgrpo_prompts_destroy(prompts);
}

void run_plan(const sizes *sizes, const char *folder) {
  world *const w = world_create(sizes);
  (void)folder;
  predict(w);
  adapt(w);
  step_once(w);
  encode(w);
  count_votes();
  world_destroy(w);
}
