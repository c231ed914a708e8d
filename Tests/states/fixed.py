"""The few configurations that all walks use: models so small that a call takes a fraction of a millisecond."""

import functools

import numpy as np
from interface import OK, _abi, configured, defaults, destroy, give, made, must
from mixgrpo._library import library

CHANNELS, TOKENS, TEXT, WIDTH, POOLED, PROMPTS = 4, 2, 2, 4, 4, 4
LATENT = CHANNELS * TOKENS

MODEL = defaults(_abi.ModelConfig, "mixgrpo_model_config_init")
for _name, _value in {
    "in_channels": CHANNELS, "out_channels": CHANNELS, "num_layers": 0, "num_single_layers": 1, "attention_head_dim": 8,
    "num_attention_heads": 1, "joint_attention_dim": WIDTH, "pooled_projection_dim": POOLED,
}.items():  # fmt: skip
    setattr(MODEL, _name, _value)
MODEL.axes_dims_rope[:] = [2, 2, 4]
EVALUATOR = defaults(_abi.EvaluatorConfig, "mixgrpo_evaluator_config_init")
SAMPLE = defaults(_abi.SampleConfig, "mixgrpo_sample_config_init")
SAMPLE.steps = 2
HOST = defaults(_abi.HostConfig, "mixgrpo_host_config_init")
ROLLOUT = defaults(_abi.RolloutConfig, "mixgrpo_rollout_config_init")
EVALUATION = defaults(_abi.EvaluationConfig, "mixgrpo_evaluation_config_init")
SAMPLING, LEARNING = _abi.SamplingConfig(), _abi.LearningConfig()
must(library.mixgrpo_config_init(SAMPLING, SAMPLING.struct_size, LEARNING, LEARNING.struct_size) == OK, "defaults")

GIVEN, ADAPTIVE = 6, 7  # window modes
PLANS = (
    {"steps": 4, "window_length": 1, "window_interval": 1, "group_size": 3, "seed": 5},
    {"steps": 3, "window_length": 2, "window_mode": 0, "group_size": 2, "initial_noise": 1, "seed": 6},
    {"steps": 4, "window_length": 2, "window_interval": 1, "group_size": 4, "flash_ratio": 0.5, "seed": 7},
    {"steps": 4, "window_length": 1, "window_mode": GIVEN, "group_size": 2, "seed": 8},
    {
        "steps": 4,
        "window_length": 1,
        "window_mode": ADAPTIVE,
        "window_interval": 3,
        "window_trend": 2,
        "window_minimum_gain": 0.0,
        "group_size": 3,
        "seed": 9,
    },
)
STOP, SKIP, ROLL_BACK = 0, 1, 2
UNDO_NONE = 1
LEARNINGS = (
    {"updates_per_iteration": 2, "learning_rate": 1e-2, "fault_policy": STOP},
    {
        "updates_per_iteration": 2,
        "learning_rate": 1e-2,
        "fault_policy": STOP,
        "undo": UNDO_NONE,
        "max_velocity_change": 0.0,
    },
    {"updates_per_iteration": 2, "learning_rate": 1e-2, "fault_policy": SKIP, "kl_reference": 0.1, "ema_decay": 0.9},
    {"updates_per_iteration": 1, "learning_rate": 1e-1, "fault_policy": ROLL_BACK, "max_velocity_change": 0.3},
    {"updates_per_iteration": 1, "learning_rate": 1e-2, "fault_policy": STOP, "max_velocity_change": 0.0},
)
# A host has its own optimizer: these settings leave its settings alone.
HOST_LEARNINGS = (
    {"updates_per_iteration": 2, "fault_policy": STOP},
    {"updates_per_iteration": 2, "fault_policy": STOP, "undo": UNDO_NONE, "max_velocity_change": 0.0},
    {"updates_per_iteration": 2, "fault_policy": SKIP, "kl_reference": 0.1},
    {"updates_per_iteration": 2, "fault_policy": ROLL_BACK, "max_velocity_change": 0.02},
    {"updates_per_iteration": 1, "fault_policy": STOP, "max_velocity_change": 0.02},
)
# An update by hand is undone as a whole; these are learnings of `LEARNINGS`.
HAND_LEARNINGS = (0, 2, 4)
BATCHES = (1, 3, 16)
CANON_BATCH = 64


def group_size(plan):
    return PLANS[plan]["group_size"]


def window_starts(plan):
    """Places that a window may have: 0...T - 1 - w."""
    return PLANS[plan]["steps"] - PLANS[plan]["window_length"]


@functools.cache
def noise(seed, count):
    return np.random.default_rng(seed).standard_normal(count).astype(np.float32)


PALETTE = ("first", "second", "large")


@functools.cache
def palette_weights(name, count):
    """Weights by name; with `large` all velocities overflow."""
    return {"first": 0.2, "second": 0.3, "large": 1e20}[name] * noise(PALETTE.index(name), count)


@functools.cache
def rewards_of(number, samples):
    """A few kinds of rewards: two usual ones, one with a failure, all failed, all equal."""
    if number == 3:
        return np.full(samples, np.nan)
    if number == 4:
        return np.ones(samples)
    values = np.random.default_rng(100 + number).standard_normal(samples)
    if number == 2:
        values[0] = np.nan
    return values


def new_context(threads):
    return made("context_create", threads)


def new_model(context, weights):
    model = made("model_create", context, configured(MODEL), 1)
    must(library.mixgrpo_model_set_weights(model, 0, _floats(weights), weights.size) == OK, "weights")
    return model


def _floats(values):
    return values.ctypes.data_as(_abi.Floats)


def new_evaluator(model, max_batch, recompute=0):
    config = configured(
        EVALUATOR,
        height_tokens=1,
        width_tokens=TOKENS,
        text_length=TEXT,
        max_batch=max_batch,
        recompute_activations=recompute,
    )
    return made("evaluator_create", model, config, None, 0)


def new_prompts(context):
    text, pooled = noise(50, PROMPTS * TEXT * WIDTH), noise(51, PROMPTS * POOLED)
    return made(
        "prompts_create", context, give(text), text.size, give(pooled), pooled.size, PROMPTS, TEXT, WIDTH, POOLED
    )


def new_plan(plan):
    return made("plan_create", configured(SAMPLING, **PLANS[plan]), None, 0)


def new_trainer(evaluator, prompts, plan, learning, keep_base):
    names = (_abi.ctypes.c_char_p * 1)(b"taste")
    return made(
        "trainer_create", evaluator, prompts, plan, configured(LEARNING, **LEARNINGS[learning]), names, 1, keep_base
    )


def new_host_trainer(context, plan, learning, max_batch):
    names = (_abi.ctypes.c_char_p * 1)(b"taste")
    handle = new_plan(plan)
    trainer = made(
        "trainer_create_for_host",
        context,
        handle,
        configured(LEARNING, **HOST_LEARNINGS[learning]),
        configured(HOST, max_batch=max_batch, prompt_count=PROMPTS, latent_size=LATENT),
        names,
        1,
    )
    destroy("plan", handle)
    return trainer


def new_optimizer(context, learning, count):
    return made("optimizer_create", context, configured(LEARNING, **LEARNINGS[learning]), count)


# Evaluations: the weights and the prompts of each kind; the first two differ only in what is kept.
EVALUATIONS = ((0, (0, 2), 1), (0, (0, 2), 0), (2, (1, 3), 1))
SCORES = 2


def new_evaluation(kind):
    which, prompts, keep_best = EVALUATIONS[kind]
    names = (_abi.ctypes.c_char_p * SCORES)(b"taste", b"judge")
    config = configured(EVALUATION, every=2, weights=which, keep_best=keep_best, watchdog=2, watchdog_patience=2)
    sample = configured(SAMPLE, samples_per_prompt=2)
    held_out = give([0, 1], np.uint8)
    return made(
        "evaluation_create", config, sample, give(prompts, np.int32), len(prompts), names, None, held_out, SCORES
    )


def evaluated(kind):
    """How many samples an evaluation draws."""
    return 2 * len(EVALUATIONS[kind][1])


def scores_of(number, kind):
    """(K, P, S); with some of these numbers the trained reward rises while the held-out one falls."""
    samples = evaluated(kind)
    values = np.random.default_rng(200 + number).standard_normal((SCORES, samples))
    values[0] += number % 4
    values[1] -= number % 4
    if number % 8 == 5:
        values[0, 0] = np.nan
    if number % 16 == 7:
        values[1] = np.nan
    return values.ravel()


def weight_count():
    context = new_context(1)
    model = made("model_create", context, configured(MODEL), 1)
    count = _abi.ctypes.c_size_t()
    must(library.mixgrpo_model_get_size(model, None, count) == OK, "size")
    library.mixgrpo_model_destroy(model)
    library.mixgrpo_context_destroy(context)
    return count.value
