// growth.c through the C++ wrapper.
#include <cstdlib>

#include "check.hpp"
#include "measure.h"

static void live_once(fixture& f) {
  auto trainer = f.trainer();
  trainer.update(score(trainer.rollout({2, 0})));
  trainer.save(scratch("growth"));
  trainer.restore(scratch("growth"));
  CHECK(invalid("prompt_count", [&] { trainer.rollout({}); }));
  const std::vector<std::uint8_t> pixels(12);
  mixgrpo::image(pixels, 2, 2);
}

int main(int count, char** arguments) {
  const long iterations = count > 1 ? std::atol(arguments[1]) : 300;
  fixture f;
  f.settings.learning.learning_rate = 1e-9;  // all iterations train one model
  for (long i = 0; i < iterations; i++) {
    if (i == iterations / 10) growth_measure();
    live_once(f);
  }
  growth_measure();
  return failures != 0;
}
