"""The C interface as ctypes sees it: every struct and function of `mixgrpo.h`, in the header's order.

Class `ModelConfig` is `mixgrpo_model_config`, and so on; `TextEntry` is `mixgrpo_text`. `FUNCTIONS` holds the return
type and the named, typed parameters of each function. The tests compare all of it with the header and a C compiler.
"""

# fmt: off
# ruff: noqa: I001

import ctypes
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t
from ctypes import c_uint8, c_uint32, c_uint64, c_void_p
from typing import Any, NamedTuple

from ._types import Double, Handle, Int32, Int64, Size, Status, Struct, Text, UInt64

ABI_VERSION = 1

Floats = POINTER(c_float)
Doubles = POINTER(c_double)
Integers = POINTER(c_int32)
Bytes = POINTER(c_uint8)


class Function(NamedTuple):
    """Return type, and parameters by name."""

    result: Any
    parameters: dict[str, Any]


FUNCTIONS: dict[str, Function] = {}


def _declare(function: str, result: Any, /, **parameters: Any) -> None:
    FUNCTIONS[function] = Function(result, parameters)


def _each(kind: Any, names: str) -> list[tuple[str, Any]]:
    return [(name, kind) for name in names.split()]


# Version

_declare("mixgrpo_abi_version", c_uint32)
_declare("mixgrpo_version", c_char_p)


# Status and errors

_declare("mixgrpo_status_name", c_char_p, status=Int32)
_declare("mixgrpo_last_error", c_char_p)


# Context: threads, log, progress, cancel


class Progress(Struct):
    _fields_ = [("stage", c_int32), *_each(c_int64, "done total")]


LogCallback = CFUNCTYPE(None, c_void_p, c_int32, c_char_p)
ProgressCallback = CFUNCTYPE(None, c_void_p, POINTER(Progress))


_declare("mixgrpo_context_create", Status, threads=Int32, out_context=POINTER(Handle))
_declare("mixgrpo_context_destroy", None, context=Handle)
_declare("mixgrpo_context_threads", c_int32, context=Handle)
_declare("mixgrpo_context_set_log", Status, context=Handle, callback=LogCallback, user_data=c_void_p)
_declare("mixgrpo_context_set_progress", Status, context=Handle, callback=ProgressCallback, user_data=c_void_p)
_declare("mixgrpo_context_cancel", Status, context=Handle)
_declare("mixgrpo_context_reset_cancel", Status, context=Handle)
_declare("mixgrpo_context_is_cancelled", c_int32, context=Handle)


# Model: the built-in flow transformer


class ModelConfig(Struct):
    _fields_ = [
        *_each(
            c_int32,
            "in_channels out_channels num_layers num_single_layers attention_head_dim num_attention_heads "
            "joint_attention_dim pooled_projection_dim guidance_embeds",
        ),
        ("axes_dims_rope", c_int32 * 3),
        ("reserved", c_int32),
    ]


class ParameterInfo(Struct):
    _fields_ = [
        ("rank", c_int32),
        ("shape", c_int64 * 2),
        *_each(c_uint64, "offset count"),
        ("name", c_char_p),
    ]


_declare("mixgrpo_model_config_init", Status, out_config=POINTER(ModelConfig), struct_size=Size)
_declare("mixgrpo_model_config_load", Status, folder=Text, out_config=POINTER(ModelConfig))
_declare(
    "mixgrpo_model_create", Status,
    context=Handle, config=POINTER(ModelConfig), seed=UInt64, out_model=POINTER(Handle),
)
_declare("mixgrpo_model_load", Status, context=Handle, folder=Text, out_model=POINTER(Handle))
_declare("mixgrpo_model_save", Status, model=Handle, folder=Text, storage=Int32)
_declare("mixgrpo_model_copy", Status, model=Handle, out_copy=POINTER(Handle))
_declare("mixgrpo_model_destroy", None, model=Handle)
_declare("mixgrpo_model_get_config", Status, model=Handle, out_config=POINTER(ModelConfig))
_declare("mixgrpo_model_get_size", Status, model=Handle, out_tensors=POINTER(c_size_t), out_values=POINTER(c_size_t))
_declare("mixgrpo_model_get_parameter", Status, model=Handle, index=Size, out_info=POINTER(ParameterInfo))
_declare("mixgrpo_model_find_parameter", Status, model=Handle, name=Text, out_index=POINTER(c_size_t))
_declare("mixgrpo_model_get_weights", Status, model=Handle, offset=Size, out_values=Floats, count=Size)
_declare("mixgrpo_model_set_weights", Status, model=Handle, offset=Size, values=Floats, count=Size)
_declare("mixgrpo_model_get_gradients", Status, model=Handle, offset=Size, out_values=Floats, count=Size)
_declare("mixgrpo_model_set_gradients", Status, model=Handle, offset=Size, values=Floats, count=Size)
_declare("mixgrpo_model_zero_gradients", Status, model=Handle)


# Prompts: text embeddings for the built-in model

_declare(
    "mixgrpo_prompts_create", Status,
    context=Handle, text=Floats, text_count=Size, pooled=Floats, pooled_count=Size, prompt_count=Int32,
    text_length=Int32, text_width=Int32, pooled_width=Int32, out_prompts=POINTER(Handle),
)
_declare(
    "mixgrpo_prompts_create_hashed_words", Status,
    context=Handle, prompts=POINTER(c_char_p), prompt_count=Int32, text_length=Int32, text_width=Int32,
    pooled_width=Int32, out_prompts=POINTER(Handle),
)
_declare("mixgrpo_prompts_destroy", None, prompts=Handle)
_declare("mixgrpo_prompts_count", c_int32, prompts=Handle)
_declare(
    "mixgrpo_hashed_words_encode", Status,
    prompts=POINTER(c_char_p), prompt_count=Int32, text_length=Int32, text_width=Int32, pooled_width=Int32,
    out_text=Floats, text_capacity=Size, out_pooled=Floats, pooled_capacity=Size,
)


# Evaluator: velocity and backward of the built-in model


class EvaluatorConfig(Struct):
    _fields_ = [
        *_each(c_int32, "height_tokens width_tokens text_length max_batch recompute_activations"),
        ("guidance", c_double),
        ("max_bytes", c_uint64),
    ]


_declare("mixgrpo_evaluator_config_init", Status, out_config=POINTER(EvaluatorConfig), struct_size=Size)
_declare(
    "mixgrpo_evaluator_create", Status,
    model=Handle, config=POINTER(EvaluatorConfig), image_ids=Floats, image_id_count=Size,
    out_evaluator=POINTER(Handle),
)
_declare("mixgrpo_evaluator_destroy", None, evaluator=Handle)
_declare("mixgrpo_evaluator_latent_size", c_size_t, evaluator=Handle)
_declare(
    "mixgrpo_evaluator_velocity", Status,
    evaluator=Handle, prompts=Handle, latents=Floats, sigmas=Floats, prompt_index=Integers, count=Size,
    keep_activations=Int32, out_velocity=Floats, velocity_capacity=Size,
)
_declare(
    "mixgrpo_evaluator_backward", Status,
    evaluator=Handle, d_velocity=Floats, count=Size, out_d_latents=Floats, d_latents_capacity=Size,
)


# Settings: how to sample and how to learn


class SamplingConfig(Struct):
    _fields_ = [
        ("steps", c_int32),
        ("shift", c_double),
        *_each(c_int32, "image_tokens dynamics"),
        ("noise_level", c_double),
        *_each(
            c_int32,
            "window_mode window_length window_start window_stride window_interval window_minimum_interval "
            "window_at_end window_decay_threshold",
        ),
        *_each(c_double, "window_decay_rate trained_fraction"),
        *_each(c_int32, "trained_subset solver"),
        ("flash_ratio", c_double),
        *_each(c_int32, "flash_solver group_size initial_noise exact_sharing log_probability sigma_rounding"),
        ("seed", c_uint64),
        ("window_minimum_gain", c_double),
        *_each(c_int32, "window_trend reserved"),
    ]


class LearningConfig(Struct):
    _fields_ = [
        *_each(
            c_int32,
            "advantage_mode std_scope step_weighting updates_per_iteration schedule warmup_steps total_steps",
        ),
        *_each(
            c_double,
            "min_rate_fraction learning_rate beta1 beta2 epsilon weight_decay max_gradient_norm trim_fraction "
            "degenerate_tolerance advantage_clip clip_range kl_reference kl_old ema_decay",
        ),
        *_each(c_int32, "fault_policy undo"),
        *_each(c_double, "max_velocity_change roll_back_rate_factor"),
    ]


class Setting(Struct):
    _fields_ = [
        ("kind", c_int32),
        *_each(c_char_p, "config key cases default_text unit sentence"),
        *_each(c_double, "minimum maximum"),
        *_each(c_int32, "minimum_open maximum_open changes_results"),
        *_each(c_uint32, "offset count reserved"),
    ]


_declare("mixgrpo_setting_count", c_size_t)
_declare("mixgrpo_setting_info", Status, index=Size, out_setting=POINTER(Setting))
_declare(
    "mixgrpo_config_init", Status,
    out_sampling=POINTER(SamplingConfig), sampling_size=Size, out_learning=POINTER(LearningConfig),
    learning_size=Size,
)
_declare(
    "mixgrpo_config_init_preset", Status,
    name=Text, out_sampling=POINTER(SamplingConfig), out_learning=POINTER(LearningConfig),
)
_declare("mixgrpo_preset_name", c_char_p, index=Size)
_declare("mixgrpo_config_check", Status, sampling=POINTER(SamplingConfig), learning=POINTER(LearningConfig))
_declare(
    "mixgrpo_config_describe", Status,
    sampling=POINTER(SamplingConfig), learning=POINTER(LearningConfig), out_text=c_char_p, capacity=Size,
    out_size=POINTER(c_size_t),
)


# Plan: grid, window and steps of every iteration, before anything runs


class IterationPlan(Struct):
    _fields_ = [
        *_each(c_int32, "window_start window_length step_count trained_step_count model_calls_per_image"),
        *_each(c_int64, "rollout_model_calls update_model_calls"),
    ]


class Step(Struct):
    _fields_ = [
        ("kind", c_int32),
        *_each(c_double, "sigma next_sigma latent velocity"),
        ("history", c_double * 2),
        ("noise", c_double),
        *_each(c_int32, "trained reserved"),
    ]


class AdaptiveWindow(Struct):
    _fields_ = [
        ("window_start", c_int32),
        ("iterations", c_int64),
        ("first_reward", c_double),
        ("sums", c_double * 6),
        ("gain", c_double),
    ]


class Workload(Struct):
    _fields_ = [
        *_each(
            c_int32,
            "prompt_count token_count channels text_length max_batch threads keep_reference recompute_activations reserved",
        ),
        ("max_bytes", c_uint64),
    ]


class Memory(Struct):
    _fields_ = [
        ("update_batch", c_int32),
        *_each(c_uint64, "trajectory_bytes weight_bytes activation_bytes peak_bytes"),
    ]


_declare(
    "mixgrpo_plan_create", Status,
    config=POINTER(SamplingConfig), sigmas=Doubles, sigma_count=Size, out_plan=POINTER(Handle),
)
_declare("mixgrpo_plan_destroy", None, plan=Handle)
_declare(
    "mixgrpo_plan_get_iteration", Status,
    plan=Handle, iteration=Int64, window_start=Int32, prompt_count=Int32, minibatches=Int32,
    out_iteration=POINTER(IterationPlan),
)
_declare(
    "mixgrpo_plan_get_step", Status,
    plan=Handle, iteration=Int64, window_start=Int32, index=Int32, out_step=POINTER(Step),
)
_declare("mixgrpo_adaptive_window_init", Status, out_state=POINTER(AdaptiveWindow), struct_size=Size)
_declare(
    "mixgrpo_adaptive_window_advance", Status,
    plan=Handle, state=POINTER(AdaptiveWindow), reward_mean=Double, reward_std=Double,
    out_state=POINTER(AdaptiveWindow),
)
_declare(
    "mixgrpo_plan_predict_memory", Status,
    plan=Handle, iteration=Int64, window_start=Int32, learning=POINTER(LearningConfig), model=POINTER(ModelConfig),
    workload=POINTER(Workload), out_memory=POINTER(Memory),
)


# Rollout: sample groups of images


class VelocityRequest(Struct):
    _fields_ = [
        *_each(c_int32, "kind count minibatch needs_reference reserved"),
        ("latent_size", c_uint64),
        *_each(POINTER(c_float), "latents sigmas"),
        *_each(POINTER(c_int32), "prompt_index sample step"),
    ]


class RolloutConfig(Struct):
    _fields_ = [
        ("window_start", c_int32),
        ("iteration", c_int64),
        ("latent_size", c_uint64),
        *_each(c_int32, "max_batch reserved"),
    ]


_declare("mixgrpo_rollout_config_init", Status, out_config=POINTER(RolloutConfig), struct_size=Size)
_declare(
    "mixgrpo_rollout_create", Status,
    context=Handle, plan=Handle, config=POINTER(RolloutConfig), prompt_indices=Integers, prompt_count=Size,
    initial_noise=Floats, noise_count=Size, out_rollout=POINTER(Handle),
)
_declare("mixgrpo_rollout_destroy", None, rollout=Handle)
_declare("mixgrpo_rollout_next", Status, rollout=Handle, out_request=POINTER(VelocityRequest))
_declare("mixgrpo_rollout_submit", Status, rollout=Handle, velocity=Floats, count=Size)
_declare("mixgrpo_rollout_run", Status, rollout=Handle, evaluator=Handle, prompts=Handle)
_declare("mixgrpo_rollout_get_samples", Status, rollout=Handle, out_samples=Floats, capacity=Size)
_declare(
    "mixgrpo_rollout_get_step", Status,
    rollout=Handle, index=Int32, out_latents=Floats, latents_capacity=Size, out_next_latents=Floats,
    next_latents_capacity=Size, out_log_probabilities=Doubles, log_probabilities_capacity=Size,
)
_declare("mixgrpo_rollout_model_calls", c_int64, rollout=Handle)


# Advantages


class AdvantageReport(Struct):
    _fields_ = _each(c_int32, "failed_rewards excluded_samples degenerate_groups dropped_groups")


_declare(
    "mixgrpo_advantages", Status,
    config=POINTER(LearningConfig), rewards=Doubles, reward_count=Int32, prompt_count=Int32, group_size=Int32,
    weights=Doubles, weight_count=Size, out_advantages=Doubles, out_included=Bytes, capacity=Size,
    out_report=POINTER(AdvantageReport),
)


# Update: policy gradients of one iteration


class UpdateStatistics(Struct):
    _fields_ = [
        ("optimizer_steps", c_int32),
        *_each(
            c_double,
            "loss first_ratio_min first_ratio_max ratio_min ratio_max clip_fraction max_log_ratio_nats "
            "kl_old_nats kl_reference_nats",
        ),
        ("model_calls", c_int64),
    ]


_declare(
    "mixgrpo_update_create", Status,
    rollout=Handle, config=POINTER(LearningConfig), advantages=Doubles, included=Bytes, count=Size, max_batch=Int32,
    out_update=POINTER(Handle),
)
_declare("mixgrpo_update_destroy", None, update=Handle)
_declare("mixgrpo_update_next", Status, update=Handle, out_request=POINTER(VelocityRequest))
_declare(
    "mixgrpo_update_submit", Status,
    update=Handle, velocity=Floats, reference_velocity=Floats, count=Size, out_d_velocity=Floats,
    d_velocity_capacity=Size,
)
_declare("mixgrpo_update_get_statistics", Status, update=Handle, out_statistics=POINTER(UpdateStatistics))


# Optimizer


class OptimizerReport(Struct):
    _fields_ = [
        ("reserved", c_int32),
        ("step", c_int64),
        *_each(c_double, "gradient_norm learning_rate"),
    ]


_declare(
    "mixgrpo_optimizer_create", Status,
    context=Handle, config=POINTER(LearningConfig), parameter_count=Size, out_optimizer=POINTER(Handle),
)
_declare("mixgrpo_optimizer_destroy", None, optimizer=Handle)
_declare(
    "mixgrpo_optimizer_step", Status,
    optimizer=Handle, weights=Floats, gradients=Floats, count=Size, out_report=POINTER(OptimizerReport),
)
_declare("mixgrpo_optimizer_step_model", Status, optimizer=Handle, model=Handle, out_report=POINTER(OptimizerReport))
_declare(
    "mixgrpo_update_run", Status,
    update=Handle, evaluator=Handle, prompts=Handle, optimizer=Handle, reference=Handle,
    out_report=POINTER(OptimizerReport),
)


# Trainer: the convenient whole


class Metrics(Struct):
    _fields_ = [
        *_each(c_int32, "window_start window_length failed_rewards degenerate_groups reserved"),
        *_each(c_int64, "iteration model_calls_rollout model_calls_update"),
        *_each(
            c_double,
            "reward_mean reward_std loss first_ratio_min first_ratio_max ratio_min ratio_max clip_fraction "
            "max_log_ratio_nats kl_old_nats kl_reference_nats gradient_norm learning_rate seconds_rollout "
            "seconds_update",
        ),
        *_each(c_int32, "skipped_steps rolled_back"),
        ("velocity_change", c_double),
    ]


class RewardMetrics(Struct):
    _fields_ = [
        ("failed", c_int32),
        *_each(c_double, "mean std"),
        ("name", c_char_p),
    ]


_declare(
    "mixgrpo_trainer_create", Status,
    evaluator=Handle, prompts=Handle, plan=Handle, learning=POINTER(LearningConfig), reward_names=POINTER(c_char_p),
    reward_count=Size, keep_base=Int32, out_trainer=POINTER(Handle),
)
_declare("mixgrpo_trainer_destroy", None, trainer=Handle)
_declare("mixgrpo_trainer_iteration", c_int64, trainer=Handle)
_declare(
    "mixgrpo_trainer_rollout", Status,
    trainer=Handle, prompt_indices=Integers, prompt_count=Size, out_samples=Floats, capacity=Size,
)
_declare("mixgrpo_trainer_set_window", Status, trainer=Handle, window_start=Int32)
_declare(
    "mixgrpo_trainer_update", Status,
    trainer=Handle, rewards=Doubles, count=Size, weights=Doubles, weight_count=Size, out_metrics=POINTER(Metrics),
)
_declare(
    "mixgrpo_trainer_rollout_ticket", Status,
    trainer=Handle, prompt_indices=Integers, prompt_count=Size, out_samples=Floats, capacity=Size,
    out_ticket=POINTER(c_int64),
)
_declare(
    "mixgrpo_trainer_submit_rewards", Status,
    trainer=Handle, ticket=Int64, rewards=Doubles, count=Size,
)
_declare(
    "mixgrpo_trainer_get_open_tickets", Status,
    trainer=Handle, out_tickets=POINTER(c_int64), capacity=Size, out_size=POINTER(c_size_t),
)
_declare(
    "mixgrpo_trainer_update_tickets", Status,
    trainer=Handle, missing=Int32, weights=Doubles, weight_count=Size, out_metrics=POINTER(Metrics),
)
_declare("mixgrpo_trainer_drop_tickets", Status, trainer=Handle)
_declare("mixgrpo_trainer_get_metrics", Status, trainer=Handle, out_metrics=POINTER(Metrics))
_declare("mixgrpo_trainer_get_reward_metrics", Status, trainer=Handle, index=Size, out_metrics=POINTER(RewardMetrics))
_declare(
    "mixgrpo_trainer_get_metrics_json", Status,
    trainer=Handle, out_json=c_char_p, capacity=Size, out_size=POINTER(c_size_t),
)
_declare("mixgrpo_trainer_append_metrics", Status, trainer=Handle, path=Text)
_declare("mixgrpo_trainer_save", Status, trainer=Handle, folder=Text)
_declare("mixgrpo_trainer_restore", Status, trainer=Handle, folder=Text)
_declare("mixgrpo_trainer_checkpoint", Status, trainer=Handle, folder=Text, keep_last=Int32, keep_every=Int64)


class Resumption(Struct):
    _fields_ = [("skipped", c_int32), ("iteration", c_int64)]


_declare("mixgrpo_trainer_resume", Status, trainer=Handle, folder=Text, out_resumption=POINTER(Resumption))


# Deterministic samples: evaluation and inference


class SampleConfig(Struct):
    _fields_ = [
        *_each(c_int32, "steps solver samples_per_prompt"),
        ("shift", c_double),
        *_each(c_int32, "image_tokens sigma_rounding"),
        ("trained_model_share", c_double),
        ("seed", c_uint64),
    ]


_declare("mixgrpo_sample_config_init", Status, out_config=POINTER(SampleConfig), struct_size=Size)
_declare(
    "mixgrpo_evaluator_sample", Status,
    evaluator=Handle, base=Handle, prompts=Handle, config=POINTER(SampleConfig), prompt_indices=Integers,
    prompt_count=Size, initial_noise=Floats, noise_count=Size, out_samples=Floats, capacity=Size,
)
_declare(
    "mixgrpo_trainer_sample", Status,
    trainer=Handle, weights=Int32, config=POINTER(SampleConfig), prompt_indices=Integers, prompt_count=Size,
    initial_noise=Floats, noise_count=Size, out_samples=Floats, capacity=Size,
)
_declare("mixgrpo_trainer_save_model", Status, trainer=Handle, weights=Int32, folder=Text, storage=Int32)
_declare(
    "mixgrpo_trainer_hybrid_grid", Status,
    trainer=Handle, weights=Int32, config=POINTER(SampleConfig), shares=Doubles, share_count=Size,
    prompt_indices=Integers, prompt_count=Size, height=Int32, width=Int32, patch=Int32, gap=Int32, scale=Int32,
    out_image=POINTER(Handle),
)


# Evaluation: the best model, and a watchdog against reward hacking


class EvaluationConfig(Struct):
    _fields_ = [
        *_each(c_int32, "every weights keep_best watchdog watchdog_patience"),
        ("watchdog_minimum_delta", c_double),
    ]


class EvaluationResult(Struct):
    _fields_ = [
        *_each(c_int32, "is_best verdict failed worsening reserved"),
        *_each(c_int64, "iteration best_iteration"),
        *_each(c_double, "score best_score"),
        ("message", c_char_p),
    ]


_declare("mixgrpo_evaluation_config_init", Status, out_config=POINTER(EvaluationConfig), struct_size=Size)
_declare(
    "mixgrpo_evaluation_create", Status,
    config=POINTER(EvaluationConfig), sample=POINTER(SampleConfig), prompt_indices=Integers, prompt_count=Size,
    reward_names=POINTER(c_char_p), weights=Doubles, held_out=Bytes, reward_count=Size,
    out_evaluation=POINTER(Handle),
)
_declare("mixgrpo_evaluation_destroy", None, evaluation=Handle)
_declare("mixgrpo_evaluation_is_due", c_int32, evaluation=Handle, iteration=Int64)
_declare(
    "mixgrpo_evaluation_sample", Status,
    evaluation=Handle, trainer=Handle, out_samples=Floats, capacity=Size,
)
_declare(
    "mixgrpo_evaluation_submit", Status,
    evaluation=Handle, iteration=Int64, scores=Doubles, count=Size, out_result=POINTER(EvaluationResult),
)
_declare("mixgrpo_evaluation_get_means", Status, evaluation=Handle, out_means=Doubles, capacity=Size)
_declare(
    "mixgrpo_evaluation_get_verdict", Status,
    evaluation=Handle, out_iteration=POINTER(c_int64), out_verdict=Integers,
)
_declare("mixgrpo_evaluation_get_best", Status, evaluation=Handle, model=Handle)
_declare("mixgrpo_evaluation_save_best", Status, evaluation=Handle, folder=Text, storage=Int32)
_declare("mixgrpo_evaluation_save", Status, evaluation=Handle, folder=Text)
_declare("mixgrpo_evaluation_restore", Status, evaluation=Handle, folder=Text)


# Stateless pieces. All may be called from any thread.

_declare(
    "mixgrpo_time_grid", Status,
    steps=Int32, shift=Double, image_tokens=Int32, out_sigmas=Doubles, capacity=Size,
)
_declare(
    "mixgrpo_stochastic_step", Status,
    dynamics=Int32, noise_level=Double, sigma=Double, next_sigma=Double, out_step=POINTER(Step),
)
_declare(
    "mixgrpo_deterministic_step", Status,
    solver=Int32, sigmas=Doubles, sigma_count=Size, index=Size, out_step=POINTER(Step),
)
_declare(
    "mixgrpo_step_log_probability", Status,
    step=POINTER(Step), form=Int32, latents=Floats, velocity=Floats, next_latents=Floats, count=Size,
    latent_size=Size, out_log_probabilities=Doubles, capacity=Size,
)
_declare(
    "mixgrpo_policy_loss", Status,
    config=POINTER(LearningConfig), step=POINTER(Step), form=Int32, latents=Floats, velocity=Floats,
    next_latents=Floats, reference_velocity=Floats, old_log_probabilities=Doubles, advantages=Doubles, count=Size,
    latent_size=Size, out_loss=Doubles, out_ratios=Doubles, ratios_capacity=Size, out_d_velocity=Floats,
    d_velocity_capacity=Size,
)
_declare("mixgrpo_normal_noise", Status, seed=UInt64, stream=UInt64, index=UInt64, out_values=Floats, count=Size)


# Pixels, images, PNG

_declare(
    "mixgrpo_pixels_decode", Status,
    latents=Floats, latent_count=Size, image_count=Int32, height=Int32, width=Int32, patch=Int32, out_pixels=Bytes,
    capacity=Size,
)
_declare(
    "mixgrpo_pixels_encode", Status,
    pixels=Bytes, pixel_count=Size, image_count=Int32, height=Int32, width=Int32, patch=Int32, out_latents=Floats,
    capacity=Size,
)

class ImageInfo(Struct):
    _fields_ = _each(c_int32, "width height text_count")


class TextEntry(ctypes.Structure):
    _fields_ = _each(c_char_p, "key value")


_declare(
    "mixgrpo_image_create", Status,
    pixels=Bytes, count=Size, width=Int32, height=Int32, out_image=POINTER(Handle),
)
_declare(
    "mixgrpo_image_create_grid", Status,
    pixels=Bytes, count=Size, image_count=Int32, width=Int32, height=Int32, columns=Int32, gap=Int32, scale=Int32,
    out_image=POINTER(Handle),
)
_declare("mixgrpo_image_decode", Status, png=Bytes, size=Size, out_image=POINTER(Handle))
_declare("mixgrpo_image_load", Status, path=Text, out_image=POINTER(Handle))
_declare("mixgrpo_image_destroy", None, image=Handle)
_declare("mixgrpo_image_get_info", Status, image=Handle, out_info=POINTER(ImageInfo))
_declare("mixgrpo_image_get_pixels", Status, image=Handle, out_pixels=Bytes, capacity=Size)
_declare("mixgrpo_image_get_text", Status, image=Handle, index=Size, out_text=POINTER(TextEntry))
_declare("mixgrpo_image_set_texts", Status, image=Handle, texts=POINTER(TextEntry), text_count=Size)
_declare("mixgrpo_image_encode", Status, image=Handle, out_png=Bytes, capacity=Size, out_size=POINTER(c_size_t))
_declare("mixgrpo_image_save", Status, image=Handle, path=Text)
