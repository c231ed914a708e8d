// The whole pipeline in one program. The C, C++, Python, Rust and Swift versions print the same lines, to the last bit.
//
// conformance MODEL FOLDER: the base model's folder, and a folder for the checkpoint. Numbers are printed as their bits in
// hexadecimal, arrays as the 64-bit FNV-1a hash of their bytes.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <mixgrpo.hpp>

namespace {

constexpr std::size_t D = 8, image_size = 32 * 32 * 3;
constexpr int group = 4, prompt_count = 2, samples_in_all = group * prompt_count;
const std::vector<std::string> lines = {"a red circle at the left", "a blue square in the middle"};

template <class Value>
unsigned long long hash_of(const std::vector<Value>& values) {
  std::uint64_t state = 0xcbf29ce484222325u;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(values.data());
  for (std::size_t i = 0; i < values.size() * sizeof(Value); i++) state = (state ^ bytes[i]) * 0x100000001b3u;
  return state;
}

unsigned long long bits(double value) {
  std::uint64_t raw;
  std::memcpy(&raw, &value, sizeof raw);
  return raw;
}

// Windows, work and every coefficient of the published methods.
void plans() {
  for (const std::string& name : mixgrpo::preset_names()) {
    const mixgrpo::plan plan(mixgrpo::preset(name).sampling);
    for (const int iteration : {0, 40}) {
      const auto work = plan.iteration(iteration, prompt_count, 1);
      std::vector<double> coefficients;
      for (int index = 0; index < work.step_count; index++) {
        const auto step = plan.step(iteration, index);
        for (const double value : {step.sigma, step.next_sigma, step.latent, step.velocity, step.history[0], step.history[1],
                                   step.noise})
          coefficients.push_back(value);
      }
      std::printf("plan %s %d: window %d+%d, %d steps, %d trained, %d calls, %016llx\n", name.c_str(), iteration,
                  work.window_start, work.window_length, work.step_count, work.trained_step_count,
                  static_cast<int>(work.rollout_model_calls), hash_of(coefficients));
    }
  }
}

// The host's own model, with one weight: velocity = weight * h - prompt / 8 with h = latent / 2 + sigma.
struct own_model {
  float weight = 0.75f;
  std::vector<float> h, velocity;

  void answer(const mixgrpo::request& request) {
    h.resize(request.latents.size()), velocity.resize(request.latents.size());
    for (std::size_t i = 0; i < h.size(); i++) {
      h[i] = 0.5f * request.latents[i] + request.sigmas[i / D];
      velocity[i] = weight * h[i] - 0.125f * static_cast<float>(request.prompt_index[i / D]);
    }
  }
};

void rollout_and_update_by_hand(const mixgrpo::context& context) {
  own_model model;
  auto sampling = mixgrpo::make_sampling_config();
  auto learning = mixgrpo::make_learning_config();
  sampling.steps = 6, sampling.window_length = 2, sampling.group_size = group, sampling.seed = 11;
  learning.updates_per_iteration = 2, learning.clip_range = 0.05;
  auto config = mixgrpo::make_rollout_config();
  config.iteration = 30, config.latent_size = D;
  mixgrpo::rollout rollout(context, mixgrpo::plan(sampling), config, {3, 1});
  while (const auto request = rollout.next()) {
    model.answer(request);
    rollout.submit(model.velocity);
  }
  const auto samples = rollout.samples();
  std::printf("samples %016llx\n", hash_of(samples));

  std::vector<double> rewards(samples_in_all);
  for (std::size_t i = 0; i < samples.size(); i++) rewards[i / D] += samples[i];
  const auto advantages = mixgrpo::advantages(learning, rewards, prompt_count, group);
  std::printf("advantages %016llx\n", hash_of(advantages.values));
  mixgrpo::update update(rollout, learning, advantages.values, advantages.included);
  double gradient = 0;
  while (const auto request = update.next()) {
    if (request.is_optimizer_step()) {
      model.weight = static_cast<float>(model.weight - 0.5 * gradient), gradient = 0;
      std::printf("weight %016llx\n", bits(model.weight));
      continue;
    }
    model.answer(request);
    const auto d_velocity = update.submit(model.velocity);
    for (std::size_t i = 0; i < d_velocity.size(); i++)
      gradient += static_cast<double>(d_velocity[i]) * static_cast<double>(model.h[i]);
    std::printf("d_velocity %016llx\n", hash_of(d_velocity));
  }
  const auto seen = update.statistics();
  std::printf("loss %016llx, ratios %016llx %016llx\n", bits(seen.loss), bits(seen.first_ratio_min), bits(seen.ratio_max));
}

// ------------------------------------------------------------------------------------------------------------ trainer

std::vector<std::uint8_t> pixels;

std::vector<double> score(const std::vector<float>& samples) {
  const std::size_t count = samples.size() / image_size;
  pixels = mixgrpo::pixels_decode(samples, static_cast<std::int32_t>(count), 32, 32, 4);
  std::vector<double> rewards;
  for (std::size_t i = 0; i < count; i++) {
    long sum = 0;
    for (std::size_t j = 0; j < image_size; j++) sum += pixels[i * image_size + j];
    rewards.push_back(1 - static_cast<double>(sum) / (255.0 * image_size));
  }
  return rewards;
}

void report(const char* what, const mixgrpo_metrics& metrics) {
  std::printf("%s %d: reward %016llx, loss %016llx, gradient %016llx\n", what, static_cast<int>(metrics.iteration),
              bits(metrics.reward_mean), bits(metrics.loss), bits(metrics.gradient_norm));
}

struct training {
  mixgrpo::model model;
  mixgrpo::trainer trainer;

  training(const mixgrpo::context& context, const std::string& base)
      : model(mixgrpo::model::load(context, base)), trainer(begin(context, model)) {}

  static mixgrpo::trainer begin(const mixgrpo::context& context, mixgrpo::model& model) {
    const auto prompts = mixgrpo::prompts::hashed_words(context, lines, 16, 64, 64);
    auto geometry = mixgrpo::make_evaluator_config();
    geometry.text_length = 16;
    mixgrpo::evaluator evaluator(model, geometry);
    auto [sampling, learning] = mixgrpo::preset("mixgrpo_flash");
    sampling.steps = 6, sampling.window_length = 2, sampling.group_size = group, sampling.seed = 5;
    learning.updates_per_iteration = 2, learning.learning_rate = 1e-4;
    return {evaluator, prompts, mixgrpo::plan(sampling), learning, {"darkness"}};
  }

  void iterate(const char* what) {
    report(what, trainer.update(score(trainer.rollout({0, 1}))));
    std::printf("%s weights %016llx\n", what, hash_of(model.weights()));
  }

  void iterate_with_tickets() {
    std::vector<mixgrpo::ticketed_samples> parts;
    for (const int prompt : {1, 0}) {
      parts.push_back(trainer.rollout_ticket({prompt}));
      std::printf("ticket %d %016llx\n", static_cast<int>(parts.back().ticket), hash_of(parts.back().samples));
    }
    std::reverse(parts.begin(), parts.end());
    for (const auto& part : parts) trainer.submit_rewards(part.ticket, score(part.samples));
    report("tickets", trainer.update_tickets());
  }
};

void picture() {
  auto image = mixgrpo::image::grid(pixels, samples_in_all, 32, 32, group, 2, 1);
  image.set_texts({{"prompt", lines[0]}});
  const auto png = image.encode();
  std::printf("png %d bytes %016llx\n", static_cast<int>(png.size()), hash_of(png));
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) return std::fprintf(stderr, "usage: conformance MODEL FOLDER\n"), 2;
  const mixgrpo::context context(2);
  plans();
  rollout_and_update_by_hand(context);
  training first(context, argv[1]);
  first.iterate_with_tickets();
  first.trainer.save(argv[2]);
  first.iterate("trained");
  training second(context, argv[1]);
  second.trainer.restore(argv[2]);
  second.iterate("resumed");
  picture();
} catch (const std::exception& failure) {
  std::fprintf(stderr, "%s\n", failure.what());
  return 1;
}
