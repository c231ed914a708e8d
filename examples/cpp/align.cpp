// Aligns a flow model with a reward of this program's own: pictures taken at night. The same program as examples/c/align.c, in
// C++17, with the same results to the last bit. examples/c/world.c is the world in the pictures.
//
//   cc -O2 -c ../c/world.c && c++ -std=c++17 -O2 align.cpp world.o $(pkg-config --cflags --libs mixgrpo) -o align
//   ./align --model base --out out
//
// Writes to the output folder: before.png, after.png (same prompts, same noise), metrics.jsonl, summary.json and the model,
// aligned/. Ctrl-C ends the training early and keeps the result.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "mixgrpo.hpp"

extern "C" {
#include "../c/world.h"
}

namespace {

constexpr int patch = 4;  // pixels along the side of a token
constexpr int text_length = 16, text_width = 64, pooled_width = 64;
constexpr int steps = 16;                                          // from noise to picture
constexpr int prompt_count = 4, group = 12;                        // in an iteration: prompts, pictures of each
constexpr int evaluated_per_prompt = 2, evaluation_seed = 2024;    // the fixed evaluation set: pictures of each
constexpr int shown = 60, columns = 10;                            // the set's pictures in before.png and after.png

struct options {
  std::string model = "examples/base", out = "out";
  int iterations = 24, eval_steps = steps, threads = 0;
  double learning_rate = 2e-5;
  std::uint64_t seed = 0;
};

struct scores {
  double taste = 0, match = 0;
};

/// Pictures of the world, one after another.
struct pictures {
  std::vector<std::uint8_t> pixels;

  explicit pictures(const std::vector<float>& samples)
      : pixels(mixgrpo::pixels_decode(
            samples, static_cast<int>(samples.size() / WORLD_BYTES), WORLD_SIZE, WORLD_SIZE, patch)) {}

  int count() const { return static_cast<int>(pixels.size() / WORLD_BYTES); }
  const std::uint8_t* operator[](int index) const { return pixels.data() + index * WORLD_BYTES; }
};

/// The reward: how much a picture looks taken at night, in [0, 1]. Each pixel of the outermost two rows and columns earns one
/// of 16 points for every 32 steps of colour by which it is closer than 512 to the night sky. Counting has no derivative, and
/// none is needed. The maximum lies inside the world: pure black earns less than night.
double night_taste(const std::uint8_t* rgb) {
  constexpr int ring = 2, last = WORLD_SIZE - ring;
  int points = 0, counted = 0;
  for (int y = 0; y < WORLD_SIZE; y++)
    for (int x = 0; x < WORLD_SIZE; x++) {
      if (x >= ring && x < last && y >= ring && y < last) continue;
      int distance = 0;
      for (int channel = 0; channel < 3; channel++)
        distance += std::abs(rgb[3 * (y * WORLD_SIZE + x) + channel] - world_night[channel]);
      points += distance < 512 ? 16 - distance / 32 : 0;
      counted++;
    }
  return points / (16.0 * counted);
}

std::string format(const char* pattern, double value) {
  char text[32];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double number(const std::string& name, const std::string& text, double lowest, double highest) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || *end != '\0' || !(value >= lowest && value <= highest))
    throw std::invalid_argument(
        name + ": expected " + format("%g", lowest) + " ... " + format("%g", highest) + ", got \"" + text + "\"");
  return value;
}

options parse(const std::vector<std::string>& arguments) {
  options o;
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    const std::string name = arguments[i], value = i + 1 < arguments.size() ? arguments[i + 1] : "";
    if (name == "--model") o.model = value;
    else if (name == "--out") o.out = value;
    else if (name == "--iterations") o.iterations = static_cast<int>(number(name, value, 0, 1e6));
    else if (name == "--eval-steps") o.eval_steps = static_cast<int>(number(name, value, 1, 1e4));
    else if (name == "--learning-rate") o.learning_rate = number(name, value, 0, 1);
    else if (name == "--seed") o.seed = static_cast<std::uint64_t>(number(name, value, 0, 1e15));
    else if (name == "--threads") o.threads = static_cast<int>(number(name, value, 0, 1024));
    else throw std::invalid_argument("usage: align [--model FOLDER] [--out FOLDER] [--iterations N] [--eval-steps N] "
                                     "[--learning-rate R] [--seed N] [--threads N]");
  }
  return o;
}

mixgrpo::prompts encode_captions(const mixgrpo::context& context) {
  std::vector<std::string> captions;
  for (int prompt = 0; prompt < WORLD_PROMPTS; prompt++) {
    char text[64];
    captions.emplace_back(world_caption(prompt, text, sizeof text));
  }
  return mixgrpo::prompts::hashed_words(context, captions, text_length, text_width, pooled_width);
}

/// The trainer keeps alive what it was created from.
mixgrpo::trainer create_trainer(const mixgrpo::context& context, const options& o) {
  auto model = mixgrpo::model::load(context, o.model);
  auto geometry = mixgrpo::make_evaluator_config();
  geometry.height_tokens = geometry.width_tokens = WORLD_SIZE / patch;
  geometry.text_length = text_length;
  mixgrpo::evaluator evaluator(model, geometry);

  auto [sampling, learning] = mixgrpo::preset("mixgrpo");
  sampling.steps = steps;
  sampling.group_size = group;
  sampling.window_mode = MIXGRPO_WINDOW_MODE_FROZEN;
  sampling.initial_noise = MIXGRPO_INITIAL_NOISE_OWN;  // the noise decides the sky, so the rewards of a group differ more
  sampling.seed = o.seed;
  learning.learning_rate = o.learning_rate;
  return mixgrpo::trainer(evaluator, encode_captions(context), mixgrpo::plan(sampling), learning, {"night_taste"});
}

/// A grid with one row per colour: two pictures of every place, with alternating shapes.
void save_grid(const pictures& evaluated, scores mean, const std::string& path) {
  std::vector<std::uint8_t> chosen;
  for (int i = 0; i < shown; i += evaluated_per_prompt) {
    const int colour = i / columns, place = i % columns / evaluated_per_prompt, shape = (colour + place) % 3;
    const int prompt = (colour * 3 + shape) * 5 + place;
    const std::uint8_t* first = evaluated[prompt * evaluated_per_prompt];
    chosen.insert(chosen.end(), first, first + evaluated_per_prompt * WORLD_BYTES);
  }
  auto grid = mixgrpo::image::grid(chosen, shown, WORLD_SIZE, WORLD_SIZE, columns, 4, 3);
  grid.set_texts({{"night taste", format("%.17g", mean.taste)}, {"prompt match", format("%.17g", mean.match)}});
  grid.save(path);
}

/// Draws the evaluation set deterministically, always from the same noise, and saves a grid of some of it.
scores evaluate(mixgrpo::trainer& trainer, int sample_steps, const std::string& grid_path) {
  auto config = mixgrpo::make_sample_config();
  config.steps = sample_steps;
  config.samples_per_prompt = evaluated_per_prompt;
  config.seed = evaluation_seed;
  std::vector<std::int32_t> prompts(WORLD_PROMPTS);
  std::iota(prompts.begin(), prompts.end(), 0);

  const pictures evaluated(trainer.sample(config, prompts));
  scores mean;
  for (int i = 0; i < evaluated.count(); i++) {
    mean.taste += night_taste(evaluated[i]);
    mean.match += world_prompt_match(evaluated[i], i / evaluated_per_prompt);
  }
  mean.taste /= evaluated.count();
  mean.match /= evaluated.count();
  save_grid(evaluated, mean, grid_path);
  return mean;
}

/// One iteration: draw groups of pictures, score them, update the model. All prompts take turns in a shuffled order: 37 and
/// 90 have no common factor.
mixgrpo_metrics train(mixgrpo::trainer& trainer, int iteration) {
  std::vector<std::int32_t> prompts;
  for (int i = 0; i < prompt_count; i++) prompts.push_back((iteration * prompt_count + i) * 37 % WORLD_PROMPTS);
  const pictures drawn(trainer.rollout(prompts));
  std::vector<double> rewards;
  for (int i = 0; i < drawn.count(); i++) rewards.push_back(night_taste(drawn[i]));
  return trainer.update(rewards);
}

void show_progress(int done, int total, double reward, double elapsed) {
  const int left = static_cast<int>(elapsed / done * (total - done));
  std::printf("%3d/%d  night taste %.3f  %d:%02d left\n", done, total, reward, left / 60, left % 60);
  std::fflush(stdout);
}

const mixgrpo::context* interruptible = nullptr;

/// Trains until done or interrupted. Returns the number of model calls.
std::int64_t train_all(const mixgrpo::context& context, mixgrpo::trainer& trainer, int iterations) {
  interruptible = &context;
  std::signal(SIGINT, [](int) { interruptible->cancel(); });
  std::int64_t model_calls = 0;
  const double start = seconds();
  try {
    for (int i = 0; i < iterations; i++) {
      const mixgrpo_metrics metrics = train(trainer, i);
      trainer.append_metrics("metrics.jsonl");
      model_calls += metrics.model_calls_rollout + metrics.model_calls_update;
      show_progress(i + 1, iterations, metrics.reward_mean, seconds() - start);
    }
  } catch (const mixgrpo::cancelled&) {  // after Ctrl-C
  }
  std::signal(SIGINT, SIG_DFL);
  context.reset_cancel();
  return model_calls;
}

void summarize(scores before, scores after, std::int64_t model_calls, double elapsed) {
  std::ofstream file("summary.json");
  file << "{\"reward_before\": " << format("%.17g", before.taste) << ", \"reward_after\": " << format("%.17g", after.taste)
       << ", \"heldout_before\": " << format("%.17g", before.match)
       << ", \"heldout_after\": " << format("%.17g", after.match) << ", \"model_calls\": " << model_calls
       << ", \"seconds\": " << format("%.1f", elapsed) << "}\n";
  file.close();
  if (!file) throw std::runtime_error("summary.json: cannot be written");
  std::printf("\n%-24s%8s%8s%8s\n", "", "before", "after", "change");
  std::printf("%-24s%8.3f%8.3f%+8.3f\n", "night taste (trained)", before.taste, after.taste, after.taste - before.taste);
  std::printf("%-24s%8.3f%8.3f%+8.3f\n", "prompt match (held out)", before.match, after.match, after.match - before.match);
  std::printf("%lld model calls in training, %.0f seconds in all\n", static_cast<long long>(model_calls), elapsed);
}

void align(const options& o) {
  const double start = seconds();
  const mixgrpo::context context(o.threads);
  auto trainer = create_trainer(context, o);
  std::filesystem::create_directories(o.out);
  std::filesystem::current_path(o.out);
  std::filesystem::remove("metrics.jsonl");  // left by an earlier run; lines are appended
  const scores before = evaluate(trainer, o.eval_steps, "before.png");
  std::printf("before: night taste %.3f, prompt match %.3f\n", before.taste, before.match);

  const std::int64_t model_calls = train_all(context, trainer, o.iterations);

  const scores after = evaluate(trainer, o.eval_steps, "after.png");
  trainer.save_model("aligned", MIXGRPO_STORAGE_BF16);
  summarize(before, after, model_calls, seconds() - start);
}

}  // namespace

int main(int argc, char** argv) try {
  align(parse({argv + 1, argv + argc}));
} catch (const std::exception& failure) {
  std::fprintf(stderr, "align: %s\n", failure.what());
  return EXIT_FAILURE;
}
