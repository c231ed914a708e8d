"""A chain of linear layers that makes one number of features: what several rewards end with."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch

from ..errors import InvalidFormatError

_NAME = re.compile(r"(?:layers\.)?(?:(\d+)\.)?(weight|bias)")


def linear_head(weights: Mapping[str, torch.Tensor], width: int, file: Path) -> torch.nn.Sequential:
    """The layers of a file with the names layers.0.weight, layers.0.bias, layers.2.weight, …, or weight and bias for a
    single one; nothing but dropout stood between them. Raises `InvalidFormatError` unless they lead from `width` features
    to one number."""
    layers: dict[int, dict[str, torch.Tensor]] = {}
    for name, weight in weights.items():
        if (found := _NAME.fullmatch(name)) is None:
            raise InvalidFormatError(f"{file}: expected layers.NUMBER.weight and .bias, got a weight {name}")
        layers.setdefault(int(found[1] or 0), {})[found[2]] = weight
    head, size = torch.nn.Sequential(), width
    for number, layer in sorted(layers.items()):
        shapes = {kind: tuple(values.shape) for kind, values in layer.items()}
        outputs = shapes.get("bias", ())
        if len(outputs) != 1 or shapes.get("weight") != (*outputs, size):
            raise InvalidFormatError(
                f"{file}: expected a weight of shape (…, {size}) and a bias in layer {number}, got {shapes}; the features "
                f"of the model have {width} values: does the file belong to another model?"
            )
        head.append(torch.nn.Linear(size, *outputs))
        head[-1].load_state_dict(layer)
        (size,) = outputs
    if size != 1 or not layers:
        raise InvalidFormatError(
            f"{file}: expected layers that end in one number, got {size if layers else 'no layers'}"
        )
    return head
