/* cc examples/c/evaluate.c $(pkg-config --cflags --libs mixgrpo) -lm -o evaluate && ./evaluate examples/base
 *
 * Evaluates a model while it is trained, keeps the best weights, and stops when training exploits its reward. The trained reward
 * is darkness. Contrast is held out: training does not see it, and it falls when images turn black. The learning rate is larger
 * than is wise, so that this happens within a minute. */
#include <math.h>
#include <mixgrpo.h>
#include <stdio.h>
#include <stdlib.h>

enum {
  PROMPTS = 2, GROUP = 8, VALUES = 64 * 48, IMAGES = PROMPTS * GROUP, /* 32 × 32 pixels as 64 tokens of 48 values */
  SHOWN = 8, EVALUATED = PROMPTS * SHOWN, /* samples of an evaluation */
  REWARDS = 2, DARKNESS = 0, CONTRAST = 1
};
static const char *const names[REWARDS] = {"darkness", "contrast"};
static float samples[IMAGES * VALUES], evaluated[EVALUATED * VALUES];

static void check(mixgrpo_status status) {
  if (status != MIXGRPO_STATUS_OK) exit((fprintf(stderr, "%s\n", mixgrpo_last_error()), 1));
}

/* The two scores of one image: how dark it is, and how much its bytes differ from their mean. */
static void score(const uint8_t *image, double scores[REWARDS]) {
  double sum = 0, squares = 0;
  for (int i = 0; i < VALUES; i++) sum += image[i], squares += (double)image[i] * image[i];
  double mean = sum / VALUES;
  scores[DARKNESS] = 1 - mean / 255;
  scores[CONTRAST] = sqrt(squares / VALUES - mean * mean) / 255;
}

static void train_one_iteration(mixgrpo_trainer *trainer, const int32_t *chosen) {
  static uint8_t pixels[IMAGES * VALUES];
  double rewards[IMAGES], scores[REWARDS];
  check(mixgrpo_trainer_rollout(trainer, chosen, PROMPTS, samples, IMAGES * VALUES));
  check(mixgrpo_pixels_decode(samples, IMAGES * VALUES, IMAGES, 32, 32, 4, pixels, IMAGES * VALUES));
  for (int i = 0; i < IMAGES; i++) {
    score(pixels + (size_t)i * VALUES, scores);
    rewards[i] = scores[DARKNESS]; /* contrast is held out */
  }
  check(mixgrpo_trainer_update(trainer, rewards, IMAGES, NULL, 0, NULL));
}

/* Draws the evaluation's samples, always from the same noise, and submits all scores, (REWARDS, PROMPTS, SHOWN). */
static mixgrpo_evaluation_result evaluate(mixgrpo_evaluation *evaluation, mixgrpo_trainer *trainer) {
  static uint8_t pixels[EVALUATED * VALUES];
  double all[REWARDS * EVALUATED], scores[REWARDS], means[REWARDS];
  mixgrpo_evaluation_result result = {.struct_size = sizeof result};
  check(mixgrpo_evaluation_sample(evaluation, trainer, evaluated, EVALUATED * VALUES));
  check(mixgrpo_pixels_decode(evaluated, EVALUATED * VALUES, EVALUATED, 32, 32, 4, pixels, EVALUATED * VALUES));
  for (int i = 0; i < EVALUATED; i++) {
    score(pixels + (size_t)i * VALUES, scores);
    for (int k = 0; k < REWARDS; k++) all[k * EVALUATED + i] = scores[k];
  }
  check(mixgrpo_evaluation_submit(evaluation, mixgrpo_trainer_iteration(trainer), all, REWARDS * EVALUATED, &result));
  check(mixgrpo_evaluation_get_means(evaluation, means, REWARDS));
  printf("iteration %2d: darkness %.3f (trained), contrast %.3f (held out)%s\n", (int)result.iteration, means[DARKNESS],
         means[CONTRAST], result.is_best ? ", the best so far" : "");
  return result;
}

/* The best model is the one with the most contrast: the weight of the trained reward in the score is 0. */
static mixgrpo_evaluation *create_evaluation(const int32_t *chosen) {
  const double weights[REWARDS] = {0, 1};
  const uint8_t held_out[REWARDS] = {0, 1};
  mixgrpo_evaluation_config config;
  mixgrpo_sample_config sampling;
  mixgrpo_evaluation *evaluation;
  check(mixgrpo_evaluation_config_init(&config, sizeof config));
  check(mixgrpo_sample_config_init(&sampling, sizeof sampling));
  config.every = 2, config.watchdog = MIXGRPO_WATCHDOG_STOP, config.watchdog_patience = 2;
  sampling.steps = 8, sampling.samples_per_prompt = SHOWN;
  check(mixgrpo_evaluation_create(&config, &sampling, chosen, PROMPTS, names, weights, held_out, REWARDS, &evaluation));
  return evaluation;
}

static mixgrpo_trainer *create_trainer(const char *folder) {
  const char *lines[PROMPTS] = {"a red circle at the left", "a blue square in the middle"};
  mixgrpo_context *context; mixgrpo_model *model; mixgrpo_prompts *prompts;
  mixgrpo_evaluator *evaluator; mixgrpo_plan *plan; mixgrpo_trainer *trainer;
  mixgrpo_evaluator_config geometry; mixgrpo_sampling_config sampling; mixgrpo_learning_config learning;
  check(mixgrpo_context_create(0, &context));
  check(mixgrpo_model_load(context, folder, &model));
  check(mixgrpo_prompts_create_hashed_words(context, lines, PROMPTS, 16, 64, 64, &prompts));
  check(mixgrpo_evaluator_config_init(&geometry, sizeof geometry));
  check(mixgrpo_evaluator_create(model, &geometry, NULL, 0, &evaluator));
  check(mixgrpo_config_init(&sampling, sizeof sampling, &learning, sizeof learning));
  sampling.steps = 8, sampling.group_size = GROUP, learning.learning_rate = 1e-4;
  check(mixgrpo_plan_create(&sampling, NULL, 0, &plan));
  check(mixgrpo_trainer_create(evaluator, prompts, plan, &learning, names, 1, 0, &trainer)); /* the first name only */
  mixgrpo_plan_destroy(plan), mixgrpo_evaluator_destroy(evaluator), mixgrpo_prompts_destroy(prompts);
  mixgrpo_model_destroy(model), mixgrpo_context_destroy(context); /* the trainer keeps what it was made from */
  return trainer;
}

int main(int argc, char **argv) {
  const int32_t chosen[PROMPTS] = {0, 1};
  mixgrpo_trainer *trainer = create_trainer(argc > 1 ? argv[1] : "examples/base");
  mixgrpo_evaluation *evaluation = create_evaluation(chosen);
  mixgrpo_evaluation_result result = {.verdict = MIXGRPO_VERDICT_CONTINUE};
  while (mixgrpo_trainer_iteration(trainer) < 40) {
    if (mixgrpo_evaluation_is_due(evaluation, mixgrpo_trainer_iteration(trainer))) {
      result = evaluate(evaluation, trainer);
      if (result.verdict == MIXGRPO_VERDICT_STOP) break;
    }
    train_one_iteration(trainer, chosen);
  }
  if (result.verdict == MIXGRPO_VERDICT_STOP) printf("stopped: %s\n", result.message);
  check(mixgrpo_evaluation_save_best(evaluation, "best", MIXGRPO_STORAGE_BF16));
  printf("best/ holds the model of iteration %d\n", (int)result.best_iteration);
  mixgrpo_evaluation_destroy(evaluation);
  mixgrpo_trainer_destroy(trainer);
}
