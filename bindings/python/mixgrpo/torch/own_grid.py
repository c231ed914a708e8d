"""A policy's own time grid in the settings of plans and samples."""

import dataclasses

from ..configurations import SampleConfig, SamplingConfig
from ..errors import InvalidArgumentError
from ..plan import Plan
from .policy import TorchPolicy


def plan_of(policy: TorchPolicy, plan: Plan | SamplingConfig) -> Plan | SamplingConfig:
    """Settings with the policy's own time grid, if it has one, as a plan. A finished plan stays as it is. Raises
    `InvalidArgumentError` when the settings ask for another grid."""
    if policy.time_grid is None or not isinstance(plan, SamplingConfig):
        return plan
    _require_no_shift(plan, "pass Plan(config)")
    return Plan(plan, sigmas=policy.time_grid(plan.steps))


def sample_config_of(policy: TorchPolicy, config: SampleConfig) -> SampleConfig:
    """Settings of samples, with the policy's own time grid if it has one and they have none. Raises
    `InvalidArgumentError` when the settings ask for another grid."""
    if policy.time_grid is None or config.sigmas is not None:
        return config
    _require_no_shift(config, "pass sigmas")
    return dataclasses.replace(config, sigmas=policy.time_grid(config.steps))


def _require_no_shift(config: SamplingConfig | SampleConfig, other_way: str) -> None:
    standard = type(config)()
    for name in ("shift", "image_tokens"):
        if (got := getattr(config, name)) != getattr(standard, name):
            raise InvalidArgumentError(
                f"{name}: expected none, as the policy has its own time grid, got {got}; for another grid {other_way}, "
                "or set policy.time_grid to None"
            )
