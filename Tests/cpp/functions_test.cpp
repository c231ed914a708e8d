// Every function gets its arguments through: the wrapper's numbers are those of the library.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <thread>

#include "check.hpp"

namespace {

void rollouts_can_be_pulled_or_run() {
  fixture f;
  auto pulled = f.rollout(), run = f.rollout();
  CHECK(refused(MIXGRPO_STATUS_INVALID_STATE, "", [&] { pulled.samples(); }));
  CHECK(refused(MIXGRPO_STATUS_INVALID_STATE, "", [&] { pulled.submit(std::vector<float>(latent)); }));
  int requests = 0;
  while (auto request = pulled.next()) {
    CHECK(request.latent_size == latent && request.latents.size() == request.count() * latent);
    CHECK(request.prompt_index.size() == request.count() && request.step[0] == request.step[request.count() - 1]);
    CHECK(request.sample[0] == 0 && !request.is_optimizer_step());
    const auto velocity = f.evaluator.velocity(f.prompts, request.latents, request.sigmas, request.prompt_index);
    CHECK(invalid("count", [&] { pulled.submit({velocity.data(), velocity.size() - 1}); }));
    pulled.submit(velocity);  // the request still stood
    requests++;
  }
  CHECK(requests == 5 && pulled.sample_count() == samples);
  run.run(f.evaluator, f.prompts);
  CHECK(pulled.samples() == run.samples() && pulled.model_calls() == run.model_calls() && run.model_calls() > 0);
  const auto first = run.step(0), second = run.step(1);
  CHECK(first.next_latents == second.latents && first.log_probabilities.size() == samples);
  CHECK(invalid("index", [&] { run.step(2); }));
}

void host_noise_starts_a_rollout() {
  fixture f;
  auto config = mixgrpo::make_rollout_config();
  config.latent_size = latent;
  const auto noise = mixgrpo::normal_noise(3, 0, 0, batch * latent);
  mixgrpo::rollout rollout(f.context, f.plan, config, {2, 0}, noise);
  const auto request = rollout.next();
  CHECK(std::equal(noise.begin(), noise.end(), request.latents.begin(), request.latents.end()));
  CHECK(invalid("initial_noise", [&] { mixgrpo::rollout(f.context, f.plan, config, {2, 0}, {1, 2, 3}); }));
}

std::vector<float> weights_after_pulled_update() {
  fixture f;
  auto rollout = f.rollout();
  rollout.run(f.evaluator, f.prompts);
  const auto advantages = mixgrpo::advantages(f.settings.learning, score(rollout.samples()), batch, group);
  mixgrpo::update update(rollout, f.settings.learning, advantages.values, advantages.included, 8);
  mixgrpo::optimizer optimizer(f.context, f.settings.learning, f.model.value_count());
  CHECK(std::isnan(update.statistics().loss));
  int steps = 0;
  while (auto request = update.next()) {
    if (request.is_optimizer_step()) {
      CHECK(optimizer.step(f.model).step == ++steps);
      continue;
    }
    const auto velocity = f.evaluator.velocity(f.prompts, request.latents, request.sigmas, request.prompt_index, true);
    CHECK(invalid("reference_velocity", [&] { update.submit(velocity, {1, 2}); }));
    f.evaluator.backward(update.submit(velocity));
  }
  CHECK(steps == 2 && update.statistics().first_ratio_min == 1 && update.statistics().first_ratio_max == 1);
  return f.model.weights();
}

std::vector<float> weights_after_run_update() {
  fixture f;
  auto rollout = f.rollout();
  rollout.run(f.evaluator, f.prompts);
  const auto advantages = mixgrpo::advantages(f.settings.learning, score(rollout.samples()), batch, group);
  mixgrpo::update update(rollout, f.settings.learning, advantages.values);
  mixgrpo::optimizer optimizer(f.context, f.settings.learning, f.model.value_count());
  CHECK(update.run(f.evaluator, f.prompts, optimizer).step == 2);
  return f.model.weights();
}

std::vector<float> weights_after_trainer() {
  fixture f;
  auto trainer = f.trainer();
  trainer.update(score(trainer.rollout({2, 0})));
  return f.model.weights();
}

void pulled_run_and_trainer_updates_agree() {
  const auto pulled = weights_after_pulled_update(), run = weights_after_run_update(), trained = weights_after_trainer();
  CHECK(run == trained && run != fixture().model.weights());
  double difference = 0;
  for (std::size_t i = 0; i < run.size(); i++)
    difference = std::max(difference, static_cast<double>(std::fabs(pulled[i] - run[i])));
  CHECK(difference <= 1e-6);  // gradients may be added in another order
}

void a_frozen_model_has_no_weights_to_train() {
  fixture f;
  const auto frozen = f.model.freeze();
  CHECK(frozen.value_count() == 0);
  const std::string folder = (std::filesystem::temp_directory_path() / "mixgrpo-cpp-frozen").string();
  frozen.save(folder);
  const auto loaded = mixgrpo::model::load_frozen(f.context, folder);
  CHECK(loaded.value_count() == 0 && loaded.merge().value_count() == f.model.value_count());
  CHECK(loaded.adapt(mixgrpo::make_lora_config()).value_count() > 0);
  std::filesystem::remove_all(folder);
}

void an_adapter_is_saved_loaded_and_merged() {
  fixture f;
  auto config = mixgrpo::make_lora_config();
  config.rank = 2;
  const std::vector<std::string> targets = {"to_q"};
  auto adapted = f.model.adapt(config, targets);
  CHECK(adapted.value_count() < f.model.value_count() && f.model.adapt(config).value_count() > adapted.value_count());
  const std::vector<float> values(adapted.value_count(), 0.25f);
  adapted.set_weights(0, values);
  const std::string path = (std::filesystem::temp_directory_path() / "mixgrpo-cpp-adapter").string();
  adapted.save_adapter(path);
  auto loaded = f.model.load_adapter(path);
  std::filesystem::remove_all(path);
  CHECK(loaded.weights() == values && loaded.merge().weights() != f.model.weights());
  loaded.set_adapter_strength(0);
  CHECK(loaded.merge().weights() == f.model.weights());
}

void a_frozen_reference_answers_too() {
  fixture f;
  f.settings.learning.kl_reference = 0.1;
  auto frozen = f.model.copy();
  auto geometry = mixgrpo::make_evaluator_config();
  geometry.height_tokens = geometry.width_tokens = 2, geometry.text_length = 3;
  mixgrpo::evaluator reference(frozen, geometry);
  auto rollout = f.rollout();
  rollout.run(f.evaluator, f.prompts);
  const auto advantages = mixgrpo::advantages(f.settings.learning, score(rollout.samples()), batch, group);
  mixgrpo::optimizer optimizer(f.context, f.settings.learning, f.model.value_count());
  mixgrpo::update update(rollout, f.settings.learning, advantages.values, advantages.included);
  CHECK(throws<mixgrpo::error>([&] { update.run(f.evaluator, f.prompts, optimizer); }));
  update.run(f.evaluator, f.prompts, optimizer, &reference);
  CHECK(update.statistics().kl_reference_nats > 0);
  CHECK(frozen.weights() == fixture().model.weights());
}

void failed_rewards_are_left_out() {
  const auto learning = mixgrpo::make_learning_config();
  const double failed = std::numeric_limits<double>::quiet_NaN();
  const auto result = mixgrpo::advantages(learning, {1, 2, 3, failed, 1, 0, 0, 1}, 1, 4, {1, 3});
  CHECK(result.report.failed_rewards == 1 && result.report.excluded_samples == 1);
  CHECK(result.included == (std::vector<std::uint8_t>{1, 1, 1, 0}) && result.values[3] == 0);
  CHECK(invalid("weights", [&] { mixgrpo::advantages(learning, {1, 2, 3, 4}, 1, 4, {1, 3}); }));
  CHECK((mixgrpo::scores_from_ratings({1, 3, 3}) == std::vector<double>{0, 0.75, 0.75}));
  CHECK(mixgrpo::scores_from_pairs({0, 1}, 2)[0] > 0.5);
  CHECK(invalid("pairs", [&] { mixgrpo::scores_from_pairs({0, 1, 0}, 2); }));
}

void trainers_report_save_and_go_on() {
  fixture f;
  auto trainer = f.trainer(true);
  CHECK(refused(MIXGRPO_STATUS_INVALID_STATE, "", [&] { trainer.metrics(); }));
  CHECK(refused(MIXGRPO_STATUS_INVALID_STATE, "", [&] { trainer.metrics_json(); }));
  const auto metrics = trainer.update(score(trainer.rollout({2, 0})), {1, 2});
  CHECK(trainer.metrics().reward_mean == metrics.reward_mean && metrics.first_ratio_max == 1 && trainer.iteration() == 1);
  CHECK(std::string(trainer.reward_metrics(1).name) == "match");
  const std::string json = trainer.metrics_json();
  CHECK(json.front() == '{' && json.back() == '}' && json.find('\0') == std::string::npos);
  trainer.append_metrics(scratch("metrics.jsonl"));
  std::string line;
  std::getline(std::ifstream(scratch("metrics.jsonl")), line);
  CHECK(line == json);

  trainer.save(scratch("checkpoint"));
  trainer.set_window(1);
  const auto next = trainer.rollout({1, 3});
  fixture fresh;
  auto resumed = fresh.trainer(true);
  resumed.restore(scratch("checkpoint"));
  CHECK(resumed.iteration() == 1 && fresh.model.weights() == f.model.weights());
  resumed.set_window(1);
  CHECK(resumed.rollout({1, 3}) == next);
  CHECK(invalid("window_start", [&] { resumed.set_window(99); }));

  CHECK(fresh.trainer(true).resume(scratch("checkpoints")).iteration == -1);
  resumed.checkpoint(scratch("checkpoints"));
  CHECK(fresh.trainer(true).resume(scratch("checkpoints")).iteration == 1);
  CHECK(invalid("keep_last", [&] { resumed.checkpoint(scratch("checkpoints"), 0); }));
}

std::int32_t mirror_gather(void*, const void* sent, void* received, std::size_t bytes) {
  std::memcpy(received, sent, bytes);
  std::memcpy(static_cast<char*>(received) + bytes, sent, bytes);
  return 0;
}

std::int32_t mirror_pieces(
    void*, const void* sent, const std::size_t* sent_bytes, void* received, const std::size_t* received_bytes) {
  CHECK(sent_bytes[0] == received_bytes[0] && sent_bytes[0] == received_bytes[1]);
  std::memcpy(received, sent, sent_bytes[0]);
  std::memcpy(static_cast<char*>(received) + sent_bytes[0], sent, sent_bytes[0]);
  return 0;
}

/// The other rank of two sends what this one sends.
void a_rank_gets_the_samples_of_its_share() {
  fixture f;
  auto trainer = f.trainer();
  auto collective = mixgrpo_collective{};
  collective.struct_size = sizeof collective;
  collective.rank = 1;
  collective.size = 2;
  collective.all_gather = mirror_gather;
  collective.all_to_all = mirror_pieces;
  trainer.set_collective(collective);
  const auto samples = trainer.rollout({0, 1, 2, 3});
  CHECK(samples.size() == trainer.share(4) * group * trainer.latent_size() && trainer.share(4) == 2);
  std::vector<double> rewards(2 * trainer.share(4) * group);
  for (std::size_t i = 0; i < rewards.size(); i++) rewards[i] = samples[i % samples.size()];
  CHECK(trainer.update(rewards).iteration == 0);
  trainer.leave_collective();
  CHECK(trainer.share(4) == 4 && trainer.rollout({0, 1}).size() == 2 * group * trainer.latent_size());
}

/// The weights of each of so many ranks, which are threads, after an iteration.
std::vector<std::vector<float>> weights_of_threads(std::int32_t count) {
  std::vector<std::vector<float>> weights(static_cast<std::size_t>(count));
  std::vector<std::thread> threads;
  const mixgrpo::local_ranks ranks(count, 60);
  for (std::int32_t rank = 0; rank < count; rank++) {
    threads.emplace_back([&weights, rank, collective = ranks.collective(rank)] {
      fixture f;
      auto trainer = f.trainer();
      trainer.set_collective(collective);
      const auto drawn = trainer.rollout({0, 1, 2});
      std::vector<double> rewards(2 * trainer.share(3) * group);
      for (std::size_t i = 0; i < rewards.size(); i++) rewards[i] = drawn[i % (rewards.size() / 2) * latent];
      trainer.update(rewards);
      weights[static_cast<std::size_t>(rank)] = f.model.weights();
    });
  }
  for (auto& thread : threads) thread.join();
  return weights;
}

void threads_train_to_the_bits_of_one_rank() {
  const auto one = weights_of_threads(1);
  CHECK(one[0] != fixture().model.weights());
  for (std::int32_t count : {2, 3})
    for (const auto& weights : weights_of_threads(count)) CHECK(weights == one[0]);
}

void a_rank_that_leaves_ends_the_others() {
  fixture f;
  auto trainer = f.trainer();
  const mixgrpo::local_ranks ranks(2, 600);
  std::thread other([&] { ranks.abandon("no rewards"); });
  CHECK(refused(MIXGRPO_STATUS_INPUT_OUTPUT, "no rewards", [&] { trainer.set_collective(ranks.collective(0)); }));
  other.join();
  CHECK(invalid("rank", [&] { ranks.collective(2); }) && invalid("count", [] { mixgrpo::local_ranks(0); }));
  CHECK(invalid("reason", [&] { ranks.abandon(std::string("a\0b", 3)); }));
}

void tickets_give_the_numbers_of_one_rollout() {
  fixture whole, in_parts;
  auto expected = whole.trainer(), trainer = in_parts.trainer();
  const auto drawn = expected.rollout({2, 0});
  const auto metrics = expected.update(score(drawn), {1, 2});

  const auto first = trainer.rollout_ticket({2});
  bool is_handed_in = false;
  in_parts.context.on_progress([&](const mixgrpo_progress&) {  // during the second rollout, from another thread
    if (is_handed_in) return;
    is_handed_in = true;
    std::thread([&] { trainer.submit_rewards(first.ticket, score(first.samples)); }).join();
  });
  const auto second = trainer.rollout_ticket({0});
  in_parts.context.on_progress({});
  CHECK(is_handed_in && trainer.open_tickets() == std::vector<std::int64_t>{second.ticket});
  auto joined = first.samples;
  joined.insert(joined.end(), second.samples.begin(), second.samples.end());
  CHECK(joined == drawn);
  CHECK(refused(MIXGRPO_STATUS_INVALID_STATE, std::to_string(second.ticket), [&] { trainer.update_tickets(); }));
  trainer.submit_rewards(second.ticket, score(second.samples));
  CHECK(trainer.update_tickets({1, 2}).loss == metrics.loss && in_parts.model.weights() == whole.model.weights());

  trainer.rollout_ticket({1});
  CHECK(trainer.update_tickets({}, MIXGRPO_MISSING_REWARDS_EXCLUDE).failed_rewards == 2 * group);
  trainer.rollout_ticket({1});
  trainer.drop_tickets();
  CHECK(trainer.open_tickets().empty());
}

void deterministic_samples_of_all_weights() {
  fixture f;
  auto trainer = f.trainer(true);
  auto config = mixgrpo::make_sample_config();
  config.steps = 3, config.samples_per_prompt = 2;
  const auto base = trainer.sample(config, {0, 1, 0});
  CHECK(base.size() == 6 * latent && base == f.evaluator.sample(f.prompts, config, {0, 1, 0}));
  trainer.update(score(trainer.rollout({2, 0})));
  CHECK(trainer.sample(config, {0, 1, 0}) != base);
  CHECK(trainer.sample(config, {0, 1, 0}, MIXGRPO_WEIGHTS_BASE) == base);
  CHECK(refused(MIXGRPO_STATUS_INVALID_STATE, "", [&] { trainer.sample(config, {0}, MIXGRPO_WEIGHTS_AVERAGE); }));
  const auto noise = mixgrpo::normal_noise(1, 2, 3, 2 * latent);
  CHECK(trainer.sample(config, {0}, MIXGRPO_WEIGHTS_BASE, noise) != trainer.sample(config, {0}, MIXGRPO_WEIGHTS_BASE));
  config.trained_model_share = 0.5;
  CHECK(invalid("base", [&] { f.evaluator.sample(f.prompts, config, {0}); }));
  trainer.save_model(scratch("base"), MIXGRPO_STORAGE_F32, MIXGRPO_WEIGHTS_BASE);
  CHECK(mixgrpo::model::load(f.context, scratch("base")).weights() == fixture().model.weights());
}

void evaluations_keep_the_best_and_watch() {
  fixture f;
  auto trainer = f.trainer(true);
  auto config = mixgrpo::make_evaluation_config();
  config.watchdog = MIXGRPO_WATCHDOG_WARN, config.watchdog_patience = 1;
  auto drawn = mixgrpo::make_sample_config();
  drawn.steps = 3, drawn.samples_per_prompt = 2;
  const std::vector<mixgrpo::evaluation_reward> rewards = {{"taste"}, {"match", 0, true}};
  mixgrpo::evaluation evaluation(config, drawn, {2, 0}, rewards), again(config, drawn, {2, 0}, rewards);
  CHECK(evaluation.is_due(0) && !evaluation.is_due(1) && evaluation.is_due(10));
  CHECK(refused(MIXGRPO_STATUS_INVALID_STATE, "best", [&] { evaluation.get_best(f.model); }));
  const auto first = f.model.weights();
  CHECK(evaluation.sample(trainer) == trainer.sample(drawn, {2, 0}));
  trainer.update(score(trainer.rollout({2, 0})));
  CHECK(evaluation.submit(0, {0, 1, 0, 1, 4, 5, 4, 5}).is_best == 1);
  CHECK(evaluation.means() == std::vector<double>({0.5, 4.5}));
  evaluation.save(scratch("evaluation"));
  again.restore(scratch("evaluation"));
  again.get_best(f.model);
  CHECK(f.model.weights() == first);
  again.save_best(scratch("best"));
  CHECK(mixgrpo::model::load(f.context, scratch("best")).weights() == first);
  CHECK(again.latest_iteration() == 0 && again.verdict() == MIXGRPO_VERDICT_CONTINUE);
  const auto hacked = again.submit(10, {1, 2, 1, 2, 3, 4, 3, 4});
  CHECK(hacked.verdict == MIXGRPO_VERDICT_WARN && std::string(hacked.message).find("iteration 10") != std::string::npos);
  CHECK(again.latest_iteration() == 10 && again.verdict() == MIXGRPO_VERDICT_WARN);
  CHECK(invalid("iteration", [&] { again.submit(10, {1, 2, 1, 2, 3, 4, 3, 4}); }));
  CHECK(invalid("scores", [&] { again.submit(20, {1, 2}); }));
  CHECK(invalid("held_out", [&] { mixgrpo::evaluation(config, drawn, {0}, {{"taste"}}); }));
}

void models_tell_and_take_their_weights() {
  fixture f;
  const auto last = f.model.parameter(f.model.tensor_count() - 1);
  CHECK(last.offset + last.count == f.model.value_count() && f.model.parameter(last.name).offset == last.offset);
  CHECK(invalid("no.such.weight", [&] { f.model.parameter("no.such.weight"); }));
  std::vector<float> values(last.count, 0.5f);
  auto copy = f.model.copy();
  copy.set_weights(last.offset, values);
  CHECK(copy.weights() != f.model.weights());
  copy.get_weights(last.offset, values);
  CHECK(values == std::vector<float>(last.count, 0.5f));
  copy.set_gradients(last.offset, values);
  CHECK(copy.gradients().back() == 0.5f);
  copy.zero_gradients();
  CHECK(copy.gradients() == std::vector<float>(copy.value_count()));
  f.model.save(scratch("model"));
  CHECK(mixgrpo::load_model_config(scratch("model")).in_channels == f.model.config().in_channels);
  CHECK(mixgrpo::model::load(f.context, scratch("model")).weights() == f.model.weights());
}

void gradients_reach_the_latents() {
  fixture f;
  const auto latents = mixgrpo::normal_noise(1, 1, 1, latent);
  const std::vector<float> d_velocity(latent, 1.0f);
  std::vector<float> gradient(latent);
  CHECK(refused(MIXGRPO_STATUS_INVALID_STATE, "backward", [&] { f.evaluator.backward(d_velocity); }));
  f.evaluator.velocity(f.prompts, latents, {0.5f}, {1}, true);
  f.evaluator.backward_into(gradient, d_velocity);
  CHECK(gradient != std::vector<float>(latent) && f.model.gradients() != std::vector<float>(f.model.value_count()));
}

void own_embeddings_are_those_of_the_encoder() {
  fixture f;
  const auto encoded = mixgrpo::hashed_words_encode({"a red circle", "night"}, 3, 6, 5);
  const mixgrpo::prompts own(f.context, encoded.text, encoded.pooled, 2, 3, 6, 5);
  CHECK(own.count() == 2 && encoded.text.size() == 2 * 3 * 6 && encoded.pooled.size() == 2 * 5);
  const auto latents = mixgrpo::normal_noise(1, 1, 1, latent);
  CHECK(f.evaluator.velocity(own, latents, {0.5f}, {1}) == f.evaluator.velocity(f.prompts, latents, {0.5f}, {3}));
  CHECK(invalid("text", [&] { mixgrpo::prompts(f.context, encoded.pooled, encoded.pooled, 2, 3, 6, 5); }));
}

void settings_are_checked_described_and_planned() {
  auto settings = mixgrpo::preset("mixgrpo_flash");
  CHECK(settings.sampling.flash_ratio == 0.4 && mixgrpo::describe(settings).find("flash_ratio") != std::string::npos);
  CHECK(mixgrpo::all_settings().size() == mixgrpo_setting_count());
  CHECK(mixgrpo::preset_names().size() == 6 && mixgrpo::preset_names().front() == "mixgrpo");
  mixgrpo::check(settings);
  settings.sampling.steps = 1;
  settings.learning.clip_range = 2;
  CHECK(invalid("steps", [&] { mixgrpo::check(settings); }) && invalid("clip_range", [&] { mixgrpo::check(settings); }));
  CHECK(invalid("steps", [&] { mixgrpo::plan plan(settings.sampling); }));

  const auto small = small_settings();
  const mixgrpo::plan plan(small.sampling), own(small.sampling, {1, 0.9, 0.5, 0.3, 0.2, 0});
  CHECK(plan.group_size() == 4 && plan.iteration(0, 2, 2).window_length == 2 && plan.iteration(0, 2, 2, 1).window_start == 1);
  CHECK(own.step(0, 1).sigma == 0.9 && own.step(0, 0).kind == MIXGRPO_STEP_KIND_FLOW);
  CHECK(own.step(0, 0, 2).kind == MIXGRPO_STEP_KIND_EULER);  // with the host's own window
  auto adaptive = small.sampling;
  adaptive.window_mode = MIXGRPO_WINDOW_MODE_ADAPTIVE, adaptive.window_trend = 2;
  const mixgrpo::plan moving(adaptive);
  auto window = mixgrpo::make_adaptive_window();
  for (const double reward : {0.5, 0.5}) window = moving.advance(window, reward, 0.1);
  CHECK(window.window_start == 1 && window.iterations == 0);  // two iterations without a gain
  CHECK(invalid("window_mode", [&] { plan.advance(window, 0, 1); }));
  auto workload = mixgrpo::make_workload();
  workload.prompt_count = 2, workload.token_count = 4, workload.channels = 4, workload.text_length = 3;
  workload.max_batch = 3, workload.threads = 1;
  const auto model = small_model_config();
  CHECK(plan.memory(0, workload).weight_bytes == 0);
  const auto whole = plan.memory(0, workload, &small.learning, &model);
  CHECK(whole.weight_bytes > 0);
  workload.max_bytes = whole.peak_bytes;
  CHECK(plan.memory(0, workload, &small.learning, &model).peak_bytes == whole.peak_bytes);
  workload.max_bytes = 1000;
  CHECK(refused(MIXGRPO_STATUS_OUT_OF_MEMORY, "max_bytes", [&] { plan.memory(0, workload, &small.learning, &model); }));
}

void stateless_pieces_give_the_librarys_numbers() {
  const auto grid = mixgrpo::time_grid(4, 1);
  CHECK(grid == (std::vector<double>{1, 0.75, 0.5, 0.25, 0}) && invalid("steps", [] { mixgrpo::time_grid(-1, 1); }));
  const auto euler = mixgrpo::deterministic_step(MIXGRPO_SOLVER_EULER, grid, 1);
  CHECK(euler.latent == 1 && euler.velocity == -0.25 && euler.noise == 0);
  const auto step = mixgrpo::stochastic_step(MIXGRPO_DYNAMICS_DANCE, 0.3, 0.75, 0.5);
  const auto x = mixgrpo::normal_noise(1, 0, 0, 6), v = mixgrpo::normal_noise(1, 0, 1, 6);
  const auto y = mixgrpo::normal_noise(1, 0, 2, 6);
  CHECK(x != v && x == mixgrpo::normal_noise(1, 0, 0, 6));
  const auto form = MIXGRPO_LOG_PROBABILITY_MEAN;
  const auto old = mixgrpo::step_log_probability(step, form, x, v, y, 2);
  const auto loss = mixgrpo::policy_loss(mixgrpo::make_learning_config(), step, form, x, v, y, old, {1, -2});
  CHECK(loss.ratios == (std::vector<double>{1, 1}) && loss.loss == 0.5 && loss.d_velocity.size() == 6);
}

void optimizers_step_the_hosts_own_weights() {
  const mixgrpo::context context(1);
  auto learning = mixgrpo::make_learning_config();
  learning.learning_rate = 0.5, learning.weight_decay = 0;
  mixgrpo::optimizer optimizer(context, learning, 2);
  std::vector<float> weights = {1, 1};
  const auto report = optimizer.step(weights, {3, 4});
  CHECK(report.gradient_norm == 5 && report.learning_rate == 0.5 && std::fabs(weights[0] - 0.5f) <= 1e-5f);
  CHECK(refused(MIXGRPO_STATUS_NOT_FINITE, "gradient", [&] { optimizer.step(weights, {NAN, 0}); }));
}

void pictures_survive_the_way_there_and_back() {
  std::vector<std::uint8_t> bytes(2 * 4 * 4 * 3);
  for (std::size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<std::uint8_t>(i * 5 % 251);
  CHECK(mixgrpo::pixels_decode(mixgrpo::pixels_encode(bytes, 2, 4, 4, 2), 2, 4, 4, 2) == bytes);
  CHECK(invalid("pixels", [&] { mixgrpo::pixels_encode(bytes, 3, 4, 4, 2); }));

  auto picture = mixgrpo::image({bytes.data(), 48}, 4, 4);
  picture.set_texts({{"prompt", "a red circle – au café"}, {"seed", "7"}});
  const auto again = mixgrpo::image::decode(picture.encode());
  CHECK(again.width() == 4 && again.height() == 4);
  CHECK(again.pixels() == std::vector<std::uint8_t>(bytes.begin(), bytes.begin() + 48));
  CHECK(again.texts().size() == 2 && again.texts()[0].value == "a red circle – au café" && again.texts()[1].key == "seed");
  CHECK(invalid("key", [&] { picture.set_texts({{" outer space", ""}}); }) && picture.texts().size() == 2);
  picture.set_texts({});
  CHECK(picture.texts().empty());

  const auto grid = mixgrpo::image::grid(bytes, 2, 4, 4, 2, 1, 3);
  CHECK(grid.width() == 4 * 3 + 1 + 4 * 3 && grid.height() == 4 * 3);
  grid.save(scratch("grid.png"));
  CHECK(mixgrpo::image::load(scratch("grid.png")).pixels() == grid.pixels());
  CHECK(refused(MIXGRPO_STATUS_INPUT_OUTPUT, "none", [&] { grid.save(scratch("none/grid.png")); }));
}

}  // namespace

void test_functions() {
  rollouts_can_be_pulled_or_run();
  host_noise_starts_a_rollout();
  pulled_run_and_trainer_updates_agree();
  a_frozen_model_has_no_weights_to_train();
  an_adapter_is_saved_loaded_and_merged();
  a_frozen_reference_answers_too();
  failed_rewards_are_left_out();
  trainers_report_save_and_go_on();
  tickets_give_the_numbers_of_one_rollout();
  a_rank_gets_the_samples_of_its_share();
  threads_train_to_the_bits_of_one_rank();
  a_rank_that_leaves_ends_the_others();
  deterministic_samples_of_all_weights();
  evaluations_keep_the_best_and_watch();
  models_tell_and_take_their_weights();
  gradients_reach_the_latents();
  own_embeddings_are_those_of_the_encoder();
  settings_are_checked_described_and_planned();
  stateless_pieces_give_the_librarys_numbers();
  optimizers_step_the_hosts_own_weights();
  pictures_survive_the_way_there_and_back();
}
