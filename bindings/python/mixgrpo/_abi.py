# Generated from include/mixgrpo.h; write it anew with `make generate` instead of editing it.
"""The C interface as ctypes sees it: every struct and function of `mixgrpo.h`, in the header's order.

Class `ModelConfig` is `mixgrpo_model_config`, and so on; `TextEntry` is `mixgrpo_text`. `FUNCTIONS` holds the return
type and the named, typed parameters of each function, `SIZES` the bytes that C gives each struct.
"""

import ctypes

from ._types import (
    Bytes,
    Double,
    Doubles,
    Floats,
    Function,
    Handle,
    Int32,
    Int64,
    Integers,
    Size,
    Status,
    Struct,
    Text,
    UInt64,
)

ABI_VERSION = 1
WINDOW_START_SCHEDULED = -1
FIGURE_COUNT = 15
AllGatherCallback = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
AllToAllCallback = ctypes.CFUNCTYPE(
    ctypes.c_int32,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.POINTER(ctypes.c_size_t),
    ctypes.c_void_p,
    ctypes.POINTER(ctypes.c_size_t),
)


class Progress(Struct):
    _fields_ = [("stage", ctypes.c_int32), ("done", ctypes.c_int64), ("total", ctypes.c_int64)]


class ModelConfig(Struct):
    _fields_ = [
        ("in_channels", ctypes.c_int32),
        ("out_channels", ctypes.c_int32),
        ("num_layers", ctypes.c_int32),
        ("num_single_layers", ctypes.c_int32),
        ("attention_head_dim", ctypes.c_int32),
        ("num_attention_heads", ctypes.c_int32),
        ("joint_attention_dim", ctypes.c_int32),
        ("pooled_projection_dim", ctypes.c_int32),
        ("guidance_embeds", ctypes.c_int32),
        ("axes_dims_rope", ctypes.c_int32 * 3),
        ("reserved", ctypes.c_int32),
    ]


class ParameterInfo(Struct):
    _fields_ = [
        ("rank", ctypes.c_int32),
        ("shape", ctypes.c_size_t * 2),
        ("offset", ctypes.c_size_t),
        ("count", ctypes.c_size_t),
        ("name", ctypes.c_char_p),
    ]


class LoraConfig(Struct):
    _fields_ = [
        ("rank", ctypes.c_int32),
        ("alpha", ctypes.c_double),
        ("rank_stabilized", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
        ("seed", ctypes.c_uint64),
    ]


class EvaluatorConfig(Struct):
    _fields_ = [
        ("height_tokens", ctypes.c_int32),
        ("width_tokens", ctypes.c_int32),
        ("text_length", ctypes.c_int32),
        ("max_batch", ctypes.c_int32),
        ("recompute_activations", ctypes.c_int32),
        ("precision", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
        ("guidance", ctypes.c_double),
        ("max_bytes", ctypes.c_size_t),
    ]


class SamplingConfig(Struct):
    _fields_ = [
        ("steps", ctypes.c_int32),
        ("shift", ctypes.c_double),
        ("image_tokens", ctypes.c_int32),
        ("sigma_rounding", ctypes.c_int32),
        ("dynamics", ctypes.c_int32),
        ("solver", ctypes.c_int32),
        ("noise_level", ctypes.c_double),
        ("flash_ratio", ctypes.c_double),
        ("flash_solver", ctypes.c_int32),
        ("window_mode", ctypes.c_int32),
        ("window_length", ctypes.c_int32),
        ("window_start", ctypes.c_int32),
        ("window_stride", ctypes.c_int32),
        ("window_interval", ctypes.c_int32),
        ("window_minimum_interval", ctypes.c_int32),
        ("window_at_end", ctypes.c_int32),
        ("window_decay_threshold", ctypes.c_int32),
        ("window_trend", ctypes.c_int32),
        ("window_decay_rate", ctypes.c_double),
        ("window_minimum_gain", ctypes.c_double),
        ("trained_fraction", ctypes.c_double),
        ("trained_subset", ctypes.c_int32),
        ("group_size", ctypes.c_int32),
        ("initial_noise", ctypes.c_int32),
        ("exact_sharing", ctypes.c_int32),
        ("log_probability", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
        ("seed", ctypes.c_uint64),
    ]


class LearningConfig(Struct):
    _fields_ = [
        ("advantage_mode", ctypes.c_int32),
        ("std_scope", ctypes.c_int32),
        ("step_weighting", ctypes.c_int32),
        ("trim_fraction", ctypes.c_double),
        ("degenerate_tolerance", ctypes.c_double),
        ("advantage_clip", ctypes.c_double),
        ("clip_range", ctypes.c_double),
        ("kl_reference", ctypes.c_double),
        ("kl_old", ctypes.c_double),
        ("updates_per_iteration", ctypes.c_int32),
        ("schedule", ctypes.c_int32),
        ("warmup_steps", ctypes.c_int32),
        ("total_steps", ctypes.c_int32),
        ("min_rate_fraction", ctypes.c_double),
        ("learning_rate", ctypes.c_double),
        ("beta1", ctypes.c_double),
        ("beta2", ctypes.c_double),
        ("epsilon", ctypes.c_double),
        ("weight_decay", ctypes.c_double),
        ("max_gradient_norm", ctypes.c_double),
        ("ema_decay", ctypes.c_double),
        ("fault_policy", ctypes.c_int32),
        ("undo", ctypes.c_int32),
        ("max_velocity_change", ctypes.c_double),
        ("roll_back_rate_factor", ctypes.c_double),
    ]


class Setting(Struct):
    _fields_ = [
        ("kind", ctypes.c_int32),
        ("config", ctypes.c_char_p),
        ("key", ctypes.c_char_p),
        ("cases", ctypes.c_char_p),
        ("default_text", ctypes.c_char_p),
        ("unit", ctypes.c_char_p),
        ("sentence", ctypes.c_char_p),
        ("minimum", ctypes.c_double),
        ("maximum", ctypes.c_double),
        ("minimum_open", ctypes.c_int32),
        ("maximum_open", ctypes.c_int32),
        ("changes_results", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
        ("offset", ctypes.c_size_t),
        ("count", ctypes.c_size_t),
    ]


class IterationPlan(Struct):
    _fields_ = [
        ("window_start", ctypes.c_int32),
        ("window_length", ctypes.c_int32),
        ("step_count", ctypes.c_int32),
        ("trained_step_count", ctypes.c_int32),
        ("model_calls_per_image", ctypes.c_int32),
        ("rollout_model_calls", ctypes.c_int64),
        ("update_model_calls", ctypes.c_int64),
    ]


class Step(Struct):
    _fields_ = [
        ("kind", ctypes.c_int32),
        ("sigma", ctypes.c_double),
        ("next_sigma", ctypes.c_double),
        ("latent", ctypes.c_double),
        ("velocity", ctypes.c_double),
        ("history", ctypes.c_double * 2),
        ("noise", ctypes.c_double),
        ("trained", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
    ]


class Workload(Struct):
    _fields_ = [
        ("prompt_count", ctypes.c_int32),
        ("token_count", ctypes.c_int32),
        ("channels", ctypes.c_int32),
        ("text_length", ctypes.c_int32),
        ("max_batch", ctypes.c_int32),
        ("threads", ctypes.c_int32),
        ("keep_reference", ctypes.c_int32),
        ("recompute_activations", ctypes.c_int32),
        ("precision", ctypes.c_int32),
        ("max_bytes", ctypes.c_size_t),
        ("lora_rank", ctypes.c_int32),
        ("frozen_base", ctypes.c_int32),
    ]


class Memory(Struct):
    _fields_ = [
        ("update_batch", ctypes.c_int32),
        ("trajectory_bytes", ctypes.c_size_t),
        ("weight_bytes", ctypes.c_size_t),
        ("activation_bytes", ctypes.c_size_t),
        ("peak_bytes", ctypes.c_size_t),
    ]


class AdaptiveWindow(Struct):
    _fields_ = [
        ("window_start", ctypes.c_int32),
        ("iterations", ctypes.c_int64),
        ("first_reward", ctypes.c_double),
        ("sums", ctypes.c_double * 6),
        ("gain", ctypes.c_double),
    ]


class VelocityRequest(Struct):
    _fields_ = [
        ("kind", ctypes.c_int32),
        ("minibatch", ctypes.c_int32),
        ("needs_reference", ctypes.c_int32),
        ("needs_gradient", ctypes.c_int32),
        ("is_trained", ctypes.c_int32),
        ("weights", ctypes.c_int32),
        ("completes_minibatch", ctypes.c_int32),
        ("count", ctypes.c_size_t),
        ("latent_size", ctypes.c_size_t),
        ("latents", Floats),
        ("sigmas", Floats),
        ("prompt_index", Integers),
        ("sample", Integers),
        ("step", Integers),
        ("rate_factor", ctypes.c_double),
    ]


class RolloutConfig(Struct):
    _fields_ = [
        ("window_start", ctypes.c_int32),
        ("iteration", ctypes.c_int64),
        ("latent_size", ctypes.c_size_t),
        ("max_batch", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
    ]


class AdvantageReport(Struct):
    _fields_ = [
        ("failed_rewards", ctypes.c_int32),
        ("excluded_samples", ctypes.c_int32),
        ("degenerate_groups", ctypes.c_int32),
        ("dropped_groups", ctypes.c_int32),
    ]


class UpdateStatistics(Struct):
    _fields_ = [
        ("optimizer_steps", ctypes.c_int32),
        ("loss", ctypes.c_double),
        ("first_ratio_min", ctypes.c_double),
        ("first_ratio_max", ctypes.c_double),
        ("ratio_min", ctypes.c_double),
        ("ratio_max", ctypes.c_double),
        ("clip_fraction", ctypes.c_double),
        ("max_log_ratio_nats", ctypes.c_double),
        ("kl_old_nats", ctypes.c_double),
        ("kl_reference_nats", ctypes.c_double),
        ("model_calls", ctypes.c_int64),
    ]


class OptimizerReport(Struct):
    _fields_ = [
        ("reserved", ctypes.c_int32),
        ("step", ctypes.c_int64),
        ("gradient_norm", ctypes.c_double),
        ("learning_rate", ctypes.c_double),
    ]


class Metrics(Struct):
    _fields_ = [
        ("window_start", ctypes.c_int32),
        ("window_length", ctypes.c_int32),
        ("failed_rewards", ctypes.c_int32),
        ("degenerate_groups", ctypes.c_int32),
        ("skipped_steps", ctypes.c_int32),
        ("rolled_back", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
        ("iteration", ctypes.c_int64),
        ("model_calls_rollout", ctypes.c_int64),
        ("model_calls_update", ctypes.c_int64),
        ("reward_mean", ctypes.c_double),
        ("reward_std", ctypes.c_double),
        ("loss", ctypes.c_double),
        ("first_ratio_min", ctypes.c_double),
        ("first_ratio_max", ctypes.c_double),
        ("ratio_min", ctypes.c_double),
        ("ratio_max", ctypes.c_double),
        ("clip_fraction", ctypes.c_double),
        ("max_log_ratio_nats", ctypes.c_double),
        ("kl_old_nats", ctypes.c_double),
        ("kl_reference_nats", ctypes.c_double),
        ("gradient_norm", ctypes.c_double),
        ("learning_rate", ctypes.c_double),
        ("velocity_change", ctypes.c_double),
        ("seconds_rollout", ctypes.c_double),
        ("seconds_update", ctypes.c_double),
    ]


class RewardMetrics(Struct):
    _fields_ = [
        ("failed", ctypes.c_int32),
        ("mean", ctypes.c_double),
        ("std", ctypes.c_double),
        ("name", ctypes.c_char_p),
    ]


class Collective(Struct):
    _fields_ = [
        ("rank", ctypes.c_int32),
        ("size", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
        ("user_data", ctypes.c_void_p),
        ("all_gather", AllGatherCallback),
        ("all_to_all", AllToAllCallback),
    ]


class Resumption(Struct):
    _fields_ = [("skipped", ctypes.c_int32), ("iteration", ctypes.c_int64)]


class SampleConfig(Struct):
    _fields_ = [
        ("steps", ctypes.c_int32),
        ("solver", ctypes.c_int32),
        ("samples_per_prompt", ctypes.c_int32),
        ("shift", ctypes.c_double),
        ("image_tokens", ctypes.c_int32),
        ("sigma_rounding", ctypes.c_int32),
        ("trained_model_share", ctypes.c_double),
        ("seed", ctypes.c_uint64),
        ("sigmas", Doubles),
        ("sigma_count", ctypes.c_size_t),
    ]


class HostConfig(Struct):
    _fields_ = [("max_batch", ctypes.c_int32), ("prompt_count", ctypes.c_size_t), ("latent_size", ctypes.c_size_t)]


class EvaluationConfig(Struct):
    _fields_ = [
        ("every", ctypes.c_int32),
        ("weights", ctypes.c_int32),
        ("keep_best", ctypes.c_int32),
        ("watchdog", ctypes.c_int32),
        ("watchdog_patience", ctypes.c_int32),
        ("watchdog_minimum_delta", ctypes.c_double),
    ]


class EvaluationResult(Struct):
    _fields_ = [
        ("is_best", ctypes.c_int32),
        ("verdict", ctypes.c_int32),
        ("failed", ctypes.c_int32),
        ("worsening", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
        ("iteration", ctypes.c_int64),
        ("best_iteration", ctypes.c_int64),
        ("score", ctypes.c_double),
        ("best_score", ctypes.c_double),
        ("message", ctypes.c_char_p),
    ]


class ImageInfo(Struct):
    _fields_ = [
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
        ("text_count", ctypes.c_size_t),
    ]


class TextEntry(ctypes.Structure):
    _fields_ = [("key", ctypes.c_char_p), ("value", ctypes.c_char_p)]


SIZES: dict[type[ctypes.Structure], int] = {
    Progress: 24,
    ModelConfig: 56,
    ParameterInfo: 48,
    LoraConfig: 32,
    EvaluatorConfig: 48,
    SamplingConfig: 144,
    LearningConfig: 168,
    Setting: 104,
    IterationPlan: 40,
    Step: 72,
    Workload: 56,
    Memory: 40,
    AdaptiveWindow: 80,
    VelocityRequest: 96,
    RolloutConfig: 32,
    AdvantageReport: 20,
    UpdateStatistics: 88,
    OptimizerReport: 32,
    Metrics: 184,
    RewardMetrics: 32,
    Collective: 40,
    Resumption: 16,
    SampleConfig: 64,
    HostConfig: 24,
    EvaluationConfig: 32,
    EvaluationResult: 64,
    ImageInfo: 24,
    TextEntry: 16,
}

LogCallback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int32, ctypes.c_char_p)
ProgressCallback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(Progress))

FUNCTIONS: dict[str, Function] = {
    "mixgrpo_abi_version": Function(ctypes.c_uint32, {}),
    "mixgrpo_version": Function(ctypes.c_char_p, {}),
    "mixgrpo_status_name": Function(ctypes.c_char_p, {"status": Int32}),
    "mixgrpo_last_error": Function(ctypes.c_char_p, {}),
    "mixgrpo_context_create": Function(Status, {"threads": Int32, "out_context": ctypes.POINTER(Handle)}),
    "mixgrpo_context_destroy": Function(None, {"context": Handle}),
    "mixgrpo_context_threads": Function(ctypes.c_int32, {"context": Handle}),
    "mixgrpo_context_set_log": Function(
        Status, {"context": Handle, "callback": LogCallback, "user_data": ctypes.c_void_p}
    ),
    "mixgrpo_context_set_progress": Function(
        Status, {"context": Handle, "callback": ProgressCallback, "user_data": ctypes.c_void_p}
    ),
    "mixgrpo_context_cancel": Function(Status, {"context": Handle}),
    "mixgrpo_context_reset_cancel": Function(Status, {"context": Handle}),
    "mixgrpo_context_is_cancelled": Function(ctypes.c_int32, {"context": Handle}),
    "mixgrpo_model_config_init": Function(Status, {"out_config": ctypes.POINTER(ModelConfig), "struct_size": Size}),
    "mixgrpo_model_config_load": Function(Status, {"folder": Text, "out_config": ctypes.POINTER(ModelConfig)}),
    "mixgrpo_model_create": Function(
        Status,
        {"context": Handle, "config": ctypes.POINTER(ModelConfig), "seed": UInt64, "out_model": ctypes.POINTER(Handle)},
    ),
    "mixgrpo_model_load": Function(Status, {"context": Handle, "folder": Text, "out_model": ctypes.POINTER(Handle)}),
    "mixgrpo_model_save": Function(Status, {"model": Handle, "folder": Text, "storage": Int32}),
    "mixgrpo_model_copy": Function(Status, {"model": Handle, "out_copy": ctypes.POINTER(Handle)}),
    "mixgrpo_model_destroy": Function(None, {"model": Handle}),
    "mixgrpo_model_freeze": Function(Status, {"model": Handle, "out_model": ctypes.POINTER(Handle)}),
    "mixgrpo_model_load_frozen": Function(
        Status, {"context": Handle, "folder": Text, "out_model": ctypes.POINTER(Handle)}
    ),
    "mixgrpo_lora_config_init": Function(Status, {"out_config": ctypes.POINTER(LoraConfig), "struct_size": Size}),
    "mixgrpo_model_adapt": Function(
        Status,
        {
            "base": Handle,
            "config": ctypes.POINTER(LoraConfig),
            "targets": ctypes.POINTER(ctypes.c_char_p),
            "target_count": Size,
            "out_model": ctypes.POINTER(Handle),
        },
    ),
    "mixgrpo_model_load_adapter": Function(Status, {"base": Handle, "path": Text, "out_model": ctypes.POINTER(Handle)}),
    "mixgrpo_model_save_adapter": Function(Status, {"model": Handle, "path": Text, "format": Int32}),
    "mixgrpo_model_merge": Function(Status, {"model": Handle, "out_model": ctypes.POINTER(Handle)}),
    "mixgrpo_model_set_adapter_strength": Function(Status, {"model": Handle, "strength": Double}),
    "mixgrpo_model_get_config": Function(Status, {"model": Handle, "out_config": ctypes.POINTER(ModelConfig)}),
    "mixgrpo_model_get_size": Function(
        Status,
        {
            "model": Handle,
            "out_tensors": ctypes.POINTER(ctypes.c_size_t),
            "out_values": ctypes.POINTER(ctypes.c_size_t),
        },
    ),
    "mixgrpo_model_get_parameter": Function(
        Status, {"model": Handle, "index": Size, "out_info": ctypes.POINTER(ParameterInfo)}
    ),
    "mixgrpo_model_find_parameter": Function(
        Status, {"model": Handle, "name": Text, "out_index": ctypes.POINTER(ctypes.c_size_t)}
    ),
    "mixgrpo_model_get_weights": Function(
        Status, {"model": Handle, "offset": Size, "out_values": Floats, "count": Size}
    ),
    "mixgrpo_model_set_weights": Function(Status, {"model": Handle, "offset": Size, "values": Floats, "count": Size}),
    "mixgrpo_model_get_gradients": Function(
        Status, {"model": Handle, "offset": Size, "out_values": Floats, "count": Size}
    ),
    "mixgrpo_model_set_gradients": Function(Status, {"model": Handle, "offset": Size, "values": Floats, "count": Size}),
    "mixgrpo_model_zero_gradients": Function(Status, {"model": Handle}),
    "mixgrpo_prompts_create": Function(
        Status,
        {
            "context": Handle,
            "text": Floats,
            "text_count": Size,
            "pooled": Floats,
            "pooled_count": Size,
            "prompt_count": Size,
            "text_length": Int32,
            "text_width": Int32,
            "pooled_width": Int32,
            "out_prompts": ctypes.POINTER(Handle),
        },
    ),
    "mixgrpo_prompts_destroy": Function(None, {"prompts": Handle}),
    "mixgrpo_prompts_count": Function(ctypes.c_size_t, {"prompts": Handle}),
    "mixgrpo_evaluator_config_init": Function(
        Status, {"out_config": ctypes.POINTER(EvaluatorConfig), "struct_size": Size}
    ),
    "mixgrpo_evaluator_create": Function(
        Status,
        {
            "model": Handle,
            "config": ctypes.POINTER(EvaluatorConfig),
            "image_ids": Floats,
            "image_id_count": Size,
            "out_evaluator": ctypes.POINTER(Handle),
        },
    ),
    "mixgrpo_evaluator_destroy": Function(None, {"evaluator": Handle}),
    "mixgrpo_evaluator_latent_size": Function(ctypes.c_size_t, {"evaluator": Handle}),
    "mixgrpo_evaluator_velocity": Function(
        Status,
        {
            "evaluator": Handle,
            "prompts": Handle,
            "latents": Floats,
            "sigmas": Floats,
            "prompt_index": Integers,
            "count": Size,
            "keep_activations": Int32,
            "out_velocity": Floats,
            "velocity_capacity": Size,
        },
    ),
    "mixgrpo_evaluator_backward": Function(
        Status,
        {"evaluator": Handle, "d_velocity": Floats, "count": Size, "out_d_latents": Floats, "d_latents_capacity": Size},
    ),
    "mixgrpo_setting_count": Function(ctypes.c_size_t, {}),
    "mixgrpo_setting_info": Function(Status, {"index": Size, "out_setting": ctypes.POINTER(Setting)}),
    "mixgrpo_config_init": Function(
        Status,
        {
            "out_sampling": ctypes.POINTER(SamplingConfig),
            "sampling_size": Size,
            "out_learning": ctypes.POINTER(LearningConfig),
            "learning_size": Size,
        },
    ),
    "mixgrpo_config_init_preset": Function(
        Status,
        {"name": Text, "out_sampling": ctypes.POINTER(SamplingConfig), "out_learning": ctypes.POINTER(LearningConfig)},
    ),
    "mixgrpo_preset_name": Function(ctypes.c_char_p, {"index": Size}),
    "mixgrpo_config_check": Function(
        Status, {"sampling": ctypes.POINTER(SamplingConfig), "learning": ctypes.POINTER(LearningConfig)}
    ),
    "mixgrpo_config_describe": Function(
        Status,
        {
            "sampling": ctypes.POINTER(SamplingConfig),
            "learning": ctypes.POINTER(LearningConfig),
            "out_text": ctypes.c_char_p,
            "capacity": Size,
            "out_size": ctypes.POINTER(ctypes.c_size_t),
        },
    ),
    "mixgrpo_plan_create": Function(
        Status,
        {
            "config": ctypes.POINTER(SamplingConfig),
            "sigmas": Doubles,
            "sigma_count": Size,
            "out_plan": ctypes.POINTER(Handle),
        },
    ),
    "mixgrpo_plan_destroy": Function(None, {"plan": Handle}),
    "mixgrpo_plan_get_iteration": Function(
        Status,
        {
            "plan": Handle,
            "iteration": Int64,
            "window_start": Int32,
            "prompt_count": Int32,
            "minibatches": Int32,
            "out_iteration": ctypes.POINTER(IterationPlan),
        },
    ),
    "mixgrpo_plan_get_step": Function(
        Status,
        {"plan": Handle, "iteration": Int64, "window_start": Int32, "index": Int32, "out_step": ctypes.POINTER(Step)},
    ),
    "mixgrpo_adaptive_window_init": Function(
        Status, {"out_state": ctypes.POINTER(AdaptiveWindow), "struct_size": Size}
    ),
    "mixgrpo_adaptive_window_advance": Function(
        Status,
        {
            "plan": Handle,
            "state": ctypes.POINTER(AdaptiveWindow),
            "reward_mean": Double,
            "reward_std": Double,
            "out_state": ctypes.POINTER(AdaptiveWindow),
        },
    ),
    "mixgrpo_plan_predict_memory": Function(
        Status,
        {
            "plan": Handle,
            "iteration": Int64,
            "window_start": Int32,
            "learning": ctypes.POINTER(LearningConfig),
            "model": ctypes.POINTER(ModelConfig),
            "workload": ctypes.POINTER(Workload),
            "out_memory": ctypes.POINTER(Memory),
        },
    ),
    "mixgrpo_rollout_config_init": Function(Status, {"out_config": ctypes.POINTER(RolloutConfig), "struct_size": Size}),
    "mixgrpo_rollout_create": Function(
        Status,
        {
            "context": Handle,
            "plan": Handle,
            "config": ctypes.POINTER(RolloutConfig),
            "prompt_ids": Integers,
            "prompt_count": Size,
            "initial_noise": Floats,
            "noise_count": Size,
            "out_rollout": ctypes.POINTER(Handle),
        },
    ),
    "mixgrpo_rollout_destroy": Function(None, {"rollout": Handle}),
    "mixgrpo_rollout_next": Function(Status, {"rollout": Handle, "out_request": ctypes.POINTER(VelocityRequest)}),
    "mixgrpo_rollout_submit": Function(Status, {"rollout": Handle, "velocity": Floats, "count": Size}),
    "mixgrpo_rollout_run": Function(Status, {"rollout": Handle, "evaluator": Handle, "prompts": Handle}),
    "mixgrpo_rollout_get_samples": Function(Status, {"rollout": Handle, "out_samples": Floats, "capacity": Size}),
    "mixgrpo_rollout_get_step": Function(
        Status,
        {
            "rollout": Handle,
            "index": Int32,
            "out_latents": Floats,
            "latents_capacity": Size,
            "out_next_latents": Floats,
            "next_latents_capacity": Size,
            "out_log_probabilities": Doubles,
            "log_probabilities_capacity": Size,
        },
    ),
    "mixgrpo_rollout_model_calls": Function(ctypes.c_int64, {"rollout": Handle}),
    "mixgrpo_advantages": Function(
        Status,
        {
            "config": ctypes.POINTER(LearningConfig),
            "rewards": Doubles,
            "reward_count": Size,
            "prompt_count": Size,
            "group_size": Int32,
            "weights": Doubles,
            "weight_count": Size,
            "out_advantages": Doubles,
            "out_included": Bytes,
            "capacity": Size,
            "out_report": ctypes.POINTER(AdvantageReport),
        },
    ),
    "mixgrpo_scores_from_ratings": Function(
        Status, {"ratings": Doubles, "count": Size, "out_scores": Doubles, "capacity": Size}
    ),
    "mixgrpo_scores_from_pairs": Function(
        Status, {"pairs": Integers, "pair_count": Size, "group_size": Int32, "out_scores": Doubles, "capacity": Size}
    ),
    "mixgrpo_update_create": Function(
        Status,
        {
            "rollout": Handle,
            "config": ctypes.POINTER(LearningConfig),
            "advantages": Doubles,
            "included": Bytes,
            "count": Size,
            "max_batch": Int32,
            "out_update": ctypes.POINTER(Handle),
        },
    ),
    "mixgrpo_update_destroy": Function(None, {"update": Handle}),
    "mixgrpo_update_next": Function(Status, {"update": Handle, "out_request": ctypes.POINTER(VelocityRequest)}),
    "mixgrpo_update_submit": Function(
        Status,
        {
            "update": Handle,
            "velocity": Floats,
            "reference_velocity": Floats,
            "count": Size,
            "out_d_velocity": Floats,
            "d_velocity_capacity": Size,
        },
    ),
    "mixgrpo_update_get_statistics": Function(
        Status, {"update": Handle, "out_statistics": ctypes.POINTER(UpdateStatistics)}
    ),
    "mixgrpo_optimizer_create": Function(
        Status,
        {
            "context": Handle,
            "config": ctypes.POINTER(LearningConfig),
            "parameter_count": Size,
            "out_optimizer": ctypes.POINTER(Handle),
        },
    ),
    "mixgrpo_optimizer_destroy": Function(None, {"optimizer": Handle}),
    "mixgrpo_optimizer_step": Function(
        Status,
        {
            "optimizer": Handle,
            "weights": Floats,
            "gradients": Floats,
            "count": Size,
            "out_report": ctypes.POINTER(OptimizerReport),
        },
    ),
    "mixgrpo_optimizer_step_model": Function(
        Status, {"optimizer": Handle, "model": Handle, "out_report": ctypes.POINTER(OptimizerReport)}
    ),
    "mixgrpo_update_run": Function(
        Status,
        {
            "update": Handle,
            "evaluator": Handle,
            "prompts": Handle,
            "optimizer": Handle,
            "reference": Handle,
            "out_report": ctypes.POINTER(OptimizerReport),
        },
    ),
    "mixgrpo_trainer_create": Function(
        Status,
        {
            "evaluator": Handle,
            "prompts": Handle,
            "plan": Handle,
            "learning": ctypes.POINTER(LearningConfig),
            "reward_names": ctypes.POINTER(ctypes.c_char_p),
            "reward_count": Size,
            "keep_base": Int32,
            "out_trainer": ctypes.POINTER(Handle),
        },
    ),
    "mixgrpo_trainer_destroy": Function(None, {"trainer": Handle}),
    "mixgrpo_trainer_iteration": Function(ctypes.c_int64, {"trainer": Handle}),
    "mixgrpo_trainer_rollout": Function(
        Status,
        {"trainer": Handle, "prompt_indices": Integers, "prompt_count": Size, "out_samples": Floats, "capacity": Size},
    ),
    "mixgrpo_trainer_set_window": Function(Status, {"trainer": Handle, "window_start": Int32}),
    "mixgrpo_trainer_update": Function(
        Status,
        {
            "trainer": Handle,
            "rewards": Doubles,
            "count": Size,
            "weights": Doubles,
            "weight_count": Size,
            "out_metrics": ctypes.POINTER(Metrics),
        },
    ),
    "mixgrpo_trainer_get_metrics": Function(Status, {"trainer": Handle, "out_metrics": ctypes.POINTER(Metrics)}),
    "mixgrpo_trainer_get_reward_metrics": Function(
        Status, {"trainer": Handle, "index": Size, "out_metrics": ctypes.POINTER(RewardMetrics)}
    ),
    "mixgrpo_trainer_get_metrics_json": Function(
        Status,
        {"trainer": Handle, "out_json": ctypes.c_char_p, "capacity": Size, "out_size": ctypes.POINTER(ctypes.c_size_t)},
    ),
    "mixgrpo_trainer_append_metrics": Function(Status, {"trainer": Handle, "path": Text}),
    "mixgrpo_trainer_rollout_ticket": Function(
        Status,
        {
            "trainer": Handle,
            "prompt_indices": Integers,
            "prompt_count": Size,
            "out_samples": Floats,
            "capacity": Size,
            "out_ticket": ctypes.POINTER(ctypes.c_int64),
        },
    ),
    "mixgrpo_trainer_submit_rewards": Function(
        Status, {"trainer": Handle, "ticket": Int64, "rewards": Doubles, "count": Size}
    ),
    "mixgrpo_trainer_get_open_tickets": Function(
        Status,
        {
            "trainer": Handle,
            "out_tickets": ctypes.POINTER(ctypes.c_int64),
            "capacity": Size,
            "out_size": ctypes.POINTER(ctypes.c_size_t),
        },
    ),
    "mixgrpo_trainer_update_tickets": Function(
        Status,
        {
            "trainer": Handle,
            "missing": Int32,
            "weights": Doubles,
            "weight_count": Size,
            "out_metrics": ctypes.POINTER(Metrics),
        },
    ),
    "mixgrpo_trainer_drop_tickets": Function(Status, {"trainer": Handle}),
    "mixgrpo_trainer_set_collective": Function(Status, {"trainer": Handle, "collective": ctypes.POINTER(Collective)}),
    "mixgrpo_local_ranks_create": Function(
        Status, {"count": Int32, "time_limit": Double, "out_ranks": ctypes.POINTER(Handle)}
    ),
    "mixgrpo_local_ranks_destroy": Function(None, {"ranks": Handle}),
    "mixgrpo_local_ranks_get_collective": Function(
        Status, {"ranks": Handle, "rank": Int32, "out_collective": ctypes.POINTER(Collective)}
    ),
    "mixgrpo_local_ranks_abandon": Function(Status, {"ranks": Handle, "reason": Text}),
    "mixgrpo_trainer_save": Function(Status, {"trainer": Handle, "folder": Text}),
    "mixgrpo_trainer_restore": Function(Status, {"trainer": Handle, "folder": Text}),
    "mixgrpo_trainer_checkpoint": Function(
        Status, {"trainer": Handle, "folder": Text, "keep_last": Int32, "keep_every": Int64}
    ),
    "mixgrpo_trainer_resume": Function(
        Status, {"trainer": Handle, "folder": Text, "out_resumption": ctypes.POINTER(Resumption)}
    ),
    "mixgrpo_sample_config_init": Function(Status, {"out_config": ctypes.POINTER(SampleConfig), "struct_size": Size}),
    "mixgrpo_evaluator_sample": Function(
        Status,
        {
            "evaluator": Handle,
            "base": Handle,
            "prompts": Handle,
            "config": ctypes.POINTER(SampleConfig),
            "prompt_indices": Integers,
            "prompt_count": Size,
            "initial_noise": Floats,
            "noise_count": Size,
            "out_samples": Floats,
            "capacity": Size,
        },
    ),
    "mixgrpo_trainer_sample": Function(
        Status,
        {
            "trainer": Handle,
            "weights": Int32,
            "config": ctypes.POINTER(SampleConfig),
            "prompt_indices": Integers,
            "prompt_count": Size,
            "initial_noise": Floats,
            "noise_count": Size,
            "out_samples": Floats,
            "capacity": Size,
        },
    ),
    "mixgrpo_trainer_save_model": Function(
        Status, {"trainer": Handle, "weights": Int32, "folder": Text, "storage": Int32}
    ),
    "mixgrpo_host_config_init": Function(Status, {"out_config": ctypes.POINTER(HostConfig), "struct_size": Size}),
    "mixgrpo_trainer_create_for_host": Function(
        Status,
        {
            "context": Handle,
            "plan": Handle,
            "learning": ctypes.POINTER(LearningConfig),
            "host": ctypes.POINTER(HostConfig),
            "reward_names": ctypes.POINTER(ctypes.c_char_p),
            "reward_count": Size,
            "out_trainer": ctypes.POINTER(Handle),
        },
    ),
    "mixgrpo_trainer_begin_rollout": Function(
        Status, {"trainer": Handle, "prompt_indices": Integers, "prompt_count": Size, "with_ticket": Int32}
    ),
    "mixgrpo_trainer_begin_sample": Function(
        Status,
        {
            "trainer": Handle,
            "weights": Int32,
            "config": ctypes.POINTER(SampleConfig),
            "prompt_indices": Integers,
            "prompt_count": Size,
            "initial_noise": Floats,
            "noise_count": Size,
        },
    ),
    "mixgrpo_trainer_begin_update": Function(
        Status, {"trainer": Handle, "rewards": Doubles, "count": Size, "weights": Doubles, "weight_count": Size}
    ),
    "mixgrpo_trainer_begin_update_tickets": Function(
        Status, {"trainer": Handle, "missing": Int32, "weights": Doubles, "weight_count": Size}
    ),
    "mixgrpo_trainer_next": Function(Status, {"trainer": Handle, "out_request": ctypes.POINTER(VelocityRequest)}),
    "mixgrpo_trainer_submit": Function(
        Status,
        {
            "trainer": Handle,
            "velocity": Floats,
            "reference_velocity": Floats,
            "count": Size,
            "out_d_velocity": Floats,
            "d_velocity_capacity": Size,
        },
    ),
    "mixgrpo_trainer_submit_step": Function(
        Status, {"trainer": Handle, "gradient_norm": Double, "learning_rate": Double}
    ),
    "mixgrpo_trainer_set_rank": Function(Status, {"trainer": Handle, "rank": Int32, "rank_count": Int32}),
    "mixgrpo_trainer_get_figures": Function(Status, {"trainer": Handle, "out_figures": Doubles, "capacity": Size}),
    "mixgrpo_trainer_submit_figures": Function(Status, {"trainer": Handle, "figures": Doubles, "count": Size}),
    "mixgrpo_trainer_fail": Function(Status, {"trainer": Handle, "status": Int32, "message": Text}),
    "mixgrpo_trainer_get_samples": Function(
        Status,
        {"trainer": Handle, "out_samples": Floats, "capacity": Size, "out_ticket": ctypes.POINTER(ctypes.c_int64)},
    ),
    "mixgrpo_trainer_get_progress": Function(
        Status,
        {"trainer": Handle, "out_json": ctypes.c_char_p, "capacity": Size, "out_size": ctypes.POINTER(ctypes.c_size_t)},
    ),
    "mixgrpo_trainer_set_progress": Function(Status, {"trainer": Handle, "json": Text}),
    "mixgrpo_evaluation_config_init": Function(
        Status, {"out_config": ctypes.POINTER(EvaluationConfig), "struct_size": Size}
    ),
    "mixgrpo_evaluation_create": Function(
        Status,
        {
            "config": ctypes.POINTER(EvaluationConfig),
            "sample": ctypes.POINTER(SampleConfig),
            "prompt_indices": Integers,
            "prompt_count": Size,
            "reward_names": ctypes.POINTER(ctypes.c_char_p),
            "weights": Doubles,
            "held_out": Bytes,
            "reward_count": Size,
            "out_evaluation": ctypes.POINTER(Handle),
        },
    ),
    "mixgrpo_evaluation_destroy": Function(None, {"evaluation": Handle}),
    "mixgrpo_evaluation_is_due": Function(ctypes.c_int32, {"evaluation": Handle, "iteration": Int64}),
    "mixgrpo_evaluation_sample": Function(
        Status, {"evaluation": Handle, "trainer": Handle, "out_samples": Floats, "capacity": Size}
    ),
    "mixgrpo_evaluation_begin_sample": Function(Status, {"evaluation": Handle, "trainer": Handle}),
    "mixgrpo_evaluation_submit": Function(
        Status,
        {
            "evaluation": Handle,
            "iteration": Int64,
            "scores": Doubles,
            "count": Size,
            "out_result": ctypes.POINTER(EvaluationResult),
        },
    ),
    "mixgrpo_evaluation_get_means": Function(Status, {"evaluation": Handle, "out_means": Doubles, "capacity": Size}),
    "mixgrpo_evaluation_get_verdict": Function(
        Status, {"evaluation": Handle, "out_iteration": ctypes.POINTER(ctypes.c_int64), "out_verdict": Integers}
    ),
    "mixgrpo_evaluation_get_best": Function(Status, {"evaluation": Handle, "model": Handle}),
    "mixgrpo_evaluation_save_best": Function(Status, {"evaluation": Handle, "folder": Text, "storage": Int32}),
    "mixgrpo_evaluation_save": Function(Status, {"evaluation": Handle, "folder": Text}),
    "mixgrpo_evaluation_restore": Function(Status, {"evaluation": Handle, "folder": Text}),
    "mixgrpo_time_grid": Function(
        Status, {"steps": Int32, "shift": Double, "image_tokens": Int32, "out_sigmas": Doubles, "capacity": Size}
    ),
    "mixgrpo_stochastic_step": Function(
        Status,
        {
            "dynamics": Int32,
            "noise_level": Double,
            "sigma": Double,
            "next_sigma": Double,
            "out_step": ctypes.POINTER(Step),
        },
    ),
    "mixgrpo_deterministic_step": Function(
        Status,
        {"solver": Int32, "sigmas": Doubles, "sigma_count": Size, "index": Size, "out_step": ctypes.POINTER(Step)},
    ),
    "mixgrpo_step_log_probability": Function(
        Status,
        {
            "step": ctypes.POINTER(Step),
            "form": Int32,
            "latents": Floats,
            "velocity": Floats,
            "next_latents": Floats,
            "count": Size,
            "latent_size": Size,
            "out_log_probabilities": Doubles,
            "capacity": Size,
        },
    ),
    "mixgrpo_policy_loss": Function(
        Status,
        {
            "config": ctypes.POINTER(LearningConfig),
            "step": ctypes.POINTER(Step),
            "form": Int32,
            "latents": Floats,
            "velocity": Floats,
            "next_latents": Floats,
            "reference_velocity": Floats,
            "old_log_probabilities": Doubles,
            "advantages": Doubles,
            "count": Size,
            "latent_size": Size,
            "out_loss": Doubles,
            "out_ratios": Doubles,
            "ratios_capacity": Size,
            "out_d_velocity": Floats,
            "d_velocity_capacity": Size,
        },
    ),
    "mixgrpo_normal_noise": Function(
        Status, {"seed": UInt64, "stream": UInt64, "index": UInt64, "out_values": Floats, "count": Size}
    ),
    "mixgrpo_hashed_words_encode": Function(
        Status,
        {
            "prompts": ctypes.POINTER(ctypes.c_char_p),
            "prompt_count": Size,
            "text_length": Int32,
            "text_width": Int32,
            "pooled_width": Int32,
            "out_text": Floats,
            "text_capacity": Size,
            "out_pooled": Floats,
            "pooled_capacity": Size,
        },
    ),
    "mixgrpo_prompts_create_hashed_words": Function(
        Status,
        {
            "context": Handle,
            "prompts": ctypes.POINTER(ctypes.c_char_p),
            "prompt_count": Size,
            "text_length": Int32,
            "text_width": Int32,
            "pooled_width": Int32,
            "out_prompts": ctypes.POINTER(Handle),
        },
    ),
    "mixgrpo_pixels_decode": Function(
        Status,
        {
            "latents": Floats,
            "latent_count": Size,
            "image_count": Size,
            "height": Int32,
            "width": Int32,
            "patch": Int32,
            "out_pixels": Bytes,
            "capacity": Size,
        },
    ),
    "mixgrpo_pixels_encode": Function(
        Status,
        {
            "pixels": Bytes,
            "pixel_count": Size,
            "image_count": Size,
            "height": Int32,
            "width": Int32,
            "patch": Int32,
            "out_latents": Floats,
            "capacity": Size,
        },
    ),
    "mixgrpo_image_create": Function(
        Status, {"pixels": Bytes, "count": Size, "width": Int32, "height": Int32, "out_image": ctypes.POINTER(Handle)}
    ),
    "mixgrpo_image_create_grid": Function(
        Status,
        {
            "pixels": Bytes,
            "count": Size,
            "image_count": Size,
            "width": Int32,
            "height": Int32,
            "columns": Int32,
            "gap": Int32,
            "scale": Int32,
            "out_image": ctypes.POINTER(Handle),
        },
    ),
    "mixgrpo_image_decode": Function(Status, {"png": Bytes, "size": Size, "out_image": ctypes.POINTER(Handle)}),
    "mixgrpo_image_load": Function(Status, {"path": Text, "out_image": ctypes.POINTER(Handle)}),
    "mixgrpo_image_destroy": Function(None, {"image": Handle}),
    "mixgrpo_image_get_info": Function(Status, {"image": Handle, "out_info": ctypes.POINTER(ImageInfo)}),
    "mixgrpo_image_get_pixels": Function(Status, {"image": Handle, "out_pixels": Bytes, "capacity": Size}),
    "mixgrpo_image_get_text": Function(Status, {"image": Handle, "index": Size, "out_text": ctypes.POINTER(TextEntry)}),
    "mixgrpo_image_set_texts": Function(
        Status, {"image": Handle, "texts": ctypes.POINTER(TextEntry), "text_count": Size}
    ),
    "mixgrpo_image_encode": Function(
        Status, {"image": Handle, "out_png": Bytes, "capacity": Size, "out_size": ctypes.POINTER(ctypes.c_size_t)}
    ),
    "mixgrpo_image_save": Function(Status, {"image": Handle, "path": Text}),
}
