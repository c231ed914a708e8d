"""Checks and small changes of tensors."""

from typing import Any

import torch

from ..errors import InvalidArgumentError


def filled_up(tensor: torch.Tensor, rows: int) -> torch.Tensor:
    """The tensor with its last row repeated until it has at least `rows`; itself when it has them."""
    missing = rows - len(tensor)
    return tensor if missing <= 0 else torch.cat([tensor, tensor[-1:].expand(missing, *tensor.shape[1:])])


def checked_velocity(velocity: Any, shape: tuple[int, ...], name: str) -> torch.Tensor:
    """What a model answered, if it is a tensor of real numbers of exactly this shape."""
    if not isinstance(velocity, torch.Tensor):
        raise InvalidArgumentError(f"{name}: expected a tensor {shape}, got {type(velocity).__name__}")
    if not velocity.is_floating_point():
        raise InvalidArgumentError(f"{name}: expected floating-point values, got {velocity.dtype}")
    if tuple(velocity.shape) != shape:
        raise InvalidArgumentError(f"{name}: expected shape {shape}, got {tuple(velocity.shape)}")
    return velocity


def first_parameter(module: Any) -> torch.Tensor:
    """The tensor that gives device and type of a model: its first floating-point parameter; an empty one of float32 on
    the CPU when it has none, or is no module."""
    parameters = module.parameters() if isinstance(module, torch.nn.Module) else ()
    return next((value for value in parameters if value.is_floating_point()), torch.empty(0, dtype=torch.float32))
