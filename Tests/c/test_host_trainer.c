/* A trainer for a model of the host's. Here the host's model is the built-in one, answered from outside, so that the numbers
 * can be compared with those of the trainer that has it built in. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fixture.h"
#include "tests.h"

enum { VALUES = SAMPLES * LATENT, ROWS = SAMPLES * WINDOW * LATENT, REWARDS = 2 * SAMPLES };

typedef struct {
  const fixture *f;
  mixgrpo_trainer *trainer;
  mixgrpo_optimizer *optimizer;
  float *weights, *kept; /* of the model */
  size_t weight_count;
  int evaluations, steps, kept_states, restored_states, zeroed, calls; /* what was asked for */
  int fails_at;   /* the call that fails, from 1 on; 0 for none */
  mixgrpo_status failure;
  int poisons_at; /* the evaluation that is answered with NaN, from 1 on; 0 for none */
  double rate_factor;
  int32_t asked_weights;
} host;

static const char *const names[] = {"taste", "match"};

static mixgrpo_learning_config host_learning(const fixture *f) {
  mixgrpo_learning_config learning = f->learning, defaults;
  DONE(mixgrpo_config_init(NULL, 0, &defaults, sizeof defaults));
  learning.learning_rate = defaults.learning_rate;
  return learning;
}

static mixgrpo_trainer *host_trainer(const fixture *f, const mixgrpo_learning_config *learning) {
  mixgrpo_host_config config;
  mixgrpo_trainer *trainer = NULL;
  DONE(mixgrpo_host_config_init(&config, sizeof config));
  config.prompt_count = PROMPTS;
  config.latent_size = LATENT;
  config.max_batch = 3;
  DONE(mixgrpo_trainer_create_for_host(f->context, f->plan, learning, &config, names, 2, &trainer));
  return trainer;
}

static host host_create(const fixture *f, const mixgrpo_learning_config *learning) {
  host h = {.f = f, .trainer = host_trainer(f, learning)};
  DONE(mixgrpo_model_get_size(f->model, NULL, &h.weight_count));
  h.weights = malloc(h.weight_count * sizeof *h.weights);
  h.kept = malloc(h.weight_count * sizeof *h.kept);
  DONE(mixgrpo_optimizer_create(f->context, &f->learning, h.weight_count, &h.optimizer));
  return h;
}

static void host_destroy(host *h) {
  mixgrpo_trainer_destroy(h->trainer);
  mixgrpo_optimizer_destroy(h->optimizer);
  free(h->weights);
  free(h->kept);
}

static const float *weights_of(host *h) {
  DONE(mixgrpo_model_get_weights(h->f->model, 0, h->weights, h->weight_count));
  return h->weights;
}

static mixgrpo_status evaluate(host *h, const mixgrpo_velocity_request *request) {
  static float velocity[ROWS], d_velocity[ROWS];
  const size_t count = (size_t)request->count * request->latent_size;
  const int32_t keep = request->needs_gradient;
  h->asked_weights = request->weights;
  DONE(mixgrpo_evaluator_velocity(
      h->f->evaluator, h->f->prompts, request->latents, request->sigmas, request->prompt_index, (size_t)request->count, keep,
      velocity, ROWS));
  if (++h->evaluations == h->poisons_at) velocity[0] = NAN;
  const mixgrpo_status status =
      mixgrpo_trainer_submit(h->trainer, velocity, NULL, count, keep ? d_velocity : NULL, keep ? ROWS : 0);
  if (status == MIXGRPO_STATUS_OK && keep) DONE(mixgrpo_evaluator_backward(h->f->evaluator, d_velocity, count, NULL, 0));
  return status;
}

static mixgrpo_status combine(host *h);

static mixgrpo_status answer(host *h, const mixgrpo_velocity_request *request) {
  mixgrpo_optimizer_report report = {.struct_size = sizeof report};
  if (++h->calls == h->fails_at) return h->failure;
  switch (request->kind) {
    case MIXGRPO_REQUEST_KIND_EVALUATE: return evaluate(h, request);
    case MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP:
      h->steps++;
      h->rate_factor = request->rate_factor;
      DONE(mixgrpo_optimizer_step_model(h->optimizer, h->f->model, &report));
      return mixgrpo_trainer_submit_step(h->trainer, report.gradient_norm, report.learning_rate);
    case MIXGRPO_REQUEST_KIND_KEEP_STATE:
      h->kept_states++;
      memcpy(h->kept, weights_of(h), h->weight_count * sizeof *h->kept);
      return MIXGRPO_STATUS_OK;
    case MIXGRPO_REQUEST_KIND_RESTORE_STATE:
      h->restored_states++;
      return mixgrpo_model_set_weights(h->f->model, 0, h->kept, h->weight_count);
    case MIXGRPO_REQUEST_KIND_ZERO_GRADIENTS:
      h->zeroed++;
      return mixgrpo_model_zero_gradients(h->f->model);
    case MIXGRPO_REQUEST_KIND_COMBINE_FIGURES: return combine(h);
    default: CHECK(!"a kind of request that is known"); return MIXGRPO_STATUS_INTERNAL;
  }
}

/* The loop of the header. */
static mixgrpo_status run(host *h) {
  for (;;) {
    mixgrpo_velocity_request request = {.struct_size = sizeof request};
    mixgrpo_status status = mixgrpo_trainer_next(h->trainer, &request);
    if (status == MIXGRPO_STATUS_OK && request.kind == MIXGRPO_REQUEST_KIND_FINISHED) return status;
    if (status == MIXGRPO_STATUS_OK) status = answer(h, &request);
    if (status != MIXGRPO_STATUS_OK) status = mixgrpo_trainer_fail(h->trainer, status, NULL);
    if (status != MIXGRPO_STATUS_OK) return status;
  }
}

static void score(const float *samples, double *rewards) {
  for (int i = 0; i < SAMPLES; i++) {
    rewards[i] = samples[i * LATENT];
    rewards[SAMPLES + i] = -fabs(samples[i * LATENT + 1]);
  }
}

static void draw(host *h, double *rewards) {
  float samples[VALUES];
  int64_t ticket = 5;
  DONE(mixgrpo_trainer_begin_rollout(h->trainer, chosen_prompts, BATCH, 0));
  DONE(run(h));
  DONE(mixgrpo_trainer_get_samples(h->trainer, samples, VALUES, &ticket));
  CHECK(ticket == 0);
  score(samples, rewards);
}

static mixgrpo_status update(host *h, const double *rewards) {
  DONE(mixgrpo_trainer_begin_update(h->trainer, rewards, REWARDS, NULL, 0));
  return run(h);
}

static int same_figures(const mixgrpo_metrics *one, const mixgrpo_metrics *other) {
  return one->iteration == other->iteration && one->window_start == other->window_start &&
      one->reward_mean == other->reward_mean && one->loss == other->loss && one->ratio_max == other->ratio_max &&
      one->first_ratio_min == 1 && other->first_ratio_max == 1 && one->gradient_norm == other->gradient_norm &&
      one->learning_rate == other->learning_rate && one->velocity_change == other->velocity_change &&
      one->model_calls_update == other->model_calls_update && one->model_calls_rollout == other->model_calls_rollout;
}

static void a_host_and_the_built_in_model_train_to_the_same_bits(const fixture *f) {
  const mixgrpo_learning_config learning = host_learning(f);
  host h = host_create(f, &learning);
  mixgrpo_metrics figures = {.struct_size = sizeof figures}, expected = figures;
  float *start = malloc(h.weight_count * sizeof *start), *trained = malloc(h.weight_count * sizeof *start);
  double rewards[REWARDS];
  float samples[VALUES];
  memcpy(start, weights_of(&h), h.weight_count * sizeof *start);
  mixgrpo_trainer *built_in = fixture_trainer(f, 0);
  for (int i = 0; i < 2; i++) {
    DONE(mixgrpo_trainer_rollout(built_in, chosen_prompts, BATCH, samples, VALUES));
    score(samples, rewards);
    DONE(mixgrpo_trainer_update(built_in, rewards, REWARDS, NULL, 0, &expected));
  }
  memcpy(trained, weights_of(&h), h.weight_count * sizeof *start);
  DONE(mixgrpo_model_set_weights(f->model, 0, start, h.weight_count));
  for (int i = 0; i < 2; i++) {
    draw(&h, rewards);
    DONE(update(&h, rewards));
  }
  DONE(mixgrpo_trainer_get_metrics(h.trainer, &figures));
  CHECK(same_figures(&figures, &expected));
  CHECK(memcmp(trained, weights_of(&h), h.weight_count * sizeof *start) == 0);
  CHECK(memcmp(trained, start, h.weight_count * sizeof *start) != 0);
  CHECK(h.steps == 4 && h.kept_states == 2 && h.restored_states == 0 && mixgrpo_trainer_iteration(h.trainer) == 2);
  DONE(mixgrpo_model_set_weights(f->model, 0, start, h.weight_count));
  mixgrpo_trainer_destroy(built_in);
  host_destroy(&h);
  free(start);
  free(trained);
}

/* Whatever call of the update fails, weights are as before, and the same update may be begun again. */
static void an_update_that_fails_anywhere_is_undone_and_may_be_repeated(const fixture *f) {
  const mixgrpo_learning_config learning = host_learning(f);
  host h = host_create(f, &learning);
  float *start = malloc(h.weight_count * sizeof *start);
  double rewards[REWARDS];
  memcpy(start, weights_of(&h), h.weight_count * sizeof *start);
  draw(&h, rewards);
  int last = 1;
  for (; last < 100; last++) {
    h.calls = 0, h.fails_at = last, h.failure = MIXGRPO_STATUS_INTERNAL;
    const mixgrpo_status status = update(&h, rewards);
    if (h.calls < last) { /* there was no such call: it went through */
      DONE(status);
      break;
    }
    CHECK(status == MIXGRPO_STATUS_INTERNAL && mixgrpo_trainer_iteration(h.trainer) == 0);
    CHECK(memcmp(start, weights_of(&h), h.weight_count * sizeof *start) == 0);
    REFUSED(MIXGRPO_STATUS_INVALID_STATE, "submit_step", mixgrpo_trainer_submit_step(h.trainer, 1, 1));
  }
  CHECK(last > 8 && h.restored_states > 3 && mixgrpo_trainer_iteration(h.trainer) == 1);
  DONE(mixgrpo_model_set_weights(f->model, 0, start, h.weight_count));
  host_destroy(&h);
  free(start);
}

static void faults_go_by_the_policy(const fixture *f) {
  const mixgrpo_fault_policy policies[] = {MIXGRPO_FAULT_POLICY_STOP, MIXGRPO_FAULT_POLICY_SKIP, MIXGRPO_FAULT_POLICY_ROLL_BACK};
  mixgrpo_learning_config learning = host_learning(f);
  for (int i = 0; i < 3; i++) {
    learning.fault_policy = policies[i];
    host h = host_create(f, &learning);
    mixgrpo_metrics figures = {.struct_size = sizeof figures};
    float *start = malloc(h.weight_count * sizeof *start);
    double rewards[REWARDS];
    memcpy(start, weights_of(&h), h.weight_count * sizeof *start);
    draw(&h, rewards);
    h.evaluations = 0;
    h.poisons_at = 4; /* in the second minibatch */
    if (policies[i] == MIXGRPO_FAULT_POLICY_STOP) {
      REFUSED(MIXGRPO_STATUS_NOT_FINITE, "velocity", update(&h, rewards));
      REFUSED(MIXGRPO_STATUS_INVALID_STATE, "update", mixgrpo_trainer_get_metrics(h.trainer, &figures));
    } else {
      DONE(update(&h, rewards));
      DONE(mixgrpo_trainer_get_metrics(h.trainer, &figures));
      CHECK(figures.skipped_steps == (policies[i] == MIXGRPO_FAULT_POLICY_SKIP));
      CHECK(figures.rolled_back == (policies[i] == MIXGRPO_FAULT_POLICY_ROLL_BACK));
    }
    const int is_as_before = memcmp(start, weights_of(&h), h.weight_count * sizeof *start) == 0;
    CHECK(is_as_before == (policies[i] != MIXGRPO_FAULT_POLICY_SKIP) && h.zeroed == 1);
    h.poisons_at = 0;
    draw(&h, rewards);
    DONE(update(&h, rewards));
    CHECK(h.rate_factor == (policies[i] == MIXGRPO_FAULT_POLICY_ROLL_BACK ? 0.5 : 1));
    DONE(mixgrpo_model_set_weights(f->model, 0, start, h.weight_count));
    host_destroy(&h);
    free(start);
  }
}

static void a_cancel_stands_until_it_is_reset_or_fails_the_update(const fixture *f) {
  const mixgrpo_learning_config learning = host_learning(f);
  mixgrpo_velocity_request request = {.struct_size = sizeof request};
  host h = host_create(f, &learning);
  double rewards[REWARDS];
  DONE(mixgrpo_trainer_begin_rollout(h.trainer, chosen_prompts, BATCH, 0));
  DONE(mixgrpo_context_cancel(f->context));
  REFUSED(MIXGRPO_STATUS_CANCELLED, "cancelled", mixgrpo_trainer_next(h.trainer, &request));
  DONE(mixgrpo_context_reset_cancel(f->context));
  DONE(run(&h)); /* the same rollout goes on */
  draw(&h, rewards);
  DONE(mixgrpo_trainer_begin_update(h.trainer, rewards, REWARDS, NULL, 0));
  DONE(mixgrpo_trainer_next(h.trainer, &request));
  DONE(mixgrpo_context_cancel(f->context));
  REFUSED(MIXGRPO_STATUS_CANCELLED, "cancelled", run(&h));
  DONE(mixgrpo_context_reset_cancel(f->context));
  DONE(mixgrpo_trainer_next(h.trainer, &request));
  CHECK(request.kind == MIXGRPO_REQUEST_KIND_FINISHED); /* nothing is under way */
  host_destroy(&h);
}

static void a_cancel_before_any_request_of_an_update_loses_none(const fixture *f) {
  const mixgrpo_learning_config learning = host_learning(f);
  mixgrpo_velocity_request request = {.struct_size = sizeof request};
  host h = host_create(f, &learning);
  float *start = malloc(h.weight_count * sizeof *start);
  double rewards[REWARDS];
  memcpy(start, weights_of(&h), h.weight_count * sizeof *start);
  draw(&h, rewards);
  DONE(mixgrpo_trainer_begin_update(h.trainer, rewards, REWARDS, NULL, 0));
  for (;;) {
    DONE(mixgrpo_context_cancel(f->context));
    const mixgrpo_status status = mixgrpo_trainer_next(h.trainer, &request);
    DONE(mixgrpo_context_reset_cancel(f->context));
    if (status == MIXGRPO_STATUS_OK) break;
    CHECK(status == MIXGRPO_STATUS_CANCELLED);
    DONE(mixgrpo_trainer_next(h.trainer, &request));
    DONE(answer(&h, &request));
  }
  CHECK(request.kind == MIXGRPO_REQUEST_KIND_FINISHED && mixgrpo_trainer_iteration(h.trainer) == 1);
  CHECK(h.kept_states == 1 && h.steps == f->learning.updates_per_iteration);
  DONE(mixgrpo_model_set_weights(f->model, 0, start, h.weight_count));
  host_destroy(&h);
  free(start);
}

static void a_host_that_stops_between_two_steps_keeps_those_that_are_done(const fixture *f) {
  mixgrpo_learning_config learning = host_learning(f);
  learning.undo = MIXGRPO_UNDO_NONE;
  learning.max_velocity_change = 0;
  mixgrpo_velocity_request request = {.struct_size = sizeof request};
  host h = host_create(f, &learning);
  float *start = malloc(h.weight_count * sizeof *start);
  double rewards[REWARDS];
  memcpy(start, weights_of(&h), h.weight_count * sizeof *start);
  draw(&h, rewards);
  DONE(mixgrpo_trainer_begin_update(h.trainer, rewards, REWARDS, NULL, 0));
  while (h.steps == 0) {
    DONE(mixgrpo_trainer_next(h.trainer, &request));
    DONE(answer(&h, &request));
  }
  DONE(mixgrpo_trainer_fail(h.trainer, MIXGRPO_STATUS_CANCELLED, "stopped"));
  REFUSED(MIXGRPO_STATUS_CANCELLED, "1 of 2 optimizer steps are done and stay", run(&h));
  DONE(update(&h, rewards));
  CHECK(h.steps == f->learning.updates_per_iteration && mixgrpo_trainer_iteration(h.trainer) == 1);
  DONE(mixgrpo_model_set_weights(f->model, 0, start, h.weight_count));
  host_destroy(&h);
  free(start);
}

static void deterministic_samples_leave_the_rollout_and_ask_for_the_weights(const fixture *f) {
  const mixgrpo_learning_config learning = host_learning(f);
  host h = host_create(f, &learning);
  mixgrpo_sample_config config;
  float samples[VALUES], expected[VALUES], drawn[VALUES];
  double rewards[REWARDS];
  draw(&h, rewards);
  DONE(mixgrpo_trainer_get_samples(h.trainer, drawn, VALUES, NULL));
  DONE(mixgrpo_sample_config_init(&config, sizeof config));
  config.steps = STEPS, config.samples_per_prompt = GROUP;
  DONE(mixgrpo_evaluator_sample(
      f->evaluator, NULL, f->prompts, &config, chosen_prompts, BATCH, NULL, 0, expected, VALUES));
  DONE(mixgrpo_trainer_begin_sample(h.trainer, MIXGRPO_WEIGHTS_AVERAGE, &config, chosen_prompts, BATCH, NULL, 0));
  DONE(run(&h));
  CHECK(h.asked_weights == MIXGRPO_WEIGHTS_AVERAGE);
  DONE(mixgrpo_trainer_get_samples(h.trainer, samples, VALUES, NULL));
  CHECK(memcmp(samples, expected, sizeof samples) == 0 && memcmp(samples, drawn, sizeof samples) != 0);
  config.trained_model_share = 0.5;
  DONE(mixgrpo_trainer_begin_sample(h.trainer, MIXGRPO_WEIGHTS_TRAINED, &config, chosen_prompts, BATCH, NULL, 0));
  DONE(run(&h));
  CHECK(h.asked_weights == MIXGRPO_WEIGHTS_BASE);
  DONE(update(&h, rewards)); /* of the rollout before */
  CHECK(mixgrpo_trainer_iteration(h.trainer) == 1);
  host_destroy(&h);
}

static void an_evaluation_draws_with_the_hosts_model(const fixture *f) {
  const mixgrpo_learning_config learning = host_learning(f);
  host h = host_create(f, &learning);
  mixgrpo_evaluation_config config;
  mixgrpo_sample_config sample;
  mixgrpo_evaluation *evaluation = NULL;
  mixgrpo_evaluation_result result = {.struct_size = sizeof result};
  float samples[VALUES];
  double scores[SAMPLES];
  DONE(mixgrpo_evaluation_config_init(&config, sizeof config));
  DONE(mixgrpo_sample_config_init(&sample, sizeof sample));
  sample.steps = STEPS, sample.samples_per_prompt = GROUP;
  DONE(mixgrpo_evaluation_create(&config, &sample, chosen_prompts, BATCH, names, NULL, NULL, 1, &evaluation));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "built-in", mixgrpo_evaluation_sample(evaluation, h.trainer, samples, VALUES));
  DONE(mixgrpo_evaluation_begin_sample(evaluation, h.trainer));
  DONE(run(&h));
  DONE(mixgrpo_trainer_get_samples(h.trainer, samples, VALUES, NULL));
  for (int i = 0; i < SAMPLES; i++) scores[i] = samples[i * LATENT];
  DONE(mixgrpo_evaluation_submit(evaluation, 0, scores, SAMPLES, &result));
  CHECK(result.is_best == 1);
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "best", mixgrpo_evaluation_get_best(evaluation, f->model));
  BAD_HANDLES(bad, "evaluation", h.trainer, mixgrpo_evaluation_begin_sample(bad, h.trainer));
  BAD_HANDLES(bad, "trainer", evaluation, mixgrpo_evaluation_begin_sample(evaluation, bad));
  mixgrpo_evaluation_destroy(evaluation);
  host_destroy(&h);
}

static void tickets_join_into_one_update(const fixture *f) {
  const mixgrpo_learning_config learning = host_learning(f);
  host h = host_create(f, &learning);
  double rewards[2 * GROUP];
  int64_t tickets[BATCH];
  float samples[GROUP * LATENT];
  for (int i = 0; i < BATCH; i++) {
    DONE(mixgrpo_trainer_begin_rollout(h.trainer, &chosen_prompts[i], 1, 1));
    DONE(run(&h));
    DONE(mixgrpo_trainer_get_samples(h.trainer, samples, GROUP * LATENT, &tickets[i]));
    for (int j = 0; j < 2 * GROUP; j++) rewards[j] = samples[j] + j;
    DONE(mixgrpo_trainer_submit_rewards(h.trainer, tickets[i], rewards, 2 * GROUP));
  }
  CHECK(tickets[0] == 1 && tickets[1] == 2);
  INVALID("prompt_indices", mixgrpo_trainer_begin_rollout(h.trainer, chosen_prompts, 1, 1));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "tickets", mixgrpo_trainer_begin_rollout(h.trainer, chosen_prompts, 1, 0));
  DONE(mixgrpo_trainer_begin_update_tickets(h.trainer, MIXGRPO_MISSING_REWARDS_REFUSE, NULL, 0));
  DONE(run(&h));
  CHECK(mixgrpo_trainer_iteration(h.trainer) == 1);
  REFUSED(
      MIXGRPO_STATUS_INVALID_STATE, "ticket",
      mixgrpo_trainer_begin_update_tickets(h.trainer, MIXGRPO_MISSING_REWARDS_REFUSE, NULL, 0));
  host_destroy(&h);
}

static void progress_goes_on_in_another_trainer(const fixture *f) {
  mixgrpo_learning_config learning = host_learning(f);
  learning.fault_policy = MIXGRPO_FAULT_POLICY_ROLL_BACK;
  host h = host_create(f, &learning), next = host_create(f, &learning);
  char json[8192], again[8192];
  size_t size = 0;
  double rewards[REWARDS];
  draw(&h, rewards);
  h.evaluations = 0, h.poisons_at = 1;
  DONE(update(&h, rewards));
  DONE(mixgrpo_trainer_set_window(h.trainer, 1));
  DONE(mixgrpo_trainer_get_progress(h.trainer, NULL, 0, &size));
  DONE(mixgrpo_trainer_get_progress(h.trainer, json, sizeof json, NULL));
  CHECK(size == strlen(json) + 1);
  draw(&next, rewards);
  DONE(mixgrpo_trainer_set_progress(next.trainer, json));
  DONE(mixgrpo_trainer_get_progress(next.trainer, again, sizeof again, NULL));
  CHECK(strcmp(json, again) == 0 && mixgrpo_trainer_iteration(next.trainer) == 1);
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "rollout", mixgrpo_trainer_begin_update(next.trainer, rewards, REWARDS, NULL, 0));
  draw(&next, rewards);
  DONE(update(&next, rewards));
  CHECK(next.rate_factor == 0.5);
  REFUSED(MIXGRPO_STATUS_INVALID_FORMAT, "progress", mixgrpo_trainer_set_progress(next.trainer, "{}"));
  REFUSED(MIXGRPO_STATUS_INVALID_FORMAT, "progress", mixgrpo_trainer_set_progress(next.trainer, "{"));
  INVALID("json", mixgrpo_trainer_set_progress(next.trainer, NULL));
  char *iteration = strstr(json, "\"iteration\":1");
  CHECK(iteration != NULL);
  if (iteration) iteration[strlen("\"iteration\":")] = '-';
  REFUSED(MIXGRPO_STATUS_INVALID_FORMAT, "progress", mixgrpo_trainer_set_progress(next.trainer, json));
  learning.clip_range *= 2;
  mixgrpo_trainer *other = host_trainer(f, &learning);
  INVALID("clip_range", mixgrpo_trainer_set_progress(other, again));
  CHECK(mixgrpo_trainer_iteration(other) == 0 && mixgrpo_trainer_iteration(next.trainer) == 2);
  mixgrpo_trainer_destroy(other);
  host_destroy(&h);
  host_destroy(&next);
}

static void settings_that_a_host_would_not_obey_are_refused(const fixture *f) {
  mixgrpo_learning_config learning = host_learning(f);
  mixgrpo_host_config config;
  mixgrpo_trainer *trainer = NULL;
  DONE(mixgrpo_host_config_init(&config, sizeof config));
  INVALID("latent_size", mixgrpo_trainer_create_for_host(f->context, f->plan, &learning, &config, names, 2, &trainer));
  config.prompt_count = PROMPTS;
  config.latent_size = UINT64_MAX;
  INVALID("latent_size", mixgrpo_trainer_create_for_host(f->context, f->plan, &learning, &config, names, 2, &trainer));
  config.latent_size = LATENT;
  config.max_batch = -1;
  INVALID("max_batch: expected 0…2147483647, got -1", mixgrpo_trainer_create_for_host(f->context, f->plan, &learning, &config, names, 2, &trainer));
  config.max_batch = 0;
  learning.learning_rate = 0.5;
  learning.ema_decay = 0.5;
  INVALID("learning_rate", mixgrpo_trainer_create_for_host(f->context, f->plan, &learning, &config, names, 2, &trainer));
  INVALID("ema_decay", mixgrpo_trainer_create_for_host(f->context, f->plan, &learning, &config, names, 2, &trainer));
  CHECK(trainer == NULL);
}

static void calls_of_the_other_owner_are_refused(const fixture *f) {
  const mixgrpo_learning_config learning = host_learning(f);
  mixgrpo_trainer *built_in = fixture_trainer(f, 0);
  mixgrpo_velocity_request request = {.struct_size = sizeof request};
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  float samples[VALUES];
  double rewards[REWARDS] = {0};
  host h = host_create(f, &learning);
#define HOSTS(call) REFUSED(MIXGRPO_STATUS_INVALID_STATE, "the host's", call)
  HOSTS(mixgrpo_trainer_next(built_in, &request));
  HOSTS(mixgrpo_trainer_begin_rollout(built_in, chosen_prompts, BATCH, 0));
  HOSTS(mixgrpo_trainer_begin_update(built_in, rewards, REWARDS, NULL, 0));
  HOSTS(mixgrpo_trainer_fail(built_in, MIXGRPO_STATUS_INTERNAL, NULL));
  HOSTS(mixgrpo_trainer_get_samples(built_in, samples, VALUES, NULL));
  HOSTS(mixgrpo_trainer_rollout(h.trainer, chosen_prompts, BATCH, samples, VALUES));
  HOSTS(mixgrpo_trainer_update(h.trainer, rewards, REWARDS, NULL, 0, &metrics));
  HOSTS(mixgrpo_trainer_save(h.trainer, scratch_path("host")));
  HOSTS(mixgrpo_trainer_save_model(h.trainer, MIXGRPO_WEIGHTS_TRAINED, scratch_path("host"), MIXGRPO_STORAGE_F32));
#undef HOSTS
  CHECK(mixgrpo_trainer_fail(h.trainer, MIXGRPO_STATUS_NOT_FINITE, "text") == MIXGRPO_STATUS_NOT_FINITE);
  INVALID("status", mixgrpo_trainer_fail(h.trainer, MIXGRPO_STATUS_OK, NULL));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "submit", mixgrpo_trainer_submit(h.trainer, samples, NULL, 1, NULL, 0));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "samples", mixgrpo_trainer_get_samples(h.trainer, samples, VALUES, NULL));
  DONE(mixgrpo_trainer_begin_rollout(h.trainer, chosen_prompts, BATCH, 0));
  DONE(mixgrpo_trainer_next(h.trainer, &request));
  INVALID("count", mixgrpo_trainer_submit(h.trainer, samples, NULL, 1, NULL, 0));
  INVALID("velocity", mixgrpo_trainer_submit(h.trainer, NULL, NULL, 1, NULL, 0));
  INVALID("velocity", mixgrpo_trainer_submit(h.trainer, NULL, NULL, 0, NULL, 0));
  DONE(run(&h));
  DONE(mixgrpo_trainer_begin_update(h.trainer, rewards, REWARDS, NULL, 0));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "update", mixgrpo_trainer_begin_rollout(h.trainer, chosen_prompts, BATCH, 0));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "update", mixgrpo_trainer_begin_update(h.trainer, rewards, REWARDS, NULL, 0));
  DONE(mixgrpo_trainer_next(h.trainer, &request));
  const size_t count = (size_t)request.count * LATENT;
  INVALID("out_d_velocity", mixgrpo_trainer_submit(h.trainer, samples, NULL, count, NULL, 0));
  TOO_SMALL("out_d_velocity", mixgrpo_trainer_submit(h.trainer, samples, NULL, count, samples, count - 1));
  DONE(mixgrpo_trainer_fail(h.trainer, MIXGRPO_STATUS_INTERNAL, "the model is out"));
  REFUSED(MIXGRPO_STATUS_INTERNAL, "the model is out", run(&h));
  BAD_HANDLES(bad, "trainer", f->plan, mixgrpo_trainer_next(bad, &request));
  mixgrpo_trainer_destroy(built_in);
  host_destroy(&h);
}

/* The figures of the other rank are those of this one. */
static mixgrpo_status combine(host *h) {
  double figures[2 * MIXGRPO_FIGURE_COUNT];
  REFUSED(MIXGRPO_STATUS_BUFFER_TOO_SMALL, "out_figures", mixgrpo_trainer_get_figures(h->trainer, figures, 3));
  DONE(mixgrpo_trainer_get_figures(h->trainer, figures, MIXGRPO_FIGURE_COUNT));
  memcpy(figures + MIXGRPO_FIGURE_COUNT, figures, sizeof figures / 2);
  INVALID("figures", mixgrpo_trainer_submit_figures(h->trainer, figures, MIXGRPO_FIGURE_COUNT));
  const double terms = figures[0];
  for (int i = 0; i < 3; i++) {
    figures[0] = (const double[]){NAN, -1, 1e300}[i];
    INVALID("figures", mixgrpo_trainer_submit_figures(h->trainer, figures, 2 * MIXGRPO_FIGURE_COUNT));
  }
  figures[0] = terms;
  return mixgrpo_trainer_submit_figures(h->trainer, figures, 2 * MIXGRPO_FIGURE_COUNT);
}

static void a_rank_samples_and_trains_its_share_and_combines_the_figures(fixture *f) {
  const mixgrpo_learning_config learning = host_learning(f);
  host h = host_create(f, &learning);
  double rewards[REWARDS], figures[2 * MIXGRPO_FIGURE_COUNT] = {0};
  float samples[VALUES];
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  INVALID("rank_count", mixgrpo_trainer_set_rank(h.trainer, 0, 0));
  INVALID("rank", mixgrpo_trainer_set_rank(h.trainer, 2, 2));
  INVALID("rank", mixgrpo_trainer_set_rank(h.trainer, -1, 2));
  DONE(mixgrpo_trainer_set_rank(h.trainer, 1, 2));
  for (int i = 0; i < REWARDS; i++) rewards[i] = i * 7 % 5; /* of both ranks */
  DONE(mixgrpo_trainer_begin_rollout(h.trainer, chosen_prompts, BATCH, 0));
  DONE(run(&h));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "rank", mixgrpo_trainer_set_rank(h.trainer, 0, 2));
  TOO_SMALL("out_samples", mixgrpo_trainer_get_samples(h.trainer, samples, VALUES / 2 - 1, NULL));
  DONE(mixgrpo_trainer_get_samples(h.trainer, samples, VALUES / 2, NULL));
  REFUSED(MIXGRPO_STATUS_INVALID_STATE, "get_figures", mixgrpo_trainer_get_figures(h.trainer, figures, MIXGRPO_FIGURE_COUNT));
  DONE(update(&h, rewards));
  DONE(mixgrpo_trainer_get_metrics(h.trainer, &metrics));
  CHECK(metrics.iteration == 0 && metrics.model_calls_update > 0 && metrics.model_calls_update % 2 == 0);
  CHECK(metrics.first_ratio_min == 1 && metrics.first_ratio_max == 1 && mixgrpo_trainer_iteration(h.trainer) == 1);
  REFUSED(
      MIXGRPO_STATUS_INVALID_STATE, "submit_figures",
      mixgrpo_trainer_submit_figures(h.trainer, figures, 2 * MIXGRPO_FIGURE_COUNT));
  host_destroy(&h);
}

void test_host_trainer(void) {
  fixture f = fixture_create(1);
  a_host_and_the_built_in_model_train_to_the_same_bits(&f);
  an_update_that_fails_anywhere_is_undone_and_may_be_repeated(&f);
  faults_go_by_the_policy(&f);
  a_cancel_stands_until_it_is_reset_or_fails_the_update(&f);
  a_cancel_before_any_request_of_an_update_loses_none(&f);
  a_host_that_stops_between_two_steps_keeps_those_that_are_done(&f);
  deterministic_samples_leave_the_rollout_and_ask_for_the_weights(&f);
  an_evaluation_draws_with_the_hosts_model(&f);
  tickets_join_into_one_update(&f);
  a_rank_samples_and_trains_its_share_and_combines_the_figures(&f);
  progress_goes_on_in_another_trainer(&f);
  settings_that_a_host_would_not_obey_are_refused(&f);
  calls_of_the_other_owner_are_refused(&f);
  fixture_destroy(&f);
}
