"""Weights and optimizer as they were before an update, to go back to when it fails."""

import copy
from typing import Any

import torch

from ..errors import InvalidArgumentError
from .tensors import is_quantised


class Snapshot:
    """A copy, on their devices, of what an optimizer trains and of its state; of scheduler and scaler too.

    It costs the memory of the trained weights (few, with LoRA) and of the optimizer's moments once more.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, *others: Any) -> None:
        self._weights = [(weight, weight.detach().clone()) for weight in trained_weights(optimizer)]
        holders = [holder for holder in (optimizer, *others) if holder is not None]
        self._states = [(holder, copy.deepcopy(holder.state_dict())) for holder in holders]

    def restore(self) -> None:
        """Brings everything back; gradients become none."""
        with torch.no_grad():
            for weight, before in self._weights:
                weight.copy_(before)
                weight.grad = None
        for holder, state in self._states:
            holder.load_state_dict(state)


def trained_weights(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """All weights that an optimizer steps."""
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def require_trainable(optimizer: torch.optim.Optimizer, names: dict[int, str]) -> None:
    """Raises `InvalidArgumentError` unless an optimizer has weights, none of which is quantised. `names`: of weights, by
    their identity."""
    weights = trained_weights(optimizer)
    if not weights:
        raise InvalidArgumentError("optimizer: expected weights to train, got none")
    for weight in weights:
        if is_quantised(weight):
            name = names.get(id(weight), "a weight")
            raise InvalidArgumentError(
                f"optimizer: expected weights in floating point, got {name} {tuple(weight.shape)} in {weight.dtype}, which "
                "is quantised and cannot be trained; give the optimizer only the weights that require gradients, such as "
                "those of adapters"
            )
