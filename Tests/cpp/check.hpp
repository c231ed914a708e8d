// Counting checks, and a model small enough to run in no time.
#ifndef CHECK_HPP
#define CHECK_HPP

#include <cstdio>
#include <string>
#include <vector>

#include "mixgrpo.hpp"

inline int checks = 0, failures = 0;

inline void check_holds(bool holds, const char* text, const char* file, int line) {
  checks++;
  if (holds) return;
  failures++;
  std::fprintf(stderr, "%s:%d: failed: %s\n", file, line, text);
}

#define CHECK(condition) check_holds((condition), #condition, __FILE__, __LINE__)

/// True when the call throws exactly this type.
template <class Exception, class Call>
bool throws(Call call) {
  try {
    call();
  } catch (const std::exception& thrown) {
    return typeid(thrown) == typeid(Exception);
  }
  return false;
}

/// True when the call throws mixgrpo::error with this status and a message that contains `named`.
template <class Call>
bool refused(mixgrpo_status status, const std::string& named, Call call) {
  try {
    call();
  } catch (const mixgrpo::error& thrown) {
    const bool as_expected = thrown.status() == status && std::string(thrown.what()).find(named) != std::string::npos;
    if (!as_expected) std::fprintf(stderr, "got %s: %s\n", thrown.status_name(), thrown.what());
    return as_expected;
  }
  return false;
}

template <class Call>
bool invalid(const std::string& named, Call call) {
  return refused(MIXGRPO_STATUS_INVALID_ARGUMENT, named, call);
}

constexpr std::size_t latent = 16, group = 4, batch = 2, samples = batch * group;  // 2 x 2 tokens of 4 channels

mixgrpo_model_config small_model_config();
mixgrpo::settings small_settings();

/// A model whose velocities differ, with everything around it.
struct fixture {
  fixture();
  mixgrpo::trainer trainer(bool keep_base = false);
  mixgrpo::rollout rollout() const;

  mixgrpo::settings settings;
  mixgrpo::context context;
  mixgrpo::model model;
  mixgrpo::prompts prompts;
  mixgrpo::evaluator evaluator;
  mixgrpo::plan plan;
};

/// Two rewards that any host could compute, (2, P, G).
std::vector<double> score(const std::vector<float>& drawn);

/// A path in the folder that the test program may write to.
std::string scratch(const std::string& name);

void test_functions();
void test_host_trainer();

#endif
