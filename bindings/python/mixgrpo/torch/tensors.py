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


def kind_of(tensor: torch.Tensor) -> str:
    """All that a tensor and a saved one must share for a copy that changes no bit."""
    return f"{tuple(tensor.shape)} in {tensor.dtype}"


def first_parameter(module: Any) -> torch.Tensor:
    """The tensor that gives device and type of a model: its first floating-point parameter that is not quantised; an
    empty one of float32 on the CPU when it has none, or is no module."""
    parameters = module.parameters() if isinstance(module, torch.nn.Module) else ()
    return next((value for value in parameters if not is_quantised(value)), torch.empty(0, dtype=torch.float32))


def is_quantised(weight: torch.Tensor) -> bool:
    """Whether a weight holds integers or 8-bit floats, which a model stores and does not compute with."""
    return not weight.is_floating_point() or weight.element_size() == 1


def module_of(velocity: Any) -> torch.nn.Module | None:
    """The module behind a velocity: itself or its `module`; None for a plain function."""
    module = getattr(velocity, "module", velocity)
    return module if isinstance(module, torch.nn.Module) else None


def weight_names(velocity: Any) -> dict[int, str]:
    """The name of each weight of the module behind a velocity, by the identity of the weight."""
    module = module_of(velocity)
    return {} if module is None else {id(weight): name for name, weight in module.named_parameters()}


def weights_to_train(velocity: Any) -> list[torch.nn.Parameter]:
    """The weights of the module behind a velocity that require gradients."""
    module = module_of(velocity)
    return [] if module is None else [weight for weight in module.parameters() if weight.requires_grad]
