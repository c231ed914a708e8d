"""One iteration of a PyTorch run in figures, counted as the library counts its own."""

from collections.abc import Sequence

import numpy as np

from .._arrays import DoubleArray
from ..group_advantages import Advantages
from ..metrics import Metrics
from ..rollout import Rollout
from ..update import Update


def figures_of(
    rollout: Rollout,
    update: Update,
    scores: DoubleArray,
    weights: DoubleArray | None,
    found: Advantages,
    norms: Sequence[float],
    rate: float,
    seconds: tuple[float, float],
) -> Metrics:
    """`scores`: (K, P, G). `norms`: the gradient norm of each optimizer step. `rate`: of the last. `seconds`: of
    rollout and update."""
    seen = update.statistics()
    window = rollout.plan.iteration(rollout.iteration, window_start=rollout.window_start)
    means, deviations = zip(*map(mean_and_std, scores), strict=True)
    shares = np.ones(len(scores)) if weights is None else weights
    return Metrics(
        iteration=rollout.iteration,
        window_start=window.window_start,
        window_length=window.window_length,
        failed_rewards=found.failed_rewards,
        degenerate_groups=found.degenerate_groups,
        model_calls_rollout=rollout.model_calls,
        model_calls_update=seen.model_calls,
        reward_mean=weighted(means, shares),
        reward_std=weighted(deviations, shares),
        loss=seen.loss,
        first_ratio_min=seen.first_ratio_min,
        first_ratio_max=seen.first_ratio_max,
        ratio_min=seen.ratio_min,
        ratio_max=seen.ratio_max,
        clip_fraction=seen.clip_fraction,
        max_log_ratio_nats=seen.max_log_ratio_nats,
        kl_old_nats=seen.kl_old_nats,
        kl_reference_nats=seen.kl_reference_nats,
        gradient_norm=float(np.mean(norms)) if norms else float("nan"),
        learning_rate=rate,
        seconds_rollout=seconds[0],
        seconds_update=seconds[1],
    )


def mean_and_std(scores: DoubleArray) -> tuple[float, float]:
    """Of the finite ones, with n - 1 in the denominator; NaN of too few."""
    kept = scores[np.isfinite(scores)]
    mean = float(kept.mean()) if kept.size else float("nan")
    return mean, float(kept.std(ddof=1)) if kept.size > 1 else float("nan")


def weighted(values: Sequence[float], shares: DoubleArray) -> float:
    """The mean by weight; a reward of weight 0 plays no part, even when it is NaN."""
    return float(sum(share / shares.sum() * value for share, value in zip(shares, values, strict=True) if share > 0))
