/* cc own_model.c $(pkg-config --cflags --libs mixgrpo) -lm -o own_model && ./own_model
 *
 * Aligns a model that the library does not know: this program's own network v = B·tanh(A·(x, σ, prompt, 1)), with its own
 * backward and optimizer. The reward is higher the closer the values of a latent are to 1. */
#include <math.h>
#include <mixgrpo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { D = 8, PROMPTS = 4, IN = D + 1 + PROMPTS + 1, HIDDEN = 32, A = HIDDEN * IN, WEIGHTS = A + D * HIDDEN };
enum { CHOSEN = 2, GROUP = 12, SAMPLES = CHOSEN * GROUP, BATCH = 64 };

static float w[WEIGHTS], gradient[WEIGHTS], kept[WEIGHTS]; /* A (HIDDEN, IN), then B (D, HIDDEN) */
static float inputs[BATCH][IN], hidden[BATCH][HIDDEN];     /* of the latest forward */
static const float rate = 3;                               /* of plain gradient descent */

static void forward(const mixgrpo_velocity_request *r, float *v) { /* v: (count, D) */
  for (size_t b = 0; b < r->count; b++) {
    float *x = memset(inputs[b], 0, sizeof inputs[b]);
    memcpy(x, r->latents + b * D, D * sizeof *x);
    x[D] = r->sigmas[b], x[D + 1 + r->prompt_index[b]] = 1, x[IN - 1] = 1;
    for (int h = 0; h < HIDDEN; h++) {
      float sum = 0;
      for (int i = 0; i < IN; i++) sum += w[h * IN + i] * x[i];
      hidden[b][h] = tanhf(sum);
    }
    for (int d = 0; d < D; d++) {
      float sum = 0;
      for (int h = 0; h < HIDDEN; h++) sum += w[A + d * HIDDEN + h] * hidden[b][h];
      v[b * D + d] = sum;
    }
  }
}

static void backward(size_t count, const float *d_velocity) { /* d_velocity: (count, D); adds to `gradient` */
  for (size_t b = 0; b < count; b++)
    for (int h = 0; h < HIDDEN; h++) {
      float dh = 0;
      for (int d = 0; d < D; d++) {
        dh += w[A + d * HIDDEN + h] * d_velocity[b * D + d];
        gradient[A + d * HIDDEN + h] += d_velocity[b * D + d] * hidden[b][h];
      }
      dh *= 1 - hidden[b][h] * hidden[b][h];
      for (int i = 0; i < IN; i++) gradient[h * IN + i] += dh * inputs[b][i];
    }
}

static mixgrpo_status step(mixgrpo_trainer *trainer, double factor) { /* the gradient's norm is clipped to 1 */
  double squares = 0;
  for (int i = 0; i < WEIGHTS; i++) squares += (double)gradient[i] * gradient[i];
  const double norm = sqrt(squares), scale = rate * factor / fmax(1, norm);
  if (!isfinite(norm)) return MIXGRPO_STATUS_NOT_FINITE;
  for (int i = 0; i < WEIGHTS; i++) w[i] -= (float)scale * gradient[i], gradient[i] = 0;
  return mixgrpo_trainer_submit_step(trainer, norm, rate * factor);
}

static mixgrpo_status answer(mixgrpo_trainer *trainer, const mixgrpo_velocity_request *request) {
  static float v[BATCH * D], d_velocity[BATCH * D];
  const size_t values = request->count * D, wanted = request->needs_gradient ? values : 0;
  mixgrpo_status status;
  switch (request->kind) {
    case MIXGRPO_REQUEST_KIND_EVALUATE:
      forward(request, v);
      status = mixgrpo_trainer_submit(trainer, v, NULL, values, wanted ? d_velocity : NULL, wanted);
      if (status == MIXGRPO_STATUS_OK && wanted) backward(request->count, d_velocity);
      return status;
    case MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP: return step(trainer, request->rate_factor);
    case MIXGRPO_REQUEST_KIND_KEEP_STATE: memcpy(kept, w, sizeof w); break;
    case MIXGRPO_REQUEST_KIND_RESTORE_STATE: memcpy(w, kept, sizeof w); break;
    case MIXGRPO_REQUEST_KIND_ZERO_GRADIENTS: memset(gradient, 0, sizeof gradient); break;
    default: return MIXGRPO_STATUS_UNSUPPORTED;
  }
  return MIXGRPO_STATUS_OK;
}

static void check(mixgrpo_status status) {
  if (status != MIXGRPO_STATUS_OK) exit((fprintf(stderr, "%s\n", mixgrpo_last_error()), 1));
}

static void run(mixgrpo_trainer *trainer) { /* answers requests until nothing is left, or everything is undone */
  for (;;) {
    mixgrpo_velocity_request request = {.struct_size = sizeof request};
    mixgrpo_status status = mixgrpo_trainer_next(trainer, &request);
    if (status == MIXGRPO_STATUS_OK && request.kind == MIXGRPO_REQUEST_KIND_FINISHED) return;
    if (status == MIXGRPO_STATUS_OK) status = answer(trainer, &request);
    if (status != MIXGRPO_STATUS_OK) check(mixgrpo_trainer_fail(trainer, status, NULL));
  }
}

int main(void) {
  const char *names[] = {"near one"};
  const int32_t chosen[CHOSEN] = {0, 3};
  mixgrpo_context *context; mixgrpo_plan *plan; mixgrpo_trainer *trainer;
  mixgrpo_sampling_config sampling; mixgrpo_learning_config learning; mixgrpo_host_config host;
  double first = 0, last = 0;

  for (int i = 0; i < WEIGHTS; i++) w[i] = 0.3f * sinf(12.9898f * (float)(i + 1)); /* an untrained network */
  check(mixgrpo_context_create(1, &context));
  check(mixgrpo_config_init(&sampling, sizeof sampling, &learning, sizeof learning));
  sampling.steps = 10, sampling.group_size = GROUP, sampling.window_mode = MIXGRPO_WINDOW_MODE_FROZEN;
  learning.clip_range = 0.1; /* a latent of few values: its ratio moves further than an image's */
  check(mixgrpo_plan_create(&sampling, NULL, 0, &plan));
  check(mixgrpo_host_config_init(&host, sizeof host));
  host.prompt_count = PROMPTS, host.latent_size = D, host.max_batch = BATCH;
  check(mixgrpo_trainer_create_for_host(context, plan, &learning, &host, names, 1, &trainer));

  for (int iteration = 0; iteration < 40; iteration++) {
    mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
    float samples[SAMPLES * D];
    double rewards[SAMPLES];
    check(mixgrpo_trainer_begin_rollout(trainer, chosen, CHOSEN, 0));
    run(trainer);
    check(mixgrpo_trainer_get_samples(trainer, samples, SAMPLES * D, NULL));
    for (int i = 0; i < SAMPLES; i++) {
      rewards[i] = 0;
      for (int d = 0; d < D; d++) rewards[i] -= fabs(samples[i * D + d] - 1) / D;
    }
    check(mixgrpo_trainer_begin_update(trainer, rewards, SAMPLES, NULL, 0));
    run(trainer);
    check(mixgrpo_trainer_get_metrics(trainer, &metrics));
    printf("iteration %d: near one %.3f\n", iteration, metrics.reward_mean);
    if (iteration == 0) first = metrics.reward_mean;
    last = metrics.reward_mean;
  }
  printf("the reward rose by %.3f\n", last - first);
  mixgrpo_trainer_destroy(trainer), mixgrpo_plan_destroy(plan), mixgrpo_context_destroy(context);
  return 0;
}
