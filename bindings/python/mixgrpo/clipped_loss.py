"""The clipped policy loss of one stochastic step, and its gradient."""

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from . import _abi
from ._arguments import chosen, instance
from ._arrays import DoubleArray, FloatArray, doubles, output, pointer, rows, shaped
from ._library import call
from ._shapes import ShownByShape
from ._structs import to_struct
from .configurations import LearningConfig
from .enums import LogProbability, LogProbabilityName
from .results import Step
from .steps import batch


@dataclass(frozen=True, repr=False)
class PolicyLoss(ShownByShape):
    """The policy loss of B latents."""

    loss: float
    ratios: DoubleArray
    """r = exp(log p - log p_old), (B)."""
    d_velocity: FloatArray
    """dL/dvelocity, in the shape of the velocity."""


def policy_loss(
    step: Step,
    latents: ArrayLike,
    velocity: ArrayLike,
    next_latents: ArrayLike,
    old_log_probabilities: ArrayLike,
    advantages: ArrayLike,
    *,
    config: LearningConfig = LearningConfig(),
    form: LogProbability | LogProbabilityName = LogProbability.MEAN,
    reference_velocity: ArrayLike | None = None,
    out: FloatArray | None = None,
) -> PolicyLoss:
    """L = mean_B max(-A r, -A clip(r, 1 - clip_range, 1 + clip_range)) + the KL terms set in `config` (Mix §3.1, arXiv
    2507.21802). Step weights are not applied: a single step has weight 1.

    `latents`, `velocity`, `next_latents`: (B, …), D values in each row. `old_log_probabilities`, `advantages`: (B).
    `reference_velocity`: like `velocity`, needed when `config.kl_reference` is above 0. `out`: receives `d_velocity`.
    `form`: any but GUARDED.
    """
    before = batch(latents, "latents")
    count, row_size = len(before), before.size // max(1, len(before))
    answer = rows(velocity, count, row_size, "velocity")
    after = rows(next_latents, count, row_size, "next_latents")
    reference = None if reference_velocity is None else rows(reference_velocity, count, row_size, "reference_velocity")
    old = shaped(doubles(old_log_probabilities, "old_log_probabilities"), (count,), "old_log_probabilities")
    weights = shaped(doubles(advantages, "advantages"), (count,), "advantages")
    d_velocity = output(out, answer.shape, np.float32, apart_from=(before, answer, after, reference))
    ratios = np.empty(count, np.float64)
    loss = ctypes.c_double()
    call(
        "mixgrpo_policy_loss",
        ctypes.byref(to_struct(_abi.LearningConfig, instance(config, LearningConfig, "config"))),
        ctypes.byref(to_struct(_abi.Step, instance(step, Step, "step"))),
        chosen(LogProbability, form, "form"),
        pointer(before),
        pointer(answer),
        pointer(after),
        pointer(reference),
        pointer(old),
        pointer(weights),
        count,
        row_size,
        ctypes.byref(loss),
        pointer(ratios),
        ratios.size,
        pointer(d_velocity),
        d_velocity.size,
    )
    return PolicyLoss(loss.value, ratios, d_velocity)
