#include <string.h>

#include "scenario.h"

static void look_at_parameters(mixgrpo_model *model) {
  mixgrpo_parameter_info info = {.struct_size = sizeof info};
  size_t tensors = 0, values = 0, index = 0;
  TRY(mixgrpo_model_get_size(model, &tensors, &values), OUT(tensors), OUT(values));
  TRY(mixgrpo_model_get_parameter(model, 1, &info), DIFFERS(info));
  TRY(mixgrpo_model_find_parameter(model, info.name, &index), OUT(index));
  REQUIRE(index == 1);
  float *const weights = room(values, sizeof *weights);
  TRY(mixgrpo_model_get_weights(model, 0, weights, values), OUTS(weights, values));
  TRY(mixgrpo_model_set_gradients(model, 0, weights, values));
  TRY(mixgrpo_model_get_gradients(model, 0, weights, values), OUTS(weights, values));
  TRY(mixgrpo_model_zero_gradients(model));
}

static void adapt(const mixgrpo_context *context, const mixgrpo_model *base, const char *whole, const char *folder) {
  mixgrpo_lora_config config;
  mixgrpo_model *adapted = NULL, *loaded = NULL, *merged = NULL, *frozen = NULL, *rounded = NULL;
  const char *targets[] = {"to_q", "proj_mlp"}, *const file = path_in(folder, "adapter.safetensors");
  TRY(mixgrpo_lora_config_init(&config, sizeof config), OUT(config));
  config.rank = 2;
  TRY(mixgrpo_model_adapt(base, &config, targets, 2, &adapted), HANDLE(adapted));
  TRY(mixgrpo_model_save_adapter(adapted, file, MIXGRPO_ADAPTER_FORMAT_KOHYA));
  TRY(mixgrpo_model_load_adapter(base, file, &loaded), HANDLE(loaded));
  TRY(mixgrpo_model_save_adapter(loaded, path_in(folder, "adapter"), MIXGRPO_ADAPTER_FORMAT_PEFT));
  TRY(mixgrpo_model_set_adapter_strength(loaded, 0.5));
  TRY(mixgrpo_model_merge(loaded, &merged), HANDLE(merged));
  TRY(mixgrpo_model_freeze(loaded, &frozen), HANDLE(frozen));
  TRY(mixgrpo_model_load_frozen(context, whole, &rounded), HANDLE(rounded));
  mixgrpo_model_destroy(frozen);
  mixgrpo_model_destroy(rounded);
  mixgrpo_model_destroy(adapted);
  mixgrpo_model_destroy(loaded);
  mixgrpo_model_destroy(merged);
}

void run_model(const sizes *sizes, const char *folder) {
  world *const w = world_create(sizes);
  mixgrpo_model *loaded = NULL, *copied = NULL;
  mixgrpo_model_config config = {.struct_size = sizeof config};
  const char *const whole = path_in(folder, "whole");
  TRY(mixgrpo_model_save(w->model, whole, MIXGRPO_STORAGE_F32));
  TRY(mixgrpo_model_save(w->model, whole, MIXGRPO_STORAGE_F32));
  TRY(mixgrpo_model_save(w->model, path_in(folder, "half"), MIXGRPO_STORAGE_BF16));
  TRY(mixgrpo_model_config_load(whole, &config), OUT(config));
  TRY(mixgrpo_model_load(w->context, whole, &loaded), HANDLE(loaded));
  look_at_parameters(loaded);
  mixgrpo_model_destroy(loaded);
  loaded = NULL;
  TRY(mixgrpo_model_load(w->context, path_in(folder, "half"), &loaded), HANDLE(loaded));
  TRY(mixgrpo_model_copy(loaded, &copied), HANDLE(copied));
  TRY(mixgrpo_model_get_config(copied, &config), OUT(config));
  look_at_parameters(copied);
  adapt(w->context, loaded, whole, folder);
  mixgrpo_model_destroy(loaded);
  mixgrpo_model_destroy(copied);
  world_destroy(w);
}

/* The built-in model by hand: velocity, backward, optimizer, samples. */
void run_evaluator(const sizes *sizes, const char *folder) {
  world *const w = world_create(sizes);
  mixgrpo_optimizer *optimizer = NULL;
  mixgrpo_optimizer_report report = {.struct_size = sizeof report};
  mixgrpo_sample_config config;
  size_t parameters = 0;
  const size_t D = w->latent_size, count = 3;
  float sigmas[3] = {1, 0.5f, 0.25f};
  const int32_t prompts[3] = {1, 0, 1};
  (void)folder;
  float *const latents = room(count * D, sizeof *latents), *const velocity = room(count * D, sizeof *velocity);
  float *const d_latents = room(count * D, sizeof *d_latents);
  TRY(mixgrpo_normal_noise(1, 2, 3, latents, count * D), OUTS(latents, count * D));
  NOTE(mixgrpo_evaluator_latent_size(w->evaluator));
  NOTE(mixgrpo_prompts_count(w->prompts));
  TRY(mixgrpo_model_get_size(w->model, NULL, &parameters), OUT(parameters));
  TRY(mixgrpo_optimizer_create(w->context, &w->learning, parameters, &optimizer), HANDLE(optimizer));
  TRY(mixgrpo_evaluator_velocity(w->evaluator, w->prompts, latents, sigmas, prompts, count, 1, velocity, count * D),
      OUTS(velocity, count * D));
  TRY(mixgrpo_evaluator_backward(w->evaluator, velocity, count * D, d_latents, count * D), OUTS(d_latents, count * D));
  TRY(mixgrpo_optimizer_step_model(optimizer, w->model, &report), OUT(report));
  TRY(mixgrpo_sample_config_init(&config, sizeof config), OUT(config));
  config.steps = 2;
  TRY(mixgrpo_evaluator_sample(w->evaluator, NULL, w->prompts, &config, prompts, count, NULL, 0, velocity, count * D),
      OUTS(velocity, count * D));
  mixgrpo_optimizer_destroy(optimizer);
  world_destroy(w);
}

/* Rollout and update without a trainer, answered by the built-in model. */
void run_built_in(const sizes *sizes, const char *folder) {
  world *const w = world_create(sizes);
  mixgrpo_rollout_config which;
  mixgrpo_rollout *rollout = NULL;
  mixgrpo_update *update = NULL;
  mixgrpo_optimizer *optimizer = NULL;
  mixgrpo_model *frozen = NULL;
  mixgrpo_evaluator *reference = NULL;
  mixgrpo_optimizer_report report = {.struct_size = sizeof report};
  mixgrpo_update_statistics statistics = {.struct_size = sizeof statistics};
  size_t parameters = 0;
  double *const advantages = room(w->samples, sizeof *advantages);
  (void)folder;
  TRY(mixgrpo_rollout_config_init(&which, sizeof which), OUT(which));
  which.latent_size = w->latent_size;
  TRY(mixgrpo_rollout_create(w->context, w->plan, &which, w->chosen, (size_t)sizes->prompts, NULL, 0, &rollout), HANDLE(rollout));
  TRY(mixgrpo_rollout_run(rollout, w->evaluator, w->prompts));
  TRY(mixgrpo_rollout_get_samples(rollout, w->latents, w->values), OUTS(w->latents, w->values));
  for (size_t i = 0; i < w->samples; i++) advantages[i] = i % 2 ? 1 : -1;
  TRY(mixgrpo_update_create(rollout, &w->learning, advantages, NULL, w->samples, 0, &update), HANDLE(update));
  TRY(mixgrpo_model_copy(w->model, &frozen), HANDLE(frozen));
  TRY(mixgrpo_evaluator_create(frozen, &w->geometry, NULL, 0, &reference), HANDLE(reference));
  TRY(mixgrpo_model_get_size(w->model, NULL, &parameters), OUT(parameters));
  TRY(mixgrpo_optimizer_create(w->context, &w->learning, parameters, &optimizer), HANDLE(optimizer));
  TRY(mixgrpo_update_run(update, w->evaluator, w->prompts, optimizer, reference, &report), OUT(report));
  TRY(mixgrpo_update_get_statistics(update, &statistics), OUT(statistics));
  float *const weights = room(parameters, sizeof *weights);
  TRY(mixgrpo_model_get_weights(w->model, 0, weights, parameters), OUTS(weights, parameters));
  mixgrpo_update_destroy(update);
  mixgrpo_rollout_destroy(rollout);
  mixgrpo_optimizer_destroy(optimizer);
  mixgrpo_evaluator_destroy(reference);
  mixgrpo_model_destroy(frozen);
  world_destroy(w);
}
