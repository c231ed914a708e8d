"""What must be the same on all ranks before they train together."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from .._version import __version__
from ..errors import InvalidArgumentError
from .ranks import TorchRanks
from .tensors import kind_of
from .wrappers import Weights, is_sharded, local


def require_same_run(
    ranks: TorchRanks,
    state: Mapping[str, Any],
    settings: Mapping[str, Any],
    lines: Sequence[str],
    weights: Weights,
    frozen: Weights,
) -> None:
    """Raises `InvalidArgumentError` on every rank, naming field and rank, when one of them has other settings, rewards,
    prompts, library versions, or weights of other sizes or values than rank 0.

    `state`: of the trainer. `settings`: those that a continuation may change, and which are not in it.
    """
    own = {
        "mixgrpo": __version__,
        "torch": torch.__version__,
        **state["settings"],
        **settings,
        "prompts": hashlib.sha256(json.dumps(list(lines)).encode()).hexdigest()[:12],
        "iteration": state["progress"].get("iteration"),
        "weights of the optimizer": len(weights),
        **{f"weight {number} of the optimizer": kind_of(weight) for number, weight in enumerate(weights)},
    }
    texts = [json.loads(text) for text in ranks.texts(json.dumps(own, default=str))]
    for field in texts[0]:
        _require_equal(field, [text.get(field) for text in texts])
    sums = ranks.gather(np.array([0 if is_sharded(weight) else _bit_sum(weight) for weight in weights], np.int64))
    others = ranks.gather(np.array(sum(_bit_sum(weight) % 2**31 for weight in frozen if not is_sharded(weight))))
    names = [f"values of weight {number} of the optimizer" for number in range(len(weights))]
    for name, column in zip([*names, "values of frozen weights"], [*sums.T.tolist(), others.tolist()], strict=True):
        try:
            _require_equal(name, column)
        except InvalidArgumentError as error:
            raise InvalidArgumentError(
                f"{error}; seed the model alike on all ranks, or wrap it with DDP first"
            ) from None


def _require_equal(field: str, values: Sequence[Any]) -> None:
    for rank, value in enumerate(values):
        if value != values[0]:
            raise InvalidArgumentError(
                f"{field}: expected the same on every rank, as {values[0]} on rank 0, got {value} on rank {rank}"
            )


def _bit_sum(weight: torch.Tensor) -> int:
    """The sum of the bits of a weight as integers, which has no rounding and no order."""
    whole = local(weight.detach()).contiguous()
    integer = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[whole.element_size()]
    return int(whole.view(integer).sum(dtype=torch.int64))
