"""Figures of a trainer: an iteration, its rewards, a resumption."""

import math
from dataclasses import dataclass

from ._numbers import digits


@dataclass(frozen=True)
class Metrics:
    """One iteration. Rewards are the weighted mean over K; NaN where there is nothing to report."""

    iteration: int
    """The iteration of these figures, from 0."""
    window_start: int
    window_length: int
    failed_rewards: int
    """Rewards that were not finite."""
    degenerate_groups: int
    """Groups without differences in reward."""
    model_calls_rollout: int
    model_calls_update: int
    reward_mean: float
    reward_std: float
    loss: float
    first_ratio_min: float
    """Exactly 1."""
    first_ratio_max: float
    """Exactly 1."""
    ratio_min: float
    ratio_max: float
    clip_fraction: float
    """0…1."""
    max_log_ratio_nats: float
    kl_old_nats: float
    kl_reference_nats: float
    gradient_norm: float
    """Mean over the minibatches, before the clip."""
    learning_rate: float
    """Of the last optimizer step."""
    seconds_rollout: float
    seconds_update: float
    skipped_steps: int = 0
    """Optimizer steps that `FaultPolicy.SKIP` skipped."""
    rolled_back: bool = False
    """Whether the update was undone by `FaultPolicy.SKIP` or `ROLL_BACK`."""
    velocity_change: float = math.nan
    """See `LearningConfig.max_velocity_change`; NaN where it was not measured."""

    def __str__(self) -> str:
        """The figures that tell most, in one line."""
        reward = f"reward {digits(self.reward_mean)} ± {digits(self.reward_std)}"
        seconds = digits(self.seconds_rollout + self.seconds_update)
        return f"iteration {self.iteration}: {reward}, gradient norm {digits(self.gradient_norm)}, {seconds} s"


@dataclass(frozen=True)
class RewardMetrics:
    """One reward of one iteration."""

    name: str
    mean: float
    """Mean of the finite rewards; NaN when there was none."""
    std: float
    failed: int
    """Rewards that were not finite."""


@dataclass(frozen=True)
class Resumption:
    """What a trainer was resumed from."""

    iteration: int
    """The iteration that comes next."""
    skipped: int
    """Newer checkpoints skipped because they are incomplete."""
