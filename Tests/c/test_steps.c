#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "tests.h"

enum { COUNT = 2, SIZE = 6, VALUES = COUNT * SIZE };

static void grids_run_from_noise_to_data(void) {
  double sigmas[6] = {5, 5, 5, 5, 5, 5};
  DONE(mixgrpo_time_grid(4, 3, 0, sigmas, 6));
  CHECK(sigmas[0] == 1 && sigmas[4] == 0 && sigmas[5] == 5 && sigmas[2] == 0.75);
  DONE(mixgrpo_time_grid(2, 3, 256, sigmas, 3));
  CHECK(fabs(sigmas[1] - exp(0.5) / (exp(0.5) + 1)) <= 1e-12);
  TOO_SMALL("out_sigmas", mixgrpo_time_grid(4, 3, 0, sigmas, 4));
  INVALID("out_sigmas", mixgrpo_time_grid(4, 3, 0, NULL, 5));
  INVALID("steps", mixgrpo_time_grid(0, 3, 0, sigmas, 6));
  INVALID("steps", mixgrpo_time_grid(INT32_MAX, 3, 0, sigmas, 6));
  INVALID("shift", mixgrpo_time_grid(4, NAN, 0, sigmas, 6));
  INVALID("shift", mixgrpo_time_grid(4, -3, 0, sigmas, 6));
  INVALID("image_tokens", mixgrpo_time_grid(4, 3, -1, sigmas, 6));
}

static void stochastic_steps_follow_their_formulas(void) {
  mixgrpo_step step = {.struct_size = sizeof step};
  DONE(mixgrpo_stochastic_step(MIXGRPO_DYNAMICS_DANCE, 0.5, 0.8, 0.6, &step));
  CHECK(step.kind == MIXGRPO_STEP_KIND_DANCE && fabs(step.noise - 0.5 * sqrt(0.2)) <= 1e-12);
  CHECK(fabs(step.latent - (1 - 0.25 * 0.2 / 1.6)) <= 1e-12);
  CHECK(fabs(step.velocity + (1 + 0.25 * 0.2 / 1.6) * 0.2) <= 1e-12);
  DONE(mixgrpo_stochastic_step(MIXGRPO_DYNAMICS_FLOW, 0.7, 1, 0.9, &step));
  CHECK(fabs(step.noise - 0.7) <= 1e-12); /* s = eta at pure noise */
  DONE(mixgrpo_stochastic_step(MIXGRPO_DYNAMICS_CPS, 0.7, 0.5, 0.4, &step));
  CHECK(fabs(step.noise - 0.4 * sin(0.35 * acos(-1))) <= 1e-12 && step.trained == 0 && step.history[0] == 0);
  INVALID("dynamics", mixgrpo_stochastic_step(3, 0.7, 0.5, 0.4, &step));
  INVALID("noise_level", mixgrpo_stochastic_step(MIXGRPO_DYNAMICS_FLOW, NAN, 0.5, 0.4, &step));
  INVALID("noise_level", mixgrpo_stochastic_step(MIXGRPO_DYNAMICS_CPS, 1.1, 0.5, 0.4, &step));
  const double bad[][2] = {{0.4, 0.5}, {0.5, 0.5}, {1.1, 0.5}, {0.5, -0.1}, {NAN, 0.5}, {0.5, NAN}, {0, 0}, {INFINITY, 0}};
  for (int i = 0; i < 8; i++) INVALID("sigma", mixgrpo_stochastic_step(0, 0.7, bad[i][0], bad[i][1], &step));
  INVALID("out_step", mixgrpo_stochastic_step(0, 0.7, 0.5, 0.4, NULL));
  CHECK(step.kind == MIXGRPO_STEP_KIND_CPS);
}

static void deterministic_steps_lower_their_order(void) {
  const double sigmas[5] = {0.9, 0.7, 0.5, 0.2, 0}, rising[3] = {0.5, 0.7, 0};
  mixgrpo_step step = {.struct_size = sizeof step};
  DONE(mixgrpo_deterministic_step(MIXGRPO_SOLVER_DPM_2_MIDPOINT, sigmas, 5, 0, &step));
  CHECK(step.kind == MIXGRPO_STEP_KIND_DPM_1 && step.noise == 0 && fabs(step.velocity + 0.2) <= 1e-12);
  DONE(mixgrpo_deterministic_step(MIXGRPO_SOLVER_DPM_2_MIDPOINT, sigmas, 5, 1, &step));
  CHECK(step.kind == MIXGRPO_STEP_KIND_DPM_2_MIDPOINT && step.history[0] != 0 && step.history[1] == 0);
  DONE(mixgrpo_deterministic_step(MIXGRPO_SOLVER_DPM_3, sigmas, 5, 3, &step));
  CHECK(step.kind == MIXGRPO_STEP_KIND_DPM_1 && step.next_sigma == 0);
  INVALID("index", mixgrpo_deterministic_step(0, sigmas, 5, 4, &step));
  INVALID("index", mixgrpo_deterministic_step(0, sigmas, 5, SIZE_MAX, &step));
  INVALID("sigma_count", mixgrpo_deterministic_step(0, sigmas, 1, 0, &step));
  INVALID("sigma_count", mixgrpo_deterministic_step(0, sigmas, SIZE_MAX, 0, &step));
  INVALID("sigmas", mixgrpo_deterministic_step(0, rising, 3, 0, &step));
  INVALID("sigmas", mixgrpo_deterministic_step(0, NULL, 3, 0, &step));
  INVALID("solver", mixgrpo_deterministic_step(5, sigmas, 5, 0, &step));
  INVALID("out_step", mixgrpo_deterministic_step(0, sigmas, 5, 0, NULL));
}

typedef struct {
  mixgrpo_step step;
  mixgrpo_learning_config learning;
  float latents[VALUES], velocity[VALUES], next[VALUES], reference[VALUES];
  double old[COUNT], advantages[COUNT];
} judged;

static judged example(void) {
  judged e = {.step = {.struct_size = sizeof(mixgrpo_step)}, .advantages = {1.5, -0.5}};
  DONE(mixgrpo_config_init(NULL, 0, &e.learning, sizeof e.learning));
  DONE(mixgrpo_stochastic_step(MIXGRPO_DYNAMICS_FLOW, 0.7, 0.8, 0.7, &e.step));
  DONE(mixgrpo_normal_noise(5, 0, 0, e.latents, VALUES));
  DONE(mixgrpo_normal_noise(5, 0, 1, e.velocity, VALUES));
  DONE(mixgrpo_normal_noise(5, 0, 2, e.next, VALUES));
  DONE(mixgrpo_normal_noise(5, 0, 3, e.reference, VALUES));
  for (int i = 0; i < VALUES; i++)
    e.next[i] = (float)(e.step.latent * e.latents[i] + e.step.velocity * e.velocity[i] + e.step.noise * e.next[i]);
  return e;
}

static mixgrpo_status log_probability(const judged *e, mixgrpo_log_probability form, double *out, size_t capacity) {
  return mixgrpo_step_log_probability(&e->step, form, e->latents, e->velocity, e->next, COUNT, SIZE, out, capacity);
}

static void log_probability_is_the_density(void) {
  judged e = example();
  double mean[COUNT], sum[COUNT], peer[COUNT];
  DONE(log_probability(&e, MIXGRPO_LOG_PROBABILITY_MEAN, mean, COUNT));
  DONE(log_probability(&e, MIXGRPO_LOG_PROBABILITY_SUM, sum, COUNT));
  DONE(log_probability(&e, MIXGRPO_LOG_PROBABILITY_CPS_PEER, peer, COUNT));
  for (int row = 0; row < COUNT; row++) {
    double squares = 0;
    for (int i = row * SIZE; i < (row + 1) * SIZE; i++)
      squares += pow(e.next[i] - (e.step.latent * e.latents[i] + e.step.velocity * e.velocity[i]), 2) / SIZE;
    const double expected = -squares / (2 * e.step.noise * e.step.noise) - log(e.step.noise) - 0.5 * log(2 * acos(-1));
    CHECK(fabs(mean[row] - expected) <= 1e-9 && fabs(sum[row] - SIZE * expected) <= 1e-8);
    CHECK(fabs(peer[row] + squares) <= 1e-9);
  }
  INVALID("form", log_probability(&e, MIXGRPO_LOG_PROBABILITY_GUARDED, mean, COUNT));
  INVALID("form", log_probability(&e, 4, mean, COUNT));
  TOO_SMALL("out_log_probabilities", log_probability(&e, 0, mean, COUNT - 1));
  INVALID("out_log_probabilities", log_probability(&e, 0, NULL, COUNT));
  e.next[1] = NAN;
  INVALID("next_latents[1]", log_probability(&e, 0, mean, COUNT));
  e = example();
  e.step.noise = 0;
  INVALID("noise", log_probability(&e, 0, mean, COUNT));
  e.step.noise = NAN;
  INVALID("step", log_probability(&e, 0, mean, COUNT));
  e = example();
  INVALID("step", mixgrpo_step_log_probability(NULL, 0, e.latents, e.velocity, e.next, COUNT, SIZE, mean, COUNT));
  INVALID("velocity", mixgrpo_step_log_probability(&e.step, 0, e.latents, NULL, e.next, COUNT, SIZE, mean, COUNT));
  const size_t absurd[] = {0, SIZE_MAX, (size_t)1 << 62};
  for (int i = 0; i < 3; i++) {
    INVALID("count", mixgrpo_step_log_probability(&e.step, 0, e.latents, e.velocity, e.next, absurd[i], SIZE, mean, COUNT));
    INVALID("latent_size", mixgrpo_step_log_probability(&e.step, 0, e.latents, e.velocity, e.next, COUNT, absurd[i], mean, COUNT));
  }
}

static mixgrpo_status loss_of(const judged *e, const float *reference, double *loss, double *ratios, float *d_velocity) {
  return mixgrpo_policy_loss(
      &e->learning, &e->step, MIXGRPO_LOG_PROBABILITY_MEAN, e->latents, e->velocity, e->next, reference, e->old,
      e->advantages, COUNT, SIZE, loss, ratios, ratios ? COUNT : 0, d_velocity, VALUES);
}

static void the_loss_and_its_gradient_agree(void) {
  judged e = example();
  float d_velocity[VALUES], ignored[VALUES];
  double loss = 0, up = 0, down = 0, ratios[COUNT];
  e.learning.clip_range = 0.5;
  e.learning.kl_reference = 0.3;
  e.learning.kl_old = 0.2;
  DONE(log_probability(&e, MIXGRPO_LOG_PROBABILITY_MEAN, e.old, COUNT));
  DONE(loss_of(&e, e.reference, &loss, ratios, d_velocity));
  CHECK(ratios[0] == 1 && ratios[1] == 1);
  for (int i = 0; i < VALUES; i++) {
    judged moved = e;
    moved.velocity[i] = e.velocity[i] + 5e-3f;
    DONE(loss_of(&moved, e.reference, &up, NULL, ignored));
    const float high = moved.velocity[i];
    moved.velocity[i] = e.velocity[i] - 5e-3f;
    DONE(loss_of(&moved, e.reference, &down, NULL, ignored));
    const double slope = (up - down) / ((double)high - (double)moved.velocity[i]);
    CHECK(fabs(slope - d_velocity[i]) <= 1e-4 * (1 + fabs(slope)));
  }
}

static void bad_losses_touch_nothing(void) {
  judged e = example();
  float d_velocity[VALUES] = {5};
  double loss = 5, ratios[COUNT] = {5, 5};
#define LOSS(config, old, advantages, out_loss, ratio_capacity, capacity)                                              \
  mixgrpo_policy_loss(                                                                                                 \
      config, &e.step, 0, e.latents, e.velocity, e.next, NULL, old, advantages, COUNT, SIZE, out_loss, ratios,         \
      ratio_capacity, d_velocity, capacity)
  INVALID("config", LOSS(NULL, e.old, e.advantages, &loss, COUNT, VALUES));
  INVALID("old_log_probabilities", LOSS(&e.learning, NULL, e.advantages, &loss, COUNT, VALUES));
  INVALID("advantages", LOSS(&e.learning, e.old, NULL, &loss, COUNT, VALUES));
  INVALID("out_loss", LOSS(&e.learning, e.old, e.advantages, NULL, COUNT, VALUES));
  TOO_SMALL("out_ratios", LOSS(&e.learning, e.old, e.advantages, &loss, COUNT - 1, VALUES));
  TOO_SMALL("out_d_velocity", LOSS(&e.learning, e.old, e.advantages, &loss, COUNT, VALUES - 1));
  e.advantages[1] = NAN;
  INVALID("advantages[1]", LOSS(&e.learning, e.old, e.advantages, &loss, COUNT, VALUES));
  e = example();
  e.old[0] = -1e300; /* a ratio beyond any number */
  REFUSED(MIXGRPO_STATUS_NOT_FINITE, "row 0", LOSS(&e.learning, e.old, e.advantages, &loss, COUNT, VALUES));
  e = example();
  e.learning.kl_reference = 1;
  INVALID("reference", LOSS(&e.learning, e.old, e.advantages, &loss, COUNT, VALUES));
  e.reference[2] = INFINITY;
  INVALID("reference_velocity[2]", loss_of(&e, e.reference, &loss, ratios, d_velocity));
  CHECK(loss == 5 && ratios[0] == 5 && d_velocity[0] == 5);
}

static void noise_is_keyed(void) {
  float a[100], b[100], part[7];
  DONE(mixgrpo_normal_noise(1, 2, 3, a, 100));
  DONE(mixgrpo_normal_noise(1, 2, 3, part, 7));
  CHECK(memcmp(a, part, sizeof part) == 0);
  const uint64_t keys[][3] = {{2, 2, 3}, {1, 3, 3}, {1, 2, 4}, {1, 2, 3 + (1ull << 32)}, {1, 2 + (1ull << 40), 3}, {~0ull, ~0ull, ~0ull}};
  for (int i = 0; i < 6; i++) {
    DONE(mixgrpo_normal_noise(keys[i][0], keys[i][1], keys[i][2], b, 100));
    CHECK(memcmp(a, b, sizeof a) != 0);
  }
  double square = 0;
  for (int i = 0; i < 100; i++) square += a[i] * a[i] / 100;
  CHECK(square > 0.5 && square < 2);
  DONE(mixgrpo_normal_noise(1, 2, 3, NULL, 0));
  INVALID("out_values", mixgrpo_normal_noise(1, 2, 3, NULL, 5));
  INVALID("count", mixgrpo_normal_noise(1, 2, 3, a, SIZE_MAX));
}

void test_steps(void) {
  grids_run_from_noise_to_data();
  stochastic_steps_follow_their_formulas();
  deterministic_steps_lower_their_order();
  log_probability_is_the_density();
  the_loss_and_its_gradient_agree();
  bad_losses_touch_nothing();
  noise_is_keyed();
}
