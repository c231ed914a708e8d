"""Checkpoints of a model that is sharded over ranks: a folder to which each rank writes its part, and one file for the rest.

`iteration-00000042/` contains what `torch.distributed.checkpoint` writes, and `state.pt`, which is written last and has the
size and checksum of every other file. Any number of ranks can read it.
"""

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.tensor import DTensor, distribute_tensor

from ..errors import InputOutputError, InvalidFormatError
from .snapshot import trained_weights

STATE_FILE = "state.pt"
_MARK = "tensor:"


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """All of a tensor; on all ranks at once if it is sharded."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def like(weight: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """A whole tensor as `weight` is: sharded alike, on the same device. On all ranks at once if it is sharded."""
    moved = value.to(weight.device)
    if not isinstance(weight, DTensor) or isinstance(moved, DTensor) or moved.shape != weight.shape:
        return moved
    return distribute_tensor(moved, weight.device_mesh, weight.placements)


def mapped(state: Any, change: Any) -> Any:
    """A state with every tensor replaced by `change(path, tensor)`; `path` is of keys and places."""
    return _mapped(state, change, ())


def _mapped(state: Any, change: Any, path: tuple[Any, ...]) -> Any:
    if isinstance(state, torch.Tensor):
        return change(path, state)
    if type(state) is dict:
        return {key: _mapped(value, change, (*path, key)) for key, value in state.items()}
    if type(state) in (list, tuple):
        return type(state)(_mapped(value, change, (*path, place)) for place, value in enumerate(state))
    return state


class Shards:
    """The tensors of a checkpoint by name, apart from the rest of its content."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self.rest = mapped(dict(content), self._take)

    def _take(self, path: tuple[Any, ...], tensor: torch.Tensor) -> Any:
        if path[0] != "weights" and not isinstance(tensor, DTensor):
            return tensor
        name = ".".join(str(part) for part in path)
        self.tensors[name] = tensor
        return f"{_MARK}{name}"

    def write(self, folder: Path, group: Any) -> None:
        """Writes the tensors, each rank its part. Raises `InputOutputError` on all ranks."""
        try:
            save(dict(self.tensors), checkpoint_id=folder, process_group=group)
        except Exception as error:  # CheckpointException is of no common base
            raise InputOutputError(f"{folder}: expected to save shards, got {_reason(error)}") from error


def read_shards(
    folder: Path, content: Any, optimizer: torch.optim.Optimizer, group: Any
) -> tuple[list[torch.Tensor], list[Any]]:
    """Weights and states of a sharded checkpoint, sharded as the optimizer's weights are now.

    Raises `InvalidFormatError` on all ranks.
    """
    order = trained_weights(optimizer)
    kinds = content["tensors"]
    tensors = {name: _empty(name, shape, getattr(torch, dtype), order) for name, (shape, dtype) in kinds.items()}
    try:
        load(tensors, checkpoint_id=folder, process_group=group, no_dist=group is None)
    except Exception as error:
        raise InvalidFormatError(f"{folder}: expected complete shards, got {_reason(error)}") from error
    weights = [tensors[f"weights.{number}"] for number in range(len(order))]
    return weights, _filled(content["states"], tensors)


def tensor_kinds(tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[list[int], str]]:
    """Shape and type of each tensor."""
    return {name: (list(one.shape), str(one.dtype).removeprefix("torch.")) for name, one in tensors.items()}


def checksums(folder: Path, prefix: str) -> dict[str, tuple[int, int]]:
    """Size and CRC-32 of the files of a folder whose names begin so, but `state.pt`."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(prefix) and path.name != STATE_FILE:
            found[path.name] = (path.stat().st_size, _checksum(path))
    return found


def damage(folder: Path, files: Mapping[str, Sequence[int]]) -> str | None:
    """What is wrong with the files of a sharded checkpoint; None when nothing is."""
    for name, (size, checksum) in files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size:
            return f"expected {name} of {size} bytes, got none or another"
        if _checksum(path) != checksum:
            return f"expected correct checksums, got a wrong one for {name}"
    return None


def _checksum(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            value = zlib.crc32(block, value)
    return value


def _empty(name: str, shape: Sequence[int], dtype: torch.dtype, weights: Sequence[torch.Tensor]) -> torch.Tensor:
    """Room for a tensor: like the weight that it belongs to, `weights.N` or `states.0.state.N.…`."""
    path = name.split(".")
    number = int(path[1] if path[0] == "weights" else path[3])
    weight = weights[number] if number < len(weights) else None
    if weight is not None and tuple(weight.shape) == tuple(shape):
        return torch.zeros_like(weight, dtype=dtype, requires_grad=False)
    return torch.zeros(*shape, dtype=dtype)


def _filled(state: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    if isinstance(state, str) and state.startswith(_MARK):
        return tensors[state.removeprefix(_MARK)]
    if type(state) is dict:
        return {key: _filled(value, tensors) for key, value in state.items()}
    return [_filled(value, tensors) for value in state] if type(state) in (list, tuple) else state


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[-1][:300] if str(error).strip() else ''}"
