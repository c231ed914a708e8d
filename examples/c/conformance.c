/* The whole pipeline in one program. The C, C++, Python, Rust and Swift versions print the same lines, to the last bit.
 *
 * conformance MODEL FOLDER: the base model's folder, and a folder for the checkpoint. Numbers are printed as their bits in
 * hexadecimal, arrays as the 64-bit FNV-1a hash of their bytes. */
#include <mixgrpo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { D = 8, GROUP = 4, PROMPTS = 2, SAMPLES = PROMPTS * GROUP, IMAGE = 32 * 32 * 3 };

static void check(mixgrpo_status status) {
  if (status != MIXGRPO_STATUS_OK) exit((fprintf(stderr, "%s\n", mixgrpo_last_error()), 1));
}

static const uint64_t hash_start = 0xcbf29ce484222325u;

static uint64_t hash(uint64_t state, const void *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) state = (state ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
  return state;
}

static unsigned long long hash_of(const void *bytes, size_t count) { return hash(hash_start, bytes, count); }

static unsigned long long bits(double value) {
  uint64_t raw;
  memcpy(&raw, &value, sizeof raw);
  return raw;
}

/* Windows, work and every coefficient of the published methods. */
static void plans(void) {
  for (size_t i = 0; mixgrpo_preset_name(i); i++) {
    const char *name = mixgrpo_preset_name(i);
    mixgrpo_sampling_config sampling;
    mixgrpo_learning_config learning;
    mixgrpo_plan *plan;
    check(mixgrpo_config_init(&sampling, sizeof sampling, &learning, sizeof learning));
    check(mixgrpo_config_init_preset(name, &sampling, NULL));
    check(mixgrpo_plan_create(&sampling, NULL, 0, &plan));
    for (int64_t iteration = 0; iteration <= 40; iteration += 40) {
      mixgrpo_iteration_plan work = {.struct_size = sizeof work};
      uint64_t coefficients = hash_start;
      check(mixgrpo_plan_get_iteration(plan, iteration, MIXGRPO_WINDOW_START_SCHEDULED, PROMPTS, 1, &work));
      for (int32_t index = 0; index < work.step_count; index++) {
        mixgrpo_step step = {.struct_size = sizeof step};
        check(mixgrpo_plan_get_step(plan, iteration, MIXGRPO_WINDOW_START_SCHEDULED, index, &step));
        const double values[] = {step.sigma, step.next_sigma, step.latent, step.velocity, step.history[0], step.history[1], step.noise};
        coefficients = hash(coefficients, values, sizeof values);
      }
      printf("plan %s %d: window %d+%d, %d steps, %d trained, %d calls, %016llx\n", name, (int)iteration, work.window_start,
             work.window_length, work.step_count, work.trained_step_count, (int)work.rollout_model_calls,
             (unsigned long long)coefficients);
    }
    mixgrpo_plan_destroy(plan);
  }
}

/* The host's own model, with one weight: velocity = weight * h - prompt / 8 with h = latent / 2 + sigma. */
static float weight = 0.75f;

static void answer(const mixgrpo_velocity_request *request, float *h, float *velocity) {
  for (size_t i = 0; i < request->count * D; i++) {
    h[i] = 0.5f * request->latents[i] + request->sigmas[i / D];
    velocity[i] = weight * h[i] - 0.125f * (float)request->prompt_index[i / D];
  }
}

static void rollout_and_update_by_hand(const mixgrpo_context *context) {
  static const int32_t prompts[PROMPTS] = {3, 1};
  static float h[SAMPLES * D], velocity[SAMPLES * D], d_velocity[SAMPLES * D], samples[SAMPLES * D];
  mixgrpo_sampling_config sampling;
  mixgrpo_learning_config learning;
  mixgrpo_rollout_config config;
  mixgrpo_velocity_request request = {.struct_size = sizeof request};
  mixgrpo_plan *plan;
  mixgrpo_rollout *rollout;
  mixgrpo_update *update;
  check(mixgrpo_config_init(&sampling, sizeof sampling, &learning, sizeof learning));
  sampling.steps = 6, sampling.window_length = 2, sampling.group_size = GROUP, sampling.seed = 11;
  learning.updates_per_iteration = 2, learning.clip_range = 0.05;
  check(mixgrpo_plan_create(&sampling, NULL, 0, &plan));
  check(mixgrpo_rollout_config_init(&config, sizeof config));
  config.iteration = 30, config.latent_size = D;
  check(mixgrpo_rollout_create(context, plan, &config, prompts, PROMPTS, NULL, 0, &rollout));
  for (check(mixgrpo_rollout_next(rollout, &request)); request.kind == MIXGRPO_REQUEST_KIND_EVALUATE;
       check(mixgrpo_rollout_next(rollout, &request))) {
    answer(&request, h, velocity);
    check(mixgrpo_rollout_submit(rollout, velocity, request.count * D));
  }
  check(mixgrpo_rollout_get_samples(rollout, samples, SAMPLES * D));
  printf("samples %016llx\n", hash_of(samples, sizeof samples));

  double rewards[SAMPLES] = {0}, advantages[SAMPLES], gradient = 0;
  uint8_t included[SAMPLES];
  for (int i = 0; i < SAMPLES * D; i++) rewards[i / D] += samples[i];
  check(mixgrpo_advantages(&learning, rewards, 1, PROMPTS, GROUP, NULL, 0, advantages, included, SAMPLES, NULL));
  printf("advantages %016llx\n", hash_of(advantages, sizeof advantages));
  check(mixgrpo_update_create(rollout, &learning, advantages, included, SAMPLES, 0, &update));
  for (check(mixgrpo_update_next(update, &request)); request.kind != MIXGRPO_REQUEST_KIND_FINISHED;
       check(mixgrpo_update_next(update, &request))) {
    if (request.kind == MIXGRPO_REQUEST_KIND_OPTIMIZER_STEP) {
      weight = (float)(weight - 0.5 * gradient), gradient = 0;
      printf("weight %016llx\n", bits(weight));
      continue;
    }
    answer(&request, h, velocity);
    check(mixgrpo_update_submit(update, velocity, NULL, request.count * D, d_velocity, SAMPLES * D));
    for (size_t i = 0; i < request.count * D; i++) gradient += (double)d_velocity[i] * (double)h[i];
    printf("d_velocity %016llx\n", hash_of(d_velocity, request.count * D * sizeof *d_velocity));
  }
  mixgrpo_update_statistics seen = {.struct_size = sizeof seen};
  check(mixgrpo_update_get_statistics(update, &seen));
  printf("loss %016llx, ratios %016llx %016llx\n", bits(seen.loss), bits(seen.first_ratio_min), bits(seen.ratio_max));
  mixgrpo_update_destroy(update);
  mixgrpo_rollout_destroy(rollout);
  mixgrpo_plan_destroy(plan);
}

/* ------------------------------------------------------------------------------------------------------------ trainer */

static const char *const lines[] = {"a red circle at the left", "a blue square in the middle"};

typedef struct {
  mixgrpo_model *model;
  mixgrpo_prompts *prompts;
  mixgrpo_evaluator *evaluator;
  mixgrpo_plan *plan;
  mixgrpo_trainer *trainer;
  size_t weights;
} training;

static training begin(const mixgrpo_context *context, const char *base) {
  const char *const names[] = {"darkness"};
  training t;
  mixgrpo_evaluator_config geometry;
  mixgrpo_sampling_config sampling;
  mixgrpo_learning_config learning;
  check(mixgrpo_model_load(context, base, &t.model));
  check(mixgrpo_model_get_size(t.model, NULL, &t.weights));
  check(mixgrpo_prompts_create_hashed_words(context, lines, PROMPTS, 16, 64, 64, &t.prompts));
  check(mixgrpo_evaluator_config_init(&geometry, sizeof geometry));
  geometry.text_length = 16;
  check(mixgrpo_evaluator_create(t.model, &geometry, NULL, 0, &t.evaluator));
  check(mixgrpo_config_init(&sampling, sizeof sampling, &learning, sizeof learning));
  check(mixgrpo_config_init_preset("mixgrpo_flash", &sampling, &learning));
  sampling.steps = 6, sampling.window_length = 2, sampling.group_size = GROUP, sampling.seed = 5;
  learning.updates_per_iteration = 2, learning.learning_rate = 1e-4;
  check(mixgrpo_plan_create(&sampling, NULL, 0, &t.plan));
  check(mixgrpo_trainer_create(t.evaluator, t.prompts, t.plan, &learning, names, 1, 0, &t.trainer));
  return t;
}

static void end(training *t) {
  mixgrpo_trainer_destroy(t->trainer);
  mixgrpo_plan_destroy(t->plan);
  mixgrpo_evaluator_destroy(t->evaluator);
  mixgrpo_prompts_destroy(t->prompts);
  mixgrpo_model_destroy(t->model);
}

static uint8_t pixels[SAMPLES * IMAGE];

static void score(const float *samples, int count, double *rewards) {
  check(mixgrpo_pixels_decode(samples, (size_t)count * IMAGE, count, 32, 32, 4, pixels, sizeof pixels));
  for (int i = 0; i < count; i++) {
    long sum = 0;
    for (int j = 0; j < IMAGE; j++) sum += pixels[i * IMAGE + j];
    rewards[i] = 1 - (double)sum / (255.0 * IMAGE);
  }
}

static void report(const char *what, const mixgrpo_metrics *metrics) {
  printf("%s %d: reward %016llx, loss %016llx, gradient %016llx\n", what, (int)metrics->iteration, bits(metrics->reward_mean),
         bits(metrics->loss), bits(metrics->gradient_norm));
}

static void iterate(training *t, const char *what) {
  static float samples[SAMPLES * IMAGE];
  static const int32_t chosen[PROMPTS] = {0, 1};
  double rewards[SAMPLES];
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  check(mixgrpo_trainer_rollout(t->trainer, chosen, PROMPTS, samples, SAMPLES * IMAGE));
  score(samples, SAMPLES, rewards);
  check(mixgrpo_trainer_update(t->trainer, rewards, SAMPLES, NULL, 0, &metrics));
  report(what, &metrics);
  float *weights = malloc(t->weights * sizeof *weights);
  check(mixgrpo_model_get_weights(t->model, 0, weights, t->weights));
  printf("%s weights %016llx\n", what, hash_of(weights, t->weights * sizeof *weights));
  free(weights);
}

static void iterate_with_tickets(training *t) {
  static float parts[PROMPTS][GROUP * IMAGE];
  static const int32_t chosen[PROMPTS] = {1, 0};
  int64_t tickets[PROMPTS];
  double rewards[GROUP];
  mixgrpo_metrics metrics = {.struct_size = sizeof metrics};
  for (int i = 0; i < PROMPTS; i++) {
    check(mixgrpo_trainer_rollout_ticket(t->trainer, &chosen[i], 1, parts[i], GROUP * IMAGE, &tickets[i]));
    printf("ticket %d %016llx\n", (int)tickets[i], hash_of(parts[i], sizeof parts[i]));
  }
  for (int i = PROMPTS - 1; i >= 0; i--) {
    score(parts[i], GROUP, rewards);
    check(mixgrpo_trainer_submit_rewards(t->trainer, tickets[i], rewards, GROUP));
  }
  check(mixgrpo_trainer_update_tickets(t->trainer, MIXGRPO_MISSING_REWARDS_REFUSE, NULL, 0, &metrics));
  report("tickets", &metrics);
}

static void picture(void) {
  mixgrpo_image *image;
  size_t size;
  const mixgrpo_text text = {"prompt", lines[0]};
  check(mixgrpo_image_create_grid(pixels, sizeof pixels, SAMPLES, 32, 32, GROUP, 2, 1, &image));
  check(mixgrpo_image_set_texts(image, &text, 1));
  check(mixgrpo_image_encode(image, NULL, 0, &size));
  uint8_t *png = malloc(size);
  check(mixgrpo_image_encode(image, png, size, &size));
  printf("png %d bytes %016llx\n", (int)size, hash_of(png, size));
  free(png);
  mixgrpo_image_destroy(image);
}

int main(int argc, char **argv) {
  mixgrpo_context *context;
  if (argc != 3) return (fprintf(stderr, "usage: conformance MODEL FOLDER\n"), 2);
  check(mixgrpo_context_create(2, &context));
  plans();
  rollout_and_update_by_hand(context);
  training first = begin(context, argv[1]);
  iterate_with_tickets(&first);
  check(mixgrpo_trainer_save(first.trainer, argv[2]));
  iterate(&first, "trained");
  training second = begin(context, argv[1]);
  check(mixgrpo_trainer_restore(second.trainer, argv[2]));
  iterate(&second, "resumed");
  picture();
  end(&first);
  end(&second);
  mixgrpo_context_destroy(context);
}
