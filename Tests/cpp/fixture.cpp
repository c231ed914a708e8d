#include <cmath>
#include <cstdlib>

#include "check.hpp"

namespace {

mixgrpo::model random_model(const mixgrpo::context& context) {
  mixgrpo::model model(context, small_model_config(), 1);
  auto weights = mixgrpo::normal_noise(7, 1, 2, model.value_count());
  for (float& weight : weights) weight *= 0.2f;
  model.set_weights(0, weights);  // the output layer of a new model is 0
  return model;
}

mixgrpo_evaluator_config small_geometry() {
  auto config = mixgrpo::make_evaluator_config();
  config.height_tokens = config.width_tokens = 2;
  config.text_length = 3;
  config.max_batch = 8;
  return config;
}

}  // namespace

mixgrpo_model_config small_model_config() {
  auto config = mixgrpo::make_model_config();
  config.in_channels = config.out_channels = 4;
  config.num_layers = config.num_single_layers = 1;
  config.attention_head_dim = 8;
  config.num_attention_heads = 2;
  config.joint_attention_dim = 6;
  config.pooled_projection_dim = 5;
  config.axes_dims_rope[0] = config.axes_dims_rope[1] = 2;
  config.axes_dims_rope[2] = 4;
  return config;
}

mixgrpo::settings small_settings() {
  auto settings = mixgrpo::preset("mixgrpo");
  settings.sampling.steps = 5;
  settings.sampling.window_length = 2;
  settings.sampling.group_size = group;
  settings.learning.updates_per_iteration = 2;
  settings.learning.learning_rate = 1e-3;
  return settings;
}

fixture::fixture()
    : settings(small_settings()),
      context(2),
      model(random_model(context)),
      prompts(mixgrpo::prompts::hashed_words(context, {"a red circle", "a blue square", "two greens", "night"}, 3, 6, 5)),
      evaluator(model, small_geometry()),
      plan(settings.sampling) {}

mixgrpo::trainer fixture::trainer(bool keep_base) {
  return mixgrpo::trainer(evaluator, prompts, plan, settings.learning, {"taste", "match"}, keep_base);
}

mixgrpo::rollout fixture::rollout() const {
  auto config = mixgrpo::make_rollout_config();
  config.latent_size = latent;
  return mixgrpo::rollout(context, plan, config, {2, 0});
}

std::vector<double> score(const std::vector<float>& drawn) {
  const std::size_t count = drawn.size() / latent;
  std::vector<double> rewards(2 * count);
  for (std::size_t i = 0; i < count; i++) {
    rewards[i] = drawn[i * latent];
    rewards[count + i] = -std::fabs(drawn[i * latent + 1]);
  }
  return rewards;
}

std::string scratch(const std::string& name) {
  const char* folder = std::getenv("TMPDIR");
  return std::string(folder ? folder : "/tmp") + "/" + name;
}
