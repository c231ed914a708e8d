// What the wrapper adds to mixgrpo.h: exceptions, ownership, views, and callbacks that may throw.
#include <array>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <type_traits>
#if __cplusplus >= 202002L
#include <span>
#endif

#include "check.hpp"

namespace {

struct receiver_failed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// ------------------------------------------------------------------------------------------------------------- errors

void a_status_becomes_an_exception_with_the_librarys_message() {
  try {
    mixgrpo::context context(-3);
    CHECK(false);
  } catch (const mixgrpo::error& thrown) {
    CHECK(thrown.status() == MIXGRPO_STATUS_INVALID_ARGUMENT && std::string(thrown.status_name()) == "invalid_argument");
    CHECK(std::string(thrown.what()) == mixgrpo_last_error() && std::string(thrown.what()).find("got -3") != std::string::npos);
  }
  const mixgrpo::context context(1);
  CHECK(refused(MIXGRPO_STATUS_INPUT_OUTPUT, "nothing-here", [&] { mixgrpo::model::load(context, scratch("nothing-here")); }));
  CHECK(refused(MIXGRPO_STATUS_INPUT_OUTPUT, "nothing-here", [&] { mixgrpo::load_model_config(scratch("nothing-here")); }));
  CHECK(invalid("no_such_preset", [] { mixgrpo::preset("no_such_preset"); }));
  CHECK(refused(MIXGRPO_STATUS_INVALID_FORMAT, "", [] { mixgrpo::image::decode({1, 2, 3}); }));
}

void a_cancelled_call_throws_cancelled() {
  fixture f;
  auto trainer = f.trainer();
  f.context.cancel();
  CHECK(f.context.is_cancelled());
  CHECK(throws<mixgrpo::cancelled>([&] { trainer.rollout({2, 0}); }));
  CHECK(refused(MIXGRPO_STATUS_CANCELLED, "cancel", [&] { trainer.rollout({2, 0}); }));
  f.context.reset_cancel();
  CHECK(!f.context.is_cancelled() && trainer.rollout({2, 0}).size() == samples * latent);
}

void text_with_a_zero_inside_is_refused() {
  fixture f;
  const std::string cut("base\0ment", 9);
  CHECK(invalid("folder", [&] { mixgrpo::model::load(f.context, cut); }));
  CHECK(invalid("folder", [&] { f.model.save(scratch(cut)); }));
  CHECK(invalid("prompts", [&] { mixgrpo::prompts::hashed_words(f.context, {"a", cut}, 3, 6, 5); }));
  CHECK(invalid("reward_names", [&] { mixgrpo::trainer(f.evaluator, f.prompts, f.plan, f.settings.learning, {cut}); }));
}

void arrays_that_do_not_fit_together_are_refused() {
  fixture f;
  const std::vector<float> latents(2 * latent), sigmas(2, 0.5f);
  CHECK(invalid("latents: expected 32 values, got 31", [&] {
    f.evaluator.velocity(f.prompts, {latents.data(), 31}, sigmas, {0, 1});
  }));
  CHECK(invalid("prompt_index", [&] { f.evaluator.velocity(f.prompts, latents, sigmas, {0}); }));
  CHECK(invalid("rewards", [&] { mixgrpo::advantages(f.settings.learning, {1, 2, 3}, 1, 2); }));
  CHECK(invalid("rewards", [&] { mixgrpo::advantages(f.settings.learning, {1, 2, 3, 4}, 0, 4); }));
  CHECK(invalid("rewards", [&] { mixgrpo::advantages(f.settings.learning, {}, 2, 4); }));
  mixgrpo::optimizer optimizer(f.context, f.settings.learning, 3);
  std::vector<float> weights(3);
  CHECK(invalid("gradients", [&] { optimizer.step(weights, {1, 2}); }));
  const auto step = mixgrpo::stochastic_step(MIXGRPO_DYNAMICS_FLOW, 0.7, 0.8, 0.6);
  CHECK(invalid("velocity", [&] {
    mixgrpo::step_log_probability(step, MIXGRPO_LOG_PROBABILITY_MEAN, latents, sigmas, latents, 2);
  }));
  CHECK(invalid("count", [&] {
    mixgrpo::step_log_probability(step, MIXGRPO_LOG_PROBABILITY_MEAN, latents, latents, latents, 0);
  }));
  CHECK(invalid("old_log_probabilities", [&] {
    mixgrpo::policy_loss(f.settings.learning, step, MIXGRPO_LOG_PROBABILITY_MEAN, latents, latents, latents, {1}, {1, 2});
  }));
}

void impossible_sizes_are_exceptions() {
  const int most = std::numeric_limits<int>::max();
  CHECK(throws<std::length_error>([&] { mixgrpo::hashed_words_encode({"a", "b", "c"}, most, most, 1); }));
  CHECK(invalid("text_length", [] { mixgrpo::hashed_words_encode({"a"}, -1, 6, 5); }));
  fixture f;
  auto config = mixgrpo::make_sample_config();
  const std::vector<double> sigmas = {1, 0.6, 0.2, 0}, rising = {1, 1, 0};
  const auto own = mixgrpo::make_sample_config(sigmas), wrong = mixgrpo::make_sample_config(rising);
  config.steps = 3;
  CHECK(f.evaluator.sample(f.prompts, own, {0}) != f.evaluator.sample(f.prompts, config, {0}));
  CHECK(invalid("sigmas[1]", [&] { f.evaluator.sample(f.prompts, wrong, {0}); }));
  config.samples_per_prompt = -1;
  CHECK(invalid("samples_per_prompt", [&] { f.evaluator.sample(f.prompts, config, {0}); }));
}

// ---------------------------------------------------------------------------------------------------------- ownership

template <class Object>
constexpr bool owns = !std::is_copy_constructible_v<Object> && !std::is_copy_assignable_v<Object> &&
                      std::is_nothrow_move_constructible_v<Object> && std::is_nothrow_move_assignable_v<Object>;
static_assert(owns<mixgrpo::context> && owns<mixgrpo::model> && owns<mixgrpo::prompts> && owns<mixgrpo::evaluator>);
static_assert(owns<mixgrpo::plan> && owns<mixgrpo::rollout> && owns<mixgrpo::update> && owns<mixgrpo::optimizer>);
static_assert(owns<mixgrpo::trainer> && owns<mixgrpo::image>);

void a_moved_object_works_and_a_moved_from_one_throws() {
  fixture f;
  const mixgrpo_model* handle = f.model.get();
  mixgrpo::model moved = std::move(f.model);
  CHECK(moved.get() == handle && moved && !f.model && f.model.get() == nullptr);  // NOLINT: looks at a moved-from object
  CHECK(moved.value_count() > 0);
  CHECK(invalid("model", [&] { f.model.value_count(); }));
  CHECK(invalid("model", [&] { mixgrpo::evaluator(f.model, mixgrpo::make_evaluator_config()); }));
  f.model = std::move(moved);
  CHECK(f.model.get() == handle && f.model.value_count() > 0);

  mixgrpo::context other = std::move(f.context);
  CHECK(other.threads() == 2 && !f.context && f.context.threads() == 0 && !f.context.is_cancelled());
  f.context.cancel();
  f.context.reset_cancel();
  CHECK(invalid("context", [&] { f.context.on_progress([](const mixgrpo_progress&) {}); }));
  CHECK(invalid("context", [&] { f.context.on_log({}); }));
  CHECK(invalid("context", [&] { mixgrpo::model(f.context, small_model_config(), 0); }));
  CHECK(!other.is_cancelled());
}

void assignment_destroys_what_was_there() {
  fixture f;
  mixgrpo_plan* const old = f.plan.get();
  f.plan = mixgrpo::plan(f.settings.sampling);
  mixgrpo_step step{};
  step.struct_size = sizeof step;
  CHECK(mixgrpo_plan_get_step(old, 0, -1, 0, &step) == MIXGRPO_STATUS_INVALID_ARGUMENT);
  CHECK(f.plan.step(0, 0).sigma == 1);
  mixgrpo_context* handle = nullptr;
  {
    const mixgrpo::context context(1);
    handle = context.get();
  }
  CHECK(mixgrpo_context_threads(handle) == 0);
}

void objects_outlive_what_they_are_built_from() {
  auto f = std::make_unique<fixture>();
  int heard = 0;
  f->context.on_progress([&heard](const mixgrpo_progress& progress) { heard += progress.total > 0; });
  mixgrpo::trainer trainer = f->trainer();
  const std::vector<float> with_all = trainer.rollout({2, 0});
  const int heard_at_first = heard;
  mixgrpo::evaluator evaluator = std::move(f->evaluator);
  f.reset();  // context, model, prompts and plan are gone, and the receiver still hears
  CHECK(trainer.rollout({2, 0}) == with_all && heard == 2 * heard_at_first && heard > 0);
  CHECK(trainer.update(score(with_all)).first_ratio_min == 1);
  CHECK(evaluator.latent_size() == latent);
}

void any_order_of_destruction_will_do() {
  for (int first = 0; first < 6; first++) {
    auto f = std::make_unique<fixture>();
    std::optional<mixgrpo::trainer> trainer(f->trainer());
    std::optional<mixgrpo::rollout> rollout(f->rollout());
    rollout->run(f->evaluator, f->prompts);
    std::optional<mixgrpo::update> update(mixgrpo::update(*rollout, f->settings.learning, std::vector<double>(samples, 0.5)));
    const std::array<std::function<void()>, 4> end = {
        [&] { f.reset(); }, [&] { trainer.reset(); }, [&] { rollout.reset(); }, [&] { update.reset(); }};
    for (int i = 0; i < 4; i++) end[static_cast<std::size_t>(first < 4 ? (first + i) % 4 : 3 - i)]();
    CHECK(!f && !trainer && !rollout && !update);
  }
}

// ---------------------------------------------------------------------------------------------------------- callbacks

void what_a_receiver_throws_comes_out_of_the_call() {
  fixture f;
  auto trainer = f.trainer();
  const auto undisturbed = trainer.rollout({2, 0});
  int calls = 0;
  f.context.on_progress([&](const mixgrpo_progress&) {
    if (++calls == 2) throw receiver_failed("at the second step");
  });
  CHECK(throws<receiver_failed>([&] { trainer.rollout({2, 0}); }));
  CHECK(calls == 2);                // the call was stopped there
  CHECK(!f.context.is_cancelled());  // and the context is ready again
  CHECK(trainer.rollout({2, 0}) == undisturbed);

  const auto before = f.model.weights();
  calls = 0;
  CHECK(throws<receiver_failed>([&] { trainer.update(score(undisturbed)); }));
  CHECK(f.model.weights() == before && trainer.iteration() == 0);
  f.context.on_progress([](const mixgrpo_progress& progress) {
    if (progress.done == progress.total) throw receiver_failed("at the last moment");
  });
  CHECK(throws<receiver_failed>([&] { trainer.update(score(undisturbed)); }));
  CHECK(f.model.weights() == before && trainer.iteration() == 0);
  f.context.on_progress({});
  trainer.update(score(undisturbed));
  CHECK(f.model.weights() != before && trainer.iteration() == 1);
}

void anything_may_be_thrown_by_a_log_receiver() {
  fixture f;
  auto trainer = f.trainer();
  trainer.rollout({2, 0});
  std::string line;
  f.context.on_log([&](mixgrpo_log_level level, const char* message) {
    line = message;
    throw static_cast<int>(level);
  });
  int thrown = -1;
  try {
    trainer.update(std::vector<double>(2 * samples, 1.0));  // equal rewards: a warning
  } catch (int level) {
    thrown = level;
  }
  CHECK(thrown == MIXGRPO_LOG_LEVEL_WARNING && !line.empty() && !f.context.is_cancelled());
  f.context.on_log({});
  trainer.rollout({2, 0});
  trainer.update(std::vector<double>(2 * samples, 1.0));
}

void a_cancel_by_the_host_outlasts_an_exception() {
  fixture f;
  auto trainer = f.trainer();
  f.context.on_progress([&](const mixgrpo_progress&) {
    f.context.cancel();
    throw receiver_failed("and cancelled");
  });
  CHECK(throws<receiver_failed>([&] { trainer.rollout({2, 0}); }));
  CHECK(f.context.is_cancelled() && throws<mixgrpo::cancelled>([&] { trainer.rollout({2, 0}); }));
}

void a_receiver_may_cancel_and_be_replaced() {
  fixture f;
  auto trainer = f.trainer();
  f.context.on_progress([&](const mixgrpo_progress&) { f.context.cancel(); });
  CHECK(throws<mixgrpo::cancelled>([&] { trainer.rollout({2, 0}); }));
  f.context.reset_cancel();
  auto kept = std::make_shared<int>(0);
  f.context.on_progress([kept](const mixgrpo_progress& progress) { *kept += progress.stage == MIXGRPO_STAGE_ROLLOUT; });
  trainer.rollout({2, 0});
  CHECK(*kept > 0 && kept.use_count() == 2);
  f.context.on_progress({});
  CHECK(kept.use_count() == 1);  // a receiver is let go of
}

void a_receiver_may_use_another_context() {
  fixture outer, inner;
  auto trainer = outer.trainer(), unrelated = inner.trainer();
  int caught = 0;
  inner.context.on_progress([](const mixgrpo_progress&) { throw receiver_failed("inner"); });
  outer.context.on_progress([&](const mixgrpo_progress&) {
    caught += throws<receiver_failed>([&] { unrelated.rollout({2, 0}); });
  });
  CHECK(trainer.rollout({2, 0}).size() == samples * latent && caught > 1);
}

void an_exception_stays_on_its_thread() {
  fixture failing, fine;
  auto stopped = failing.trainer(), undisturbed = fine.trainer();
  failing.context.on_progress([](const mixgrpo_progress&) { throw receiver_failed("this thread"); });
  bool seen = false, done = false;
  std::thread first([&] { seen = throws<receiver_failed>([&] { stopped.rollout({2, 0}); }); });
  std::thread second([&] { done = undisturbed.rollout({2, 0}).size() == samples * latent; });
  first.join();
  second.join();
  CHECK(seen && done);
}

// -------------------------------------------------------------------------------------------------------------- views

template <class To, class From>
constexpr bool views = std::is_convertible_v<From, mixgrpo::view<To>>;
static_assert(views<const float, std::vector<float>&> && views<const float, const std::vector<float>&>);
static_assert(views<const float, std::vector<float>> && views<const float, std::array<float, 3>>);
static_assert(views<float, std::vector<float>&> && views<float, float (&)[3]> && views<const float, mixgrpo::view<float>>);
static_assert(!views<float, const std::vector<float>&> && !views<float, std::vector<float>>);  // results must have a place
static_assert(!views<const float, std::vector<double>&> && !views<float, mixgrpo::view<const float>>);
#if __cplusplus >= 202002L
static_assert(views<float, std::span<float>> && views<const float, std::span<const float>>);
#endif

void views_see_the_values() {
  std::vector<float> values = {1, 2, 3};
  const mixgrpo::view<float> all(values);
  all[1] = 5;
  const auto sum = [](mixgrpo::view<const float> seen) {
    float total = 0;
    for (const float value : seen) total += value;
    return total;
  };
  const float array[] = {1, 2};
  CHECK(sum(all) == 9 && sum(values) == 9 && sum({1, 2, 3}) == 6 && sum(array) == 3 && sum({}) == 0);
  CHECK(sum({values.data() + 1, 2}) == 8 && mixgrpo::view<const float>().empty());
}

}  // namespace

int main() {
  a_status_becomes_an_exception_with_the_librarys_message();
  a_cancelled_call_throws_cancelled();
  text_with_a_zero_inside_is_refused();
  arrays_that_do_not_fit_together_are_refused();
  impossible_sizes_are_exceptions();
  a_moved_object_works_and_a_moved_from_one_throws();
  assignment_destroys_what_was_there();
  objects_outlive_what_they_are_built_from();
  any_order_of_destruction_will_do();
  what_a_receiver_throws_comes_out_of_the_call();
  anything_may_be_thrown_by_a_log_receiver();
  a_cancel_by_the_host_outlasts_an_exception();
  a_receiver_may_cancel_and_be_replaced();
  a_receiver_may_use_another_context();
  an_exception_stays_on_its_thread();
  views_see_the_values();
  test_functions();
  test_host_trainer();
  std::printf("%d checks of the C++ wrapper, %d failed\n", checks, failures);
  return failures == 0 ? 0 : 1;
}
