/* Prints the layout of every struct of mixgrpo.h, for bindings to compare themselves with:
 *   struct NAME SIZE
 *   field STRUCT NAME OFFSET SIZE
 * Fails when the listed fields do not tile their struct, that is when one is missing here or the compiler left a hole. */
#include <stddef.h>
#include <stdio.h>

#include "mixgrpo.h"

static const char *current = "";
static size_t expected_size, covered;
static int holes;

static void end_struct(void) {
  if (covered != expected_size) {
    fprintf(stderr, "%s: fields cover %zu of %zu bytes\n", current, covered, expected_size);
    holes = 1;
  }
}

static void begin_struct(const char *name, size_t size) {
  end_struct();
  current = name;
  expected_size = size;
  covered = 0;
  printf("struct %s %zu\n", name, size);
}

static void field(const char *name, size_t offset, size_t size) {
  if (offset != covered) {
    fprintf(stderr, "%s.%s: begins at %zu, expected %zu\n", current, name, offset, covered);
    holes = 1;
  }
  covered = offset + size;
  printf("field %s %s %zu %zu\n", current, name, offset, size);
}

#define STRUCT(type) begin_struct(#type, sizeof(type))
#define FIELD(type, name) field(#name, offsetof(type, name), sizeof(((type *)0)->name))

int main(void) {
  STRUCT(mixgrpo_progress);
  FIELD(mixgrpo_progress, struct_size);
  FIELD(mixgrpo_progress, stage);
  FIELD(mixgrpo_progress, done);
  FIELD(mixgrpo_progress, total);

  STRUCT(mixgrpo_model_config);
  FIELD(mixgrpo_model_config, struct_size);
  FIELD(mixgrpo_model_config, in_channels);
  FIELD(mixgrpo_model_config, out_channels);
  FIELD(mixgrpo_model_config, num_layers);
  FIELD(mixgrpo_model_config, num_single_layers);
  FIELD(mixgrpo_model_config, attention_head_dim);
  FIELD(mixgrpo_model_config, num_attention_heads);
  FIELD(mixgrpo_model_config, joint_attention_dim);
  FIELD(mixgrpo_model_config, pooled_projection_dim);
  FIELD(mixgrpo_model_config, guidance_embeds);
  FIELD(mixgrpo_model_config, axes_dims_rope);
  FIELD(mixgrpo_model_config, reserved);

  STRUCT(mixgrpo_parameter_info);
  FIELD(mixgrpo_parameter_info, struct_size);
  FIELD(mixgrpo_parameter_info, rank);
  FIELD(mixgrpo_parameter_info, shape);
  FIELD(mixgrpo_parameter_info, offset);
  FIELD(mixgrpo_parameter_info, count);
  FIELD(mixgrpo_parameter_info, name);

  STRUCT(mixgrpo_evaluator_config);
  FIELD(mixgrpo_evaluator_config, struct_size);
  FIELD(mixgrpo_evaluator_config, height_tokens);
  FIELD(mixgrpo_evaluator_config, width_tokens);
  FIELD(mixgrpo_evaluator_config, text_length);
  FIELD(mixgrpo_evaluator_config, max_batch);
  FIELD(mixgrpo_evaluator_config, recompute_activations);
  FIELD(mixgrpo_evaluator_config, guidance);
  FIELD(mixgrpo_evaluator_config, max_bytes);

  STRUCT(mixgrpo_sampling_config);
  FIELD(mixgrpo_sampling_config, struct_size);
  FIELD(mixgrpo_sampling_config, steps);
  FIELD(mixgrpo_sampling_config, shift);
  FIELD(mixgrpo_sampling_config, image_tokens);
  FIELD(mixgrpo_sampling_config, dynamics);
  FIELD(mixgrpo_sampling_config, noise_level);
  FIELD(mixgrpo_sampling_config, window_mode);
  FIELD(mixgrpo_sampling_config, window_length);
  FIELD(mixgrpo_sampling_config, window_start);
  FIELD(mixgrpo_sampling_config, window_stride);
  FIELD(mixgrpo_sampling_config, window_interval);
  FIELD(mixgrpo_sampling_config, window_minimum_interval);
  FIELD(mixgrpo_sampling_config, window_at_end);
  FIELD(mixgrpo_sampling_config, window_decay_threshold);
  FIELD(mixgrpo_sampling_config, window_decay_rate);
  FIELD(mixgrpo_sampling_config, trained_fraction);
  FIELD(mixgrpo_sampling_config, trained_subset);
  FIELD(mixgrpo_sampling_config, solver);
  FIELD(mixgrpo_sampling_config, flash_ratio);
  FIELD(mixgrpo_sampling_config, flash_solver);
  FIELD(mixgrpo_sampling_config, group_size);
  FIELD(mixgrpo_sampling_config, initial_noise);
  FIELD(mixgrpo_sampling_config, exact_sharing);
  FIELD(mixgrpo_sampling_config, log_probability);
  FIELD(mixgrpo_sampling_config, sigma_rounding);
  FIELD(mixgrpo_sampling_config, seed);
  FIELD(mixgrpo_sampling_config, window_minimum_gain);
  FIELD(mixgrpo_sampling_config, window_trend);
  FIELD(mixgrpo_sampling_config, reserved);

  STRUCT(mixgrpo_learning_config);
  FIELD(mixgrpo_learning_config, struct_size);
  FIELD(mixgrpo_learning_config, advantage_mode);
  FIELD(mixgrpo_learning_config, std_scope);
  FIELD(mixgrpo_learning_config, step_weighting);
  FIELD(mixgrpo_learning_config, updates_per_iteration);
  FIELD(mixgrpo_learning_config, schedule);
  FIELD(mixgrpo_learning_config, warmup_steps);
  FIELD(mixgrpo_learning_config, total_steps);
  FIELD(mixgrpo_learning_config, min_rate_fraction);
  FIELD(mixgrpo_learning_config, learning_rate);
  FIELD(mixgrpo_learning_config, beta1);
  FIELD(mixgrpo_learning_config, beta2);
  FIELD(mixgrpo_learning_config, epsilon);
  FIELD(mixgrpo_learning_config, weight_decay);
  FIELD(mixgrpo_learning_config, max_gradient_norm);
  FIELD(mixgrpo_learning_config, trim_fraction);
  FIELD(mixgrpo_learning_config, degenerate_tolerance);
  FIELD(mixgrpo_learning_config, advantage_clip);
  FIELD(mixgrpo_learning_config, clip_range);
  FIELD(mixgrpo_learning_config, kl_reference);
  FIELD(mixgrpo_learning_config, kl_old);
  FIELD(mixgrpo_learning_config, ema_decay);
  FIELD(mixgrpo_learning_config, fault_policy);
  FIELD(mixgrpo_learning_config, undo);
  FIELD(mixgrpo_learning_config, max_velocity_change);
  FIELD(mixgrpo_learning_config, roll_back_rate_factor);

  STRUCT(mixgrpo_setting);
  FIELD(mixgrpo_setting, struct_size);
  FIELD(mixgrpo_setting, kind);
  FIELD(mixgrpo_setting, config);
  FIELD(mixgrpo_setting, key);
  FIELD(mixgrpo_setting, cases);
  FIELD(mixgrpo_setting, default_text);
  FIELD(mixgrpo_setting, unit);
  FIELD(mixgrpo_setting, sentence);
  FIELD(mixgrpo_setting, minimum);
  FIELD(mixgrpo_setting, maximum);
  FIELD(mixgrpo_setting, minimum_open);
  FIELD(mixgrpo_setting, maximum_open);
  FIELD(mixgrpo_setting, changes_results);
  FIELD(mixgrpo_setting, offset);
  FIELD(mixgrpo_setting, count);
  FIELD(mixgrpo_setting, reserved);

  STRUCT(mixgrpo_iteration_plan);
  FIELD(mixgrpo_iteration_plan, struct_size);
  FIELD(mixgrpo_iteration_plan, window_start);
  FIELD(mixgrpo_iteration_plan, window_length);
  FIELD(mixgrpo_iteration_plan, step_count);
  FIELD(mixgrpo_iteration_plan, trained_step_count);
  FIELD(mixgrpo_iteration_plan, model_calls_per_image);
  FIELD(mixgrpo_iteration_plan, rollout_model_calls);
  FIELD(mixgrpo_iteration_plan, update_model_calls);

  STRUCT(mixgrpo_step);
  FIELD(mixgrpo_step, struct_size);
  FIELD(mixgrpo_step, kind);
  FIELD(mixgrpo_step, sigma);
  FIELD(mixgrpo_step, next_sigma);
  FIELD(mixgrpo_step, latent);
  FIELD(mixgrpo_step, velocity);
  FIELD(mixgrpo_step, history);
  FIELD(mixgrpo_step, noise);
  FIELD(mixgrpo_step, trained);
  FIELD(mixgrpo_step, reserved);

  STRUCT(mixgrpo_adaptive_window);
  FIELD(mixgrpo_adaptive_window, struct_size);
  FIELD(mixgrpo_adaptive_window, window_start);
  FIELD(mixgrpo_adaptive_window, iterations);
  FIELD(mixgrpo_adaptive_window, first_reward);
  FIELD(mixgrpo_adaptive_window, sums);
  FIELD(mixgrpo_adaptive_window, gain);

  STRUCT(mixgrpo_workload);
  FIELD(mixgrpo_workload, struct_size);
  FIELD(mixgrpo_workload, prompt_count);
  FIELD(mixgrpo_workload, token_count);
  FIELD(mixgrpo_workload, channels);
  FIELD(mixgrpo_workload, text_length);
  FIELD(mixgrpo_workload, max_batch);
  FIELD(mixgrpo_workload, threads);
  FIELD(mixgrpo_workload, keep_reference);
  FIELD(mixgrpo_workload, recompute_activations);
  FIELD(mixgrpo_workload, reserved);
  FIELD(mixgrpo_workload, max_bytes);

  STRUCT(mixgrpo_memory);
  FIELD(mixgrpo_memory, struct_size);
  FIELD(mixgrpo_memory, update_batch);
  FIELD(mixgrpo_memory, trajectory_bytes);
  FIELD(mixgrpo_memory, weight_bytes);
  FIELD(mixgrpo_memory, activation_bytes);
  FIELD(mixgrpo_memory, peak_bytes);

  STRUCT(mixgrpo_velocity_request);
  FIELD(mixgrpo_velocity_request, struct_size);
  FIELD(mixgrpo_velocity_request, kind);
  FIELD(mixgrpo_velocity_request, count);
  FIELD(mixgrpo_velocity_request, minibatch);
  FIELD(mixgrpo_velocity_request, needs_reference);
  FIELD(mixgrpo_velocity_request, reserved);
  FIELD(mixgrpo_velocity_request, latent_size);
  FIELD(mixgrpo_velocity_request, latents);
  FIELD(mixgrpo_velocity_request, sigmas);
  FIELD(mixgrpo_velocity_request, prompt_index);
  FIELD(mixgrpo_velocity_request, sample);
  FIELD(mixgrpo_velocity_request, step);

  STRUCT(mixgrpo_rollout_config);
  FIELD(mixgrpo_rollout_config, struct_size);
  FIELD(mixgrpo_rollout_config, window_start);
  FIELD(mixgrpo_rollout_config, iteration);
  FIELD(mixgrpo_rollout_config, latent_size);
  FIELD(mixgrpo_rollout_config, max_batch);
  FIELD(mixgrpo_rollout_config, reserved);

  STRUCT(mixgrpo_advantage_report);
  FIELD(mixgrpo_advantage_report, struct_size);
  FIELD(mixgrpo_advantage_report, failed_rewards);
  FIELD(mixgrpo_advantage_report, excluded_samples);
  FIELD(mixgrpo_advantage_report, degenerate_groups);
  FIELD(mixgrpo_advantage_report, dropped_groups);

  STRUCT(mixgrpo_update_statistics);
  FIELD(mixgrpo_update_statistics, struct_size);
  FIELD(mixgrpo_update_statistics, optimizer_steps);
  FIELD(mixgrpo_update_statistics, loss);
  FIELD(mixgrpo_update_statistics, first_ratio_min);
  FIELD(mixgrpo_update_statistics, first_ratio_max);
  FIELD(mixgrpo_update_statistics, ratio_min);
  FIELD(mixgrpo_update_statistics, ratio_max);
  FIELD(mixgrpo_update_statistics, clip_fraction);
  FIELD(mixgrpo_update_statistics, max_log_ratio_nats);
  FIELD(mixgrpo_update_statistics, kl_old_nats);
  FIELD(mixgrpo_update_statistics, kl_reference_nats);
  FIELD(mixgrpo_update_statistics, model_calls);

  STRUCT(mixgrpo_optimizer_report);
  FIELD(mixgrpo_optimizer_report, struct_size);
  FIELD(mixgrpo_optimizer_report, reserved);
  FIELD(mixgrpo_optimizer_report, step);
  FIELD(mixgrpo_optimizer_report, gradient_norm);
  FIELD(mixgrpo_optimizer_report, learning_rate);

  STRUCT(mixgrpo_metrics);
  FIELD(mixgrpo_metrics, struct_size);
  FIELD(mixgrpo_metrics, window_start);
  FIELD(mixgrpo_metrics, window_length);
  FIELD(mixgrpo_metrics, failed_rewards);
  FIELD(mixgrpo_metrics, degenerate_groups);
  FIELD(mixgrpo_metrics, reserved);
  FIELD(mixgrpo_metrics, iteration);
  FIELD(mixgrpo_metrics, model_calls_rollout);
  FIELD(mixgrpo_metrics, model_calls_update);
  FIELD(mixgrpo_metrics, reward_mean);
  FIELD(mixgrpo_metrics, reward_std);
  FIELD(mixgrpo_metrics, loss);
  FIELD(mixgrpo_metrics, first_ratio_min);
  FIELD(mixgrpo_metrics, first_ratio_max);
  FIELD(mixgrpo_metrics, ratio_min);
  FIELD(mixgrpo_metrics, ratio_max);
  FIELD(mixgrpo_metrics, clip_fraction);
  FIELD(mixgrpo_metrics, max_log_ratio_nats);
  FIELD(mixgrpo_metrics, kl_old_nats);
  FIELD(mixgrpo_metrics, kl_reference_nats);
  FIELD(mixgrpo_metrics, gradient_norm);
  FIELD(mixgrpo_metrics, learning_rate);
  FIELD(mixgrpo_metrics, seconds_rollout);
  FIELD(mixgrpo_metrics, seconds_update);
  FIELD(mixgrpo_metrics, skipped_steps);
  FIELD(mixgrpo_metrics, rolled_back);
  FIELD(mixgrpo_metrics, velocity_change);

  STRUCT(mixgrpo_reward_metrics);
  FIELD(mixgrpo_reward_metrics, struct_size);
  FIELD(mixgrpo_reward_metrics, failed);
  FIELD(mixgrpo_reward_metrics, mean);
  FIELD(mixgrpo_reward_metrics, std);
  FIELD(mixgrpo_reward_metrics, name);

  STRUCT(mixgrpo_resumption);
  FIELD(mixgrpo_resumption, struct_size);
  FIELD(mixgrpo_resumption, skipped);
  FIELD(mixgrpo_resumption, iteration);

  STRUCT(mixgrpo_sample_config);
  FIELD(mixgrpo_sample_config, struct_size);
  FIELD(mixgrpo_sample_config, steps);
  FIELD(mixgrpo_sample_config, solver);
  FIELD(mixgrpo_sample_config, samples_per_prompt);
  FIELD(mixgrpo_sample_config, shift);
  FIELD(mixgrpo_sample_config, image_tokens);
  FIELD(mixgrpo_sample_config, sigma_rounding);
  FIELD(mixgrpo_sample_config, trained_model_share);
  FIELD(mixgrpo_sample_config, seed);

  STRUCT(mixgrpo_evaluation_config);
  FIELD(mixgrpo_evaluation_config, struct_size);
  FIELD(mixgrpo_evaluation_config, every);
  FIELD(mixgrpo_evaluation_config, weights);
  FIELD(mixgrpo_evaluation_config, keep_best);
  FIELD(mixgrpo_evaluation_config, watchdog);
  FIELD(mixgrpo_evaluation_config, watchdog_patience);
  FIELD(mixgrpo_evaluation_config, watchdog_minimum_delta);

  STRUCT(mixgrpo_evaluation_result);
  FIELD(mixgrpo_evaluation_result, struct_size);
  FIELD(mixgrpo_evaluation_result, is_best);
  FIELD(mixgrpo_evaluation_result, verdict);
  FIELD(mixgrpo_evaluation_result, failed);
  FIELD(mixgrpo_evaluation_result, worsening);
  FIELD(mixgrpo_evaluation_result, reserved);
  FIELD(mixgrpo_evaluation_result, iteration);
  FIELD(mixgrpo_evaluation_result, best_iteration);
  FIELD(mixgrpo_evaluation_result, score);
  FIELD(mixgrpo_evaluation_result, best_score);
  FIELD(mixgrpo_evaluation_result, message);

  STRUCT(mixgrpo_image_info);
  FIELD(mixgrpo_image_info, struct_size);
  FIELD(mixgrpo_image_info, width);
  FIELD(mixgrpo_image_info, height);
  FIELD(mixgrpo_image_info, text_count);

  STRUCT(mixgrpo_text);
  FIELD(mixgrpo_text, key);
  FIELD(mixgrpo_text, value);

  end_struct();
  return holes;
}
