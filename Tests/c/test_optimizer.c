#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fixture.h"
#include "tests.h"

static void one_step_is_adamw(const fixture *f) {
  float weights[2] = {1, -2};
  const float gradients[2] = {0.5f, -0.25f};
  mixgrpo_optimizer *optimizer = NULL;
  mixgrpo_optimizer_report report = {.struct_size = sizeof report};
  DONE(mixgrpo_optimizer_create(f->context, &f->learning, 2, &optimizer));
  DONE(mixgrpo_optimizer_step(optimizer, weights, gradients, 2, &report));
  /* In the first step the moments' ratio is the gradient's sign. */
  CHECK(fabs(weights[0] - (1 * (1 - 1e-3 * 1e-4) - 1e-3)) <= 1e-6);
  CHECK(fabs(weights[1] - (-2 * (1 - 1e-3 * 1e-4) + 1e-3)) <= 1e-6);
  CHECK(report.step == 1 && report.learning_rate == 1e-3);
  CHECK(fabs(report.gradient_norm - sqrt(0.3125)) <= 1e-12);
  mixgrpo_optimizer_destroy(optimizer);
}

static void a_bad_step_changes_nothing(const fixture *f) {
  float weights[2] = {1, -2}, after[2] = {1, -2}, gradients[2] = {0.5f, NAN};
  mixgrpo_optimizer *optimizer = NULL;
  mixgrpo_optimizer_report report = {.struct_size = sizeof report};
  DONE(mixgrpo_optimizer_create(f->context, &f->learning, 2, &optimizer));
  REFUSED(MIXGRPO_STATUS_NOT_FINITE, "gradients", mixgrpo_optimizer_step(optimizer, weights, gradients, 2, &report));
  gradients[1] = 1;
  weights[1] = INFINITY;
  REFUSED(MIXGRPO_STATUS_NOT_FINITE, "weights", mixgrpo_optimizer_step(optimizer, weights, gradients, 2, &report));
  weights[1] = -2;
  INVALID("gradients", mixgrpo_optimizer_step(optimizer, weights, gradients, 1, &report));
  INVALID("gradients", mixgrpo_optimizer_step(optimizer, weights, gradients, SIZE_MAX, &report));
  INVALID("gradients", mixgrpo_optimizer_step(optimizer, weights, NULL, 2, &report));
  INVALID("weights", mixgrpo_optimizer_step(optimizer, NULL, gradients, 2, &report));
  report.struct_size = 1;
  INVALID("struct_size", mixgrpo_optimizer_step(optimizer, weights, gradients, 2, &report));
  report.struct_size = sizeof report;
  CHECK(memcmp(weights, after, sizeof weights) == 0 && report.step == 0);
  DONE(mixgrpo_optimizer_step(optimizer, weights, gradients, 2, &report));
  CHECK(report.step == 1);
  mixgrpo_optimizer_destroy(optimizer);
}

static void creation_has_bounds(const fixture *f) {
  mixgrpo_optimizer *optimizer = NULL;
  mixgrpo_learning_config config = f->learning;
  INVALID("parameter_count", mixgrpo_optimizer_create(f->context, &config, 0, &optimizer));
  INVALID("parameter_count", mixgrpo_optimizer_create(f->context, &config, SIZE_MAX, &optimizer));
  REFUSED(MIXGRPO_STATUS_OUT_OF_MEMORY, "memory", mixgrpo_optimizer_create(f->context, &config, (size_t)1 << 56, &optimizer));
  INVALID("config", mixgrpo_optimizer_create(f->context, NULL, 2, &optimizer));
  INVALID("out_optimizer", mixgrpo_optimizer_create(f->context, &config, 2, NULL));
  config.beta2 = 1;
  INVALID("beta2", mixgrpo_optimizer_create(f->context, &config, 2, &optimizer));
  BAD_HANDLES(h, "context", f->plan, mixgrpo_optimizer_create(h, &f->learning, 2, &optimizer));
  CHECK(optimizer == NULL);
}

static void a_model_is_stepped_and_its_gradients_zeroed(const fixture *f) {
  float before = 0, after = 0, gradient = 0;
  size_t count = 0;
  mixgrpo_optimizer *optimizer = NULL, *small = NULL;
  mixgrpo_optimizer_report report = {.struct_size = sizeof report};
  DONE(mixgrpo_model_get_size(f->model, NULL, &count));
  DONE(mixgrpo_optimizer_create(f->context, &f->learning, count, &optimizer));
  DONE(mixgrpo_optimizer_create(f->context, &f->learning, count - 1, &small));
  DONE(mixgrpo_model_set_gradients(f->model, 0, (float[]){2}, 1));
  DONE(mixgrpo_model_get_weights(f->model, 0, &before, 1));
  INVALID("optimizer", mixgrpo_optimizer_step_model(small, f->model, &report));
  DONE(mixgrpo_optimizer_step_model(optimizer, f->model, &report));
  DONE(mixgrpo_model_get_weights(f->model, 0, &after, 1));
  DONE(mixgrpo_model_get_gradients(f->model, 0, &gradient, 1));
  CHECK(after < before && gradient == 0 && report.gradient_norm == 2);
  DONE(mixgrpo_optimizer_step_model(optimizer, f->model, NULL));
  BAD_HANDLES(h, "optimizer", f->plan, mixgrpo_optimizer_step_model(h, f->model, NULL));
  BAD_HANDLES(h, "model", f->plan, mixgrpo_optimizer_step_model(optimizer, h, NULL));
  BAD_HANDLES(h, "optimizer", f->plan, mixgrpo_optimizer_step(h, &before, &after, 1, NULL));
  mixgrpo_optimizer_destroy(optimizer);
  mixgrpo_optimizer_destroy(small);
}

void test_optimizer(void) {
  fixture f = fixture_create(2);
  one_step_is_adamw(&f);
  a_bad_step_changes_nothing(&f);
  creation_has_bounds(&f);
  a_model_is_stepped_and_its_gradients_zeroed(&f);
  fixture_destroy(&f);
}
