// A trainer for a model of the host's. The model here is the built-in one, answered from outside.
#include <stdexcept>

#include "check.hpp"

namespace {

/// Answers with the fixture's model and an optimizer of its own.
struct owner {
  fixture& f;
  mixgrpo::host_trainer& trainer;
  mixgrpo::optimizer optimizer;
  std::vector<float> kept = {};
  int calls = 0, fails_at = 0;
  mixgrpo_weights asked = MIXGRPO_WEIGHTS_TRAINED;

  owner(fixture& with, mixgrpo::host_trainer& asking)
      : f(with), trainer(asking), optimizer(with.context, with.settings.learning, with.model.weights().size()) {}

  void operator()(const mixgrpo::request& request) {
    if (++calls == fails_at) throw std::domain_error("the host's own");
    switch (request.kind) {
      case MIXGRPO_REQUEST_KIND_EVALUATE: return evaluate(request);
      case MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP: {
        const auto report = optimizer.step(f.model);
        return trainer.submit_step(report.gradient_norm, report.learning_rate * request.rate_factor);
      }
      case MIXGRPO_REQUEST_KIND_KEEP_STATE: kept = f.model.weights(); return;
      case MIXGRPO_REQUEST_KIND_RESTORE_STATE: return f.model.set_weights(0, kept);
      case MIXGRPO_REQUEST_KIND_ZERO_GRADIENTS: return f.model.zero_gradients();
      case MIXGRPO_REQUEST_KIND_COMBINE_FIGURES: {  // of two ranks that found the same
        auto all = trainer.figures();
        all.insert(all.end(), all.begin(), all.begin() + MIXGRPO_FIGURE_COUNT);
        return trainer.submit_figures(all);
      }
      default: CHECK(false);
    }
  }

  void evaluate(const mixgrpo::request& request) {
    asked = request.weights;
    const auto velocity =
        f.evaluator.velocity(f.prompts, request.latents, request.sigmas, request.prompt_index, request.needs_gradient);
    const auto d_velocity = trainer.submit(request, velocity);
    CHECK(d_velocity.empty() == !request.needs_gradient);
    if (request.needs_gradient) f.evaluator.backward(d_velocity);
  }
};

mixgrpo::host_trainer host_trainer(fixture& f) {
  auto learning = f.settings.learning;
  learning.learning_rate = mixgrpo::make_learning_config().learning_rate;
  auto host = mixgrpo::make_host_config();
  host.prompt_count = 3;
  host.latent_size = latent;
  return {f.context, f.plan, learning, host, {"taste", "match"}};
}

void a_host_s_trainer_gives_the_numbers_of_the_built_in_one() {
  fixture f, built_in;
  auto trainer = host_trainer(f);
  auto expected = built_in.trainer();
  owner answer(f, trainer);
  trainer.begin_rollout({2, 0});
  trainer.run(answer);
  const auto drawn = trainer.samples();
  CHECK(drawn == expected.rollout({2, 0}));
  trainer.begin_update(score(drawn));
  trainer.run(answer);
  const auto metrics = expected.update(score(drawn));
  CHECK(f.model.weights() == built_in.model.weights() && trainer.iteration() == 1);
  CHECK(trainer.metrics().loss == metrics.loss && trainer.metrics().gradient_norm == metrics.gradient_norm);
}

void what_the_host_throws_comes_out_when_all_is_undone() {
  fixture f;
  auto trainer = host_trainer(f);
  owner answer(f, trainer);
  trainer.begin_rollout({1}, true);
  trainer.run(answer);
  const auto part = trainer.ticketed();
  const std::vector<double> rewards = {1, 2, 3, 4, 4, 3, 1, 2};
  trainer.submit_rewards(part.ticket, rewards);
  CHECK(part.ticket == 1 && part.samples.size() == group * latent && trainer.open_tickets().empty());
  const auto before = f.model.weights();
  answer.calls = 0;
  answer.fails_at = 6;
  trainer.begin_update_tickets();
  CHECK(throws<std::domain_error>([&] { trainer.run(answer); }));
  CHECK(f.model.weights() == before && trainer.iteration() == 0);
  answer.fails_at = 0;
  trainer.begin_update_tickets();
  trainer.run(answer);
  CHECK(f.model.weights() != before && trainer.iteration() == 1);
  CHECK(!trainer.fail(MIXGRPO_STATUS_INTERNAL, "nothing is under way"));
}

void samples_evaluations_and_progress_serve_hosts_too() {
  fixture f;
  auto trainer = host_trainer(f), next = host_trainer(f);
  owner answer(f, trainer);
  auto config = mixgrpo::make_sample_config();
  config.steps = 4;
  trainer.begin_sample(config, {0, 1}, {}, MIXGRPO_WEIGHTS_AVERAGE);
  trainer.run(answer);
  CHECK(answer.asked == MIXGRPO_WEIGHTS_AVERAGE && trainer.samples() == f.evaluator.sample(f.prompts, config, {0, 1}));
  const std::vector<mixgrpo::evaluation_reward> rewards = {{"taste"}};
  mixgrpo::evaluation evaluation(mixgrpo::make_evaluation_config(), config, {0, 1}, rewards);
  evaluation.begin_sample(trainer);
  trainer.run(answer);
  CHECK(trainer.samples().size() == 2 * latent && evaluation.submit(0, {1, 2}).is_best == 1);
  trainer.set_window(1);
  next.set_progress(trainer.progress());
  CHECK(next.progress() == trainer.progress());
  CHECK(refused(MIXGRPO_STATUS_INVALID_FORMAT, "progress", [&] { next.set_progress("{}"); }));
}

void a_rank_trains_on_its_share_of_the_prompts() {
  fixture f;
  auto trainer = host_trainer(f);
  owner answer(f, trainer);
  CHECK(refused(MIXGRPO_STATUS_INVALID_ARGUMENT, "rank", [&] { trainer.set_rank(2, 2); }));
  trainer.set_rank(0, 2);
  trainer.begin_rollout({2, 0});
  trainer.run(answer);
  const auto drawn = trainer.samples();
  CHECK(drawn.size() == group * latent);
  auto rewards = score(drawn);
  rewards.insert(rewards.end(), rewards.begin(), rewards.end());
  trainer.begin_update(rewards);
  trainer.run(answer);
  CHECK(trainer.iteration() == 1 && trainer.metrics().first_ratio_min == 1 && trainer.metrics().first_ratio_max == 1);
}

}  // namespace

void test_host_trainer() {
  a_host_s_trainer_gives_the_numbers_of_the_built_in_one();
  what_the_host_throws_comes_out_when_all_is_undone();
  samples_evaluations_and_progress_serve_hosts_too();
  a_rank_trains_on_its_share_of_the_prompts();
}
