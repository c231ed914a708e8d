"""Group advantages from the host's rewards."""

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _abi
from ._arguments import instance
from ._arrays import DoubleArray, doubles, pointer, shaped, size
from ._library import call
from ._shapes import ShownByShape
from ._structs import to_struct
from .configurations import LearningConfig
from .errors import InvalidArgumentError


@dataclass(frozen=True, repr=False)
class Advantages(ShownByShape):
    """Advantages of P groups of G samples, with counts of failed rewards and excluded samples."""

    values: DoubleArray
    """(P, G); 0 for an excluded sample."""
    included: NDArray[np.uint8]
    """(P, G); 0 for an excluded sample, otherwise 1."""
    failed_rewards: int
    """Rewards that are not finite; they are excluded, never counted as 0."""
    excluded_samples: int
    """Samples with a failed reward of nonzero weight, or in a dropped group."""
    degenerate_groups: int
    """Groups whose rewards are (nearly) equal: advantage 0."""
    dropped_groups: int
    """Groups with fewer than two samples left."""


def advantages(
    rewards: ArrayLike, *, weights: ArrayLike | None = None, config: LearningConfig = LearningConfig()
) -> Advantages:
    """Group advantages (Mix §3.1, arXiv 2507.21802) from rewards (K, P, G), or (P, G) for one reward.

    A sample with a NaN or infinite reward of nonzero weight is excluded from mean, std and loss. K in 1…1024, G
    at least 2. `weights`: (K), each 0 or more, not all 0; None for 1 each.
    """
    scores = doubles(rewards, "rewards")
    if scores.ndim not in (2, 3):
        raise InvalidArgumentError(f"rewards: expected shape (K, P, G) or (P, G), got {scores.shape}")
    kinds, prompts, group = scores.shape if scores.ndim == 3 else (1, *scores.shape)
    shares = None if weights is None else shaped(doubles(weights, "weights"), (kinds,), "weights")
    values = np.empty((prompts, group), np.float64)
    included = np.empty((prompts, group), np.uint8)
    report = _abi.AdvantageReport()
    call(
        "mixgrpo_advantages",
        ctypes.byref(to_struct(_abi.LearningConfig, instance(config, LearningConfig, "config"))),
        pointer(scores),
        kinds,
        prompts,
        group,
        pointer(shares),
        size(shares),
        pointer(values),
        pointer(included),
        values.size,
        ctypes.byref(report),
    )
    return Advantages(
        values,
        included,
        failed_rewards=report.failed_rewards,
        excluded_samples=report.excluded_samples,
        degenerate_groups=report.degenerate_groups,
        dropped_groups=report.dropped_groups,
    )
