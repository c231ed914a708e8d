// c++ -std=c++17 examples/cpp/quickstart.cpp $(pkg-config --cflags --libs mixgrpo) -o quickstart && ./quickstart examples/base
#include <cstdio>
#include <mixgrpo.hpp>

// The reward: any code of yours, nothing need be differentiable.
static double darkness(mixgrpo::view<const std::uint8_t> image) {
  long sum = 0;
  for (const int value : image) sum += value;
  return 1 - sum / (255.0 * image.size());
}

static void align(const std::string& base) {
  const mixgrpo::context context;  // one thread per core
  auto model = mixgrpo::model::load(context, base);
  const auto prompts = mixgrpo::prompts::hashed_words(
      context, {"a red circle at the left", "a blue square in the middle"}, 16, 64, 64);
  auto geometry = mixgrpo::make_evaluator_config();  // 8 × 8 image tokens
  geometry.text_length = 16;
  mixgrpo::evaluator evaluator(model, geometry);
  auto [sampling, learning] = mixgrpo::preset("mixgrpo");  // the paper's
  sampling.steps = 12, learning.learning_rate = 2e-5;
  mixgrpo::trainer trainer(evaluator, prompts, mixgrpo::plan(sampling), learning, {"darkness"});

  for (int iteration = 0; iteration < 20; iteration++) {
    const auto samples = trainer.rollout({0, 1});  // 2 groups of 12 pictures, 32 × 32 pixels as 64 tokens of 48 values
    const auto pixels = mixgrpo::pixels_decode(samples, 24, 32, 32, 4);
    std::vector<double> rewards;
    for (int i = 0; i < 24; i++) rewards.push_back(darkness({pixels.data() + i * 3072, 3072}));
    std::printf("iteration %d: darkness %.3f\n", iteration, trainer.update(rewards).reward_mean);
  }
  model.save("aligned", MIXGRPO_STORAGE_BF16);  // a diffusers folder
}

int main(int argc, char** argv) try {
  align(argc > 1 ? argv[1] : "examples/base");
} catch (const std::exception& failure) {
  std::fprintf(stderr, "%s\n", failure.what());
  return 1;
}
