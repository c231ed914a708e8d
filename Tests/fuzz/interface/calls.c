#include "calls.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct { const char *function; const random_call *random; } calls[] = {
#define FUNCTION(name) {"mixgrpo_" #name, &call_##name},
#include "table.h"
#undef FUNCTION
    {NULL, &run_owner},
    {NULL, &run_states},
};
enum { CALLS = sizeof calls / sizeof *calls };

void *result(size_t size) {
  char *place = output(size);
  *(uint32_t *)(void *)place = one_in(48) ? (uint32_t)any_int() : (uint32_t)size;
  return spoiled(place);
}

static atomic_bool called[CALLS];

static int choose(void) {
  uint32_t total = 0;
  for (int i = 0; i < CALLS; i++) total += (uint32_t)calls[i].random->weight;
  int32_t left = (int32_t)below(total), chosen = 0;
  while ((left -= calls[chosen].random->weight) >= 0) chosen++;
  return chosen;
}

void call_something(void) {
  const int chosen = choose();
  calls[chosen].random->call();
  if (calls[chosen].function && strcmp(current_call(), calls[chosen].function) == 0) atomic_store(&called[chosen], 1);
}

void check_all_called(void) {
  for (int i = 0; i < CALLS; i++) {
    if (!calls[i].function || atomic_load(&called[i])) continue;
    fprintf(stderr, "the random call of %s never called it\n", calls[i].function);
    abort();
  }
}

mixgrpo_model_config some_model_config(void) {
  mixgrpo_model_config config;
  must(mixgrpo_model_config_init(&config, sizeof config) == MIXGRPO_STATUS_OK, "defaults");
  config.in_channels = config.out_channels = 4;
  config.num_layers = (int32_t)below(2);
  config.num_single_layers = (int32_t)below(2);
  config.attention_head_dim = 8;
  config.num_attention_heads = 1 + (int32_t)below(2);
  config.joint_attention_dim = 6;
  config.pooled_projection_dim = 5;
  config.guidance_embeds = (int32_t)below(2);
  config.axes_dims_rope[0] = config.axes_dims_rope[1] = 2;
  config.axes_dims_rope[2] = 4;
  return config;
}

mixgrpo_sampling_config some_sampling_config(void) {
  mixgrpo_sampling_config config;
  must(mixgrpo_config_init(&config, sizeof config, NULL, 0) == MIXGRPO_STATUS_OK, "defaults");
  config.steps = some_int(2, 8);
  config.window_length = some_int(1, 3);
  config.group_size = some_int(2, 4);
  config.window_interval = some_int(1, 3);
  config.dynamics = some_int(0, 2);
  config.window_mode = some_int(0, 7);
  config.solver = some_int(0, 4);
  config.log_probability = one_in(2) ? 0 : some_int(0, 3);
  config.flash_ratio = one_in(2) ? 0 : some_double(0, 1);
  config.initial_noise = some_int(0, 1);
  config.exact_sharing = some_int(0, 1);
  config.seed = chance_bits();
  return config;
}

mixgrpo_learning_config some_learning_config(void) {
  mixgrpo_learning_config config;
  must(mixgrpo_config_init(NULL, 0, &config, sizeof config) == MIXGRPO_STATUS_OK, "defaults");
  config.updates_per_iteration = some_int(1, 2);
  config.advantage_mode = some_int(0, 2);
  config.std_scope = some_int(0, 1);
  config.step_weighting = some_int(0, 1);
  config.schedule = some_int(0, 1);
  config.learning_rate = one_in(2) ? 1e-3 : some_double(0, 1);
  config.kl_reference = one_in(3) ? 0.1 : 0;
  config.kl_old = one_in(3) ? 0.1 : 0;
  config.ema_decay = one_in(3) ? 0.9 : 0;
  config.fault_policy = some_int(0, 2);
  config.max_velocity_change = one_in(2) ? 0 : some_double(0, 2);
  config.trim_fraction = one_in(3) ? some_double(0, 0.5) : 0;
  return config;
}

void share_objects(void) {
  mixgrpo_context *context = NULL;
  mixgrpo_model *model = NULL;
  mixgrpo_prompts *prompts = NULL;
  mixgrpo_plan *plan = NULL;
  mixgrpo_sampling_config sampling;
  const mixgrpo_model_config sizes = some_model_config();
  const char *const lines[] = {"a red circle", "a blue square", "night"};
  must(mixgrpo_config_init(&sampling, sizeof sampling, NULL, 0) == MIXGRPO_STATUS_OK, "defaults");
  sampling.steps = 5, sampling.window_length = 2, sampling.group_size = 3;
  must(mixgrpo_context_create(2, &context) == MIXGRPO_STATUS_OK, "a shared context");
  must(mixgrpo_model_create(context, &sizes, 1, &model) == MIXGRPO_STATUS_OK, "a shared model");
  must(mixgrpo_prompts_create_hashed_words(context, lines, 3, 3, 6, 5, &prompts) == MIXGRPO_STATUS_OK, "shared prompts");
  must(mixgrpo_plan_create(&sampling, NULL, 0, &plan) == MIXGRPO_STATUS_OK, "a shared plan");
  share(CONTEXT, context), share(MODEL, model), share(PROMPTS, prompts), share(PLAN, plan);
}
