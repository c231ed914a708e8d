"""One step of the host's optimizer."""

import math
from collections.abc import Sequence
from typing import Any

import torch

from .._arguments import short
from ..errors import InvalidArgumentError
from .not_finite import gradient_error
from .policy import TorchPolicy
from .snapshot import trained_weights
from .wrappers import clip_to_norm


def checked_optimizer(optimizer: Any) -> Any:
    """Any object that steps and holds its weights as those of `torch.optim` do."""
    if isinstance(optimizer, type) or not all(
        hasattr(optimizer, name) for name in ("step", "zero_grad", "param_groups")
    ):
        raise InvalidArgumentError(f"optimizer: expected one of torch.optim or alike, got {short(optimizer)}")
    return optimizer


def clipped_norm(
    policy: TorchPolicy,
    optimizer: torch.optim.Optimizer,
    scaler: "torch.amp.GradScaler | None",
    limit: float,
    minibatch: int,
) -> float:
    """Scales the gradients down to a global norm. Returns the norm before.

    Raises `NotFiniteError` when it is not finite, except with a scaler, which skips such a step.
    """
    if scaler is not None:
        scaler.unscale_(optimizer)
    weights = [weight for weight in trained_weights(optimizer) if weight.grad is not None]
    if not weights:
        raise InvalidArgumentError("optimizer: expected weights that the velocity depends on, got none with a gradient")
    norm = clip_to_norm(weights, limit)
    if scaler is None and not math.isfinite(norm):
        raise gradient_error(policy, weights, norm, minibatch)
    return norm


def step_at(optimizer: torch.optim.Optimizer, scaler: "torch.amp.GradScaler | None", rate_factor: float) -> float:
    """Steps at the optimizer's rates times a factor. Returns the rate of its first group in this step."""
    groups = optimizer.param_groups
    rates = [group["lr"] for group in groups]
    if rate_factor != 1:
        _set_rates(groups, [rate * rate_factor for rate in rates])
    try:
        if scaler is None:
            optimizer.step()
        else:
            scaler.step(optimizer)
            scaler.update()
    finally:
        if rate_factor != 1:
            _set_rates(groups, rates)
    return float(rates[0]) * rate_factor


def _set_rates(groups: list[dict[str, Any]], rates: Sequence[Any]) -> None:
    for group, rate in zip(groups, rates, strict=True):
        group["lr"] = rate
